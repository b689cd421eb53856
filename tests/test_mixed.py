"""Several people at once, by every door, in random order, against a plain model: whatever was
acknowledged is there, nothing else is, and the index says what git says.

60 deeds in the ordinary suite, `MIXED=500` for the long run. The seed is printed.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.registry.indexing import index
from hub.registry.models import Label, LabelMove, Prompt, Version
from hub.registry.review.models import Proposal
from tests.bench_of_review import Bench, change, make_bench
from tests.mixed import (
    DEPLOY,
    MAIN,
    NAMES,
    Deeds,
    Person,
    digest,
    latest,
    until_it_came_about,
    wanted,
)
from tests.test_git_push import prompt

DEEDS = wanted(60)
CALM = [f"calm/p{n}" for n in range(8)]
"""Changed by proposals alone, so that some of them fit."""


@dataclass
class Model:
    """What people were told is so."""

    versions: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Name and content of each version, and the commit it came with."""
    commits: set[str] = field(default_factory=set[str])
    moves: set[tuple[str, int, str]] = field(default_factory=set[tuple[str, int, str]])
    """Name, version and commit."""
    open: set[int] = field(default_factory=set[int])
    merged: set[int] = field(default_factory=set[int])


KINDS = {
    "saves": ["save"], "pushes": ["push"], "reviews": ["propose", "merge"],
    "releases": ["release", "push_release"],
}  # fmt: skip


class Somebody(Person):
    """One actor, who takes what comes."""

    def __init__(
        self, bench: Bench, model: Model, deeds: Deeds, seed: int, who: str, folder: Path
    ) -> None:
        super().__init__(bench, deeds, seed, who, folder)
        self.model = model

    def named(self, name: str, digest: str, commit: str) -> None:
        self.model.versions.add((name, digest))
        self.model.commits.add(commit)

    async def save(self) -> bool:
        name = self.dice.choice(NAMES)
        _, base = await self.bench.head(name)
        actor = self.bench.people[self.who]
        saved = await self.bench.save(name, self.text(), base, actor=actor)
        self.named(name, saved.hash, saved.commit)
        return True

    async def push(self) -> bool:
        """One to three commits, of one or two prompts each; on top of what others did, again."""
        for _ in range(8):
            if await self.push_once():
                return True
        return False

    async def push_once(self) -> bool:
        old = tip = self.bench.repository.tip(MAIN) or ""
        made: list[tuple[str, str, str]] = []
        for _ in range(self.dice.randint(1, 3)):
            files: dict[str, str | None] = {
                f"{name}.prompt.yml": prompt(self.text())
                for name in self.dice.sample(NAMES, self.dice.randint(1, 2))
            }
            tip = await asyncio.to_thread(self.scratch.commit, tip, files)
            for path, text in files.items():
                said = digest(text or "")
                made.append((path.removesuffix(".prompt.yml"), said, tip))
        taken = await self.pushed(MAIN, old, tip)
        for one in made if taken else ():
            self.named(*one)
        return taken

    async def propose(self) -> bool:
        name = self.dice.choice(CALM)
        _, base = await self.bench.head(name)
        made = await self.bench.propose(change(name, self.text(), base), by=self.who)
        self.model.open.add(made.number)
        return True

    async def merge(self) -> bool:
        if not self.model.open:
            return await self.propose()
        number = self.dice.choice(sorted(self.model.open))
        async with self.bench.database.read() as db:
            last = await db.scalar(select(Proposal.revision).where(Proposal.number == number))
        made = await latest(self.bench, number, last or 1)
        merged = await self.bench.merge(made, by=self.who)
        self.model.open.discard(number)
        self.model.merged.add(number)
        for one in merged.versions:
            self.named(one.name, one.hash, merged.commit)
        return True

    async def release(self) -> bool:
        name = self.dice.choice(NAMES)
        head, _ = await self.bench.head(name)
        version = self.dice.randint(1, head)
        before = await self.bench.live(name)
        move = await self.bench.move(name, version, by=self.who, expected=before)
        if move.commit:
            self.model.moves.add((name, version, move.commit))
        return True

    async def push_release(self) -> bool:
        """Back to what a file said before."""
        name = self.dice.choice(NAMES)
        if (found := await self.earlier_release(name)) is None:
            return await self.release()
        old, made, version = found
        taken = await self.pushed(DEPLOY, old, made)
        if taken:
            self.model.moves.add((name, version, made))
        return taken


@pytest.mark.timeout(DEEDS + 300)
async def test_nothing_acknowledged_is_lost_by_any_door(database: Database, tmp_path: Path):
    seed = int(os.environ.get("MIXED_SEED", random.randrange(10**6)))
    print(f"MIXED_SEED={seed} MIXED={DEEDS}")
    model, deeds = Model(), Deeds(KINDS, DEEDS)
    bench = await make_bench(database, tmp_path / "data")
    for name in [*NAMES, *CALM]:
        saved = await bench.save(name, "Begin")
        model.versions.add((name, saved.hash))
        model.commits.add(saved.commit)
    team = [
        Somebody(bench, model, deeds, seed, who, tmp_path)
        for who in ("ana", "ben", "maria", "dora")
    ]
    await asyncio.gather(
        *(
            one.work([one.save, one.push, one.propose, one.merge, one.release, one.push_release])
            for one in team
        )
    )
    for deed in (team[1].push, team[1].merge, team[1].release, team[1].push_release):
        await until_it_came_about(team[1], deed)
    deeds.check()
    await compare(bench, model)
    assert bench.repository.check() == []
    await bench.assert_rebuilds()


async def compare(bench: Bench, model: Model) -> None:
    assert not await index.catch_up(bench.database, bench.repository, bench.workspace.id)
    async with bench.database.read() as db:
        versions = (await db.execute(select(Version.name, Version.hash, Version.commit))).all()
        rows = (
            await db.execute(select(LabelMove.prompt_id, LabelMove.new, LabelMove.commit))
        ).all()
        ids = {row.id: row.name for row in await db.execute(select(Prompt.id, Prompt.name))}
        live = (await db.execute(select(Label.prompt_id, Label.version))).all()
        states = {row.number: row.state for row in await db.scalars(select(Proposal))}
    assert {(row.name, row.hash) for row in versions} == model.versions
    assert {row.commit for row in versions} == model.commits
    line = set(bench.git("rev-list", "--first-parent", "main").split())
    assert model.commits <= line
    moved = {(ids[row.prompt_id], row.new, row.commit) for row in rows}
    # A pushed file may say again what is live: a commit, and no move.
    assert moved <= model.moves
    order = bench.git("rev-list", "--reverse", "deploy").split()
    assert {commit for *_, commit in model.moves} <= set(order)
    last = {name: v for name, v, at in sorted(model.moves, key=lambda one: order.index(one[2]))}
    assert {ids[row.prompt_id]: row.version for row in live} == last
    for number in model.merged:
        assert states[number] == "merged"
    assert {number for number, state in states.items() if state == "open"} == model.open
