"""Releases that shall happen at a moment to come: asked for, listed, cancelled.

`hub.registry.labels.due` carries them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.outbox import announce
from hub.people import audit
from hub.people.models import Account
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.git.deploy_file import ALL
from hub.registry.indexing.ledger import aside_of
from hub.registry.models import Label, Prompt, Version
from hub.registry.review.models import Scheduled
from hub.registry.writing import releases
from hub.registry.writing.releases import LabelMoved, Move

LATEST = timedelta(days=366)
BEGUN = ("waiting", "running")
"""Not settled yet; running ones are being carried out, or were when the hub was killed."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled release, as people see it."""

    id: int
    moves: list[Move]
    due_at: datetime
    reason: str
    by: str
    state: str
    outcome: str
    settled_at: datetime | None
    others: int = 0
    """Moves of other prompts in the same step that `moves` leaves out."""


async def schedule(
    database: Database, workspace: WorkspaceRef, moves: Sequence[Move], due_at: datetime, *,
    actor: Actor, reason: str,
) -> int:  # fmt: skip
    """Have the labels moved at `due_at`, all or none; each must then be where it is expected.

    Raises:
        Invalid: not a moment to come, or no reason.
        NotFound: a prompt or a version is not there.
    """
    require(actor, Need.RELEASE, workspace.id)
    releases.check(tuple(moves))
    if actor.account_id is None:
        raise Forbidden(
            "Only a person can schedule a release: their rights are read again when it is due."
        )
    if not reason.strip():
        raise Invalid("Say why, in a sentence that you would want to read in a year.")
    if not now() < due_at <= now() + LATEST:
        raise Invalid("Choose a moment to come, within a year. To release at once, leave it empty.")
    async with database.write() as db:
        pinned = await _pinned(db, workspace.id, moves)
        await _check_not_twice(db, workspace.id, pinned, due_at)
        row = Scheduled(
            workspace_id=workspace.id, moves=pinned,
            due_at=due_at, reason=reason.strip(), account_id=actor.account_id, state="waiting",
            outcome="", created_at=now(),
        )  # fmt: skip
        db.add(row)
        await db.flush()
        said = subject(moves)
        audit.record(
            db, actor, "release.scheduled", said, workspace.id, scheduled=row.id,
            due_at=due_at.isoformat(), reason=row.reason,
        )  # fmt: skip
        announce(
            db, "release.scheduled", workspace_id=workspace.id, subject=said, scheduled=row.id,
            moves=row.moves, due_at=due_at.isoformat(), by=actor.name, account_id=actor.account_id,
        )  # fmt: skip
        return row.id


async def _pinned(
    db: AsyncSession, workspace_id: int, moves: Sequence[Move]
) -> list[dict[str, Any]]:
    """The moves with the prompts' ids, lest a rename lose them, and where the labels are now."""
    names = {move.name for move in moves}
    prompts = await db.execute(
        select(Prompt.name, Prompt.id).where(
            Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None), Prompt.name.in_(names)
        )
    )
    ids = {row.name: row.id for row in prompts}
    found = await db.execute(
        select(Version.prompt_id, Version.number).where(
            Version.workspace_id == workspace_id, Version.prompt_id.in_(ids.values())
        )
    )
    numbers = {(id, number) for id, number in found}
    rows = await db.execute(
        select(Label.label, Label.prompt_id, Label.version, Label.beside).where(
            Label.workspace_id == workspace_id, Label.prompt_id.in_(ids.values())
        )
    )
    live = {(label, id): (version, beside) for label, id, version, beside in rows}
    made: list[dict[str, Any]] = []
    for move in moves:
        if (id := ids.get(move.name)) is None:
            raise NotFound(f"There is no prompt called {move.name} here. Look for it in the list.")
        if move.version is not None and (id, move.version) not in numbers:
            raise NotFound(f"{move.name} has no version {move.version}. Choose one of its history.")
        current, beside = live.get((move.label, id), (None, None))
        expected = current if isinstance(move.expected, msgspec.UnsetType) else move.expected
        if expected != current:
            raise LabelMoved(move.label, move.name, expected, current)
        releases.goal_of(move, current, aside_of(beside))  # what makes no sense is refused now
        made.append(
            {"label": move.label, "name": move.name, "version": move.version,
             "expected": expected, "id": id, "beside": beside, "share": move.share}
        )  # fmt: skip
    return made


async def _check_not_twice(
    db: AsyncSession, workspace_id: int, moves: list[dict[str, Any]], due_at: datetime
) -> None:
    """A form that was sent twice, or two people with the same thought."""
    asked = {(one["label"], one["id"]) for one in moves}
    for line, by in await db.execute(
        _rows(workspace_id).where(Scheduled.state.in_(BEGUN), Scheduled.due_at == due_at)
    ):
        for one in line.moves:
            if (one["label"], one["id"]) in asked:
                raise Conflict(
                    f"{one['label']} of {one['name']} is scheduled for that moment already, by "
                    f"{by}. Cancel that one first, or choose another moment."
                )


async def cancel(db: AsyncSession, workspace_id: int, number: int, *, actor: Actor) -> Scheduled:
    """It does not happen.

    Raises:
        Conflict: it happened already, or is happening.
    """
    require(actor, Need.RELEASE, workspace_id)
    mine = (Scheduled.workspace_id == workspace_id, Scheduled.id == number)
    done = await db.execute(
        update(Scheduled)
        .where(*mine, Scheduled.state == "waiting")
        .values(state="cancelled", outcome=f"Cancelled by {actor.name}.", settled_at=now())
        .returning(Scheduled.id)
    )
    row = await db.scalar(select(Scheduled).where(*mine))
    if row is None:
        raise NotFound("There is no such scheduled release here.")
    if done.scalar() is None:
        raise Conflict(f"It is too late to cancel this release: {row.outcome or 'it has begun.'}")
    said = subject(list(map(read, row.moves)))
    audit.record(db, actor, "release.cancelled", said, workspace_id, scheduled=number)
    announce(
        db, "release.cancelled", workspace_id=workspace_id, subject=said, scheduled=number,
        moves=row.moves, by=actor.name, account_id=actor.account_id,
    )  # fmt: skip
    return row


async def lines(
    db: AsyncSession, workspace_id: int, *, waiting: bool, limit: int = 100
) -> list[Line]:
    """Those to come, the next first; or those that are settled, the last first."""
    to_come = Scheduled.state.in_(BEGUN)
    order = Scheduled.due_at if waiting else Scheduled.settled_at.desc()
    query = _rows(workspace_id).where(to_come if waiting else ~to_come)
    found = await db.execute(query.order_by(order, Scheduled.id).limit(limit))
    return [_line(row, by) for row, by in found]


async def of_prompt(db: AsyncSession, workspace_id: int, prompt_id: str) -> list[Line]:
    """What is to come for one prompt, the next first, with that prompt's moves alone."""
    query = _rows(workspace_id).where(Scheduled.state.in_(BEGUN))
    found = await db.execute(query.order_by(Scheduled.due_at, Scheduled.id))
    lines = [
        msgspec.structs.replace(
            _line(row, by),
            moves=[read(one) for one in row.moves if one["id"] == prompt_id],
            others=sum(one["id"] != prompt_id for one in row.moves),
        )
        for row, by in found
    ]
    return [line for line in lines if line.moves]


def _rows(workspace_id: int) -> Select[Scheduled, str]:
    return (
        select(Scheduled, Account.name)
        .join(Account, Account.id == Scheduled.account_id)
        .where(Scheduled.workspace_id == workspace_id)
    )


def _line(row: Scheduled, by: str) -> Line:
    return Line(
        id=row.id, moves=list(map(read, row.moves)), due_at=row.due_at, reason=row.reason, by=by,
        state=row.state, outcome=row.outcome, settled_at=row.settled_at,
    )  # fmt: skip


def read(one: dict[str, Any]) -> Move:
    """A move as the table keeps it."""
    beside = aside_of(one["beside"]) if "beside" in one else UNSET
    share = one.get("share", ALL)  # those of before were to everybody
    return Move(one["label"], one["name"], one["version"], one["expected"], share, beside)


def subject(moves: Sequence[Move]) -> str:
    """What the audit log and the outbox say it is about."""
    return ", ".join(f"{move.label} {move.name}" for move in moves)[:255]
