"""Scheduled releases carried out, each at most once.

    waiting --> running, with the prompts' names of the moment --> moved --> done or refused

Whoever asked is remembered, not their rights: those, and the rules, are read again when it is due.
A hub that is killed between any two steps goes on at the next start: the move goes by a request id
of its own, so what was done is found done, whoever has lost their rights since.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Forbidden, HubError, Unavailable
from hub.outbox import announce
from hub.people import audit
from hub.people.models import Account, Member, Workspace
from hub.people.policy import Actor, WorkspaceRef
from hub.registry.labels import labels
from hub.registry.labels.scheduled import BEGUN, read, subject
from hub.registry.models import Intent, Prompt
from hub.registry.review.models import Scheduled
from hub.registry.writing.publish import Publisher
from hub.registry.writing.releases import Move

log = logging.getLogger(__name__)

EVERY = 1.0
LATE = timedelta(minutes=2)
TRIES = 5
BROKE = (
    "Something broke on our side, so nothing was moved. Release it by hand, and tell the operator."
)


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """One that is due, with everything as it is at this moment."""

    id: int
    workspace: WorkspaceRef
    moves: list[Move]
    due_at: datetime
    reason: str
    actor: Actor
    happened: bool
    """It was carried out before, and only not written down."""


class Due:
    """Looks every second for what is due; one per process."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database, self._publisher = database, publisher
        self._failed = Counter[int]()

    async def run(self) -> None:
        """Look, wait, look again, until cancelled; what is overdue comes first, at once."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("scheduled releases could not be read; trying again")
            await asyncio.sleep(EVERY)

    async def look(self, at: datetime | None = None) -> int:
        """Carry out what is due, one after the other; how many are settled now."""
        query = select(Scheduled.id).where(
            Scheduled.state.in_(BEGUN),
            or_(Scheduled.due_at <= (at or now()), Scheduled.state == "running"),
        )
        async with self._database.read() as db:
            numbers = list(await db.scalars(query.order_by(Scheduled.due_at, Scheduled.id)))
        return sum([await self._carry_out(number) for number in numbers])

    async def _carry_out(self, number: int) -> bool:
        begun = await self._begin(number)
        if begun is None:
            return False
        try:
            if not begun.happened:
                await self._move(begun)
        except Unavailable as busy:
            if not self._failed[number]:
                log.warning("scheduled release %s waits: %s", number, busy)
            self._failed[number] += 1
            return False
        except HubError as refused:
            await self._refuse(begun, refused.sentence)
        except Exception:
            self._failed[number] += 1
            log.exception("scheduled release %s failed", number)
            if self._failed[number] < TRIES:
                return False
            await self._refuse(begun, BROKE)
        else:
            await self._done(begun)
        self._failed.pop(number, None)
        return True

    async def _begin(self, number: int) -> Begun | None:
        """Take it, so that nobody can cancel it any more; None: somebody just did."""
        async with self._database.write() as db:
            taken = await db.execute(
                update(Scheduled)
                .where(Scheduled.id == number, Scheduled.state == "waiting")
                .values(state="running")
                .returning(Scheduled.id)
            )
            fresh = taken.scalar() is not None
            row = await db.get_one(Scheduled, number, populate_existing=True)
            if row.state != "running":
                return None
            if fresh:  # what was begun keeps the names it was begun with: it is the same request
                row.moves = await _named(db, row)
            return await _begun(db, row)

    async def _move(self, begun: Begun) -> None:
        if not begun.actor.role:
            raise Forbidden(
                f"{begun.actor.name}, who scheduled it, is not a member of this workspace any more."
            )
        await labels.move_many(
            self._publisher, begun.workspace, begun.moves, actor=begun.actor, reason=begun.reason,
            request_id=f"scheduled:{begun.id}",
        )  # fmt: skip

    async def _done(self, begun: Begun) -> None:
        late = now() - begun.due_at
        said = f"{_long(late)} late: the hub could not do it earlier." if late > LATE else ""
        async with self._database.write() as db:
            await _settle(db, begun.id, "done", said)

    async def _refuse(self, begun: Begun, sentence: str) -> None:
        """Nothing was moved; whoever asked, and the log, must know."""
        log.warning("scheduled release %s was refused: %s", begun.id, sentence)
        about = subject(begun.moves)
        async with self._database.write() as db:
            if not await _settle(db, begun.id, "refused", sentence):
                return
            audit.record(
                db, begun.actor, "release.refused", about, begun.workspace.id,
                scheduled=begun.id, why=sentence,
            )  # fmt: skip
            announce(
                db, "release.refused", workspace_id=begun.workspace.id, subject=about,
                scheduled=begun.id, sentence=sentence, by=begun.actor.name,
                account_id=begun.actor.account_id,
            )  # fmt: skip


async def _named(db: AsyncSession, row: Scheduled) -> list[dict[str, Any]]:
    """The moves with the names that the prompts have now."""
    names = await db.execute(
        select(Prompt.id, Prompt.name).where(
            Prompt.workspace_id == row.workspace_id,
            Prompt.id.in_({one["id"] for one in row.moves}),
        )
    )
    now_called = {row.id: row.name for row in names}
    return [one | {"name": now_called.get(one["id"], one["name"])} for one in row.moves]


async def _begun(db: AsyncSession, row: Scheduled) -> Begun:
    workspace = await db.get_one(Workspace, row.workspace_id)
    account = await db.get_one(Account, row.account_id)
    member = await db.get(Member, (workspace.id, account.id))
    role = member.role if member and account.disabled_at is None else ""
    done_before = select(Intent.id).where(
        Intent.workspace_id == workspace.id, Intent.state == "done",
        Intent.request_id == f"{account.id}:scheduled:{row.id}",
    )  # fmt: skip
    return Begun(
        id=row.id, workspace=WorkspaceRef(workspace.id, workspace.slug, workspace.name),
        moves=list(map(read, row.moves)), due_at=row.due_at, reason=row.reason,
        actor=Actor(
            kind="person", name=account.name, email=account.email, account_id=account.id,
            workspace_id=workspace.id, role=role,
        ),
        happened=await db.scalar(done_before) is not None,
    )  # fmt: skip


async def _settle(db: AsyncSession, number: int, state: str, outcome: str) -> bool:
    done = await db.execute(
        update(Scheduled)
        .where(Scheduled.id == number, Scheduled.state == "running")
        .values(state=state, outcome=outcome, settled_at=now())
        .returning(Scheduled.id)
    )
    return done.scalar() is not None


def _long(time: timedelta) -> str:
    """`3 hours`: as exact as somebody wants to know."""
    for word, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if (number := int(time.total_seconds() // seconds)) > 0:
            return f"{number} {word}{'' if number == 1 else 's'}"
    return "A moment"
