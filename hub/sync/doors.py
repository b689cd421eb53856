"""The four routes of `docs/protocol.md`, before the web framework: their bytes are ready, and a
stream that waits for an hour should cost little.

    GET /api/v1/snapshot · GET /api/v1/stream · GET /api/v1/objects/<sha256> · POST /api/v1/usage
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import cast

import msgspec
from litestar.types import Message, Receive, Scope, Send

from hub.errors import HubError, NotFound, Unknown
from hub.people.gate import NO_SUCH_KEY, SEND_A_KEY
from hub.people.keys import KeyGrant, KeyTable
from hub.people.policy import Need, require
from hub.sync import filters, usage
from hub.sync.carrier import Carrier
from hub.sync.snapshot import Body, Entry
from hub.sync.stream import Stream

log = logging.getLogger("hub")

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

ROOT = "/api/v1/"
SNAPSHOT, STREAM, USAGE = ROOT + "snapshot", ROOT + "stream", ROOT + "usage"
OBJECTS = ROOT + "objects/"
_SHA = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ALWAYS: Headers = [
    (b"cache-control", b"private, no-cache"), (b"vary", b"Authorization, Accept-Encoding")
]  # fmt: skip
_FOR_EVER = (b"cache-control", b"private, max-age=31536000, immutable")
_JSON = (b"content-type", b"application/json")
_FAULT = (
    "The hub could not answer this just now. It is written in its log; nothing is wrong with what "
    "you sent."
)


class Wrong(HubError):
    """Another method than the route has."""

    status = 405


class Doors:
    """See the top of the file."""

    def __init__(self, carrier: Carrier, keys: KeyTable, always: Headers) -> None:
        """`always`: headers that every answer to a program carries; `quick` adds them itself."""
        self._carrier = carrier
        self._keys = keys
        self._always = always

    def around(self, app: App) -> App:
        """`app`, behind these routes."""

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            answer = self._route(scope) if scope["type"] == "http" else None
            if answer is None:
                await app(scope, receive, send)
                return
            try:
                await answer(scope, receive, send)
            except HubError as refused:
                await _refuse(send, refused.status, type(refused).__name__, refused.sentence)
            except Exception:
                log.exception("%s could not be answered", scope["path"])
                await _refuse(send, 503, "Unavailable", _FAULT, (b"retry-after", b"2"))

        return door

    def _route(self, scope: Scope) -> App | None:
        path = scope["path"]
        if path == SNAPSHOT:
            return _only("GET", scope, self._snapshot)
        if path == STREAM:
            return _only("GET", scope, self._stream)
        if path == USAGE:
            return _only("POST", scope, self._usage)
        if path.startswith(OBJECTS):
            return _only("GET", scope, self._object)
        return None

    async def _admit(self, scope: Scope) -> tuple[KeyGrant, str]:
        token = _token(scope)
        if not token:
            raise Unknown(SEND_A_KEY)
        grant = await self._keys.find(token)
        if grant is None:
            raise Unknown(NO_SUCH_KEY)
        require(grant.actor, Need.READ, grant.workspace.id)
        return grant, token

    # ── the routes ──────────────────────────────────────────────────────────────────────────────

    def quick(self, scope: Scope) -> tuple[Message, Message] | None:
        """A snapshot whose bytes are at hand, for a key that is known."""
        if scope["path"] != SNAPSHOT or not (token := _token(scope)):
            return None
        grant = self._keys.peek(token)
        entry = self._carrier.at_hand(grant, scope["query_string"]) if grant else None
        if entry is None:
            return None
        if (tag := _asked_tag(scope, entry)) is not None:
            return _start(304, [(b"etag", tag), *_ALWAYS, *self._always]), _end(b"")
        body = entry.bodies.get(_takes_gzip(scope))
        if body is None:
            return None
        return _whole(body, _takes_gzip(scope), self._always)

    async def _snapshot(self, scope: Scope, receive: Receive, send: Send) -> None:
        grant, _ = await self._admit(scope)
        filter, _ = filters.parse(scope["query_string"])
        picture = await self._carrier.picture(grant.workspace.id, filter.labels)
        snapshots, zipped = self._carrier.snapshots, _takes_gzip(scope)
        entry = snapshots.entry(picture, filter)
        self._carrier.remember(grant, scope["query_string"], filter)
        if (tag := _asked_tag(scope, entry)) is not None:
            await send(_start(304, [(b"etag", tag), *_ALWAYS]))
            await send(_end(b""))
            return
        body = await snapshots.body(entry, picture, zipped=zipped)
        for message in _whole(body, zipped, []):
            await send(message)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        grant, token = await self._admit(scope)
        filter, since = filters.parse(scope["query_string"])
        last = _header(scope, b"last-event-id")
        picture = await self._carrier.picture(grant.workspace.id, filter.labels)
        stream = Stream(picture, filter, grant, token, send)
        await self._carrier.serve(stream, last.decode("latin-1") or since, receive)

    async def _object(self, scope: Scope, receive: Receive, send: Send) -> None:
        grant, _ = await self._admit(scope)
        name = scope["path"].removeprefix(OBJECTS)
        data = None
        if _SHA.fullmatch(name):
            data = await self._carrier.object(grant.workspace.id, name)
        if data is None:
            raise NotFound("This workspace has published no such object.")
        tag = f'"{name}"'.encode()
        if _header(scope, b"if-none-match") == tag:
            await send(_start(304, [(b"etag", tag), _FOR_EVER]))
            await send(_end(b""))
            return
        length = (b"content-length", b"%d" % len(data))
        vary = (b"vary", b"Authorization")
        await send(_start(200, [(b"etag", tag), _FOR_EVER, vary, _JSON, length]))
        await send(_end(data))

    async def _usage(self, scope: Scope, receive: Receive, send: Send) -> None:
        grant, _ = await self._admit(scope)
        body = await _body(receive)
        self._carrier.inbox.put(grant, usage.read(body, _header(scope, b"content-encoding")))
        await send(_start(202, [(b"content-length", b"0"), (b"cache-control", b"no-store")]))
        await send(_end(b""))


# ── HTTP ────────────────────────────────────────────────────────────────────────────────────────


def _only(method: str, scope: Scope, route: App) -> App:
    if cast("dict[str, object]", scope)["method"] != method:
        raise_ = Wrong(f"This route takes {method} alone.")

        async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
            raise raise_

        return refuse
    return route


def _header(scope: Scope, wanted: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == wanted), b"")


def _token(scope: Scope) -> str:
    kind, _, token = _header(scope, b"authorization").partition(b" ")
    return token.strip().decode("latin-1") if kind.lower() == b"bearer" else ""


def _takes_gzip(scope: Scope) -> bool:
    """Whether the answer may be packed: `gzip` without `q=0`."""
    for one in _header(scope, b"accept-encoding").split(b","):
        coding, _, weight = one.strip().partition(b";")
        if coding.strip().lower() == b"gzip":
            return weight.replace(b" ", b"") not in {b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"}
    return False


def _asked_tag(scope: Scope, entry: Entry) -> bytes | None:
    """The tag in `If-None-Match` that still holds, whatever encoding it is of."""
    sent = _header(scope, b"if-none-match")
    if not sent:
        return None
    tags = {one.strip().removeprefix(b"W/") for one in sent.split(b",")}
    if b"*" in tags:
        return entry.tag(zipped=False)
    return next((tag for tag in entry.tags if tag in tags), None)


def _start(status: int, headers: Headers) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _end(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": False}


def _whole(body: Body, zipped: bool, more: Headers) -> tuple[Message, Message]:
    headers = [(b"etag", body.tag), *_ALWAYS, *more, _JSON]
    if zipped:
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", b"%d" % len(body.data)))
    return _start(200, headers), _end(body.data)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise usage.TooLarge("The report ended before its end.")
        part = cast("bytes", message.get("body", b""))
        size += len(part)
        if size > usage.LARGEST:
            raise usage.TooLarge(f"A report of use has at most {usage.LARGEST:,} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _refuse(
    send: Send, status: int, title: str, sentence: str, *more: tuple[bytes, bytes]
) -> None:
    said = {"type": "about:blank", "title": title, "status": status, "detail": sentence}
    body = msgspec.json.encode(said)
    headers = [(b"content-type", b"application/problem+json"), *more]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    headers.append((b"content-length", b"%d" % len(body)))
    await send(_start(status, headers))
    await send(_end(body))
