"""Events written in the same transaction as the change they tell of.

Other processes (and, inside this one, the table that serves apps) read them in order; webhooks and
notices are sent from here, at least once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import JSON, ColumnElement, Connection, Index, String, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base, Database, now

log = logging.getLogger("hub")

T = TypeVar("T")
OVERLAP = timedelta(seconds=30)
"""Postgres hands out ids before the commit: events this young may still get an older neighbour."""

Listener = Callable[[str, str, Mapping[str, Any]], None]
"""Called with an event's kind, subject and payload; must be quick and may be called twice."""


class Event(Base):
    """Something that happened: `version.saved`, `label.moved`, `key.revoked`, …"""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_workspace_id_id", "workspace_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(255))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime]


class Position(Base):
    """How far a reader that must not miss anything has read the outbox, also over a restart."""

    __tablename__ = "outbox_positions"

    reader: Mapped[str] = mapped_column(String(40), primary_key=True)
    event_id: Mapped[int]


def announce(
    db: AsyncSession, kind: str, *, workspace_id: int | None, subject: str, **payload: Any
) -> None:
    """Add an event to the transaction at hand."""
    db.add(Event(workspace_id=workspace_id, kind=kind, subject=subject, payload=payload, at=now()))


class Watch:
    """Tells this process what others wrote: asks for new events twice a second.

    Events younger than `OVERLAP` are read again, and told only once.
    """

    EVERY = 0.5

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: list[Listener] = []
        self._floor = 0
        self._told: set[int] = set()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def start(self) -> None:
        """Begin after what is there now: whoever listens reads the present state by itself."""
        async with self._database.read() as db:
            self._floor = await db.scalar(select(func.max(Event.id))) or 0

    async def look(self) -> None:
        """Tell the listeners what is new."""
        settled, after = now() - OVERLAP, self._floor
        while events := await self._after(after):
            for event in events:
                if event.id not in self._told:
                    self._told.add(event.id)
                    self._tell(event)
                if event.at < settled:
                    self._floor = max(self._floor, event.id)
            after = events[-1].id
        self._told = {number for number in self._told if number > self._floor}

    async def _after(self, number: int) -> list[Event]:
        query = select(Event).where(Event.id > number).order_by(Event.id).limit(1000)
        async with self._database.read() as db:
            return list(await db.scalars(query))

    async def run(self) -> None:
        """Look, wait, look again, until cancelled."""
        while True:
            await asyncio.sleep(self.EVERY)
            try:
                await self.look()
            except Exception:
                log.exception("the outbox could not be read; trying again")

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            try:
                listener(event.kind, event.subject, event.payload)
            except Exception:
                log.exception("a listener failed on event %s (%s)", event.id, event.kind)


class Tail(Generic[T]):
    """Reads the outbox on from where it was, also over a restart; misses nothing.

    At least once: how far it was read is kept with what was made of it, in one transaction, and
    lags behind, so that a crash shows some events again. `make` refuses the doubles.
    """

    AT_ONCE = 200
    LAG = 1000
    """Events that concern nobody after which the position is written down all the same."""

    def __init__(
        self, database: Database, reader: str, concerns: ColumnElement[bool],
        make: Callable[[Connection, Sequence[int]], T],
    ) -> None:  # fmt: skip
        """`reader`: the name its position is kept by. `concerns`: of an `Event`. `make`: given the
        ids of events that do, in the transaction that moves the position."""
        self._database, self._reader, self._make = database, reader, make
        self._query = select(Event.id, Event.at, concerns.label("concerns"))
        self._begun = False
        self._floor = self._kept = 0
        self._told: set[int] = set()

    async def look(self) -> list[T]:
        """Make what is new; returns what `make` did."""
        if not self._begun:
            self._floor = self._kept = await self._database.read_at_once(self._position)
            self._begun = True
        made: list[T] = []
        settled, after = now() - OVERLAP, self._floor
        while events := await self._after(after):
            fresh = [one.id for one in events if one.concerns and one.id not in self._told]
            floor = max([self._floor, *(one.id for one in events if one.at < settled)])
            if fresh or floor - self._kept > self.LAG:
                made.append(await self._write(fresh, floor))
            self._told.update(fresh)
            self._floor, after = floor, events[-1].id
        self._told = {one for one in self._told if one > self._floor}
        return made

    async def _after(self, number: int) -> Sequence[Any]:
        query = self._query.where(Event.id > number).order_by(Event.id).limit(self.AT_ONCE)
        return await self._database.read_at_once(lambda db: db.execute(query).all())

    async def _write(self, event_ids: Sequence[int], floor: int) -> T:
        mine = Position.reader == self._reader

        def write(db: Connection) -> T:
            made = self._make(db, event_ids)
            if not db.execute(update(Position).where(mine).values(event_id=floor)).rowcount:
                db.execute(insert(Position).values(reader=self._reader, event_id=floor))
            return made

        made = await self._database.write_at_once(write)
        self._kept = floor
        return made

    def _position(self, db: Connection) -> int:
        return db.scalar(select(Position.event_id).where(Position.reader == self._reader)) or 0
