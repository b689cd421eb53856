"""Reading the audit log: narrowed down, a page at a time, or all of it as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec
from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Invalid
from hub.people.models import Account, AuditEntry

PAGE = 100
BATCH = 500


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; an empty part leaves nothing out."""

    who: str = ""
    """A part of a name or of an address."""
    action: str = ""
    """How an action begins: `member.` is all about people, `member.removed` is one deed."""
    about: str = ""
    start: date | None = None
    end: date | None = None
    """The last day, as a whole."""

    @property
    def narrowed(self) -> bool:
        return self != Wanted()


def wanted(
    who: str = "", action: str = "", about: str = "", start: str = "", end: str = ""
) -> Wanted:
    """What a page's form asks for.

    Raises:
        Invalid: a day is none.
    """
    return Wanted(
        who=who.strip(), action=action.strip(), about=about.strip(), start=_day(start),
        end=_day(end),
    )  # fmt: skip


async def entries(
    db: AsyncSession, workspace_id: int, what: Wanted, *, before: int | None = None
) -> list[AuditEntry]:
    """The newest rows, or those older than the row `before`."""
    query = _narrowed(workspace_id, what)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return list(await db.scalars(query.order_by(AuditEntry.id.desc()).limit(PAGE)))


async def lines(database: Database, workspace_id: int, what: Wanted) -> AsyncGenerator[bytes]:
    """Every row as a line of JSON, the oldest first; read in batches, so that none waits long."""
    after = 0
    while True:
        query = _narrowed(workspace_id, what).where(AuditEntry.id > after)
        async with database.read() as db:
            batch = list(await db.scalars(query.order_by(AuditEntry.id).limit(BATCH)))
        if not batch:
            return
        yield b"".join(line(row) for row in batch)
        after = batch[-1].id


def line(row: AuditEntry) -> bytes:
    """One row; with its hash, so that the chain can be checked elsewhere."""
    facts: dict[str, Any] = {
        "id": row.id, "workspace_id": row.workspace_id,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"), "actor": row.actor,
        "action": row.action, "subject": row.subject, "detail": row.detail, "hash": row.hash,
    }  # fmt: skip
    return msgspec.json.encode(facts) + b"\n"


def _narrowed(workspace_id: int, what: Wanted) -> Select[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.workspace_id == workspace_id)
    if what.who:
        named = select(Account.email).where(Account.name.icontains(what.who, autoescape=True))
        query = query.where(
            or_(AuditEntry.actor.icontains(what.who, autoescape=True), AuditEntry.actor.in_(named))
        )
    if what.action:
        query = query.where(AuditEntry.action.startswith(what.action, autoescape=True))
    if what.about:
        query = query.where(AuditEntry.subject.icontains(what.about, autoescape=True))
    if what.start:
        query = query.where(AuditEntry.at >= datetime.combine(what.start, time.min, UTC))
    if what.end:
        query = query.where(AuditEntry.at <= datetime.combine(what.end, time.max, UTC))
    return query


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise Invalid("A day is written like 2026-03-01.") from None
