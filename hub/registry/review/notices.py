"""Notices: made from the outbox, once per event and person; read, and marked as seen.

After a crash some events are told again; the table refuses doubles.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Insert, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.outbox import Event, Tail
from hub.people.models import Account
from hub.registry.review import mail_times
from hub.registry.review.models import Notice
from hub.registry.review.telling import KINDS, Happened, Told, tell

log = logging.getLogger("hub.notices")

READER = "notices"
PAGE = 50
MOST_COUNTED = 100


class Reader:
    """Reads the outbox on from where it was; `mails`: whether the hub can send letters at all."""

    def __init__(self, database: Database, *, mails: bool) -> None:
        concerns = Event.kind.in_(KINDS)
        self._tail = Tail(database, READER, concerns, partial(make, mails=mails))

    async def look(self) -> set[int]:
        """Make the notices of what is new; returns whom they are for."""
        return set[int]().union(*await self._tail.look())


def make(db: Connection, event_ids: Sequence[int], *, mails: bool) -> set[int]:
    """The notices of these events; returns whom they are for.

    What was told once is not told again to people it has come to concern since.
    """
    made = select(Notice.event_id).where(Notice.event_id.in_(event_ids))
    query = select(*Event.__table__.columns).where(Event.id.in_(event_ids), Event.id.not_in(made))
    rows: list[dict[str, Any]] = []
    for row in db.execute(query.order_by(Event.id)):
        if row.workspace_id is None:
            continue
        event = Happened(
            id=row.id, workspace_id=row.workspace_id, kind=row.kind, subject=row.subject,
            payload=row.payload,
        )  # fmt: skip
        rows += [_row(event, one, row.at) for one in _told(db, event)]
    if not rows:
        return set()
    whom = {row["account_id"] for row in rows}
    wishes = _wishes(db, whom) if mails else {}
    for row in rows:
        row["mail_after"] = mail_times.after(wishes.get(row["account_id"], "off"), now())
    db.execute(_insert(db), rows)
    return whom


def _told(db: Connection, event: Happened) -> list[Told]:
    """An event that we cannot make sense of must not keep the later ones waiting."""
    try:
        return tell(db, event)
    except SQLAlchemyError:
        raise
    except Exception:
        log.exception("nobody is told of event %s (%s)", event.id, event.kind)
        return []


def _row(event: Happened, told: Told, at: datetime) -> dict[str, Any]:
    kind = "mentioned" if told.account_id in event.called else event.kind
    return {
        "account_id": told.account_id, "workspace_id": event.workspace_id, "event_id": event.id,
        "kind": kind, "number": event.number, "text": told.text, "url": told.url, "at": at,
    }  # fmt: skip


def _wishes(db: Connection, whom: set[int]) -> dict[int, str]:
    query = select(Account.id, Account.mail).where(Account.id.in_(whom))
    return {row.id: row.mail for row in db.execute(query)}


def _insert(db: Connection) -> Insert:
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    return dialect.insert(Notice).on_conflict_do_nothing(
        index_elements=["event_id", "account_id"]
    )  # fmt: skip


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


def unseen(db: Connection, workspace_id: int, account_id: int) -> int:
    """How many the person has not seen; counted up to `MOST_COUNTED`."""
    some = (
        select(Notice.id)
        .where(
            Notice.account_id == account_id, Notice.seen_at.is_(None),
            Notice.workspace_id == workspace_id,
        )
        .limit(MOST_COUNTED)
        .subquery()
    )  # fmt: skip
    return db.scalar(select(func.count()).select_from(some)) or 0


async def listed(
    db: AsyncSession, workspace_id: int, account_id: int, *, before: int | None = None
) -> list[Notice]:
    """The person's notices, the newest first."""
    query = select(Notice).where(
        Notice.account_id == account_id, Notice.workspace_id == workspace_id
    )
    if before is not None:
        query = query.where(Notice.id < before)
    return list(await db.scalars(query.order_by(Notice.id.desc()).limit(PAGE)))


async def since(
    db: AsyncSession, workspace_id: int, account_id: int, after: int
) -> list[Notice]:  # fmt: skip
    """The newest few that came after that one, the oldest first."""
    query = select(Notice).where(
        Notice.account_id == account_id, Notice.workspace_id == workspace_id, Notice.id > after
    )
    found = list(await db.scalars(query.order_by(Notice.id.desc()).limit(5)))
    return found[::-1]


async def newest(db: AsyncSession, account_id: int) -> int:
    return await db.scalar(select(func.max(Notice.id)).where(Notice.account_id == account_id)) or 0


async def settle(db: AsyncSession, workspace_id: int, kind: str) -> None:
    """What they tell of is over: nobody need read or be mailed them."""
    over = update(Notice).where(
        Notice.workspace_id == workspace_id, Notice.kind == kind, Notice.seen_at.is_(None)
    )
    await db.execute(over.values(seen_at=now(), mail_after=None))


async def see(
    db: AsyncSession, workspace_id: int, account_id: int, *, notice_id: int | None = None
) -> None:
    """The person has seen them: one, or all. What was seen is not mailed."""
    change = update(Notice).where(
        Notice.account_id == account_id, Notice.workspace_id == workspace_id,
        Notice.seen_at.is_(None),
    )  # fmt: skip
    if notice_id is not None:
        change = change.where(Notice.id == notice_id)
    await db.execute(change.values(seen_at=now(), mail_after=None))
