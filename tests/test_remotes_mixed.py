"""Both sides at once, in random order: saves and releases here, commits and merges there, rounds in
between and at the same moment. Nothing acknowledged is lost, and in the end both hold the same.

16 deeds that come about in the ordinary suite, `MIXED=500` for the long run. The seed is printed.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import HubError
from hub.registry.labels import labels
from hub.registry.models import Prompt
from hub.registry.review import proposals
from hub.registry.review.models import Proposal
from tests.forge import Linked, clinic, linked_to_daemon, prompt
from tests.mixed import Deeds, wanted

DEEDS = wanted(16)
NAMES = [f"team/p{n}" for n in range(6)]


KINDS = {"here": ("save",), "there": ("commit",), "releases": ("release",)}


class Team:
    """People on both sides."""

    def __init__(self, linked: Linked, dice: random.Random) -> None:
        self.linked, self.dice = linked, dice
        self.told: set[str] = set()
        self.deeds, self.turn = Deeds(KINDS, DEEDS), 0

    async def save(self) -> bool:
        shelf, name = self.linked.shelf, self.dice.choice(NAMES)
        async with shelf.database.read() as db:
            query = select(Prompt.hash).where(Prompt.name == name, Prompt.deleted_at.is_(None))
            base = await db.scalar(query)
        self.told.add((await shelf.save(name, f"Here {self.turn}.", base)).commit)
        return True

    async def release(self) -> bool:
        shelf, name = self.linked.shelf, self.dice.choice(NAMES)
        moved = await labels.move(
            shelf.publisher, shelf.workspace, "production", name, self.dice.randint(1, 3),
            actor=shelf.ben, reason="Go",
        )  # fmt: skip
        self.told.add(moved.commit)
        return bool(moved.commit)  # none: it was there already

    async def commit(self) -> bool:
        return await asyncio.to_thread(self._commit)

    def _commit(self) -> bool:
        forge, name = self.linked.forge, self.dice.choice(NAMES)
        forge.pull()
        files: dict[str, str | None] = {f"{name}.prompt.yml": prompt(f"There {self.turn}.")}
        if self.dice.random() < 0.3:
            files["README.md"] = f"{self.turn}\n"
        tip = forge.commit(files, f"There {self.turn}", push=False)
        try:
            forge.dev("push", "-q", "origin", "HEAD:main")
        except AssertionError:
            raise HubError("somebody was quicker") from None
        self.told.add(tip)
        return True

    async def decide(self) -> bool:
        """Decline what clashed: what is here stays."""
        shelf = self.linked.shelf
        async with shelf.database.read() as db:
            open_ = list(await db.scalars(select(Proposal.number).where(Proposal.state == "open")))
        for number in open_:
            await proposals.decline(
                shelf.publisher, shelf.workspace, number, actor=shelf.ben, reason="Ours stays."
            )  # fmt: skip
        return bool(open_)

    async def sync(self) -> bool:
        row = await self.linked.sync()
        assert row.stopped is None, row.stopped
        assert not row.trouble, row.trouble
        return True

    async def do(self) -> None:
        self.turn += 1
        doing = (self.save, self.save, self.commit, self.commit, self.release, self.decide)
        await self.deeds.do(self.deeds.pick(self.dice, doing))


@pytest.mark.timeout(DEEDS * 5 + 300)
async def test_nothing_is_lost_on_either_side(database: Database, tmp_path: Path):
    seed = int(os.environ.get("MIXED_SEED", random.randrange(10**6)))
    print(f"MIXED_SEED={seed} MIXED={DEEDS}")
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        await linked.shelf.save(NAMES[0], "Begin.")
        await linked.link()
        await linked.in_step(rebuilds=False)
        team = Team(linked, random.Random(seed))
        while not team.deeds.enough:
            await asyncio.gather(team.do(), team.sync())
            await team.do()
        for _ in range(3):
            await team.decide()
            await linked.sync()
        await linked.in_step()
        held = set(linked.forge.git("rev-list", "--branches").split())
        assert team.told - {""} <= held
        assert linked.shelf.repository.check() == []
        team.deeds.check()
        tips = [linked.forge.tip("deploy"), linked.shelf.repository.tip("refs/heads/deploy")]
        assert tips[0] == tips[1]
