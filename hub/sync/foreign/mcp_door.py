"""`/mcp`: prompts and tools for agents, by the Model Context Protocol (streamable HTTP).

Before the web framework, since its answers may be streams. A key is sent as
`Authorization: Bearer ph_…`; a session belongs to the key that opened it. The official package is
large, so it is loaded when somebody first knocks.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import parse_qs

import msgspec
from litestar.types import Message, Receive, Scope, Send

from hub.db import Database
from hub.errors import HubError, Unavailable, Unknown
from hub.people.gate import NO_SUCH_KEY, SEND_A_KEY
from hub.people.keys import REVOKED, KeyGrant, KeyTable
from hub.people.policy import Need, require
from hub.registry.prompt import names
from hub.registry.reading.record import LATEST, VersionView
from hub.registry.writing.publish import Publisher
from hub.sync.carrier import Carrier

if TYPE_CHECKING:
    from hub.sync.foreign.mcp_server import Host

log = logging.getLogger("hub")

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Json = dict[str, Any]
PATH = "/mcp"
NEED = Need.READ
"""What it takes to come in; each tool asks for its own beside it."""
LIVE = "production"
_CHANGES = ("version.", "prompt.", "label.", "index.")


class Filling(Protocol):
    """Fills prompts in; the playground's, which this room does not know."""

    def arguments(self, view: VersionView) -> list[Any]:
        """Each with `name`, `help` and `required`."""
        ...

    async def typed(self, view: VersionView, typed: Mapping[str, str]) -> Json: ...
    async def suggestions(
        self, workspace_id: int, view: VersionView, name: str, begun: str
    ) -> list[str]: ...


class Caller(msgspec.Struct, frozen=True):
    """Whose request it is, and which label's prompts they see."""

    grant: KeyGrant
    label: str


class Parts(msgspec.Struct, frozen=True):
    """What the tools lean on."""

    database: Database
    publisher: Publisher
    carrier: Carrier
    filling: Filling
    url: str
    version: str


class McpDoor:
    """See the top of the file."""

    def __init__(self, parts: Parts, keys: KeyTable) -> None:
        self._parts = parts
        self._keys = keys
        self._opening = asyncio.Lock()
        self._host: Host | None = None
        self._task: asyncio.Task[None] | None = None
        self._open: dict[str, set[asyncio.Event]] = defaultdict(set)
        """By key: how to hang up on each of its requests that are being answered."""
        self._leaving = False

    def around(self, app: App) -> App:
        """`app`, behind this route."""

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] != PATH:
                await app(scope, receive, send)
                return
            try:
                caller = await self._admit(scope)
                host = await self._ready()
            except HubError as refused:
                await _refuse(send, refused)
                return
            await self._answer(host, caller, scope, receive, send)

        return door

    async def _admit(self, scope: Scope) -> Caller:
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        kind, _, token = sent.decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Unknown(SEND_A_KEY)
        if (grant := await self._keys.find(token.strip())) is None:
            raise Unknown(NO_SUCH_KEY)
        require(grant.actor, NEED, grant.workspace.id)
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("label", [LIVE])[0]
        if asked != LATEST:
            names.check_label(asked)
        return Caller(grant, asked)

    async def _ready(self) -> Host:
        """The server, loaded in a thread: nobody else waits for the import."""
        async with self._opening:
            if self._leaving:
                raise Unavailable("The hub is ending. Try again in a moment.")
            if self._host is None:
                module = await asyncio.to_thread(
                    importlib.import_module, "hub.sync.foreign.mcp_server"
                )
                host = cast("Host", module.Host(self._parts))
                running = asyncio.Event()
                self._task = asyncio.create_task(host.run(running))
                await running.wait()
                self._host = host
        return self._host

    async def _answer(
        self, host: Host, caller: Caller, scope: Scope, receive: Receive, send: Send
    ) -> None:
        key = caller.grant.key_id
        hang_up = asyncio.Event()
        self._open[key].add(hang_up)
        try:
            await host.answer(caller, scope, _until(hang_up, receive), send)
        finally:
            self._open[key].discard(hang_up)
            if not self._open[key]:
                del self._open[key]

    def on_event(self, kind: str, subject: str, _: Mapping[str, Any]) -> None:
        """What the outbox says: a revoked key's streams end, lists are looked at again."""
        if kind == REVOKED:
            for one in list(self._open.get(subject, ())):
                one.set()
        elif self._host is not None and kind.startswith(_CHANGES):
            self._host.news.set()

    def goodbye(self) -> None:
        """End every stream: servers wait for open connections before they close the app."""
        self._leaving = True
        for one in [one for events in self._open.values() for one in events]:
            one.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Closes what was opened meanwhile."""
        try:
            yield
        finally:
            self.goodbye()
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)


def _until(hang_up: asyncio.Event, receive: Receive) -> Receive:
    """`receive`, for which the client seems to leave when `hang_up` says so."""

    async def hear() -> Any:
        hearing: asyncio.Future[Any] = asyncio.ensure_future(receive())
        told = asyncio.ensure_future(hang_up.wait())
        try:
            await asyncio.wait({hearing, told}, return_when=asyncio.FIRST_COMPLETED)
            return hearing.result() if hearing.done() else {"type": "http.disconnect"}
        finally:
            hearing.cancel()
            told.cancel()

    return hear


async def _refuse(send: Send, refused: HubError) -> None:
    said = {
        "type": "about:blank", "title": type(refused).__name__, "status": refused.status,
        "detail": refused.sentence,
    }  # fmt: skip
    body = msgspec.json.encode(said)
    headers = [(b"content-type", b"application/problem+json"),
               (b"content-length", b"%d" % len(body))]  # fmt: skip
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    start: Message = {"type": "http.response.start", "status": refused.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
