"""`/v1`: OpenAI's clients, pointed at the hub, run a prompt by its name.

    POST /v1/responses           prompt: {id, version, variables}, input
    POST /v1/chat/completions    prompt: {id, version, variables}, messages
    GET  /v1/models              what can be asked for

Off until an administrator opens it; with a key made for it, within what a key may use of a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

from litestar import Response, Router, get, post
from litestar.exceptions import HTTPException
from litestar.params import RawBody
from litestar.response import Stream

from hub import web
from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground.relay import asked as read
from hub.playground.relay.asked import Asked
from hub.playground.relay.budget import Busy, UsedUp
from hub.playground.relay.calling import Prepared, Relayed, Relaying, outcome
from hub.playground.relay.saying import Chat, Responses, Writer, error_of
from hub.registry.reading.aside import aside
from hub.registry.rest.api import Place, Who
from hub.registry.rest.api_parts import as_json
from hub.registry.rest.bodies import json_object
from hub.web import Ask

PATIENCE = 10.0
"""Seconds until an answer begins though nothing has come: proxies wait no longer."""
LARGEST = 8 * 1024 * 1024
"""Bytes of a call: a picture of 5 MB, written in base64, and words around it."""
_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
    404: "invalid_request_error", 413: "invalid_request_error", 429: "rate_limit_error",
}  # fmt: skip


@post(
    "/responses", needs=Need.RUN, name="relay:responses", status_code=200,
    request_max_body_size=LARGEST,
)  # fmt: skip
async def responses(request: Ask, body: RawBody, actor: Who, workspace: Place) -> Response[Any]:
    """The newer language."""
    asked = await aside(len(body), lambda: read.responses(json_object(body)))

    variables = read.shown(asked)

    def writer(one: Prepared) -> Writer:
        prompt = {"id": one.view.name, "version": str(one.view.number)}
        return Responses(_model(one), prompt | {"variables": variables})

    return await _answer(request, asked, writer, actor, workspace)


@post(
    "/chat/completions", needs=Need.RUN, name="relay:chat", status_code=200,
    request_max_body_size=LARGEST,
)  # fmt: skip
async def chat(request: Ask, body: RawBody, actor: Who, workspace: Place) -> Response[Any]:
    """The older language, with `prompt` as in the newer one."""
    asked = await aside(len(body), lambda: read.chat(json_object(body)))
    return await _answer(
        request, asked, lambda one: Chat(_model(one), usage=asked.usage), actor, workspace
    )


@get("/models", needs=Need.RUN, name="relay:models")
async def models(request: Ask, workspace: Place) -> Response[bytes]:
    """Aliases and the models of connections and of this machine."""
    found = await _relaying(request).models(workspace.id)
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": where} for name, where in found
    ]
    return as_json({"object": "list", "data": data})


async def _answer(
    request: Ask, asked: Asked, write: Callable[[Prepared], Writer], actor: Actor,
    workspace: WorkspaceRef,
) -> Response[Any]:  # fmt: skip
    relaying = _relaying(request)
    one = await relaying.prepare(asked, workspace)
    writer = write(one)
    headers = {
        "X-Prompthub-Prompt": f"{one.view.name}@{one.view.number}", "Cache-Control": "no-store"
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        call = await stack.enter_async_context(relaying.call(one, workspace, actor))
        if not asked.stream:
            await _hear_all(request, call, writer)
            outcome(call)
            return Response(writer.whole(call), headers=headers)
        first = await _first(call)
        if first == [None]:
            outcome(call)
        events = _events(call, writer, first, stack.pop_all())
    return Stream(events, media_type="text/event-stream", headers=headers)


async def _hear_all(request: Ask, call: Relayed, writer: Writer) -> None:
    """Until it ends, or the program leaves, which cancels this."""
    leaving = asyncio.create_task(_left(request))
    try:
        while True:
            hearing = asyncio.ensure_future(call.heard.get())
            await asyncio.wait({hearing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                hearing.cancel()
                return
            if (event := hearing.result()) is None:
                return
            for _ in writer.hear(event):
                pass
    finally:
        leaving.cancel()


async def _left(request: Ask) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _first(call: Relayed) -> list[Any]:
    """The first event, if it comes soon: an error before it can still be a status."""
    try:
        async with asyncio.timeout(PATIENCE):
            return [await call.heard.get()]
    except TimeoutError:
        return []


async def _events(
    call: Relayed, writer: Writer, first: list[Any], stack: AsyncExitStack
) -> AsyncGenerator[bytes]:
    async with stack:
        for said in writer.begin():
            yield said
        event = first[0] if first else await call.heard.get()
        while event is not None:
            for said in writer.hear(event):
                yield said
            event = await call.heard.get()
        for said in writer.end(call):
            yield said


def _model(one: Prepared) -> str:
    target = one.target
    return cast("str", getattr(target, "model", None) or getattr(target, "name", ""))


def _relaying(request: Ask) -> Relaying:
    return cast("Relaying", request.app.state.relaying)


def told(request: Ask, error: Exception) -> Response[Any]:
    """The hub's own refusal, as OpenAI's clients read it; nothing is worth asking again at once
    but a fault that passes."""
    refusal = web.as_refusal(error)
    problem = web.on_error(request, error)
    status = problem.status_code or 500
    status = 400 if status == 422 else status
    code = "insufficient_quota" if isinstance(refusal, UsedUp) else None
    said = error_of(problem.content["detail"], _KINDS.get(status, "server_error"), code)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(refusal, HubError) and not isinstance(refusal, Busy):
        headers["X-Should-Retry"] = "false"
    return Response(
        {"error": said}, status_code=status, headers=headers, media_type="application/json"
    )


ROUTER = Router(
    "/v1",
    route_handlers=[responses, chat, models],
    exception_handlers={HTTPException: told, Exception: told},
    include_in_schema=False,
)
