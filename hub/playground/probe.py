"""Trying a connection out, one line per finding: reach, list, answer, count."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import msgspec

from hub.db import Database, now
from hub.errors import HubError
from hub.playground.calls import Call, Endpoint, Patience
from hub.playground.connections import MOST_MODELS, get
from hub.playground.models import Connection
from hub.playground.room import Playground
from hub.playground.runs import perform
from hub.playground.wire import refusals
from hub.playground.wire.openai_chat import models_of

PATIENCE = Patience(first_byte=60, idle=30, total=90)


class Line(msgspec.Struct, frozen=True):
    """One finding: it works (True), it does not (False), or it is only worth knowing (None)."""

    good: bool | None
    sentence: str


class Doing(msgspec.Struct, frozen=True):
    """What is being asked now; the next finding takes its place."""

    sentence: str


async def probe(
    playground: Playground, workspace_id: int, connection_id: int
) -> AsyncGenerator[Doing | Line]:
    """Test a connection, telling as it goes, and write down what came out; its models too, if it
    had none yet."""
    async with playground.database.read() as db:
        connection = await get(db, workspace_id, connection_id)
    lines: list[Line] = []
    listed: list[str] = []
    async for one in _findings(playground, connection, listed):
        if isinstance(one, Line):
            lines.append(one)
        yield one
    await _keep(playground.database, workspace_id, connection_id, lines, listed)


async def _findings(
    playground: Playground, connection: Connection, listed: list[str]
) -> AsyncGenerator[Doing | Line]:
    """`listed` is filled with the names of the models."""
    try:
        endpoint = playground.remote(connection, _first(connection))
        yield Doing(f"Looking for {endpoint.base_url}…")
        lines, names = await _list(endpoint)
        listed += names
        for line in lines:
            yield line
        if not endpoint.model and listed:
            endpoint = msgspec.structs.replace(endpoint, model=listed[0])
        if lines[-1].good is not False:
            yield Doing(f"Asking {endpoint.model or 'a model'} for one word…")
            for line in await _answer(endpoint):
                yield line
    except HubError as refusal:
        yield Line(False, refusal.sentence)


async def _list(endpoint: Endpoint) -> tuple[list[Line], list[str]]:
    """Whether it is there, and which models it names."""
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    client = await endpoint.client()
    url = f"{endpoint.base_url}/models"
    try:
        async with client.stream("GET", url, headers=headers, timeout=20) as response:
            data = b""
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > 4 * 1024 * 1024:
                    break
    except httpx.ConnectError as error:
        why = " Its certificate is not valid." if "certificate" in str(error).lower() else ""
        return [Line(False, f"Cannot be reached at {endpoint.base_url}.{why}")], []
    except httpx.HTTPError:
        return [Line(False, f"Does not answer at {endpoint.base_url} within 20 seconds.")], []
    reached = Line(True, f"Answers at {endpoint.base_url}")
    listed = models_of(data) if response.status_code == 200 else None
    if listed:
        return [reached, Line(True, f"Names {len(listed)} model{'s' * (len(listed) != 1)}")], listed
    if response.status_code in (401, 403):
        return [reached, Line(False, refusals.sentence(response.status_code, data))], []
    return [reached, Line(None, "Does not name its models; type them in yourself")], []


async def _answer(endpoint: Endpoint) -> list[Line]:
    """One very short answer, streamed."""
    if not endpoint.model:
        return [Line(False, "No model is known to try. Enter at least one name.")]
    call = Call(lambda: None)
    request = {"messages": [{"role": "user", "content": "Say: yes"}], "max_tokens": 1}
    await perform(call, endpoint, request, PATIENCE)
    if call.state != "done":
        return [Line(False, f"{endpoint.model}: {call.error or 'no answer'}")]
    first = f", first piece after {call.first_token_s:.1f} s" if call.first_token_s else ""
    counted = (
        Line(None, "Does not say how many tokens it took; the hub will estimate")
        if call.estimated or call.tokens_out is None
        else Line(True, "Says how many tokens it took")
    )
    return [Line(True, f"{endpoint.model} answers{first}"), counted]


async def _keep(
    database: Database, workspace_id: int, connection_id: int, lines: list[Line], listed: list[str]
) -> None:
    async with database.write() as db:
        connection = await get(db, workspace_id, connection_id)
        failed = next((line for line in lines if line.good is False), None)
        connection.reachable = failed is None
        connection.state = failed.sentence if failed else "Answers"
        connection.checked_at = now()
        if not connection.models and listed:
            connection.models = [
                {"id": name, "input_price": None, "output_price": None}
                for name in listed[:MOST_MODELS]
            ]


def _first(connection: Connection) -> str:
    return str(connection.models[0]["id"]) if connection.models else ""
