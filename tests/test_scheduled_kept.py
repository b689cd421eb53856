"""Scheduled releases: exactly once whatever happens to the hub, and as lists tell of them."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from hub.db import Database, now
from hub.errors import Conflict
from hub.lock import hold
from hub.registry.labels import labels, released, scheduled
from hub.registry.labels.labels import Move
from hub.registry.models import Label, LabelMove
from hub.registry.review.models import Scheduled
from hub.registry.writing import recover
from tests.scheduling import HOUR, ask, live, make_scheduling, row, tick
from tests.shelf import Shelf


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await make_scheduling(database, tmp_path / "data")


KILLS = ("begun", "asked", "moved", "settled")


@pytest.mark.parametrize("where", KILLS)
async def test_killed_at_every_step_it_happens_exactly_once(shelf: Shelf, where: str, tmp_path):
    """A hub in a process of its own carries it out and is killed with -9 at that step."""
    await ask(shelf)
    async with shelf.database.write() as db:
        await db.execute(update(Scheduled).values(due_at=now() - timedelta(seconds=5)))
    data = tmp_path / "data"
    dead = subprocess.run(
        [sys.executable, "-m", "tests.carrier", str(data), where],
        cwd=Path(__file__).parent.parent, capture_output=True, check=False, timeout=200,
    )  # fmt: skip
    assert dead.returncode == -signal.SIGKILL, dead.stderr.decode()
    with hold(data):
        assert await recover.at_start(shelf.database, data / "repositories") == []
    moved_before = await live(shelf)
    assert bool(moved_before) == (where in ("moved", "settled"))
    for _ in range(2):
        await tick(shelf, now())
    assert await live(shelf) == {"support/mood": 2, "support/triage": 1}
    async with shelf.database.read() as db:
        assert len(list(await db.scalars(select(LabelMove)))) == 2  # each moved once
        states = list(await db.scalars(select(Scheduled.state)))
    assert states == ["done"]
    assert len(shelf.log("deploy", "--format=%H")) == 1
    await shelf.assert_rebuilds()


async def test_lists_say_what_is_to_come_and_what_was(shelf: Shelf):
    second = await ask(shelf, Move("staging", "support/mood", 1, None), due=now() + 2 * HOUR)
    first = await ask(shelf)
    async with shelf.database.read() as db:
        to_come = await scheduled.lines(db, shelf.workspace.id, waiting=True)
        assert [line.id for line in to_come] == [first, second]
        assert to_come[0].by == "Ben Carter"
        id = (await row(shelf, first)).moves[1]["id"]
        (mine,) = await scheduled.of_prompt(db, shelf.workspace.id, id)
    assert ([(one.name, one.version) for one in mine.moves], mine.others) == (
        [("support/triage", 1)], 1,
    )  # fmt: skip
    await tick(shelf, datetime.now(UTC) + timedelta(minutes=90))
    async with shelf.database.read() as db:
        settled = await scheduled.lines(db, shelf.workspace.id, waiting=False)
    assert [(line.id, line.state) for line in settled] == [(first, "done")]


async def test_what_others_began_to_release_step_by_step_is_not_ended_by_it(shelf: Shelf):
    place = (shelf.publisher, shelf.workspace, "production", "support/mood")
    more = {"actor": shelf.ben, "reason": "Careful"}
    await labels.move(*place, 1, **more)
    taken = await labels.move(*place, 2, **more)
    await labels.move(*place, 1, **more)
    number = await ask(shelf, Move("production", "support/mood", 2, 1))
    await labels.move(*place, 2, share=1000, **more)
    assert await tick(shelf) == 1
    done = await row(shelf, number)
    assert (done.state, "has changed meanwhile" in done.outcome) == ("refused", True)
    async with shelf.database.read() as db:
        label = (await db.scalars(select(Label))).one()
    assert (label.version, label.beside and label.beside["share"]) == (1, 1000)

    await labels.move(*place, 2, **more)
    await labels.move(*place, 1, share=4000, **more)
    with pytest.raises(Conflict, match="has changed meanwhile"):
        await released.take_back(
            shelf.publisher, shelf.workspace, taken.commit, actor=shelf.ben, name="support/mood"
        )
    step = await labels.move(*place, 1, share=4500, **more)
    await released.take_back(shelf.publisher, shelf.workspace, step.commit, actor=shelf.ben)
    assert await live(shelf) == {"support/mood": 2}
    await shelf.assert_rebuilds()
