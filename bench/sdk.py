"""What does it cost a program to read a prompt? `python -m bench.sdk`

Warm reads, reads with a rendering, eight threads at once, and `import sdk`; against a stand-in for
the hub on loopback. The floor, in the same run, is a plain method that looks into two dictionaries.
Everything is the best of several short rounds, since other programs share the machine.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import sdk

RESULTS = Path(__file__).parent / "results" / "sdk.json"
NAME = "support/triage"
RECORD = {
    "name": NAME, "id": "p_1", "version": 7, "commit": "c" * 40, "hash": "h", "label": "production",
    "labels": ["production"],
    "document": {"template": "jinja", "messages": [
        {"role": "user", "content": "Sort this ticket: {{ text }}. " + "Be kind. " * 200},
    ]},
}  # fmt: skip
BARS = {"warm_get_ns": 300, "import_ms": 30}


class Floor:
    """The least that a read by label and name can cost in Python."""

    def __init__(self, prompt: sdk.Prompt) -> None:
        self.rows = {"production": {NAME: prompt}}

    def get(self, name: str, label: str = "production") -> sdk.Prompt:
        return self.rows[label][name]


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        body = json.dumps(RECORD).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def best_ns(calls: dict[str, Callable[[], object]], rounds: int = 150) -> dict[str, float]:
    """Nanoseconds per call in the best round, the loop itself taken off.

    The calls take turns in short rounds, so that all of them meet the machine's quiet moments.
    """
    turns = range(4_000)
    best = dict.fromkeys(["", *calls], float("inf"))
    for _ in range(rounds):
        for name, call in {"": None, **calls}.items():
            began = time.perf_counter_ns()
            if call is None:
                for _ in turns:
                    pass
            else:
                for _ in turns:
                    call()
            best[name] = min(best[name], time.perf_counter_ns() - began)
    return {name: (best[name] - best[""]) / len(turns) for name in calls}


def threads_per_second(count: int, seconds: float = 1.5) -> float:
    """Reads per second of `count` threads together."""
    done = [0] * count
    ends = time.monotonic() + seconds

    def read(at: int) -> None:
        get, turns = sdk.get_prompt, range(2000)
        while time.monotonic() < ends:
            for _ in turns:
                get(NAME)
            done[at] += 2000

    threads = [threading.Thread(target=read, args=(at,)) for at in range(count)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


def import_ms(what: str, rounds: int = 15) -> float:
    """Milliseconds of an import in a new interpreter, the best of several."""
    code = (
        "import time; began = time.perf_counter(); "
        f"import {what}; print((time.perf_counter() - began) * 1e3)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        for _ in range(rounds)
    ]
    return min(float(run) for run in runs)


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = sdk.configure(f"http://127.0.0.1:{server.server_address[1]}", "", refresh=3600)
    prompt = sdk.get_prompt(NAME)
    floor = Floor(prompt)

    def render() -> str:
        return sdk.get_prompt(NAME).text(text="a fall")

    figures = best_ns(
        {
            "floor_ns": lambda: floor.get(NAME),
            "warm_get_ns": lambda: sdk.get_prompt(NAME),
            "warm_get_of_a_hub_ns": lambda: hub.get_prompt(NAME),
            "get_and_render_ns": render,
        }
    )
    figures |= {
        "reads_per_second_1_thread": threads_per_second(1),
        "reads_per_second_8_threads": threads_per_second(8),
        "import_ms": import_ms("sdk"),
        "import_httpx_ms": import_ms("httpx", 5),
    }
    figures["warm_get_to_floor"] = figures["warm_get_ns"] / figures["floor_ns"]
    hub.close()
    server.shutdown()
    server.server_close()
    result = {
        "python": platform.python_version(),
        "figures": {name: round(value, 2) for name, value in figures.items()},
        "bars": {name: {"at_most": bar, "met": figures[name] <= bar} for name, bar in BARS.items()},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
