"""The database: sessions for reading and for writing, and what every table shares.

SQLite is written by one connection at a time (`BEGIN IMMEDIATE`, so a transaction never finds
half-way that somebody else holds the lock), with `synchronous=FULL`: a commit that was answered
survives a power cut. Reads see a snapshot and never wait for the writer (WAL).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Connection, DateTime, MetaData, event
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from hub.errors import Unavailable
from hub.sqlite import plain_sqlite_engines, sqlite_engine

T = TypeVar("T")

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class DatabaseAway(Unavailable):
    """The database cannot be reached, or lets nobody in; `why` is the driver's own error."""

    def __init__(self, why: Exception) -> None:
        super().__init__("The hub's database does not answer just now. Try again in a moment.")
        self.why = why


class OnceAMinute(logging.Filter):
    """While the database is away all that looks at it says so: in a line, and not at each look."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}
        """Until when each line is not said again."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, DatabaseAway):
            return True
        line = f"{record.getMessage()}: {error.why}"
        record.msg, record.args, record.exc_info = line, (), None
        if monotonic() < self._said.get(line, 0.0):
            return False
        self._said[line] = monotonic() + 60
        return True


def complaint(error: Exception, url: str) -> str:
    """What an operator reads when the database at `url` cannot be used; never its password."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    said = getattr(error, "strerror", "") or said
    where = make_url(url)
    if where.get_backend_name() != "sqlite":
        place = f"{where.host or where.query.get('host', 'localhost')}:{where.port or 5432}"
        return f"The database {where.database} at {place} cannot be used: {said.splitlines()[0]}."
    if "disk is full" in said:
        return (
            f"The disk with {where.database} is full. Nothing was lost; make room, and try again."
        )
    if isinstance(error, OperationalError):
        return f"The database {where.database} cannot be used just now: {said}. Try again."
    return (
        f"The database {where.database} is damaged: {said}. Restore it from a backup, then run "
        "`prompthub reindex`: prompts and their history are read from the repositories."
    )


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
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Instant}


def now() -> datetime:
    """The time as the hub writes it down: UTC, aware."""
    return datetime.now(UTC)


def _connect(dialect: Any, _: Any, args: list[Any], given: dict[str, Any]) -> Any:
    """Drivers raise what the network raises, which could as well be of a file or of a model."""
    try:
        return dialect.connect(*args, **given)
    except (OSError, dialect.dbapi.Error) as error:
        raise DatabaseAway(error) from error


class Database:
    """Where sessions come from. `read()` never blocks a writer; `write()` is one at a time."""

    def __init__(self, url: str, *, guest: bool = False) -> None:
        """`guest`: another process owns this SQLite file; leave its checkpoints alone."""
        self.url = url
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            self._reader = sqlite_engine(url, begin="BEGIN", size=4, guest=guest)
            self._writer = sqlite_engine(url, begin="BEGIN IMMEDIATE", size=1, guest=guest)
            self._work = plain_sqlite_engines(url, guest=guest)
        else:
            # Pinged: a Postgres that was started again has forgotten the connections we hold.
            self._reader = self._writer = create_async_engine(
                url, pool_size=8, max_overflow=8, pool_pre_ping=True
            )
            event.listen(self._writer.sync_engine, "do_connect", _connect)
        self._turn = asyncio.Lock()

    @property
    def engine(self) -> AsyncEngine:
        return self._writer

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A session for reading; whatever it changed is rolled back."""
        async with AsyncSession(self._reader, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncSession]:
        """One transaction: committed when the block ends well, rolled back when it raises."""
        if not self.sqlite:
            async with self._session() as session, session.begin():
                yield session
            return
        async with self._turn, self._session() as session, session.begin():
            yield session

    def _session(self) -> AsyncSession:
        return AsyncSession(self._writer, expire_on_commit=False)

    async def read_at_once(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a plain connection, off the event loop; what it changed is rolled back.

        For many statements in a row: SQLite is asked in one thread, not by a hop for each.
        """
        if not self.sqlite:
            async with self._reader.connect() as connection:
                return await connection.run_sync(work)

        def read() -> T:
            with self._work[0].connect() as connection:
                return work(connection)

        return await asyncio.to_thread(read)

    async def write_at_once(self, work: Callable[[Connection], T]) -> T:
        """As `read_at_once`, in one transaction: committed, or rolled back when `work` raises."""
        if not self.sqlite:
            async with self._writer.begin() as connection:
                return await connection.run_sync(work)

        def write() -> T:
            with self._work[1].begin() as connection:
                return work(connection)

        async with self._turn:
            return await asyncio.to_thread(write)

    async def close(self) -> None:
        for engine in self._work if self.sqlite else ():
            engine.dispose()
        await self._reader.dispose()
        await self._writer.dispose()
