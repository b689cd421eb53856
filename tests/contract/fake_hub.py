"""A hub that speaks docs/protocol.md on a real socket, and does wrong what a test wants done wrong.

    hub.release("care/note", "Hello {{ name }}")      a version, released; told to every stream
    hub.batch(lambda: …)                              several changes in one commit
    hub.faults["snapshot"] = answer(500)              what a route does instead of its work

It shares no code with the product, so that a mistake cannot be made twice in the same way.
"""

from __future__ import annotations

import gzip
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
INLINE = 65_536
Fault = Callable[["Handler"], bool]
"""Answers in place of the route; False: let the route do its work after all."""


def content(text: str, **document: Any) -> str:
    """An object's text."""
    messages = [{"role": "user", "content": text}]
    made = {"template": "jinja", "messages": messages} | document
    return json.dumps({"document": made, "snippets": {}}, ensure_ascii=False)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class FakeHub:
    """One workspace; `url` stays the same while it is stopped."""

    def __init__(self, *, port: int = 0, old: bool = False) -> None:
        self.old = old
        """Whether it knows neither snapshot nor stream, as hubs did once."""
        self.keys = {KEY}
        self.epoch, self.revision = "e1", 1000
        self.pointers: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[str, str] = {}
        self.log: list[tuple[int, list[tuple[str, str]]]] = []
        self.log_from = 0
        self.heartbeat = 0.2
        self.inline = INLINE
        self.faults: dict[str, Fault] = {}
        self.asked: Counter[str] = Counter()
        self.times: list[tuple[float, str]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.reports: list[dict[str, Any]] = []
        self.streams: list[Handler] = []
        self.port = port
        self.tls: ssl.SSLContext | None = None
        self.changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self._connections: set[socket.socket] = set()
        self._wake = threading.Event()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ── the socket ──────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        self._wake.clear()
        handler = type("Answering", (Handler,), {"hub": self})
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

    def cut(self) -> None:
        """End every connection in the middle of whatever it does."""
        for one in list(self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def hang(self, seconds: float = 60) -> None:
        self._wake.wait(seconds)

    # ── what it holds ───────────────────────────────────────────────────────────────────────────

    def release(
        self, name: str, text: str, version: int = 1, label: str = "production", **document: Any
    ) -> str:
        """Point a label at a version; returns the object's hash."""
        made = content(text, **document)
        digest = digest_of(made)
        self.objects[digest] = made
        self.point((label, name), self.pointer(name, version, digest, label))
        return digest

    def pointer(self, name: str, version: int, digest: str, label: str) -> dict[str, Any]:
        return {
            "label": label, "name": name, "id": f"id_{name.replace('/', '_')}",
            "version": version, "hash": f"file{version}", "commit": "c" * 40, "object": digest,
        }  # fmt: skip

    def split(self, name: str, *parts: tuple[int, str, int], label: str = "production") -> None:
        """A gradual release: (version, text, share) each."""
        entries = []
        for version, text, share in parts:
            made = content(text)
            digest = digest_of(made)
            self.objects[digest] = made
            one = self.pointer(name, version, digest, label)
            entries.append({k: one[k] for k in ("version", "hash", "commit", "object")}
                           | {"share": share})  # fmt: skip
        main = max(entries, key=lambda one: one["share"])
        pointer = self.pointer(name, main["version"], main["object"], label)
        self.point((label, name), pointer | {"split": entries})

    def remove(self, name: str, label: str = "production") -> None:
        self.point((label, name), None)

    def point(self, place: tuple[str, str], pointer: dict[str, Any] | None) -> None:
        """What is at a place from now on; None: nothing."""
        with self.changed:
            if pointer is None:
                self.pointers.pop(place, None)
            else:
                self.pointers[place] = pointer
            if self._batching is not None:
                self._batching.append(place)
            else:
                self._commit([place])

    _batching: list[tuple[str, str]] | None = None

    def batch(self, work: Callable[[], object]) -> None:
        """All changes that `work` makes, in one commit."""
        with self.changed:
            self._batching = []
            work()
            places, self._batching = self._batching, None
            self._commit(places)

    def _commit(self, places: list[tuple[str, str]]) -> None:
        self.revision += 7
        self.log.append((self.revision, places))
        self.changed.notify_all()

    def forget_log(self) -> None:
        """No `since` of before now can be answered."""
        with self.changed:
            self.log_from = self.revision + 1
            self.revision += 2
            self.log.clear()

    def new_epoch(self, epoch: str, revision: int) -> None:
        """As after a restore."""
        with self.changed:
            self.epoch, self.revision, self.log = epoch, revision, []
            self.log_from = revision
            self.changed.notify_all()

    def document(self, labels: list[str], names: list[str]) -> dict[str, Any]:
        with self.changed:
            chosen = [self.pointers[p] for p in sorted(self.pointers) if wanted(p, labels, names)]
            needed = {d for one in chosen for d in objects_of(one)}
            return {
                "schema": 1, "epoch": self.epoch, "revision": self.revision, "pointers": chosen,
                "objects": {d: self.objects[d] for d in sorted(needed)}, "of_the_future": [1],
            }  # fmt: skip

    _made: tuple[Any, str, str] = (None, "", "")

    def made(self, labels: list[str], names: list[str]) -> tuple[str, str]:
        """The document's text and its tag, made once for a revision."""
        key = (self.epoch, self.revision, labels, names)
        if self._made[0] != key:
            body = json.dumps(self.document(labels, names))
            digest = hashlib.sha256(body.encode()).hexdigest()
            self._made = (key, body, f'"{digest[:20]}"')
        return self._made[1:]


def objects_of(pointer: dict[str, Any]) -> list[str]:
    return [pointer["object"], *(one["object"] for one in pointer.get("split", []))]


def wanted(place: tuple[str, str], labels: list[str], names: list[str]) -> bool:
    label, name = place
    fits = not names or any(
        name.startswith(one[:-1]) if one.endswith("/*") else name == one for one in names
    )
    return label in labels and fits


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    hub: FakeHub
    chunked = False

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
        route = path.path.removeprefix("/api/v1/").partition("/")[0]
        self.rest = path.path.removeprefix(f"/api/v1/{route}/")
        size = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(size) if size else b""
        hub.asked[route] += 1
        hub.times.append((time.monotonic(), route))
        found = {name.lower(): value for name, value in self.headers.items()}
        hub.requests.append((self.path, found))
        fault = hub.faults.get(route) or hub.faults.get("*")
        if fault is not None and fault(self):
            return
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in hub.keys:
            self.answer(401, PROBLEM, problem("Unknown", "This key is not known here."))
            return
        if hub.old and route != "prompts":
            self.answer(404, PROBLEM, problem("NotFoundException", "There is no page here."))
            return
        getattr(self, f"on_{route}", self.nowhere)()

    def nowhere(self) -> None:
        self.answer(404, PROBLEM, problem("NotFoundException", "There is no page here."))

    # ── routes ──────────────────────────────────────────────────────────────────────────────────

    def on_snapshot(self) -> None:
        body, etag = self.hub.made(self.query.get("label", ["production"]),
                                   self.query.get("name", []))  # fmt: skip
        if self.headers.get("If-None-Match") == etag:
            self.answer(304, "", "", ETag=etag)
            return
        self.answer(200, JSON, body, ETag=etag)

    def on_objects(self) -> None:
        text = self.hub.objects.get(self.rest)
        if text is None:
            self.answer(404, PROBLEM, problem("NotFound", "There is no such object."))
            return
        self.answer(200, JSON, text)

    def on_usage(self) -> None:
        self.hub.reports.append(json.loads(self.body))
        self.answer(202, "", "")

    def on_prompts(self) -> None:
        label = (self.query.get("label") or [""])[0]
        version = (self.query.get("version") or [""])[0]
        for (one, name), pointer in self.hub.pointers.items():
            if name == self.rest and (one == label or str(pointer["version"]) == version):
                made = json.loads(self.hub.objects[pointer["object"]])
                record = {**pointer, **made, "labels": [one], "message": "", "label": label or None}
                self.answer(200, JSON, json.dumps(record), ETag=f'"{pointer["object"]}"')
                return
        self.answer(404, PROBLEM, problem("NotFound", f"There is no prompt {self.rest} here."))

    def on_stream(self) -> None:
        hub = self.hub
        labels, names = self.query.get("label", ["production"]), self.query.get("name", [])
        since = self.headers.get("Last-Event-ID") or (self.query.get("since") or [""])[0]
        self.begin_stream()
        hub.streams.append(self)
        try:
            place = self._greet(since, labels, names)
            if place is None:
                return
            while True:
                with hub.changed:
                    if hub.revision == place:
                        hub.changed.wait(hub.heartbeat)
                    news = self._news(place, labels, names)
                    here, epoch = hub.revision, hub.epoch
                if hub._wake.is_set():
                    return
                if here != place:
                    self.say_all(news, epoch, here)
                    place = here
                else:
                    self.write(":\n\n")
        finally:
            hub.streams.remove(self)

    def _greet(self, since: str, labels: list[str], names: list[str]) -> int | None:
        hub = self.hub
        with hub.changed:
            epoch, revision = hub.epoch, hub.revision
            self.say("hello", schema=1, epoch=epoch, revision=revision, heartbeat=15)
            self.say("of_the_future", anything=[1, 2])
            of, _, at = since.partition(":")
            if of != epoch or not at.isdecimal() or int(at) < hub.log_from:
                self.say("resync", epoch=epoch, revision=revision, retry_ms=0)
                return None
            news = self._news(int(at), labels, names)
        self.say_all(news, epoch, revision)
        return revision

    def _news(self, since: int, labels: list[str], names: list[str]) -> list[tuple[str, str]]:
        places = [one for at, many in self.hub.log if at > since for one in many]
        return [one for one in dict.fromkeys(places) if wanted(one, labels, names)]

    # ── saying things ───────────────────────────────────────────────────────────────────────────

    def begin_stream(self, **headers: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def say_all(self, places: list[tuple[str, str]], epoch: str, revision: int) -> None:
        said: list[str] = []
        for label, name in places:
            pointer = self.hub.pointers.get((label, name))
            if pointer is None:
                said.append(event_of("delete", label=label, name=name))
                continue
            texts = {d: self.hub.objects[d] for d in objects_of(pointer)}
            inline = {d: t for d, t in texts.items() if len(t.encode()) <= self.hub.inline}
            said.append(event_of("put", **pointer, objects=inline, of_the_future={"x": 1}))
        place = f"{epoch}:{revision}"
        said.append(event_of("commit", place, epoch=epoch, revision=revision))
        self.write("".join(said))

    def say(self, event: str, **data: Any) -> None:
        self.write(event_of(event, **data))

    def write(self, text: str) -> None:
        raw = text.encode()
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()

    def answer(self, status: int, kind: str, body: str, **headers: str) -> None:
        raw = body.encode()
        packed = "gzip" in self.headers.get("Accept-Encoding", "") and len(raw) > 500
        raw = gzip.compress(raw, 1) if packed else raw
        self.send_response(status)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        if status != 304:
            self.send_header("Content-Type", kind or JSON)
            self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)


def event_of(event: str, at: str = "", **data: Any) -> str:
    place = f"id: {at}\n" if at else ""
    return f"{place}event: {event}\ndata: {json.dumps(data)}\n\n"


def problem(title: str, detail: str) -> str:
    return json.dumps({"type": "about:blank", "title": title, "detail": detail})


# ── faults ──────────────────────────────────────────────────────────────────────────────────────


def answer(status: int, body: str = "", kind: str = PROBLEM, **headers: str) -> Fault:
    """Always this."""

    def fault(handler: Handler) -> bool:
        handler.answer(status, kind, body or problem("Broken", "Something broke."), **headers)
        return True

    return fault


def hang(handler: Handler) -> bool:
    """No answer, ever."""
    handler.hub.hang()
    handler.close_connection = True
    return True


def hang_after_headers(handler: Handler) -> bool:
    """Headers, half a body, then nothing."""
    handler.send_response(200)
    handler.send_header("Content-Type", JSON)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"schema": 1, "epo')
    return hang(handler)


def script(*lines: str, then: str = "hang") -> Fault:
    """A stream that says these things; then it hangs or ends."""

    def fault(handler: Handler) -> bool:
        handler.begin_stream()
        for one in lines:
            handler.write(one)
        if then == "hang":
            handler.hub.hang()
        handler.write("")
        handler.close_connection = True
        return True

    return fault


def times(count: int, fault: Fault) -> Fault:
    """So often, then as usual."""
    left = [count]

    def limited(handler: Handler) -> bool:
        left[0] -= 1
        return left[0] >= 0 and fault(handler)

    return limited
