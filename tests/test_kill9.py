"""kill -9 at any moment loses nothing that was acknowledged.

50 cycles in the ordinary suite, `KILL9_CYCLES=500` for the long run. The seed is printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.lock import hold
from hub.registry.indexing import index
from hub.registry.models import Intent, LabelMove, Version
from hub.registry.writing import recover
from tests.shelf import Shelf, make_shelf

CYCLES = int(os.environ.get("KILL9_CYCLES", "50"))
CLIENTS = 4
MOST = 16
"""Answers that a life gives before it is killed, at the most."""


class Saver:
    """The mother of the processes that are killed."""

    module = "tests.saver"

    def __init__(self, data: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, str(data), str(CLIENTS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            cwd=Path(__file__).parent.parent,
        )  # fmt: skip

    def live_and_die(
        self, turn: int, dice: random.Random, *, most: int, pause: float
    ) -> list[list[str]]:
        """Let one life give up to so many answers, kill it up to so many seconds later; what it
        acknowledged. Answers are counted, not time: a loaded machine may give none in a second.
        Half of the time git dies with the hub, half of the time it outlives it.
        """
        with_git, wanted = dice.random() < 0.5, dice.randrange(most)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{turn}\n")
        lines = iter(self.process.stdout.readline, "")
        heard: list[list[str]] = []
        pid = 0
        while not pid or ["ready"] not in heard or len(heard) <= wanted:
            words = next(lines).split()
            assert words != ["gone"], "it never started; see its error above"
            if words[0] == "born":
                pid = int(words[1])
            else:
                heard.append(words)
        time.sleep(dice.uniform(0, pause))
        (os.killpg if with_git else os.kill)(pid, signal.SIGKILL)
        while (words := next(lines).split()) != ["gone"]:
            heard.append(words)
        return [words for words in heard if words != ["ready"]]

    def close(self) -> None:
        self.process.communicate()


@pytest.mark.timeout(CYCLES * 6 + 300)
async def test_nothing_acknowledged_is_lost(database: Database, settings, tmp_path: Path):
    data = tmp_path / "data"
    shelf = await make_shelf(database, data)
    seed = int(os.environ.get("KILL9_SEED", random.randrange(10**6)))
    print(f"KILL9_SEED={seed} KILL9_CYCLES={CYCLES}")
    dice = random.Random(seed)
    acknowledged: list[list[str]] = []
    saver = Saver(data)
    try:
        for turn in range(CYCLES):
            acknowledged += saver.live_and_die(turn, dice, most=MOST, pause=0.05)
    finally:
        saver.close()
    with hold(data):
        assert await recover.at_start(database, data / "repositories") == []
    await assert_all_there(shelf, acknowledged)
    assert len(acknowledged) >= CYCLES
    assert shelf.repository.check() == []
    await shelf.assert_rebuilds()
    assert (await shelf.save("after/all", "Still works")).version == 1


async def assert_all_there(shelf: Shelf, acknowledged: list[list[str]]) -> None:
    assert not await index.catch_up(shelf.database, shelf.repository, shelf.workspace.id)
    async with shelf.database.read() as db:
        columns = Version.name, Version.number, Version.hash, Version.commit, Version.prompt_id
        rows = list(await db.execute(select(*columns)))
        saved = {(row.name, row.number): (row.hash, row.commit) for row in rows}
        moves = list(await db.scalars(select(LabelMove)))
        moved = {one.commit for one in moves}
        assert not list(await db.scalars(select(Intent).where(Intent.state == "open")))
    commits = set(shelf.git("rev-list", "main", "deploy").split())
    for kind, name, number, digest, commit in acknowledged:
        assert commit in commits
        if kind != "moved":
            assert saved[name, int(number)] == (digest, commit)
        else:
            assert commit in moved
    # Every third is saved and released in one step: acknowledged or not, never one alone.
    released = {(one.prompt_id, one.new) for one in moves}
    both = [row for row in rows if row.name.startswith("r") and row.number % 3 == 1]
    assert both
    assert all((row.prompt_id, row.number) in released for row in both)
