"""What apps fetch most, answered before the web framework: a prompt by label or version.

    request --> key known? --> in the table? ----------------------------> 200 or 304
                   |               | no: one SELECT (SQLite), then kept --> 200 or 304
                   +---- no -------+---- anything unusual --------------> the app behind

The table holds finished bytes. It forgets a prompt when the outbox says that something happened to
it: SQLite is asked before every answer whether anybody has committed (3 us), so an answer is never
older than the last commit of any process; Postgres is asked after each of our own writes, and twice
a second for those of others.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from litestar.types import Message, Receive, Scope, Send

from hub.db import Database
from hub.outbox import Watch
from hub.people.keys import REVOKED, KeyTable
from hub.registry.record import etag_of
from hub.sync.quick import Quick

log = logging.getLogger("hub")

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Key = tuple[int, str, str | None, int | None]
Answer = tuple[bytes, bytes, list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]
"""Entity tag, body, headers of a 200 and of a 304."""

PREFIX = "/api/v1/prompts/"
REBUILT = "index.rebuilt"
MOST_BYTES = 64 * 1024 * 1024
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OVERHEAD = 1200
"""Bytes of memory an answer takes beside its body, about."""


class Served:
    """The table, and the ASGI app in front of `behind` that answers from it."""

    def __init__(self, database: Database, keys: KeyTable, watch: Watch) -> None:
        self.epoch = 0
        """Counts what was forgotten: an answer read before that must not be kept after it."""
        self._keys = keys
        self._watch = watch
        self._answers: dict[Key, Answer] = {}
        self._by_name: dict[str, set[Key]] = {}
        self._bytes = 0
        self._quick = Quick(database) if database.sqlite else None
        watch.listen(self.on_event)

    def close(self) -> None:
        if self._quick is not None:
            self._quick.close()

    # ── the table ───────────────────────────────────────────────────────────────────────────────

    def keep(
        self, workspace_id: int, name: str, label: str | None, version: int | None, etag: str,
        body: bytes, *, epoch: int,
    ) -> None:  # fmt: skip
        """Answer with these bytes from now on, if nothing happened since `epoch` was read."""
        if epoch != self.epoch:
            return
        self._put((workspace_id, name, label or None, version), _answer(etag, body))

    def _put(self, key: Key, answer: Answer) -> None:
        if key in self._answers:
            return
        self._bytes += len(answer[1]) + _OVERHEAD
        if self._bytes > MOST_BYTES:
            self._forget_all()
            self._bytes = len(answer[1]) + _OVERHEAD
        self._answers[key] = answer
        self._by_name.setdefault(key[1], set()).add(key)

    def forget(self, name: str) -> None:
        """Read the prompts of that name anew, in every workspace, when they are next asked for."""
        self.epoch += 1
        for key in self._by_name.pop(name, ()):
            answer = self._answers.pop(key)
            self._bytes -= len(answer[1]) + _OVERHEAD

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

    # ── in front of the app ─────────────────────────────────────────────────────────────────────

    def before(self, behind: App) -> App:
        """The ASGI app that answers what it can and hands on the rest."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope.get("method") == "GET":
                found = None
                if scope["path"].startswith(PREFIX):
                    try:
                        found = self._find(scope)
                    except sqlite3.Error:
                        log.exception("the quick way is closed for this request")
                if found is not None:
                    await _send(found, scope, send)
                    return
            elif self._quick is None and scope.get("method") not in SAFE:
                send = self._after_writing(send)
            await behind(scope, receive, send)

        return app

    def _find(self, scope: Scope) -> Answer | None:
        """The answer, if the key is known and nothing about the request is unusual."""
        grant = label = version = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                if grant is not None or value[:7] not in (b"Bearer ", b"bearer "):
                    return None
                grant = self._keys.peek(value[7:].decode("latin-1"))
                if grant is None:
                    return None
        if grant is None:
            return None
        if query := scope["query_string"]:
            asked = _asked(query)
            if asked is None:
                return None
            label, version = asked
        if self._quick is not None and self._quick.changed():
            self._catch_up(self._quick)
            grant = self._keys.peek(_token(scope))
            if grant is None:
                return None
        key = (grant.workspace.id, scope["path"][len(PREFIX) :], label, version)
        answer = self._answers.get(key)
        if answer is None and self._quick is not None:
            body = self._quick.read(*key)
            if body is not None:
                answer = _answer(etag_of(body), body)
                self._put(key, answer)
        return answer

    def _catch_up(self, quick: Quick) -> None:
        for kind, subject, payload in quick.news():
            self.on_event(kind, subject, payload)

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
    """Label or version; None: something else is in the query."""
    if query[:6] == b"label=" and query[6:].isalnum():
        return query[6:].decode("ascii"), None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    if len(pairs) != 1:
        return None
    name, value = pairs[0]
    if name == "label" and value and value.isascii():
        return value, None
    if name == "version" and value.isascii() and value.isdigit() and len(value) < 10:
        return None, int(value)
    return None


def _token(scope: Scope) -> str:
    value = next(value for name, value in scope["headers"] if name == b"authorization")
    return value[7:].decode("latin-1")


def _answer(etag: str, body: bytes) -> Answer:
    tag = etag.encode()
    same = [
        (b"etag", tag),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"Authorization"),
    ]
    whole = [
        *same,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    return tag, body, whole, same


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    tag, body, whole, same = answer
    for name, value in scope["headers"]:
        if name == b"if-none-match" and (value == tag or _among(tag, value)):
            await send({"type": "http.response.start", "status": 304, "headers": [*same]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
    await send({"type": "http.response.start", "status": 200, "headers": [*whole]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _among(tag: bytes, value: bytes) -> bool:
    tags = [one.strip().removeprefix(b"W/") for one in value.split(b",")]
    return tag in tags or b"*" in tags
