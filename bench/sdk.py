"""What does it cost a program to read a prompt? `python -m bench.sdk [--peers PYTHON]`

Warm reads, handles, renderings, eight threads, herds, starts, faults, releases and `import sdk`,
against a fake hub on loopback. The floor, in the same run, is a plain method that looks into two
dictionaries; `--peers` is the Python of an environment with other SDKs (see `bench.sdk_peers`).
Single reads are the best of many short rounds, since other programs share the machine.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import sdk
from bench import sdk_cases, sdk_peers
from tests.contract.fake_hub import KEY, FakeHub

RESULTS = Path(__file__).parent / "results"
NAME = "support/triage"
TEXT = "Sort this ticket: {{ text }}. " + "Be kind. " * 200
PROMPT_SDKS = ("langfuse", "langsmith", "mlflow")


class Floor:
    """The least that a read by label and name can cost in Python."""

    def __init__(self, prompt: sdk.Prompt) -> None:
        self.rows = {"production": {NAME: prompt}}

    def get(self, name: str, label: str = "production") -> sdk.Prompt:
        return self.rows[label][name]


def best_ns(calls: dict[str, Callable[[], object]], rounds: int = 150) -> dict[str, float]:
    """Nanoseconds per call in the best round, the loop itself taken off.

    The calls take turns in short rounds, so that all of them meet the machine's quiet moments.
    """
    turns = range(4_000)
    best = dict.fromkeys(["", *calls], float("inf"))
    for _ in range(rounds):
        for name, call in {"": lambda: None, **calls}.items():
            began = time.perf_counter_ns()
            for _ in turns:
                call()
            best[name] = min(best[name], time.perf_counter_ns() - began)
    return {name: (best[name] - best[""]) / len(turns) for name in calls}


_IMPORT = """
import time
def memory():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
before, began = memory(), time.perf_counter()
{statement}
took = (time.perf_counter() - began) * 1e3
print(took, memory() - before)
"""


def importing(python: str, statement: str, rounds: int = 9) -> dict[str, float]:
    """Milliseconds and MB of an import in a new interpreter, the best of several."""
    found: list[tuple[float, ...]] = []
    for _ in range(rounds):
        done = subprocess.run(
            [python, "-c", _IMPORT.replace("{statement}", statement)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.append(tuple(float(one) for one in done.stdout.split()[-2:]))
    return {"import_ms": min(one[0] for one in found), "import_mb": min(one[1] for one in found)}


def ours() -> dict[str, Any]:
    hub = FakeHub()
    hub.release(NAME, TEXT, 7)
    reader = sdk.configure(hub.url, KEY, snapshot=None, boot_wait=20)
    prompt = sdk.get_prompt(NAME)
    reader.wait_ready()
    handle, floor = reader.prompt(NAME), Floor(prompt)
    figures: dict[str, Any] = best_ns(
        {
            "floor_ns": lambda: floor.get(NAME),
            "get_ns": lambda: sdk.get_prompt(NAME),
            "get_of_a_hub_ns": lambda: reader.get_prompt(NAME),
            "handle_ns": lambda: handle.current,
            "get_and_render_ns": lambda: sdk.get_prompt(NAME).text(text="a fall"),
        }
    )
    figures["reads_per_second_8_threads"] = sdk_peers.threads_per_second(
        lambda: sdk.get_prompt(NAME)
    )
    sdk.close(1)
    hub.stop()
    compileall.compile_dir(Path(sdk.__file__).parent, quiet=1)  # as an installer does
    figures |= importing(sys.executable, "import sdk")
    for case in (sdk_cases.herd, sdk_cases.starts, sdk_cases.faults):
        figures |= case()
    return figures


def peer(python: str, name: str) -> dict[str, Any]:
    """What `bench.sdk_peers` finds in the other environment."""
    try:
        found = importing(python, sdk_peers.IMPORTS[name], 5)
    except subprocess.SubprocessError as error:
        return {"error": f"{type(error).__name__}"}
    return found | asked(python, name)


def asked(python: str, *what: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [python, sdk_peers.__file__, *what], capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        return {"error": f"{type(error).__name__}"}
    line = next((one for one in done.stdout.split("\n") if one.startswith("FOUND ")), "")
    if not line:
        return {"error": done.stderr.strip().split("\n")[-1][:200]}
    return json.loads(line.removeprefix("FOUND "))


def served(python: str, rounds: int = 12) -> tuple[dict[str, Any], dict[str, Any]]:
    """Release → served, ours and LaunchDarkly's in turns, each in a process of its own.

    The median of the rounds: what else this machine does falls on both alike.
    """
    mine: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for _ in range(rounds):
        own = asked_of_us()
        mine.append(own["served_ms"])
        other = asked(python, "launchdarkly", "releases") if python else {}
        if "served_ms" in other:
            theirs.append(other["served_ms"])
    return _median(mine), _median(theirs) if theirs else {}


def asked_of_us() -> dict[str, Any]:
    code = "import json; from bench import sdk_cases; print(json.dumps(sdk_cases.releases()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    return json.loads(done.stdout)


def _median(rounds: list[dict[str, float]]) -> dict[str, Any]:
    middle = {key: median(one[key] for one in rounds) for key in ("p50", "p99")}
    return {"served_ms": middle, "served_rounds": rounds}


def bars(own: dict[str, Any], peers: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Measure, bar, found, met."""
    rows: list[tuple[str, str, str, bool]] = []

    def add(what: str, value: float, most: float, unit: str = "", less: bool = True) -> None:
        met = value <= most if less else value >= most
        sign = "≤" if less else "≥"
        rows.append((what, f"{sign} {most:.4g} {unit}".strip(), f"{value:.4g} {unit}".strip(), met))

    def best(what: str, names: tuple[str, ...] = PROMPT_SDKS, pick: Any = min) -> float | None:
        found = [peers[one][what] for one in names if what in peers.get(one, {})]
        return pick(found) if found else None

    add("warm get", own["get_ns"], 2 * own["floor_ns"], "ns")
    add("handle", own["handle_ns"], own["floor_ns"] / 4, "ns")
    if get := best("get_ns"):
        add("warm get, beside the best prompt SDK", own["get_ns"], get / 10, "ns")
    if render := best("get_and_render_ns"):
        add("get and render", own["get_and_render_ns"], render / 5, "ns")
    if threads := best("reads_per_second_8_threads", pick=max):
        add("8 threads", own["reads_per_second_8_threads"], threads * 10, "/s", less=False)
    if other := peers.get("launchdarkly", {}).get("served_ms"):
        add("release → served, p50", own["served_ms"]["p50"], other["p50"], "ms")
        add("release → served, p99", own["served_ms"]["p99"], other["p50"] * 4, "ms")
    add("calls of 100 cold callers", own["calls_of_100_cold_callers"], 1)
    add("calls of 1,000 cold prompts", own["calls_of_1000_cold_prompts"], 1)
    add("1,000 cold prompts", own["ms_of_1000_cold_prompts"], 50, "ms")
    for mood in ("refuse", "hang"):
        add(f"boot, {mood}, table on disk", own[f"ms_boot_{mood}_snapshot"], 20, "ms")
        add(f"boot, {mood}, nothing: past boot_wait",
            own[f"ms_past_boot_wait_{mood}_nothing"], 50, "ms")  # fmt: skip
    blocks = own["blocks"]
    worst = max((one for one in blocks if one != "none"), key=lambda one: blocks[one]["held_up_ms"])
    add(f"longest block of 20 reads, 12 faults ({worst})", blocks[worst]["held_up_ms"], 1, "ms")
    add("… the same without a fault", blocks["none"]["held_up_ms"], 1, "ms")
    ran = max(one["sdk_ran_ms"] for one in blocks.values())
    add("… processor time of the SDK in it, at the most", ran, 1, "ms")
    if took := best("import_ms"):
        add("import", own["import_ms"], took / 10, "ms")
        add("memory of the import", own["import_mb"], (best("import_mb") or 0) / 4, "MB")
    return rows


def _blocks(found: dict[str, Any]) -> list[str]:
    """The longest block under each fault, beside what the machine does to a bare loop."""
    kinds = ("held_up_ms", "floor_ms", "wall_ms", "floor_wall_ms", "sdk_ran_ms")
    lines = ["| fault | held up, ms | floor | wall clock, ms | floor | the SDK ran, ms |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for fault, one in found.items():
        lines.append(f"| {fault} | {' | '.join(f'{one[kind]:.2f}' for kind in kinds)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", default="", help="Python of an environment with other SDKs")
    given = parser.parse_args()
    own = ours()
    peers = {name: peer(given.peers, name) for name in sdk_peers.IMPORTS} if given.peers else {}
    mine, theirs = served(given.peers)
    own |= mine
    if theirs:
        peers["launchdarkly"] |= theirs
    table = bars(own, peers)
    load = os.getloadavg()[0]
    result = {
        "python": platform.python_version(),
        "load": load,
        "ours": own,
        "peers": peers,
        "bars": table,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sdk.json").write_text(json.dumps(result, indent=2) + "\n")
    lines = ["| measure | bar | found | |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {a} | {b} | {c} | {'met' if met else 'missed'} |" for a, b, c, met in table]
    lines += ["", *_blocks(own["blocks"])]
    (RESULTS / "sdk.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
