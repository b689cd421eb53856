"""Events written in the same transaction as the change they tell of.

Other processes (and, inside this one, the table that serves apps) read them in order; webhooks and
notices are sent from here, at least once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base, Database, now

log = logging.getLogger("hub")

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

    Postgres hands out ids before the commit, so a lower id may appear after a higher one: events
    younger than `OVERLAP` are read again, and told only once.
    """

    EVERY = 0.5
    OVERLAP = timedelta(seconds=30)

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
        settled, after = now() - self.OVERLAP, self._floor
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
