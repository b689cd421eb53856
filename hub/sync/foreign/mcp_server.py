"""The Model Context Protocol, by its official package; imported by `mcp_door` alone, and late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import mcp_types as types
import msgspec
from litestar.types import Receive, Scope, Send
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, AuthorizationContext
from mcp.server.auth.provider import AccessToken
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged
from mcp.shared.exceptions import MCPError

from hub.errors import HubError
from hub.people.policy import allows
from hub.registry.reading import catalog
from hub.registry.reading.record import LATEST, VersionView
from hub.sync.foreign.mcp_door import Caller, Parts
from hub.sync.foreign.mcp_messages import messages_of
from hub.sync.foreign.mcp_tools import TOOLS, Tool

log = logging.getLogger("hub")

CALLER = "prompthub.caller"
PAGE = 50
MOST_SESSIONS = 1_000
MOST_FOR_ONE = 100
"""Sessions of one key: it must not take the places of all the others."""
LARGEST = 2 * 1024 * 1024
SETTLE = 0.05
"""Seconds for what belongs together to come in, before lists are said to have changed."""
ABOUT = (
    "Prompts of a team, versioned and reviewed. Prompts listed are those that are live. To change "
    "one, read it with read_prompt, edit its file and offer it with propose_change: people decide."
)
Context = ServerRequestContext[Any, Any]


class _Server(Server[Any]):
    """Says that its list of prompts may change, also to clients that shake hands."""

    def create_initialization_options(
        self, notification_options: NotificationOptions | None = None, *more: Any, **named: Any
    ) -> Any:
        options = notification_options or NotificationOptions(prompts_changed=True)
        return super().create_initialization_options(options, *more, **named)


class _Sessions(StreamableHTTPSessionManager):
    """Has a place for everybody; the package, which is pinned, asks nobody else."""

    def _admit_session(self, requestor: AuthorizationContext | None) -> Any:
        mine = sum(one == requestor for one in self._session_owners.values())
        return super()._admit_session(requestor) if mine < MOST_FOR_ONE else None


class Host:
    """One server for all workspaces: each request says whose it is."""

    def __init__(self, parts: Parts) -> None:
        self.news = asyncio.Event()
        self._parts = parts
        self._connections: dict[Connection, int] = {}
        """Those that hear of changes by themselves, and their workspaces."""
        self._buses: dict[int, tuple[InMemorySubscriptionBus, ListenHandler]] = {}
        self._told: dict[int, tuple[str, int]] = {}
        """The state of a workspace that its listeners know of."""
        server = _Server(
            "Prompt Hub", version=parts.version, instructions=ABOUT, website_url=parts.url,
            on_list_prompts=self._list, on_get_prompt=self._get, on_completion=self._complete,
            on_list_tools=self._tools, on_call_tool=self._call,
            on_subscriptions_listen=self._listen,
            get_tool_input_schema=lambda name: TOOLS[name].schema if name in TOOLS else None,
        )  # fmt: skip
        server.middleware.append(self._note)
        self._manager = _Sessions(server, max_sessions=MOST_SESSIONS, max_request_body_size=LARGEST)

    async def run(self, running: asyncio.Event) -> None:
        """Until cancelled; `running` is set as soon as it answers."""
        async with self._manager.run():
            running.set()
            while True:
                await self.news.wait()
                await asyncio.sleep(SETTLE)
                self.news.clear()
                try:
                    await self._tell()
                except Exception:
                    log.exception("agents could not be told that the list of prompts changed")

    async def answer(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        token = AccessToken(token="", client_id=caller.grant.key_id, scopes=[])
        more = {CALLER: caller, "user": AuthenticatedUser(token)}
        asked = cast("Any", {**scope, **more})
        await self._manager.handle_request(asked, cast("Any", receive), cast("Any", send))

    # ── prompts ─────────────────────────────────────────────────────────────────────────────────

    async def _list(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        caller = _caller(context)
        place = caller.grant.workspace
        label = "" if caller.label == LATEST else caller.label
        async with _said(), self._parts.database.read() as db:
            cursor = params.cursor if params else None
            page = await catalog.find(db, place.id, label=label, cursor=cursor, limit=PAGE)
            found = [await catalog.version(db, place.id, one.name, None, label or None)
                     for one in page.items if one.version]  # fmt: skip
        return types.ListPromptsResult(
            prompts=[self._shown(one) for one in found], next_cursor=page.next
        )

    def _shown(self, view: VersionView) -> types.Prompt:
        tree = view.tree
        return types.Prompt(
            name=view.name, title=tree.get("name"), description=tree.get("description"),
            arguments=[
                types.PromptArgument(
                    name=one.name, description=one.help or None, required=one.required
                )
                for one in self._parts.filling.arguments(view)
            ],
        )  # fmt: skip

    async def _get(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        async with _said():
            caller = _caller(context)
            view = await self._view(caller, params.name)
            asked = await self._parts.filling.typed(view, params.arguments or {})
        grant = caller.grant
        self._parts.carrier.readers.note("MCP client", grant.actor, grant.workspace, view)
        return types.GetPromptResult(
            description=view.tree.get("description"),
            messages=messages_of(asked["messages"]),
        )

    async def _complete(
        self, context: Context, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        values: list[str] = []
        if isinstance(params.ref, types.PromptReference):
            caller = _caller(context)
            async with _said():
                view = await self._view(caller, params.ref.name)
                values = await self._parts.filling.suggestions(
                    caller.grant.workspace.id, view, params.argument.name, params.argument.value
                )
        return types.CompleteResult(completion=types.Completion(values=values))

    async def _view(self, caller: Caller, name: str) -> VersionView:
        async with self._parts.database.read() as db:
            return await catalog.version(db, caller.grant.workspace.id, name, None, caller.label)

    # ── tools ───────────────────────────────────────────────────────────────────────────────────

    async def _tools(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(one) for one in _allowed(_caller(context))])

    async def _call(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        caller = _caller(context)
        tool = next((one for one in _allowed(caller) if one.name == params.name), None)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, "This key has no such tool.")
        try:
            said = await tool.call(self._parts, caller.grant, params.arguments or {})
        except HubError as refused:
            text = types.TextContent(type="text", text=refused.sentence)
            return types.CallToolResult(content=[text], is_error=True)
        text = types.TextContent(type="text", text=msgspec.json.encode(said).decode())
        return types.CallToolResult(content=[text], structured_content=said)

    # ── changes ─────────────────────────────────────────────────────────────────────────────────

    async def _listen(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        place = _caller(context).grant.workspace.id
        if place not in self._buses:
            bus = InMemorySubscriptionBus()
            self._buses[place] = bus, ListenHandler(bus)
        await self._remember(place)
        return await self._buses[place][1](context, params)

    async def _note(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Remember who has a line of their own on which they can be told."""
        if ctx.method == "notifications/initialized":
            # The only way to learn when a session ends; the package is pinned.
            connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage]
            place = _caller(ctx).grant.workspace.id
            if connection.has_standalone_channel and connection not in self._connections:
                await self._remember(place)
                self._connections[connection] = place
                connection.exit_stack.callback(self._connections.pop, connection, None)
        return await call_next(ctx)

    async def _tell(self) -> None:
        for place in {*self._connections.values(), *self._buses}:
            if not await self._remember(place):
                continue
            if place in self._buses:
                await self._buses[place][0].publish(PromptsListChanged())
            for connection in [one for one, at in self._connections.items() if at == place]:
                await connection.send_prompt_list_changed()

    async def _remember(self, place: int) -> bool:
        """Whether anything has moved in the workspace since its listeners were told."""
        picture = await self._parts.carrier.picture(place, ())
        state = picture.epoch, picture.revision
        before = self._told.get(place)
        self._told[place] = state
        return before not in (None, state)


@asynccontextmanager
async def _said() -> AsyncGenerator[None]:
    """A refusal inside becomes one of the protocol, with its sentence."""
    try:
        yield
    except HubError as refused:
        raise MCPError(types.INVALID_PARAMS, refused.sentence) from None


def _caller(context: Context) -> Caller:
    return cast("Caller", cast("Any", context.request).scope[CALLER])


def _allowed(caller: Caller) -> list[Tool]:
    actor, place = caller.grant.actor, caller.grant.workspace.id
    return [one for one in TOOLS.values() if allows(actor, one.needs, place)]


def _tool(one: Tool) -> types.Tool:
    reads = one.name != "propose_change"
    return types.Tool(
        name=one.name, title=one.title, description=one.about, input_schema=one.schema,
        annotations=types.ToolAnnotations(
            read_only_hint=reads, destructive_hint=False, idempotent_hint=reads,
            open_world_hint=False,
        ),
    )  # fmt: skip
