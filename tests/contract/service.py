"""The Python SDK as a small service over HTTP, so that the harness can drive any SDK alike.

`python -m tests.contract.service` prints its port and serves until its input ends. README.md
beside this says what it is asked; a service in another language does the same.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import sdk
from sdk.states import Timing

SHORT = {
    "silence": 1.0, "greeting": 1.0, "polls_after": 0.5, "stale_after": 0.6, "first_retry": 0.05,
    "longest_retry": 0.4, "healthy": 0.5, "refused": 0.3, "longest_refused": 0.6,
    "look_at_key": 0.05, "save_after": 0.05, "report": 0.3, "report_soon": 0.1, "miss": 0.2,
}  # fmt: skip
hubs: dict[str, Running] = {}


class Running:
    """One client and what it was told."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.key = given.pop("key", "")
        self.events: list[Any] = []
        timing = Timing(**{**SHORT, **given.pop("timing", {})})
        more = {"refresh": 0.15, "snapshot": None, "boot_wait": 1.0} | given
        self.hub = sdk.Hub(
            more.pop("url"), lambda: self.key, timing=timing, on_change=self.events.append, **more
        )
        self.handles: dict[str, Any] = {}


def shown(prompt: sdk.Prompt) -> dict[str, Any]:
    return {
        "name": prompt.name, "version": prompt.version, "source": prompt.source,
        "label": prompt.label, "stale": prompt.stale, "age": prompt.age(), "hash": prompt.hash,
        "messages": [dict(one) for one in prompt.messages],
    }  # fmt: skip


def do(running: Running, asked: dict[str, Any]) -> Any:
    hub, what = running.hub, asked.pop("do")
    if what in ("get", "aget"):
        get = hub.get_prompt if what == "get" else lambda **a: asyncio.run(hub.aget_prompt(**a))
        return shown(get(**asked))
    if what == "render":
        variables = asked.pop("variables", {})
        return hub.get_prompt(**asked).fill(variables)
    if what == "handle":
        handle = running.handles.setdefault(asked["name"], hub.prompt(asked["name"]))
        return shown(handle.current)
    if what == "many":
        return many(hub, asked)
    if what == "status":
        return hub.status()._asdict()
    if what == "rotate":
        running.key = asked["key"]
        return None
    if what == "events":
        return [one._asdict() for one in running.events]
    return getattr(hub, what)(**asked)


def many(hub: sdk.Hub, asked: dict[str, Any]) -> Any:
    """The same read by many threads at once: what each got."""
    found: list[Any] = []
    gate = threading.Barrier(asked["count"])

    def read() -> None:
        gate.wait()
        try:
            found.append(hub.get_prompt(asked["name"]).version)
        except sdk.PromptHubError as error:
            found.append(type(error).__name__)

    threads = [threading.Thread(target=read) for _ in range(asked["count"])]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        return

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        began = time.perf_counter()
        try:
            said = {"ok": self._do(asked)}
        except sdk.PromptHubError as error:
            names = list(getattr(error, "names", ()) or filter(None, [getattr(error, "name", "")]))
            said = {"error": type(error).__name__, "sentence": str(error), "names": names}
        said["ms"] = (time.perf_counter() - began) * 1000
        raw = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _do(self, asked: dict[str, Any]) -> Any:
        if self.path == "/hubs":
            number = str(len(hubs) + 1)
            hubs[number] = Running(asked)
            return number
        if self.path == "/threads":
            return sorted(one.name for one in threading.enumerate() if "prompthub" in one.name)
        return do(hubs[self.path.rpartition("/")[2]], asked)


def main() -> None:
    import httpx  # noqa: F401  its import, once in a program's life, is not what is measured

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
