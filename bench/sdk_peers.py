"""Other SDKs beside ours: run by `bench.sdk` with the Python of an environment that has them.

    python -m venv peers && peers/bin/pip install langfuse langsmith mlflow-skinny \\
        launchdarkly-server-sdk
    python -m bench.sdk --peers peers/bin/python

Each is measured alone, in a process of its own, against a stub of its server on loopback. Knows
nothing of ours.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

NAME, TEXT = "triage", "Sort this ticket: {{text}}. " + "Be kind. " * 200
IMPORTS = {
    "langfuse": "from langfuse import Langfuse",
    "langsmith": "from langsmith import Client",
    "mlflow": "import mlflow; mlflow.genai.load_prompt",
    "launchdarkly": "import ldclient",
}


class Stub(ThreadingHTTPServer):
    """All four servers in one; `flag` is what LaunchDarkly's stream tells of."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answers: type[Answers] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), answers or Answers)
        self.version, self.changed, self.asked = 1, threading.Condition(), 0
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def release(self, version: int) -> float:
        """Tell of a version; returns when that began."""
        with self.changed:
            self.version, began = version, time.perf_counter()
            self.changed.notify_all()
        return began

    def flag(self) -> dict[str, Any]:
        return {
            "key": NAME, "version": self.version, "on": True, "salt": "x", "offVariation": 0,
            "variations": [f"version {self.version}"], "fallthrough": {"variation": 0},
            "prerequisites": [], "targets": [], "rules": [],
        }  # fmt: skip


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Stub

    def log_message(self, *_: object) -> None:
        return

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._say({})

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.path.startswith("/all"):
            self._stream()
        elif "/commits/" in self.path:
            self._say({"commit_hash": "a" * 64, "examples": [], "manifest": {
                "lc": 1, "type": "constructor", "kwargs": {"template": TEXT}}})  # fmt: skip
        elif "/info" in self.path:
            self._say({"version": "0.9", "instance_flags": {}})
        else:
            self._say({"id": "1", "name": NAME, "version": 1, "type": "text", "prompt": TEXT,
                       "config": {}, "labels": ["production"], "tags": []})  # fmt: skip

    def _say(self, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self) -> None:
        stub = self.server
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        here = stub.version
        whole = {"path": "/", "data": {"flags": {NAME: stub.flag()}, "segments": {}}}
        self._event("put", whole)
        while True:
            with stub.changed:
                while stub.version == here:
                    stub.changed.wait()
                here = stub.version
            self._event("patch", {"path": f"/flags/{NAME}", "data": stub.flag()})

    def _event(self, kind: str, data: dict[str, Any]) -> None:
        raw = f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()


def langfuse(stub: Stub) -> tuple[Callable[[], Any], Callable[[], Any]]:
    from langfuse import Langfuse

    client = Langfuse(public_key="pk", secret_key="sk", host=stub.url, tracing_enabled=False)
    return (lambda: client.get_prompt(NAME),
            lambda: client.get_prompt(NAME).compile(text="a fall"))  # fmt: skip


def langsmith(stub: Stub) -> tuple[Callable[[], Any], None]:
    from langsmith import Client

    client = Client(api_url=stub.url, api_key="x")
    return lambda: client.pull_prompt_commit(NAME), None


def mlflow(stub: Stub) -> tuple[Callable[[], Any], Callable[[], Any]]:
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow as peer

    peer.set_tracking_uri(f"file://{tempfile.mkdtemp()}")
    peer.genai.register_prompt(NAME, TEXT)
    peer.genai.set_prompt_alias(NAME, "production", 1)
    get = lambda: peer.genai.load_prompt(f"prompts:/{NAME}@production")  # noqa: E731
    return get, lambda: get().format(text="a fall")


def launchdarkly(stub: Stub | Apart) -> tuple[Callable[[], Any], None]:
    import ldclient
    from ldclient.config import Config

    config = Config("key", base_uri=stub.url, stream_uri=stub.url, events_uri=stub.url,
                    send_events=False, diagnostic_opt_out=True)  # fmt: skip
    ldclient.set_config(config)
    client, context = ldclient.get(), ldclient.Context.create("a")
    return lambda: client.variation(NAME, context, "none"), None


def best_ns(call: Callable[[], object], turns: int, rounds: int = 30) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter_ns()
        for _ in range(turns):
            call()
        best = min(best, (time.perf_counter_ns() - began) / turns)
    return best


def threads_per_second(call: Callable[[], object], count: int = 8, seconds: float = 1.0) -> float:
    done = [0] * count
    ends = time.monotonic() + seconds

    def read(at: int) -> None:
        while time.monotonic() < ends:
            for _ in range(200):
                call()
            done[at] += 200

    threads = [threading.Thread(target=read, args=(at,)) for at in range(count)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


class Apart:
    """A stub in a process of its own, as servers are: it takes nothing of the program's
    interpreter, and both read the same clock."""

    def __init__(self, stub: Callable[[], Stub] = Stub) -> None:
        processes = multiprocessing.get_context("spawn")
        self._pipe, there = processes.Pipe()
        processes.Process(target=_apart, args=(there, stub), daemon=True).start()
        there.close()
        self.url = self._pipe.recv()

    def served_ms(
        self, get: Callable[[], object], wanted: Callable[[int], object], times: int = 60
    ) -> dict[str, float]:
        """From the moment the server begins to tell of a version to the first read of it."""
        took: list[float] = []
        for version in range(2, 2 + times):
            time.sleep(0.02)
            self._pipe.send(version)
            while get() != wanted(version):
                time.sleep(0.0001)
            seen = time.perf_counter()
            took.append((seen - self._pipe.recv()) * 1e3)
        took.sort()
        return {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}


def _apart(pipe: Connection, make: Callable[[], Stub]) -> None:
    stub = make()
    pipe.send(stub.url)
    with suppress(EOFError):  # who asked is gone
        while True:
            pipe.send(stub.release(pipe.recv()))


def reads(get: Callable[[], Any], render: Callable[[], Any] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"get_ns": best_ns(get, 300)}
    if render is not None:
        assert "a fall" in str(render())
        found["get_and_render_ns"] = best_ns(render, 300)
    found["reads_per_second_8_threads"] = threads_per_second(get)
    return found


def main(name: str, *more: str) -> None:
    logging.disable(logging.CRITICAL)
    stub = Apart() if "releases" in more else Stub()
    get, render = globals()[name](stub)
    get()
    if name == "launchdarkly":
        while get() != "version 1":
            time.sleep(0.01)
    found = (
        {"served_ms": stub.served_ms(get, lambda version: f"version {version}")}
        if isinstance(stub, Apart)
        else reads(get, render)
    )
    print("FOUND " + json.dumps(found), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
