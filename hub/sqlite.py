"""SQLite's engines. A statement crosses to the connection's thread once, with its rows on the way
back: aiosqlite by itself crosses four times (open, execute, fetch, close), which costs more than
most of our statements do.
"""
# pyright: reportPrivateUsage=false
# aiosqlite has no public way to run several calls at once on the connection's thread. It is pinned,
# and `tests/test_sqlite.py` holds what is leant on.

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import await_, in_greenlet

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=10000",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "cache_size=-16000",
    # Pages that many saves touch are carried over once: a quarter of the work, for a 16 MB log.
    "wal_autocheckpoint=4000",
)


def sqlite_engine(url: str, *, begin: str, size: int, guest: bool) -> AsyncEngine:
    """`begin`: the statement that opens a transaction. `guest`: leave check-points alone."""
    engine = create_async_engine(
        url, pool_size=size, max_overflow=0, pool_timeout=60, module=_Driver(aiosqlite, sqlite3)
    )
    _prepare(engine.sync_engine, begin=begin, guest=guest)
    return engine


def plain_sqlite_engines(url: str, *, guest: bool) -> tuple[Engine, Engine]:
    """For reading and for writing, without asyncio."""
    plain = url.replace("sqlite+aiosqlite:", "sqlite:", 1)
    given: dict[str, Any] = {"pool_size": 1, "max_overflow": 3, "pool_timeout": 60}
    reader, writer = create_engine(plain, **given), create_engine(plain, **given)
    _prepare(reader, begin="BEGIN", guest=guest)
    _prepare(writer, begin="BEGIN IMMEDIATE", guest=guest)
    return reader, writer


def _prepare(engine: Engine, *, begin: str, guest: bool) -> None:
    """SQLAlchemy calls what is defined here; pyright sees nobody who does."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # sqlite3 would otherwise choose its own BEGIN
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        if guest:
            cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)


class _Asked:
    """A cursor that is opened, read to its end and closed while its statement is executed."""

    arraysize = 1

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self.description: Any = None
        self.rowcount, self.lastrowid = -1, None
        self._rows: list[Any] = []

    async def __aenter__(self) -> _Asked:
        return self

    async def execute(self, operation: str, parameters: Any = ()) -> None:
        await self._ask(lambda cursor: cursor.execute(operation, parameters))

    async def executemany(self, operation: str, parameters: Any) -> None:
        await self._ask(lambda cursor: cursor.executemany(operation, parameters))

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        """Nothing is open."""

    async def _ask(self, work: Callable[[sqlite3.Cursor], object]) -> None:
        def ask() -> tuple[Any, ...]:
            cursor = raw.cursor()
            try:
                work(cursor)
                rows = cursor.fetchall() if cursor.description else []
                return rows, cursor.description, cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        raw = self._connection._conn
        said = await self._connection._execute(ask)
        self._rows, self.description, self.rowcount, self.lastrowid = said


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()

    def _make_new_cursor(self, connection: Any) -> Any:
        return _Asked(connection)


class _Connection(AsyncAdapt_aiosqlite_connection):
    """Those who read row by row (`stream_scalars`) keep aiosqlite's own cursor."""

    __slots__ = ()
    _cursor_cls = _Cursor

    def _terminate_force_close(self) -> None:
        """Who is cancelled again while a connection closes leaves it to close by itself. Stopped as
        well, its thread ends first, and the close waits for ever: so does the end of the loop."""
        if not in_greenlet():
            super()._terminate_force_close()


class _Driver(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *given: Any, **more: Any) -> AsyncAdapt_aiosqlite_connection:
        connection: Any = aiosqlite.connect(*given, **more)
        connection._thread.daemon = True  # one that hangs must not hold up the end
        return _Connection(self, await_(connection))
