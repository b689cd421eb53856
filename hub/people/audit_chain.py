"""The audit log cannot be changed unseen: every row carries a hash over itself and the row before.

Each workspace has a chain, and one more holds what belongs to none (accounts, sign-ins). A row's
hash is SHA-256 over the JSON list of the hash before ("" for the first), the workspace's id, the
moment (UTC, microseconds), actor, action, subject and detail; keys sorted, no spaces, UTF-8. Rows
from before the chain was kept have no hash; the first one with a hash follows none of them.

What a chain cannot show by itself is that its newest rows were cut off: note the last hash now and
then (`prompthub audit verify` prints it) and let a later check look for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, event, func, inspect, select
from sqlalchemy.orm import Session

from hub.executemany import insert_many
from hub.people.models import AuditEntry, Workspace

_encode = msgspec.json.Encoder(order="deterministic").encode
_NOBODY_S = 0x61756469
"""Postgres's lock for the chain without a workspace: "audi"."""
BATCH = 1000


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of one chain found."""

    rows: int
    older: int
    """Rows from before the chain was kept."""
    head: str
    """The last hash; empty: there is none."""
    broken: str = ""
    """The first row that does not fit, in words; empty: all fit."""
    found: bool = True
    """Whether the hash that was looked for is in the chain."""


def hash_of(row: Mapping[str, Any], previous: str) -> str:
    """The hash of one row after `previous`."""
    at: datetime = row["at"]
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    facts = [previous, row["workspace_id"], moment]
    facts += [row["actor"], row["action"], row["subject"], row["detail"]]
    return sha256(_encode(facts)).hexdigest()


def rows(db: Connection, workspace_id: int | None, new: Sequence[dict[str, Any]]) -> None:
    """Write rows of one workspace down in the transaction at hand, at the end of its chain."""
    if not new:
        return
    previous = _last(db, workspace_id)
    for row in new:
        row["hash"] = previous = hash_of(row, previous)
    insert_many(db, AuditEntry, new)


@event.listens_for(Session, "before_flush")
def _chain(session: Session, _: object, __: object) -> None:  # pyright: ignore[reportUnusedFunction]
    """Rows added through the ORM get their place in the chain when they are written.

    SQLAlchemy calls it; pyright sees nobody who does.
    """
    new = [one for one in session.new if isinstance(one, AuditEntry) and one.hash is None]
    if not new:
        return
    new.sort(key=lambda one: inspect(one).insert_order or 0)  # the order of their ids to be
    previous: dict[int | None, str] = {}
    for number in sorted({one.workspace_id for one in new}, key=lambda one: one or 0):
        previous[number] = _last(session.connection(), number)
    for one in new:
        row = {name: getattr(one, name) for name in _FACTS}
        one.hash = previous[one.workspace_id] = hash_of(row, previous[one.workspace_id])


_NEWEST = select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
_NEWEST_OF = _NEWEST.where(AuditEntry.workspace_id == bindparam("workspace"))
_FACTS = ("workspace_id", "at", "actor", "action", "subject", "detail")


def _last(db: Connection, workspace_id: int | None) -> str:
    """The end of a chain, held until this transaction ends, so that it cannot fork.

    SQLite has one writer at a time anyway. Postgres's lock is the workspace's row: whoever counts
    its epoch up holds that one too, so that two transactions cannot wait for each other.
    """
    if db.dialect.name == "postgresql":
        if workspace_id is None:
            db.execute(select(func.pg_advisory_xact_lock(_NOBODY_S)))
        else:
            row = select(Workspace.id).where(Workspace.id == workspace_id)
            db.execute(row.with_for_update(key_share=True))
    if workspace_id is None:
        return db.execute(_NEWEST.where(_of(None))).scalar() or ""
    return db.execute(_NEWEST_OF, {"workspace": workspace_id}).scalar() or ""


def verify(db: Connection, workspace_id: int | None, *, expected: str = "") -> Report:
    """Walk a chain from its first row to its last and say where it breaks first."""
    previous: str = ""
    count, older, found = 0, 0, not expected
    for row in _walk(db, workspace_id):
        if row["hash"] is None and not previous:
            older += 1
            continue
        count += 1
        wanted = hash_of(row, previous)
        if row["hash"] != wanted:
            said = _broken(row)
            return Report(rows=count, older=older, head=previous, broken=said, found=found)
        previous = wanted
        found = found or previous == expected
    return Report(rows=count, older=older, head=previous, found=found)


def _broken(row: Mapping[str, Any]) -> str:
    what = "has no hash" if row["hash"] is None else "does not fit the hash it carries"
    return (
        f"Row {row['id']} ({row['at']:%Y-%m-%d %H:%M:%S} UTC, {row['actor']}, {row['action']}, "
        f"{row['subject']}) {what}: it was changed, or rows before it were changed, added or "
        "taken out."
    )


def _walk(db: Connection, workspace_id: int | None) -> Iterator[dict[str, Any]]:
    """All rows of a chain, a batch at a time."""
    columns = [getattr(AuditEntry, name) for name in ("id", "hash", *_FACTS)]
    after = 0
    while True:
        page = select(*columns).where(_of(workspace_id), AuditEntry.id > after)
        batch = db.execute(page.order_by(AuditEntry.id).limit(BATCH)).mappings().all()
        if not batch:
            return
        for row in batch:
            yield {str(name): value for name, value in row.items()}
        after = batch[-1]["id"]


def _of(workspace_id: int | None) -> Any:
    if workspace_id is None:
        return AuditEntry.workspace_id.is_(None)
    return AuditEntry.workspace_id == workspace_id
