"""Everything breaks at once while many people run, and the hub goes on as if nothing had been."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.playground.models import Run
from hub.playground.wire.reading import CUT_OFF
from tests.cast import copy_template
from tests.crowding import (
    OVER,
    Cell,
    Endpoints,
    Level,
    Person,
    Seen,
    connect,
    endpoints,
    engine_of,
    level,
    looking,
    models,
    signed_in,
    under_fire,
)
from tests.git_people import beside
from tests.serving import Server, free_port, serve
from tests.test_mcp_door import save

PEOPLE = 8
MOOD: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Is the customer happy? One word.\n{{ said }}"}],
    "variables": [{"name": "said"}],
}
VALUES = {"v.said": "I love this lamp, it never broke"}
PAGES = ["/clinic/prompts", "/clinic/prompts/support/mood", "/clinic/history/support/mood"]
MORE_MIB = 40.0
"""What a hub may keep of it all: the allocator's own, and what SQLite has read."""
MORE_DESCRIPTORS = 4


@pytest.fixture
def data(tmp_path: Path, migrated: Path) -> Path:
    copy_template(migrated, tmp_path / "data")
    return tmp_path / "data"


def runs(server: Server) -> list[Run]:
    async def read(database: Database) -> list[Run]:
        async with database.read() as db:
            return list(await db.scalars(select(Run).order_by(Run.id)))

    return beside(server, read)


async def once(one: Person, columns: list[str]) -> list[Cell]:
    return await one.run(columns, VALUES, Seen())


async def all_at_once(server: Server, cookies: list[str], columns: list[str], to: Endpoints) -> Any:
    """The level before, all cells, how long other pages took, and what one more run says."""
    async with AsyncExitStack() as open_clients:
        everybody = [Person(server.url, cookie, "/clinic/try/support/mood") for cookie in cookies]
        for one in everybody:
            await open_clients.enter_async_context(one.client)
        return await _all_at_once(server, everybody, columns, to)


async def _all_at_once(
    server: Server, everybody: list[Person], columns: list[str], to: Endpoints
) -> Any:
    pid, url = server.process.pid, server.url
    await asyncio.gather(*(one.open() for one in everybody))
    # Each has run everything once: what the hub makes only when it is needed is there.
    await asyncio.gather(*(once(one, columns[:-1]) for one in everybody))
    before = await settled(pid, Level(1e9, 10**9, 10**9))
    first_engine = engine_of(pid)
    over = asyncio.Event()
    others = asyncio.create_task(looking(url, server.cast.cookies["ben"], PAGES, over))
    found = await under_fire(everybody, columns, VALUES, pid, to)
    over.set()
    took = await others
    after = await settled(pid, before)
    again = await once(everybody[0], columns[:2])
    assert engine_of(pid) not in (None, first_engine)
    return before, found, took, after, again


async def settled(pid: int, before: Level) -> Level:
    """The level some seconds after everything is over, or as soon as it is what it was."""
    until = time.monotonic() + 60
    at_least = time.monotonic() + 12  # a grid stays in memory for ten seconds
    while True:
        now = level(pid)
        back = (
            now.memory <= before.memory + MORE_MIB
            and now.descriptors <= before.descriptors + MORE_DESCRIPTORS
            and now.children <= before.children
        )
        if (back and time.monotonic() > at_least) or time.monotonic() > until:
            return now
        await asyncio.sleep(0.25)


@pytest.mark.timeout(600)
def test_all_faults_at_once_end_every_cell_with_a_sentence_and_leave_nothing_behind(data: Path):
    with endpoints() as to, serve(data, free_port(), private_hosts=to.hosts) as server:
        save(server, "support/mood", MOOD)
        workspace = server.cast.workspace

        async def prepare(database: Database) -> tuple[dict[str, int], list[str]]:
            found = await connect(database, server.settings, workspace, to)
            return found, await signed_in(database, workspace, PEOPLE)

        by_name, cookies = beside(server, prepare)
        columns = models(by_name)
        before, found, took, after, again = asyncio.run(all_at_once(server, cookies, columns, to))
        kept = runs(server)

    said = {column: [cell for cell in found if cell.column == column] for column in range(7)}
    assert all(said.values())
    assert {cell.state for cell in found} <= OVER
    for cell in found:
        assert (cell.state == "failed") == bool(cell.error), cell
        assert not cell.error or cell.error.endswith((".", "?", "…")), cell
    # What each fault is called. The engine starts again: whoever was not answered yet is now.
    local, echo, dies, garbage, closes, storm, cable = (
        {cell.error for cell in said[column]} for column in range(7)
    )
    assert all("local engine" in one for one in local - {""})
    assert echo == {""}
    assert dies == {CUT_OFF}
    assert all(garbage) and all(closes) and all(storm) and all(cable)  # noqa: PT018
    assert CUT_OFF in cable
    assert {one.state for one in kept} <= OVER
    assert all(one.error for one in kept if one.state == "failed")
    assert max(took) < 20_000  # they answer; how fast, `bench.fire` says

    assert {cell.state for cell in again} == {"done"}
    assert after.children <= before.children, (before, after)
    assert after.descriptors <= before.descriptors + MORE_DESCRIPTORS, (before, after)
    assert after.memory <= before.memory + MORE_MIB, (before, after)
