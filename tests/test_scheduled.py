"""Scheduled releases: at their moment, by the rights of that moment, at most once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from hub.db import Database, now
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.people.models import Account, AuditEntry, Member
from hub.registry import versions
from hub.registry.labels import labels, scheduled
from hub.registry.labels.labels import Move
from hub.registry.review.models import Scheduled
from tests.scheduling import HOUR, ask, events, live, make_scheduling, row, tick
from tests.shelf import Shelf, somebody


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await make_scheduling(database, tmp_path / "data")


async def test_it_happens_at_its_moment_and_not_before(shelf: Shelf):
    number = await ask(shelf)
    assert await tick(shelf, now()) == 0
    assert await live(shelf) == {}
    assert await tick(shelf) == 1
    assert await live(shelf) == {"support/mood": 2, "support/triage": 1}
    done = await row(shelf, number)
    assert (done.state, done.outcome) == ("done", "")
    assert shelf.log("-1", "deploy", "--format=%an: %s") == ["Ben Carter: The clinic opens"]
    assert await tick(shelf) == 0
    assert len(shelf.log("deploy", "--format=%H")) == 1
    await shelf.assert_rebuilds()


async def test_what_was_due_while_the_hub_was_down_is_done_at_the_start(shelf: Shelf):
    number = await ask(shelf)
    async with shelf.database.write() as db:
        await db.execute(update(Scheduled).values(due_at=now() - 3 * HOUR))
    assert await tick(shelf, now()) == 1
    assert (await row(shelf, number)).outcome.startswith("3 hours late")
    assert await live(shelf) == {"support/mood": 2, "support/triage": 1}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"role": "editor"}, "You are an editor here and cannot move labels"),
        ({"role": "viewer"}, "You are a viewer here and cannot move labels"),
        (None, "Ben Carter, who scheduled it, is not a member of this workspace any more"),
    ],
)
async def test_rights_are_read_again_when_it_is_due(shelf: Shelf, change, says: str):
    number = await ask(shelf)
    async with shelf.database.write() as db:
        member = await db.get_one(Member, (shelf.workspace.id, shelf.ben.account_id))
        if change is None:
            await db.delete(member)
        else:
            member.role = change["role"]
    assert await tick(shelf) == 1
    refused = await row(shelf, number)
    assert refused.state == "refused"
    assert says in refused.outcome
    assert await live(shelf) == {}
    (told,) = await events(shelf, "release.refused")
    assert told.payload["account_id"] == shelf.ben.account_id
    assert says in told.payload["sentence"]
    async with shelf.database.read() as db:
        kinds = set(await db.scalars(select(AuditEntry.action)))
    assert {"release.scheduled", "release.refused"} <= kinds


async def test_a_disabled_account_releases_nothing(shelf: Shelf):
    number = await ask(shelf)
    async with shelf.database.write() as db:
        await db.execute(update(Account).values(disabled_at=now()))
    await tick(shelf)
    assert (await row(shelf, number)).state == "refused"
    assert await live(shelf) == {}


async def test_a_label_that_moved_meanwhile_stops_all_of_it(shelf: Shelf):
    number = await ask(shelf)
    await labels.move(
        shelf.publisher, shelf.workspace, "production", "support/triage", 2, actor=shelf.ben,
        reason="Could not wait",
    )  # fmt: skip
    await tick(shelf)
    refused = await row(shelf, number)
    assert refused.state == "refused"
    assert "production of support/triage is at version 2 now, not unset" in refused.outcome
    assert await live(shelf) == {"support/triage": 2}


async def test_a_prompt_that_was_renamed_meanwhile_is_found_by_its_new_name(shelf: Shelf):
    number = await ask(shelf)
    await versions.rename(
        shelf.publisher, shelf.workspace, "support/triage", "care/triage", actor=shelf.ana
    )
    await shelf.save("support/triage", "Somebody else's")
    await tick(shelf)
    assert (await row(shelf, number)).state == "done"
    assert await live(shelf) == {"support/mood": 2, "care/triage": 1}


async def test_a_prompt_that_was_deleted_meanwhile_stops_it_with_a_sentence(shelf: Shelf):
    number = await ask(shelf)
    await versions.delete(shelf.publisher, shelf.workspace, "support/triage", actor=shelf.ben)
    await tick(shelf)
    refused = await row(shelf, number)
    assert (refused.state, "was deleted" in refused.outcome) == ("refused", True)


async def test_what_cannot_be_scheduled_is_refused_at_once(shelf: Shelf):
    for due in (now() - HOUR, now() + timedelta(days=400)):
        with pytest.raises(Invalid, match="Choose a moment to come"):
            await ask(shelf, due=due)
    with pytest.raises(Invalid, match="Say why"):
        await ask(shelf, reason="  ")
    with pytest.raises(NotFound, match="no version 9"):
        await ask(shelf, Move("production", "support/mood", 9, None))
    with pytest.raises(NotFound, match="no prompt called"):
        await ask(shelf, Move("production", "support/nothing", 1, None))
    with pytest.raises(labels.LabelMoved, match="is not set now, not at version 1"):
        await ask(shelf, Move("production", "support/mood", 2, 1))
    with pytest.raises(Forbidden):
        await ask(shelf, actor=shelf.ana)
    key = somebody("An app", "key:write", shelf.workspace.id)
    with pytest.raises(Forbidden, match="Only a person"):
        await ask(
            shelf,
            actor=type(key)(
                kind="key",
                name="app",
                email="",
                role="key:write",
                workspace_id=shelf.workspace.id,
                key_id="k1",
            ),
        )
    async with shelf.database.read() as db:
        assert not list(await db.scalars(select(Scheduled)))


async def test_the_same_label_is_scheduled_once_for_one_moment(shelf: Shelf):
    due = now() + HOUR
    number = await ask(shelf, due=due)
    with pytest.raises(Conflict, match="scheduled for that moment already, by Ben Carter"):
        await ask(shelf, Move("production", "support/mood", 1, None), due=due)
    await ask(shelf, Move("staging", "support/mood", 1, None), due=due)
    async with shelf.database.write() as db:
        await scheduled.cancel(db, shelf.workspace.id, number, actor=shelf.ben)
    await ask(shelf, due=due)


async def test_who_cancels_in_time_wins_and_too_late_is_told(shelf: Shelf):
    number, other = await ask(shelf), await ask(shelf, Move("staging", "support/mood", 1, None))
    async with shelf.database.write() as db:
        await scheduled.cancel(db, shelf.workspace.id, number, actor=shelf.ben)
    assert await tick(shelf) == 1
    assert await live(shelf) == {}
    assert (await row(shelf, number)).outcome == "Cancelled by Ben Carter."
    (told,) = await events(shelf, "release.cancelled")
    assert (told.payload["scheduled"], told.payload["by"]) == (number, "Ben Carter")
    async with shelf.database.write() as db:
        with pytest.raises(Conflict, match="too late to cancel"):
            await scheduled.cancel(db, shelf.workspace.id, other, actor=shelf.ben)
        with pytest.raises(NotFound):
            await scheduled.cancel(db, shelf.workspace.id, 999, actor=shelf.ben)
        with pytest.raises(NotFound):
            await scheduled.cancel(
                db,
                shelf.workspace.id + 1,
                other,
                actor=somebody("Mallory", "admin", shelf.workspace.id + 1),
            )


async def test_one_that_was_done_is_not_judged_again(shelf: Shelf):
    """Killed after the move and before it was written down; and then the rights were lost."""
    number = await ask(shelf)
    assert await tick(shelf) == 1
    async with shelf.database.write() as db:
        await db.execute(update(Scheduled).values(state="running", outcome="", settled_at=None))
        await db.delete(await db.get_one(Member, (shelf.workspace.id, shelf.ben.account_id)))
    await versions.rename(
        shelf.publisher, shelf.workspace, "support/triage", "care/triage", actor=shelf.ana
    )
    before = len(shelf.log("deploy", "--format=%H"))
    assert await tick(shelf) == 1
    assert (await row(shelf, number)).state == "done"
    assert len(shelf.log("deploy", "--format=%H")) == before
