"""Everybody at once: saves in the browser, pushes to the hub, releases by both doors, and
developers who push to the repository elsewhere, a stock git server, while rounds of sync go on.
Nothing acknowledged is lost, nothing else is there, and in the end both sides hold the same.

30 deeds in the ordinary suite, `MIXED=500` for the long run. The seed is printed.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import HubError
from hub.registry.models import Label, LabelMove, Prompt, Version
from hub.registry.prompt.document import parse
from hub.registry.review import proposals
from hub.registry.review.models import Proposal
from tests.bench_of_review import Bench, make_bench
from tests.forge import Linked, git_daemon, prompt, room_for
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
from tests.pushing import Scratch

DEEDS = wanted(30)
LATER = "keeps changing just now"
"""What a round says that people were quicker than, five times; the next one goes on."""


@dataclass
class Model:
    """What people were told is so."""

    here: set[tuple[str, str, str]] = field(default_factory=set[tuple[str, str, str]])
    """Name, content and commit of each version that was made at the hub."""
    there: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """By commit that the other side took: what it says in each prompt that it changed."""
    moves: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    """By commit: which prompt went live, and which version."""


KINDS = {
    "saves": ["save"], "pushes": ["push"], "changes there": ["commit_there"],
    "releases": ["release", "push_release"],
}  # fmt: skip


class Somebody(Person):
    """One actor, who takes what comes."""

    def __init__(self, linked: Linked, model: Model, deeds: Deeds, seed: str, who: str,
                 folder: Path) -> None:  # fmt: skip
        assert isinstance(linked.shelf, Bench)
        super().__init__(linked.shelf, deeds, seed, who, folder)
        self.linked, self.model = linked, model
        self.far = Scratch(linked.forge.bare, folder / f"{who}-there.git")

    async def save(self) -> bool:
        name = self.dice.choice(NAMES)
        _, base = await self.bench.head(name)
        saved = await self.bench.save(name, self.text(), base, actor=self.bench.people[self.who])
        self.model.here.add((name, saved.hash, saved.commit))
        return True

    async def push(self) -> bool:
        """To the hub; on top of what others did, again and again."""
        for _ in range(8):
            if await self._push():
                return True
        return False

    async def _push(self) -> bool:
        """One or two commits, of two prompts each."""
        old = tip = self.bench.repository.tip(MAIN) or ""
        made: list[tuple[str, str, str]] = []
        for _ in range(self.dice.randint(1, 2)):
            texts = {name: prompt(self.text()) for name in self.dice.sample(NAMES, 2)}
            tip = await asyncio.to_thread(self.scratch.commit, tip, files(texts))
            made += [(name, digest(text), tip) for name, text in texts.items()]
        taken = await self.pushed(MAIN, old, tip)
        if taken:
            self.model.here.update(made)
        return taken

    async def release(self) -> bool:
        name = self.dice.choice(NAMES)
        head, _ = await self.bench.head(name)
        version = self.dice.randint(1, head)
        live = await self.bench.live(name)
        move = await self.bench.move(name, version, by=self.who, expected=live)
        if move.commit:
            self.model.moves[move.commit] = (name, version)
        return bool(move.commit)

    async def push_release(self) -> bool:
        """Back to what a label's file said before."""
        name = self.dice.choice(NAMES)
        if (found := await self.earlier_release(name)) is None:
            return await self.release()
        old, made, version = found
        taken = await self.pushed(DEPLOY, old, made)
        if taken:
            self.model.moves[made] = (name, version)
        return taken

    async def commit_there(self) -> bool:
        """A developer's push to the repository elsewhere, by stock git."""
        return await asyncio.to_thread(self._commit_there)

    def _commit_there(self) -> bool:
        names = self.dice.sample(NAMES, self.dice.randint(1, 2))
        said = {name: self.text() for name in names}
        more = {"README.md": self.text()} if self.dice.random() < 0.2 else {}
        texts = {name: prompt(text) for name, text in said.items()}
        tip = self.far.commit(self.linked.forge.tip() or "", files(texts) | more)
        try:
            self.far.git("push", "-q", self.linked.forge.url, f"{tip}:{MAIN}")
        except subprocess.CalledProcessError as refused:
            if b"rejected" not in refused.stderr and b"failed to update" not in refused.stderr:
                raise
            return False
        self.model.there[tip] = said
        return True

    async def decide(self) -> bool:
        """About what clashed: theirs, or ours."""
        async with self.bench.database.read() as db:
            query = select(Proposal).where(Proposal.state == "open")
            open_ = [(row.number, row.revision) for row in await db.scalars(query)]
        for number, revision in open_:
            made = await latest(self.bench, number, revision)
            try:
                if self.dice.random() < 0.5:
                    await self.bench.merge(made, by="ben")
                    continue
            except HubError:  # it fits no more
                pass
            await proposals.decline(
                self.bench.publisher, self.bench.workspace, number, actor=self.bench.ben,
                reason="Ours stays.",
            )  # fmt: skip
        return bool(open_)


def files(texts: dict[str, str]) -> dict[str, str | None]:
    return {f"{name}.prompt.yml": text for name, text in texts.items()}


async def rounds(linked: Linked, deeds: Deeds, done: asyncio.Event) -> None:
    """Sync, without a pause, as long as anybody works."""
    while not done.is_set():
        row = await linked.sync()
        assert row.stopped is None, row.stopped
        assert not row.trouble or LATER in row.trouble, row.trouble
        deeds.fine["late rounds" if row.trouble else "rounds"] += 1
        await asyncio.sleep(0.05)


@pytest.mark.timeout(DEEDS * 5 + 200)
async def test_everybody_at_once_by_every_door(database: Database, tmp_path: Path):
    seed = os.environ.get("MIXED_SEED", str(random.randrange(10**6)))
    print(f"MIXED_SEED={seed} MIXED={DEEDS}")
    bench, model = await make_bench(database, tmp_path / "data"), Model()
    deeds = Deeds(KINDS, DEEDS)
    with git_daemon(tmp_path / "forge") as forge:
        room = room_for(database, bench.publisher, tmp_path, "127.0.0.1")
        linked = Linked(bench, forge, room)
        for name in NAMES:
            saved = await bench.save(name, "Begin")
            model.here.add((name, saved.hash, saved.commit))
        await linked.link()
        await linked.in_step(rebuilds=False)
        ana, ben, maria, dora = (
            Somebody(linked, model, deeds, seed, who, tmp_path)
            for who in ("ana", "ben", "maria", "dora")
        )
        done = asyncio.Event()
        syncing = asyncio.create_task(rounds(linked, deeds, done))
        here, there = [ana.save, ana.push, ana.push], [dora.commit_there] * 3 + [dora.decide]
        await asyncio.gather(
            ana.work(here), dora.work(there),
            ben.work([ben.save, ben.push, ben.release, ben.push_release, ben.decide]),
            maria.work([maria.save, maria.release, maria.commit_there, maria.push_release]),
        )  # fmt: skip
        for deed in (ana.save, ana.push, ben.release, ben.push_release, dora.commit_there):
            await until_it_came_about(ana, deed)
        done.set()
        await syncing
        await settle(linked, ben)
        deeds.check()
        await compare(linked, model)


async def settle(linked: Linked, ben: Somebody) -> None:
    """Decide what waits, until nothing does."""
    async with asyncio.timeout(120):
        while True:
            await ben.decide()
            row = await linked.sync()
            if not (row.waiting or row.trouble or row.ahead or row.behind):
                break
    await linked.in_step()


async def compare(linked: Linked, model: Model) -> None:
    bench, forge = linked.shelf, linked.forge
    assert bench.repository.check() == []
    for ref in ("main", "deploy"):
        assert forge.tip(ref) == bench.repository.tip(f"refs/heads/{ref}")
    async with bench.database.read() as db:
        rows = (await db.execute(select(Version.name, Version.hash, Version.commit))).all()
        ids = {row.id: row.name for row in await db.execute(select(Prompt.id, Prompt.name))}
        live = (await db.execute(select(Label.prompt_id, Label.version))).all()
        moved = (await db.execute(select(LabelMove))).scalars().all()
    versions = {(row.name, row.hash, row.commit) for row in rows}
    assert model.here <= versions
    held = set(bench.git("rev-list", "main").split())
    assert set(model.there) <= held
    # What else is a version says what somebody said on the other side, perhaps in another form.
    written = {one for said in model.there.values() for one in said.items()}
    for name, _, commit in versions - model.here:
        made = parse(bench.repository.run("show", f"{commit}:{name}.prompt.yml"))
        assert (name, made.messages[0].content) in written
    order = bench.git("rev-list", "--reverse", "deploy").split()
    assert set(model.moves) == set(order)
    last = dict(model.moves[one] for one in order)
    assert {ids[row.prompt_id]: row.version for row in live} == last
    assert {(ids[one.prompt_id], one.new) for one in moved} <= set(model.moves.values())
