"""The database: sessions for reading and for writing, and what every table shares.

SQLite is written by one connection at a time (`BEGIN IMMEDIATE`, so a transaction never finds
half-way that somebody else holds the lock), with `synchronous=FULL`: a commit that was answered
survives a power cut. Reads see a snapshot and never wait for the writer (WAL).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, MetaData, event
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite, which knows no zones, is given naive UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    """Every table of the hub."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: Instant}


def now() -> datetime:
    """The time as the hub writes it down: UTC, aware."""
    return datetime.now(UTC)


class Database:
    """Where sessions come from. `read()` never blocks a writer; `write()` is one at a time."""

    def __init__(self, url: str, *, guest: bool = False) -> None:
        """`guest`: another process owns this SQLite file; leave its checkpoints alone."""
        self.url = url
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            self._reader = _sqlite_engine(url, begin="BEGIN", size=4, guest=guest)
            self._writer = _sqlite_engine(url, begin="BEGIN IMMEDIATE", size=1, guest=guest)
        else:
            self._reader = self._writer = create_async_engine(url, pool_size=8, max_overflow=8)
        self._turn = asyncio.Lock()

    @property
    def engine(self) -> AsyncEngine:
        return self._writer

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for reading; whatever it changed is rolled back."""
        async with AsyncSession(self._reader, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends well, rolled back when it raises."""
        if not self.sqlite:
            async with self._session() as session, session.begin():
                yield session
            return
        async with self._turn, self._session() as session, session.begin():
            yield session

    def _session(self) -> AsyncSession:
        return AsyncSession(self._writer, expire_on_commit=False)

    async def close(self) -> None:
        await self._reader.dispose()
        await self._writer.dispose()


def _sqlite_engine(url: str, *, begin: str, size: int, guest: bool) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=size, max_overflow=0, pool_timeout=60)

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _: object) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # sqlite3 would otherwise choose its own BEGIN
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        if guest:
            cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)

    return engine


_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=10000",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "cache_size=-16000",
)
