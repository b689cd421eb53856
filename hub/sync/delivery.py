"""What apps fetch most, answered before the web framework: a prompt by label or version.

    request --> key known? --> in the table? ----------------------------> 200 or 304
                   |               | no: one SELECT (SQLite), then kept --> 200 or 304
                   +---- no -------+---- anything unusual --------------> the app behind

The table holds finished answers. It forgets a prompt when the outbox says that something happened
to it. SQLite is asked in every turn of the event loop whether any process has committed (5 us);
Postgres is asked after each of our own writes, and twice a second for those of others. So whoever
got an answer to a write from this process reads what they wrote.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar.types import Message, Receive, Scope, Send

from hub.outbox import Listener, Watch
from hub.people.keys import REVOKED, KeyTable
from hub.registry.reading.record import etag_of
from hub.registry.writing.publish import Publisher
from hub.sync.quick import Quick

log = logging.getLogger("hub")

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Key = tuple[int, str, str | None, int | None]
Headers = list[tuple[bytes, bytes]]
Answer = tuple[bytes, bytes]
"""Entity tag and body: tuples of bytes, since the garbage collector soon leaves those alone."""

PREFIX = "/api/v1/prompts/"
REBUILT = "index.rebuilt"
MOST_BYTES = 64 * 1024 * 1024
_EMPTY: Message = {"type": "http.response.body", "body": b"", "more_body": False}
_JSON = (b"content-type", b"application/json")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PLAIN = re.compile(rb"[a-z0-9._-]+")
_OVERHEAD = 700
"""Bytes of memory an answer takes beside its body, about."""


class Served:
    """The table of answers."""

    def __init__(self, publisher: Publisher, keys: KeyTable, watch: Watch, always: Headers) -> None:
        """`always`: headers that every answer to a program carries."""
        database = publisher.database
        self.epoch = 0
        """Counts what was forgotten: an answer read before that must not be kept after it."""
        self.listeners: list[Listener] = []
        """Told of every event as soon as this table is."""
        self._keys = keys
        self._watch = watch
        self._answers: dict[Key, Answer] = {}
        self._by_name: dict[str, tuple[Key, ...]] = {}
        self._bytes = 0
        self._headers: Headers = [
            (b"cache-control", b"private, no-cache"), (b"vary", b"Authorization"), *always
        ]  # fmt: skip
        self._looked = False
        self._quick = Quick(database) if database.sqlite else None
        watch.listen(self.on_event)
        publisher.written = self.catch_up  # apps hear of it without the delay of a look

    def close(self) -> None:
        """Batches may still come to their end; they need tell nobody any more."""
        quick, self._quick = self._quick, None
        if quick is not None:
            quick.close()

    # ── the table ───────────────────────────────────────────────────────────────────────────────

    def keep(
        self, workspace_id: int, name: str, label: str | None, version: int | None, etag: str,
        body: bytes, *, epoch: int,
    ) -> None:  # fmt: skip
        """Answer with these bytes from now on, if nothing happened since `epoch` was read."""
        if epoch != self.epoch:
            return
        self._put((workspace_id, name, label or None, version), (etag.encode(), body))

    def _put(self, key: Key, answer: Answer) -> None:
        if key in self._answers:
            return
        size = len(answer[1]) + _OVERHEAD
        if self._bytes + size > MOST_BYTES:
            self._forget_all()
        self._bytes += size
        self._answers[key] = answer
        self._by_name[key[1]] = (*self._by_name.get(key[1], ()), key)

    def forget(self, name: str) -> None:
        """Read the prompts of that name anew, in every workspace, when they are next asked for."""
        self.epoch += 1
        for key in self._by_name.pop(name, ()):
            self._bytes -= len(self._answers.pop(key)[1]) + _OVERHEAD

    def _forget_all(self) -> None:
        self.epoch += 1
        self._answers.clear()
        self._by_name.clear()
        self._bytes = 0

    def on_event(self, kind: str, subject: str, payload: Mapping[str, Any]) -> None:
        """A listener for `hub.outbox.Watch`: what the event makes untrue is forgotten."""
        if kind == REVOKED:
            self._keys.forget(subject)
        elif kind == REBUILT:
            self._forget_all()
        else:
            for field in ("name", "old", "new"):
                if isinstance(name := payload.get(field), str):
                    self.forget(name)
        for listener in self.listeners:
            listener(kind, subject, payload)

    def catch_up(self) -> None:
        """SQLite: hear what any process has committed until now, once in a turn of the loop."""
        if self._quick is not None and not self._looked:
            self._looked = True
            asyncio.get_running_loop().call_soon(self._look_again)
            if self._quick.changed():
                for event in self._quick.news():
                    self.on_event(*event)

    # ── requests ────────────────────────────────────────────────────────────────────────────────

    def answer(self, scope: Scope) -> tuple[Message, Message] | None:
        """The whole answer, if the key is known and nothing about the request is unusual."""
        if not scope["path"].startswith(PREFIX):
            return None
        token = if_none_match = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                if token is not None or value[:7] not in (b"Bearer ", b"bearer "):
                    return None
                token = value[7:].decode("latin-1")
            elif name == b"if-none-match":
                if_none_match = value
        if token is None:
            return None
        try:
            answer = self._find(token, scope["path"][len(PREFIX) :], scope["query_string"])
        except sqlite3.Error:
            log.exception("the quick way is closed for this request")
            return None
        if answer is None:
            return None
        tag, body = answer
        headers = [(b"etag", tag), *self._headers]
        if if_none_match is not None and _among(tag, if_none_match):
            return {"type": "http.response.start", "status": 304, "headers": headers}, _EMPTY
        headers.append(_JSON)
        headers.append((b"content-length", b"%d" % len(body)))
        start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
        return start, {"type": "http.response.body", "body": body, "more_body": False}

    def _find(self, token: str, name: str, query: bytes) -> Answer | None:
        self.catch_up()
        grant, asked = self._keys.peek(token), _asked(query)
        if grant is None or asked is None:
            return None
        key = (grant.workspace.id, name, *asked)
        answer = self._answers.get(key)
        if answer is None and self._quick is not None:
            body = self._quick.read(*key)
            if body is not None:
                answer = (etag_of(body).encode(), body)
                self._put(key, answer)
        return answer

    def _look_again(self) -> None:
        self._looked = False
        if self._quick is not None:
            self._quick.release()

    # ── around the app ──────────────────────────────────────────────────────────────────────────

    def before(self, app: App) -> App:
        """`app`, whose writes are noticed before they are answered."""
        if self._quick is not None:
            return app

        async def noticing(scope: Scope, receive: Receive, send: Send) -> None:
            writes = scope["type"] == "http" and scope["method"] not in SAFE
            await app(scope, receive, self._after_writing(send) if writes else send)

        return noticing

    def _after_writing(self, send: Send) -> Send:
        """Look at the outbox before a write is answered: who wrote reads what they wrote."""

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    await self._watch.look()
                except Exception:
                    log.exception("the outbox could not be read; nothing is kept from before")
                    self._forget_all()
            await send(message)

        return out


def _asked(query: bytes) -> tuple[str | None, int | None] | None:
    """Label and version; None: something else is in the query."""
    if not query:
        return None, None
    name, _, value = query.partition(b"=")
    if name == b"label" and _PLAIN.fullmatch(value):
        return value.decode("ascii"), None
    if name == b"version" and value.isdigit() and len(value) < 10:
        return None, int(value)
    return None


def _among(tag: bytes, sent: bytes) -> bool:
    if sent == tag:
        return True
    tags = [one.strip().removeprefix(b"W/") for one in sent.split(b",")]
    return tag in tags or b"*" in tags
