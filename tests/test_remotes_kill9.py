"""kill -9 in every step of a round: the next one goes on, nothing is lost or done twice.

`KILL9_CYCLES=200` for the long run of kills at any moment; the seed is printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.lock import hold
from hub.registry.review.models import Proposal
from hub.registry.writing import recover
from tests.forge import Linked, clinic, linked_to_daemon, prompt
from tests.syncer import STEPS

CYCLES = int(os.environ.get("KILL9_CYCLES", "5"))
FILE = "support/triage.prompt.yml"


class Syncer:
    """The mother of the processes that are killed."""

    def __init__(self, data: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.syncer", str(data), "clinic"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1, cwd=Path(__file__).parent.parent,
        )  # fmt: skip

    def live(self, step: str) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{step}\n")
        return int(self._line().split()[1])

    def end(self) -> None:
        assert self._line() == "gone\n"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    """Both sides hold one prompt."""
    data = tmp_path / "data"
    with linked_to_daemon(await clinic(database, data), tmp_path) as linked:
        await linked.shelf.save("support/triage", "Be kind.")
        await linked.link()
        await linked.in_step()
        linked.forge.pull()
        yield linked


@pytest.fixture
def syncer(linked: Linked, tmp_path: Path) -> Iterator[Syncer]:
    made = Syncer(tmp_path / "data")
    yield made
    made.process.communicate()


async def converges(linked: Linked, data: Path, *, whole: bool = True) -> None:
    """A new start, and the next round; `whole`: with a look at every object."""
    with hold(data):
        assert await recover.at_start(linked.shelf.database, data / "repositories") == []
    linked.shelf.publisher._writers.clear()  # as a new process would
    await linked.in_step(rebuilds=whole)
    if whole:
        assert linked.shelf.repository.check() == []
        linked.forge.git("fsck", "--full", "--strict")


@pytest.mark.timeout(600)
async def test_in_every_step_of_bringing_both_together(
    linked: Linked, syncer: Syncer, tmp_path: Path
):
    steps = [f"{when} {name}" for name in STEPS if name != "offer" for when in ("before", "after")]
    for turn, step in enumerate(steps):
        linked.forge.pull()
        tip = linked.forge.commit({f"theirs/p{turn}.prompt.yml": prompt(f"Theirs {turn}.")})
        saved = await linked.shelf.save(f"ours/p{turn}", f"Ours {turn}.")
        syncer.live(step)
        syncer.end()
        await converges(linked, tmp_path / "data", whole=turn == len(steps) - 1)
        both = linked.forge.git("rev-list", "main").split()
        assert {tip, saved.commit} <= set(both), step
        merges = linked.forge.git("rev-list", "--merges", "main").split()
        assert len(merges) == turn + 1, step  # each was brought together once
    assert len(steps) == 16


@pytest.mark.timeout(400)
@pytest.mark.parametrize("step", ["before offer", "after offer"])
async def test_in_every_step_of_proposing_what_clashes(
    linked: Linked, syncer: Syncer, tmp_path: Path, step: str
):
    first = (await linked.shelf.save("a/b", "Be kind.")).hash
    await linked.in_step()
    linked.forge.pull()
    linked.forge.commit({"a/b.prompt.yml": prompt("Be slow.")}, "Slow")
    await linked.shelf.save("a/b", "Be quick.", base=first)
    syncer.live(step)
    syncer.end()
    with hold(tmp_path / "data"):
        repositories = tmp_path / "data" / "repositories"
        assert await recover.at_start(linked.shelf.database, repositories) == []
    linked.shelf.publisher._writers.clear()
    row = await linked.sync()
    assert row.waiting is not None
    assert row.waiting["proposals"] == [1]
    async with linked.shelf.database.read() as db:
        assert len(list(await db.scalars(select(Proposal)))) == 1


def pushed(linked: Linked, turn: int) -> str:
    """What a developer pushes; a push of ours that outlived its hub may come first."""
    for _ in range(300):
        linked.forge.pull()
        files: dict[str, str | None] = {f"theirs/p{turn}.prompt.yml": prompt(f"{turn}")}
        tip = linked.forge.commit(files, push=False)
        try:
            linked.forge.dev("push", "-q", "origin", "HEAD:main")
            return tip
        except AssertionError:
            time.sleep(0.2)
    raise AssertionError("the developer never came through")


@pytest.mark.timeout(CYCLES * 10 + 300)
async def test_at_any_moment_with_its_gits_or_without(
    linked: Linked, syncer: Syncer, tmp_path: Path
):
    seed = int(os.environ.get("KILL9_SEED", random.randrange(10**6)))
    print(f"KILL9_SEED={seed} KILL9_CYCLES={CYCLES}")
    dice = random.Random(seed)
    told: list[str] = []
    for turn in range(CYCLES):
        told.append(pushed(linked, turn))
        told.append((await linked.shelf.save(f"ours/p{turn}", f"Ours {turn}.")).commit)
        pid = syncer.live("-")
        time.sleep(dice.uniform(0.05, 0.9))
        (os.killpg if dice.random() < 0.5 else os.kill)(pid, signal.SIGKILL)
        syncer.end()
        with hold(tmp_path / "data"):
            repositories = tmp_path / "data" / "repositories"
            assert await recover.at_start(linked.shelf.database, repositories) == []
        linked.shelf.publisher._writers.clear()
    await converges(linked, tmp_path / "data")
    assert set(told) <= set(linked.forge.git("rev-list", "main").split())
