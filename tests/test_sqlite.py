"""What a statement costs on SQLite, and that all it says comes back."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from hub.db import Database


@pytest.fixture
async def things(database: Database) -> Database:
    async with database.write() as db:
        await db.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY, word TEXT UNIQUE)"))
    return database


async def test_a_statement_crosses_to_the_thread_once(
    things: Database, monkeypatch: pytest.MonkeyPatch
):
    crossed: list[object] = []
    cross = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, *given: Any, **more: Any) -> Any:
        crossed.append(given)
        return await cross(self, *given, **more)

    async with things.read() as db:
        await db.execute(text("SELECT 1"))  # the connection is made, the transaction begun
        monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
        for _ in range(5):
            assert (await db.execute(text("SELECT word FROM things"))).all() == []
        assert len(crossed) == 5


async def test_what_a_statement_did_is_known(things: Database):
    async with things.write() as db:
        rows = [{"word": word} for word in ("one", "two", "three")]
        await db.execute(text("INSERT INTO things (word) VALUES (:word)"), rows)
        made = await db.execute(text("INSERT INTO things (word) VALUES ('four') RETURNING id"))
        assert made.scalar_one() == 4
        last = await db.execute(text("INSERT INTO things (word) VALUES ('five')"))
        assert last.lastrowid == 5
        gone = await db.execute(text("DELETE FROM things WHERE id > 3"))
        assert gone.rowcount == 2
    async with things.read() as db:
        found = await db.execute(text("SELECT id, word FROM things ORDER BY id"))
        assert list(found.keys()) == ["id", "word"]
        assert found.all() == [(1, "one"), (2, "two"), (3, "three")]
        streamed = await db.stream(text("SELECT id FROM things ORDER BY id"))
        assert [row.id async for row in streamed] == [1, 2, 3]


async def test_a_refusal_is_the_databases_own_and_the_connection_goes_on(things: Database):
    async with things.write() as db:
        await db.execute(text("INSERT INTO things (word) VALUES ('one')"))
    with pytest.raises(IntegrityError, match="UNIQUE"):
        async with things.write() as db:
            await db.execute(text("INSERT INTO things (word) VALUES ('one')"))
    with pytest.raises(OperationalError, match="no such table"):
        async with things.read() as db:
            await db.execute(text("SELECT * FROM nowhere"))
    async with things.write() as db:
        await db.execute(text("INSERT INTO things (word) VALUES ('two')"))
        assert (await db.execute(text("SELECT count(*) FROM things"))).scalar_one() == 2


class Held:
    """A statement that goes on until it is let go: the word `held()` in it."""

    def __init__(self) -> None:
        self.begun, self._go_on = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()

    def let_go(self) -> None:
        self._go_on.set()

    def __call__(self) -> int:
        self._loop.call_soon_threadsafe(self.begun.set)
        return self._go_on.wait(60)


async def asking(things: Database) -> tuple[asyncio.Task[None], Held]:
    """Somebody in the middle of a statement."""
    held = Held()

    async def ask() -> None:
        async with things.write() as db:
            raw = await (await db.connection()).get_raw_connection()
            await raw.driver_connection.create_function("held", 0, held)
            await db.execute(text("SELECT held()"))

    task = asyncio.create_task(ask())
    await held.begun.wait()
    return task, held


async def test_who_gives_up_in_a_statement_leaves_the_connection_usable(things: Database):
    task, held = await asking(things)
    task.cancel()
    held.let_go()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with things.write() as db:
        assert (await db.execute(text("SELECT 1"))).scalar_one() == 1


async def test_who_is_told_twice_to_give_up_leaves_nothing_that_waits(things: Database):
    """A client that leaves while its request is given up: the loop could not end any more."""
    task, held = await asking(things)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert others, "the connection is closed by itself"
    held.let_go()
    async with asyncio.timeout(60):
        await asyncio.gather(*others)
    async with things.write() as db:
        assert (await db.execute(text("SELECT 1"))).scalar_one() == 1
