"""What tests of scheduled releases share: prompts to release, somebody who may, and the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from hub.db import Database, now
from hub.outbox import Event
from hub.people.models import Account, Member
from hub.registry.labels import labels, scheduled
from hub.registry.labels.due import Due
from hub.registry.labels.labels import Move
from hub.registry.review.models import Scheduled
from tests.shelf import Shelf, make_shelf, somebody

HOUR = timedelta(hours=1)


async def make_scheduling(database: Database, data: Path) -> Shelf:
    """Two prompts of two versions; Ben has an account here, and is a reviewer."""
    made = await make_shelf(database, data)
    for name in ("support/mood", "support/triage"):
        first = await made.save(name, f"One of {name}")
        await made.save(name, f"Two of {name}", base=first.hash)
    async with database.write() as db:
        account = Account(
            email="ben@example.org", name="Ben Carter", theme="auto", created_at=now(),
            password_hash=None, disabled_at=None,
        )  # fmt: skip
        db.add(account)
        await db.flush()
        db.add(
            Member(
                workspace_id=made.workspace.id, account_id=account.id, role="reviewer",
                created_at=now(),
            )
        )  # fmt: skip
    made.ben = somebody("Ben Carter", "reviewer", made.workspace.id, account_id=account.id)
    return made


async def ask(shelf: Shelf, *moves: Move, due: datetime | None = None, **more) -> int:
    given = {"actor": shelf.ben, "reason": "The clinic opens"} | more
    return await scheduled.schedule(
        shelf.database, shelf.workspace, moves or BOTH, due or now() + HOUR, **given
    )


BOTH = (
    Move("production", "support/mood", 2, None),
    Move("production", "support/triage", 1, None),
)


async def tick(shelf: Shelf, at: datetime | None = None) -> int:
    return await Due(shelf.database, shelf.publisher).look(at or now() + 2 * HOUR)


async def row(shelf: Shelf, number: int) -> Scheduled:
    async with shelf.database.read() as db:
        return await db.get_one(Scheduled, number)


async def events(shelf: Shelf, kind: str) -> list[Event]:
    async with shelf.database.read() as db:
        return list(await db.scalars(select(Event).where(Event.kind == kind)))


async def live(shelf: Shelf) -> dict[str, int]:
    async with shelf.database.read() as db:
        found = await labels.as_of(db, shelf.workspace.id, "production", now() + HOUR)
    return {one.name: one.version for one in found}
