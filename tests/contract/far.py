"""The far end of the wire: a hub on a real socket that notes what it is asked, and does wrong what
a test wants done wrong. What it serves is made up (fake_hub.py), or the real hub's (real_hub.py).

    far.release("care/note", "Hello {{ name }}")      a version, released; told to every stream
    far.batch(lambda: …)                              several changes in one commit
    far.faults["snapshot"] = answer(500)              what a route does instead of its work
    far.rewrites["snapshot"] = …                      what becomes of its answer on the way
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "ph_the_key_of_the_contract"
JSON, PROBLEM, PAGE = "application/json", "application/problem+json", "text/html"
Fault = Callable[["Handler"], bool]
"""Answers in place of the route; False: let the route do its work after all."""
Answered = tuple[int, dict[str, str], bytes]
Rewrite = Callable[[int, dict[str, str], bytes], Answered]


def content(text: str, **document: Any) -> str:
    """An object's text."""
    messages = [{"role": "user", "content": text}]
    made = {"template": "jinja", "messages": messages} | document
    return json.dumps({"document": made, "snippets": {}}, ensure_ascii=False)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def problem(title: str, detail: str) -> str:
    return json.dumps({"type": "about:blank", "title": title, "detail": detail})


def event_of(event: str, at: str = "", **data: Any) -> str:
    place = f"id: {at}\n" if at else ""
    return f"{place}event: {event}\ndata: {json.dumps(data)}\n\n"


class Far:
    """`url` stays the same while it is stopped."""

    answers: type[Handler]
    """What its routes do."""

    def __init__(self, *, port: int = 0) -> None:
        self.keys = {KEY}
        self.old = False
        """Whether it knows neither snapshot nor stream, as hubs did once."""
        self.heartbeat = 0.2
        self.inline = 65_536
        self.faults: dict[str, Fault] = {}
        self.rewrites: dict[str, Rewrite] = {}
        self.asked: Counter[str] = Counter()
        self.times: list[tuple[float, str]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.reports: list[dict[str, Any]] = []
        self.port = port
        self.tls: ssl.SSLContext | None = None
        self._server: ThreadingHTTPServer | None = None
        self._connections: set[socket.socket] = set()
        self._wake = threading.Event()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._wake.clear()
        handler = type("Answering", (self.answers,), {"hub": self})
        ThreadingHTTPServer.request_queue_size = 128
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.port = self._server.server_address[1]
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections, and end those there are."""
        if self._server is None:
            return
        self._wake.set()
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        self.cut()

    def close(self) -> None:
        """The end of the test."""
        self.stop()

    def cut(self) -> None:
        """End every connection in the middle of whatever it does."""
        for one in list(self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def hang(self, seconds: float = 60) -> None:
        self._wake.wait(seconds)

    def pointer(self, name: str, version: int, digest: str, label: str) -> dict[str, Any]:
        """A pointer of this shape, whether there is one or not."""
        return {
            "label": label, "name": name, "id": f"id_{name.replace('/', '_')}",
            "version": version, "hash": f"file{version}", "commit": "c" * 40, "object": digest,
        }  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    hub: Any
    route = ""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.hub._connections.add(self.connection)

    def finish(self) -> None:
        self.hub._connections.discard(self.connection)
        with suppress(OSError, ValueError):
            super().finish()

    def handle(self) -> None:
        with suppress(OSError, ValueError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def _route(self) -> None:
        hub, path = self.hub, urlsplit(self.path)
        self.query = parse_qs(path.query)
        route = self.route = path.path.removeprefix("/api/v1/").partition("/")[0]
        self.rest = path.path.removeprefix(f"/api/v1/{route}/")
        size = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(size) if size else b""
        hub.asked[route] += 1
        hub.times.append((time.monotonic(), route))
        found = {name.lower(): value for name, value in self.headers.items()}
        hub.requests.append((self.path, found))
        fault = hub.faults.get(route) or hub.faults.get("*")
        if fault is None or not fault(self):
            self.work()

    def work(self) -> None:
        """What the route is for."""
        raise NotImplementedError

    # ── saying things ───────────────────────────────────────────────────────────────────────────

    def begin_stream(self, **headers: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def say(self, event: str, **data: Any) -> None:
        self.write(event_of(event, **data))

    def write(self, text: str) -> None:
        self.write_bytes(text.encode())

    def write_bytes(self, raw: bytes) -> None:
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()

    def answer(self, status: int, kind: str, body: str, **headers: str) -> None:
        made = {"Content-Type": kind or JSON} if status != 304 else {}
        made |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.deliver(status, made, body.encode())

    def deliver(self, status: int, headers: dict[str, str], raw: bytes) -> None:
        """The whole answer, after what a test wants done to it."""
        if (rewrite := self.hub.rewrites.get(self.route)) is not None:
            status, headers, raw = rewrite(status, headers, raw)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
