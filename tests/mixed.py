"""What the tests of mixed deeds share: people who take what comes, and what they were told."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hub.errors import HubError
from hub.registry.review.models import Revision
from hub.registry.review.propose import Made
from tests.bench_of_review import Bench
from tests.pushing import Scratch, receive

NAMES = [f"team/p{n}" for n in range(8)]
MAIN, DEPLOY = "refs/heads/main", "refs/heads/deploy"
SHARE = 0.15
"""Of what came about: the least that each kind of deed has."""
Deed = Callable[[], Awaitable[bool]]


def wanted(usual: int) -> int:
    return int(os.environ.get("MIXED", str(usual)))


class Deeds:
    """How often each kind of deed came about. People do what is behind, so that each has a share,
    however hard one of them is to bring about."""

    def __init__(self, kinds: Mapping[str, Sequence[str]], most: int) -> None:
        """`kinds`: the names of the deeds of each; `most`: how many shall come about."""
        self.kinds, self.most = kinds, most
        self.fine, self.begun = Counter[str](), Counter[str]()

    @property
    def shares(self) -> dict[str, int]:
        return {kind: sum(self.fine[one] for one in names) for kind, names in self.kinds.items()}

    @property
    def enough(self) -> bool:
        return sum(self.shares.values()) >= self.most

    def pick(self, dice: random.Random, deeds: Sequence[Deed]) -> Deed:
        """One of them by chance, and half of the time of the kind that is furthest behind."""
        shares = self.shares
        kind_of = {one: kind for kind, names in self.kinds.items() for one in names}
        least = min(shares.get(kind_of.get(name(one), ""), 10**9) for one in deeds)
        late = [one for one in deeds if shares.get(kind_of.get(name(one), ""), -1) == least]
        return dice.choice(late if late and dice.random() < 0.5 else deeds)

    async def do(self, deed: Deed) -> bool:
        """Whether it came about."""
        self.begun[name(deed)] += 1
        with suppress(HubError):  # somebody was quicker, and this one was told so
            if await deed():
                self.fine[name(deed)] += 1
                return True
        return False

    def told(self) -> str:
        return f"{sum(self.shares.values())} came about of {self.begun.total()}: {self.shares}"

    def check(self) -> None:
        """Each kind came about, and in a long run often enough."""
        print(self.told(), dict(self.fine))
        least = SHARE * sum(self.shares.values()) if self.most >= 200 else 1
        assert min(self.shares.values()) >= least, self.told()


def name(deed: Deed) -> str:
    return getattr(deed, "__name__", "")


class Person:
    """Somebody at the hub, with a developer's repository at hand."""

    def __init__(self, bench: Bench, deeds: Deeds, seed: object, who: str, folder: Path) -> None:
        self.bench, self.deeds, self.who = bench, deeds, who
        self.dice = random.Random(f"{seed} {who}")
        self.scratch = Scratch(bench.repository.path, folder / f"{who}.git")

    async def work(self, deeds: Sequence[Deed]) -> None:
        while not self.deeds.enough:
            await self.do(self.deeds.pick(self.dice, deeds))
            await asyncio.sleep(self.dice.uniform(0, 0.1))

    async def do(self, deed: Deed) -> bool:
        return await self.deeds.do(deed)

    def text(self) -> str:
        return f"{self.who} {self.dice.random()}"

    async def pushed(self, ref: str, old: str, new: str) -> bool:
        """To the hub; False: somebody was quicker."""
        body = await asyncio.to_thread(self.scratch.body, old, new, ref)
        said = await receive(self.bench, self.bench.people[self.who], body)
        assert f"ok {ref}" in said or "do not stand on" in said or "cannot move" in said, said
        return f"ok {ref}" in said

    async def earlier_release(self, prompt: str) -> tuple[str, str, int] | None:
        """What a label's file said before, as a commit upon deploy: the tip, it, and the version.
        None: it was not released twice."""
        old = self.bench.repository.tip(DEPLOY)
        path = f"production/{prompt}.yml"
        before = self.bench.git("log", "--format=%H", "deploy", "--", path).split() if old else []
        if not old or len(before) < 2:
            return None
        file = f"{self.bench.git('show', f'{self.dice.choice(before[1:])}:{path}')}\n"
        made = await asyncio.to_thread(self.scratch.commit, old, {path: file})
        return old, made, int(file.split("version: ")[1].split("\n")[0])


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def latest(bench: Bench, number: int, revision: int) -> Made:
    async with bench.database.read() as db:
        row = await db.get_one(Revision, (bench.workspace.id, number, revision))
    return Made(number=number, revision=revision, digest=row.digest)


async def until_it_came_about(person: Person, deed: Deed) -> None:
    """Chance may have had none of it."""
    async with asyncio.timeout(60):
        while not person.deeds.fine[name(deed)]:
            await person.do(deed)
