"""Trying a connection out, one line per finding: reach, list, stream, count, stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import msgspec

from hub.db import Database, now
from hub.errors import HubError
from hub.playground.calls import Call, Endpoint, Patience
from hub.playground.connections import asked_of, get, outdate, with_listed
from hub.playground.models import Connection
from hub.playground.room import Playground
from hub.playground.runs import perform
from hub.playground.wire import dialects, refusals
from hub.playground.wire.reading import Listed

PATIENCE = Patience(first_byte=60, idle=30, total=90)
LONG = 400
"""Tokens of the answer that is stopped in its middle."""
SHORT_ASK = {"messages": [{"role": "user", "content": "Say: yes"}], "max_tokens": 1}
LONG_ASK = {
    "messages": [{"role": "user", "content": "Count from one to two hundred in words."}],
    "max_tokens": LONG,
}


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
    listed: list[Listed] = []
    async for one in _findings(playground, connection, listed):
        if isinstance(one, Line):
            lines.append(one)
        yield one
    await _keep(playground.database, workspace_id, connection, lines, listed)


async def _findings(
    playground: Playground, connection: Connection, listed: list[Listed]
) -> AsyncGenerator[Doing | Line]:
    """`listed` is filled with the models it names."""
    try:
        endpoint = playground.remote(connection, _first(connection))
        yield Doing(f"Looking for {endpoint.base_url}…")
        lines, found = await ask_models(endpoint)
        listed += found
        for line in lines:
            yield line
        known = {str(one["id"]) for one in connection.models}
        if known and (fresh := sum(one.id not in known for one in listed)):
            said = "of them is not kept here yet" if fresh == 1 else "of them are not kept here yet"
            yield Line(None, f"{fresh} {said}; “Fetch its models” adds them")
        if not endpoint.model and listed:
            endpoint = msgspec.structs.replace(endpoint, model=listed[0].id)
        if lines[-1].good is not False:
            async for one in _answers(endpoint):
                yield one
    except HubError as refusal:
        yield Line(False, refusal.sentence)


async def ask_models(endpoint: Endpoint) -> tuple[list[Line], list[Listed]]:
    """Whether it is there, and which models it names."""
    dialect = dialects.of(endpoint.kind)
    client = await endpoint.client()
    url = dialect.base(endpoint.base_url) + dialect.MODELS
    headers = dialect.headers(endpoint.key)
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
    listed = dialect.models_of(data) if response.status_code == 200 else None
    if listed:
        return [reached, Line(True, f"Names {len(listed)} model{'s' * (len(listed) != 1)}")], listed
    if response.status_code in (401, 403):
        said = refusals.sentence(response.status_code, data)
        # Some endpoints repeat the key they refuse; this line is kept and shown to everybody.
        return [reached, Line(False, said.replace(endpoint.key or "\0", "…"))], []
    return [reached, Line(None, "Does not name its models; type them in yourself")], []


async def _answers(endpoint: Endpoint) -> AsyncGenerator[Doing | Line]:
    """One very short answer, counted; then a long one that is stopped."""
    if not endpoint.model:
        yield Line(False, "No model is known to try. Enter at least one name.")
        return
    yield Doing(f"Asking {endpoint.model} for one word…")
    call = Call(lambda: None)
    await perform(call, endpoint, SHORT_ASK, PATIENCE)
    if call.state != "done":
        yield Line(False, f"{endpoint.model}: {call.error or 'no answer'}")
        return
    first = f", first piece after {_seconds(call.first_token_s)}" if call.first_token_s else ""
    yield Line(True, f"{endpoint.model} answers{first}")
    if call.estimated or call.tokens_out is None:
        yield Line(None, "Does not say how many tokens it took; the hub will estimate")
    else:
        cost = " and what it cost" if call.reported is not None else ""
        yield Line(True, f"Says how many tokens it took{cost}")
    yield Doing("Stopping an answer in its middle…")
    yield await _stops(endpoint)


async def _stops(endpoint: Endpoint) -> Line:
    """A longer answer, left after its first piece: it must end at once and free its place."""
    moved = asyncio.Event()
    call = Call(moved.set)
    task = asyncio.create_task(perform(call, endpoint, LONG_ASK, PATIENCE))
    while not (call.begun or call.over):
        moved.clear()
        await asyncio.wait((task, asyncio.create_task(moved.wait())), return_when="FIRST_COMPLETED")
    await asyncio.sleep(0)  # an answer sent in one piece has its end behind its beginning
    if task.done():
        if call.state == "done":
            return Line(None, "Does not stream, or was too quick to be stopped")
        return Line(False, f"A longer answer: {call.error or 'none came'}")
    since = time.monotonic()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    stopped = time.monotonic() - since
    again = Call(lambda: None)
    await perform(again, endpoint, SHORT_ASK, PATIENCE)
    if again.state != "done":
        return Line(False, f"After an answer was stopped it no longer answers: {again.error}")
    return Line(True, f"Streams, stops within {_seconds(stopped)} when asked to, and answers again")


async def _keep(
    database: Database, workspace_id: int, tested: Connection, lines: list[Line],
    listed: list[Listed],
) -> None:  # fmt: skip
    async with database.write() as db:
        connection = await get(db, workspace_id, tested.id)
        if asked_of(connection) != asked_of(tested):
            return  # somebody changed it meanwhile: this was a test of what it no longer is
        _found(connection, next((line for line in lines if line.good is False), None))
        if not connection.models and listed:
            connection.models = with_listed([], listed)


def _found(connection: Connection, failed: Line | None) -> None:
    connection.reachable = failed is None
    connection.state = failed.sentence if failed else "Answers"
    connection.checked_at = now()


async def fetch(playground: Playground, workspace_id: int, connection_id: int) -> tuple[str, bool]:
    """Ask an endpoint for its models and keep the new ones; a sentence, and whether it worked."""
    async with playground.database.read() as db:
        connection = await get(db, workspace_id, connection_id)
    lines, listed = await ask_models(playground.remote(connection, ""))
    if not listed:
        await _not_fetched(playground.database, workspace_id, connection, lines[-1])
        return f"{connection.name}: {lines[-1].sentence}", False
    async with playground.database.write() as db:
        connection = await get(db, workspace_id, connection_id)
        before: list[dict[str, Any]] = connection.models
        connection.models = with_listed(before, listed)
        more = len(connection.models) - len(before)
        if connection.reachable is False:
            outdate(connection)  # it answers now; whether all of it works, a test will say
    added = f"{more} model{'s' * (more != 1)} added." if more else "All of them are here already."
    return f"{connection.name} names {len(listed)}. {added}", True


async def _not_fetched(
    database: Database, workspace_id: int, asked: Connection, last: Line
) -> None:
    """That it cannot be reached, or refuses its key, is as true as if a test had found it."""
    if last.good is not False:
        return
    async with database.write() as db:
        connection = await get(db, workspace_id, asked.id)
        if asked_of(connection) == asked_of(asked):
            _found(connection, last)


def _first(connection: Connection) -> str:
    return str(connection.models[0]["id"]) if connection.models else ""


def _seconds(value: float) -> str:
    return f"{max(value, 0.1):.1f} s"
