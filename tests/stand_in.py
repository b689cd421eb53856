"""A small stand-in for the hub on loopback, that can refuse, hang and answer nonsense on purpose.

It serves what is in `prompts`, counts what is asked, and does as `mood` says: for all prompts, or
for one (`moods["a/b"] = "hang"`).
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

KEY = "ph_secret_of_the_tests"
JSON, PROBLEM, PAGE = "application/json", "application/problem+json", "text/html"


def record(name: str, version: int = 1, text: str = "Hello {{ name }}", **more: Any) -> dict:
    """A prompt as the REST API answers it."""
    document = {"template": "jinja", "messages": [{"role": "user", "content": text}]}
    return {
        "name": name, "id": "p_1", "version": version, "commit": "c" * 40, "hash": f"h{version}",
        "label": "production", "labels": ["production"], "document": document,
        "author": "Ana Oliveira", "message": "Because", "created_at": "2026-01-01T00:00:00Z",
    } | more  # fmt: skip


class StandIn:
    """What answers on the port; `url` is its address even while it refuses connections."""

    def __init__(self) -> None:
        self.prompts: dict[tuple[str, str], dict] = {}
        self.mood = "well"
        self.moods: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.paths: list[str] = []
        self.statuses: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.slowly = 0.0
        self.held: threading.Event | None = None
        """Until it is set, no prompt is answered."""
        self._go_on = threading.Event()
        self._open: set[socket.socket] = set()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, name: str, version: int = 1, text: str = "Hello {{ name }}", **more: Any) -> None:
        """Release a version."""
        made = record(name, version, text, **more)
        self.prompts["production", name] = made
        self.prompts[str(version), name] = made

    def start(self) -> None:
        """Accept connections (again)."""
        self._go_on.clear()
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on, and end those that are open."""
        if self._server is None:
            return
        self._go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        for one in list(self._open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def hang(self) -> None:
        self._go_on.wait(90)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stand_in: StandIn

    def setup(self) -> None:
        super().setup()
        self.stand_in._open.add(self.connection)

    def finish(self) -> None:
        self.stand_in._open.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        hub = self.stand_in
        path = urlsplit(self.path)
        name = path.path.removeprefix("/api/v1/prompts/")
        query = parse_qs(path.query)
        pin = (query.get("version") or query.get("label") or [""])[0]
        if name.startswith("/"):
            self._other_route(name)
            return
        hub.asked[name] += 1
        hub.paths.append(self.path)
        hub.headers.append({key.lower(): value for key, value in self.headers.items()})
        if hub.slowly:
            time.sleep(hub.slowly)
        if hub.held:
            hub.held.wait(60)
        mood = hub.moods.get(name, hub.mood)
        if mood == "hang":
            hub.hang()
            self.close_connection = True
            return
        answer = _MOODS.get(mood)
        if answer is not None:
            self._send(*answer)
            return
        self._prompt(pin, name)

    def _other_route(self, path: str) -> None:
        """This is an old hub: it has no snapshot and no stream, and says so, if it can."""
        hub = self.stand_in
        if hub.mood == "hang":
            hub.hang()
            self.close_connection = True
            return
        self._send(*_MOODS[hub.mood if hub.mood in _MOODS else "no route"], quietly=True)

    def _prompt(self, pin: str, name: str) -> None:
        found = self.stand_in.prompts.get((pin, name))
        if found is None:
            sentence = f"There is no prompt {name} here. Look at the list for its name."
            body = {"title": "NotFound", "status": 404, "detail": sentence}
            self._send(404, PROBLEM, json.dumps(body))
            return
        etag = f'"{found["hash"]}"'
        if self.headers.get("If-None-Match") == etag:
            self._send(304, "", "")
            return
        self._send(200, JSON, json.dumps(found), ETag=etag)

    def _send(
        self, status: int, kind: str, body: str, quietly: bool = False, **headers: str
    ) -> None:
        if not quietly:
            self.stand_in.statuses.append(status)
        raw = body.encode()
        self.send_response(status)
        if status != 304:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


_MOODS: dict[str, tuple[int, str, str]] = {
    "page": (200, PAGE, "<h1>Sign in to the network</h1>"),
    "half": (200, JSON, '{"name": "a/b", "versi'),
    "list": (200, JSON, '{"items": []}'),
    "array": (200, JSON, "[1, 2]"),
    "odd": (200, JSON, '{"name": "a/b", "version": 2, "document": {"messages": ["x"]}}'),
    "new language": (200, JSON, json.dumps(record("a/b", 2, "{% macro x() %}{% endmacro %}"))),
    "broken": (500, PROBLEM, '{"title": "x", "detail": "Something broke on our side."}'),
    "away": (503, PAGE, "<h1>Bad gateway</h1>"),
    "wrong key": (401, PROBLEM, '{"title": "Unknown", "detail": "This key is not known here."}'),
    "forbidden": (403, PROBLEM, '{"title": "Denied", "detail": "This key may not read."}'),
    "elsewhere": (404, PAGE, "<h1>Not found</h1>"),
    "other API": (404, JSON, '{"detail": "Not Found"}'),
    "no route": (404, PROBLEM, '{"title": "NotFoundException", "detail": "There is no page."}'),
    "moved": (302, PAGE, ""),
    "unasked 304": (304, "", ""),
}
NONSENSE = tuple(_MOODS)


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something holds, in short steps; fails if it never does."""
    ends = time.monotonic() + seconds
    while not true():
        if time.monotonic() > ends:
            pytest.fail("waited in vain")
        time.sleep(0.005)
