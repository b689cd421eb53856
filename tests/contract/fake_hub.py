"""A hub that speaks docs/protocol.md on a real socket, and does wrong what a test wants done wrong.

    hub.release("care/note", "Hello {{ name }}")      a version, released; told to every stream
    hub.batch(lambda: …)                              several changes in one commit
    hub.faults["snapshot"] = answer(500)              what a route does instead of its work

It shares no code with the product, so that a mistake cannot be made twice in the same way.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

from tests.contract.fake_answers import Fault, Handler, objects_of, wanted

KEY = "ph_the_key_of_the_contract"
INLINE = 65_536


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
