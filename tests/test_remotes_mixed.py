"""Both sides at once, in random order: saves and releases here, commits and merges there, rounds in
between and at the same moment. Nothing acknowledged is lost, and in the end both hold the same.

24 deeds in the ordinary suite, `MIXED=500` for the long run. The seed is printed.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import HubError
from hub.registry import labels
from hub.registry.models import Prompt
from hub.registry.review import proposals
from hub.registry.review.models import Proposal
from tests.forge import Linked, clinic, linked_to_daemon, prompt

DEEDS = int(os.environ.get("MIXED", "24"))
NAMES = [f"team/p{n}" for n in range(6)]


class Team:
    """People on both sides."""

    def __init__(self, linked: Linked, dice: random.Random) -> None:
        self.linked, self.dice = linked, dice
        self.told: set[str] = set()
        self.fine = Counter[str]()

    async def save(self, turn: int) -> None:
        shelf, name = self.linked.shelf, self.dice.choice(NAMES)
        async with shelf.database.read() as db:
            query = select(Prompt.hash).where(Prompt.name == name, Prompt.deleted_at.is_(None))
            base = await db.scalar(query)
        self.told.add((await shelf.save(name, f"Here {turn}.", base)).commit)

    async def release(self, turn: int) -> None:
        shelf, name = self.linked.shelf, self.dice.choice(NAMES)
        moved = await labels.move(
            shelf.publisher, shelf.workspace, "production", name, 1 + turn % 3, actor=shelf.ben,
            reason="Go",
        )  # fmt: skip
        self.told.add(moved.commit)

    async def commit(self, turn: int) -> None:
        await asyncio.to_thread(self._commit, turn)

    def _commit(self, turn: int) -> None:
        forge, name = self.linked.forge, self.dice.choice(NAMES)
        forge.pull()
        files: dict[str, str | None] = {f"{name}.prompt.yml": prompt(f"There {turn}.")}
        if self.dice.random() < 0.3:
            files["README.md"] = f"{turn}\n"
        tip = forge.commit(files, f"There {turn}", push=False)
        try:
            forge.dev("push", "-q", "origin", "HEAD:main")
        except AssertionError:
            raise HubError("somebody was quicker") from None
        self.told.add(tip)

    async def decide(self, turn: int) -> None:
        """Decline what clashed: what is here stays."""
        shelf = self.linked.shelf
        async with shelf.database.read() as db:
            open_ = list(await db.scalars(select(Proposal.number).where(Proposal.state == "open")))
        for number in open_:
            await proposals.decline(
                shelf.publisher, shelf.workspace, number, actor=shelf.ben, reason="Ours stays."
            )  # fmt: skip

    async def sync(self, turn: int) -> None:
        row = await self.linked.sync()
        assert row.stopped is None, row.stopped
        assert not row.trouble, row.trouble

    async def do(self, turn: int) -> None:
        kinds = ("save", "save", "commit", "commit", "release", "decide", "sync")
        kind = self.dice.choice(kinds)
        try:
            await getattr(self, kind)(turn)
            self.fine[kind] += 1
        except HubError:
            pass  # refused, with a sentence: not acknowledged


@pytest.mark.timeout(DEEDS * 5 + 300)
async def test_nothing_is_lost_on_either_side(database: Database, tmp_path: Path):
    seed = int(os.environ.get("MIXED_SEED", random.randrange(10**6)))
    print(f"MIXED_SEED={seed} MIXED={DEEDS}")
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        await linked.shelf.save(NAMES[0], "Begin.")
        await linked.link()
        await linked.in_step(rebuilds=False)
        team = Team(linked, random.Random(seed))
        for turn in range(0, DEEDS, 2):
            await asyncio.gather(team.do(turn), team.sync(turn))
            await team.do(turn + 1)
        for _ in range(3):
            await team.decide(0)
            await linked.sync()
        await linked.in_step()
        held = set(linked.forge.git("rev-list", "--branches").split())
        assert team.told - {""} <= held  # a label that was there already moved with no commit
        assert linked.shelf.repository.check() == []
        assert sum(team.fine.values()) > DEEDS // 3, team.fine
        tips = [linked.forge.tip("deploy"), linked.shelf.repository.tip("refs/heads/deploy")]
        assert tips[0] == tips[1]
