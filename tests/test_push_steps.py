"""A push to main or deploy, and the hub's end at any step of it: after a start all of it is there
or nothing, without help. And at any moment, with kill -9, while others save.

12 kills in the ordinary suite, `PUSH_KILLS=200` for the long run. The seed is printed.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.lock import hold
from hub.registry import versions
from hub.registry.git.quarantine import PREFIX, Quarantine
from hub.registry.models import PushedCommit, Version
from hub.registry.writing import recover
from tests.bench_of_review import Bench, make_bench
from tests.pushing import Scratch, receive
from tests.shelf import make_shelf, saying
from tests.test_git_push import prompt
from tests.test_kill9 import Saver
from tests.test_review_recovery import STEPS, Killed, die, rise

KILLS = int(os.environ.get("PUSH_KILLS", "12"))
MAIN, DEPLOY = "refs/heads/main", "refs/heads/deploy"
EACH = pytest.mark.parametrize(
    "step",
    [*STEPS, (Quarantine, "keep", False), (Quarantine, "keep", True), (Quarantine, "line", True)],
    ids=lambda one: f"{one[1]}-{one[2]}",
)


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path / "data")


@pytest.fixture
def scratch(bench: Bench, tmp_path: Path) -> Scratch:
    return Scratch(bench.repository.path, tmp_path / "scratch.git")


def tip(bench: Bench, ref: str = MAIN) -> str:
    return bench.repository.tip(ref) or ""


async def dies(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: Any, who: str, body: bytes
) -> None:
    place, name, after = step
    die(monkeypatch, place, name, after=after)
    with pytest.raises(Killed):
        await receive(bench, bench.people[who], body)
    await rise(bench, monkeypatch)
    assert not [*(bench.repository.path / "objects").glob(f"{PREFIX}*")]


@EACH
async def test_a_push_to_main_dies_at_any_step(
    bench: Bench, scratch: Scratch, monkeypatch: pytest.MonkeyPatch, step: Any
):
    await bench.save("a/kept", "Kept")
    old = tip(bench)
    one = scratch.commit(old, {"a/new.prompt.yml": prompt("One.")})
    two = scratch.commit(one, {"a/new.prompt.yml": prompt("Two."), "a/kept.prompt.yml": None})
    body = scratch.body(old, two)
    await dies(bench, monkeypatch, step, "ana", body)
    said = await receive(bench, bench.people["ana"], body)
    assert ("ok refs/heads/main" in said) == (step[1:] not in CAME_ABOUT), said
    assert tip(bench) == two
    async with bench.database.read() as db:
        made = await db.execute(
            select(Version.number, Version.commit).where(Version.name == "a/new")
        )
        assert [tuple(row) for row in made] == [(1, one), (2, two)]
        assert set(await db.scalars(select(PushedCommit.commit))) == {one, two}
    assert (await bench.save("a/after", "Still works")).version == 1
    await bench.assert_rebuilds()
    assert bench.repository.check() == []


CAME_ABOUT = {("move", True), ("write_down", False), ("write_down", True)}
"""Where git had it when the hub died: asked again, main has moved on."""


@EACH
async def test_a_push_to_deploy_dies_at_any_step(
    bench: Bench, scratch: Scratch, monkeypatch: pytest.MonkeyPatch, step: Any
):
    first = await bench.save("a/x", "One")
    await bench.save("a/x", "Two", first.hash)
    await bench.move("a/x", 1)
    file = bench.git("show", "deploy:production/a/x.yml")
    await bench.move("a/x", 2)
    old = tip(bench, DEPLOY)
    made = scratch.commit(old, {"production/a/x.yml": f"{file}\n"})
    body = scratch.body(old, made, DEPLOY)
    await dies(bench, monkeypatch, step, "ben", body)
    await receive(bench, bench.people["ben"], body)
    assert tip(bench, DEPLOY) == made
    assert await bench.live("a/x") == 1
    await bench.assert_rebuilds()


async def test_a_save_and_a_push_at_the_same_moment(bench: Bench, scratch: Scratch):
    """One wins; the other is told so, and nothing of it is half there."""
    await bench.save("a/x", "0")
    dice = random.Random(7)
    for turn in range(8):
        old, text = tip(bench), bench.git("show", "main:a/x.prompt.yml")
        made = scratch.commit(old, {"a/x.prompt.yml": f"{text}\ndescription: pushed {turn}\n"})
        pushing = receive(bench, bench.people["ana"], scratch.body(old, made))
        base = (await bench.head("a/x"))[1]
        saving = later(dice.uniform(0, 0.15), bench.save("a/x", f"saved {turn}", base))
        said, saved = await asyncio.gather(pushing, saving, return_exceptions=True)
        pushed = "ok refs/heads/main" in str(said)
        assert pushed == isinstance(saved, versions.BaseMoved), (said, saved)
        assert pushed == (tip(bench) == made)
        now = bench.git("show", "main:a/x.prompt.yml")
        assert (f"pushed {turn}" if pushed else f"saved {turn}") in now
        await versions.save(
            bench.publisher, bench.workspace, "a/x", saying("0"), base="any", actor=bench.ana,
            message="",
        )  # fmt: skip
    await bench.assert_rebuilds()


async def later(seconds: float, doing: Any) -> Any:
    await asyncio.sleep(seconds)
    return await doing


# --- kill -9 -------------------------------------------------------------------------------------


class Pusher(Saver):
    """The mother of the processes that push."""

    module = "tests.pusher"


async def gits_gone(repository: Path) -> None:
    """Those that outlived their hub: one may have its pack in place, and not yet the index."""
    until = time.monotonic() + 60
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            while str(repository).encode() in process.read_bytes():
                assert time.monotonic() < until, process.read_bytes()
                await asyncio.sleep(0.02)


@pytest.mark.timeout(KILLS * 6 + 300)
async def test_nothing_that_was_pushed_is_lost(database: Database, tmp_path: Path):
    data = tmp_path / "data"
    shelf = await make_shelf(database, data)
    await shelf.save("a/first", "First")
    seed = int(os.environ.get("KILL9_SEED", random.randrange(10**6)))
    print(f"KILL9_SEED={seed} PUSH_KILLS={KILLS}")
    dice = random.Random(seed)
    heard: list[list[str]] = []
    pusher = Pusher(data)
    try:
        for turn in range(KILLS):
            heard += pusher.live_and_die(turn, dice, most=8, pause=0.2)
    finally:
        pusher.close()
    await gits_gone(shelf.repository.path)
    for pack in shelf.repository.path.glob("objects/pack/*.pack"):
        os.utime(pack, (0, 0))  # long ago: nobody comes back to one that has no index
    with hold(data):
        assert await recover.at_start(database, data / "repositories") == []
    async with database.read() as db:
        rows = await db.execute(select(Version.name, Version.hash, Version.commit))
        there = {tuple(row) for row in rows}
        noted = set(await db.scalars(select(PushedCommit.commit)))
    line = shelf.git("rev-list", "--first-parent", "main").split()
    for kind, name, digest, made in heard:
        assert (name, digest, made) in there
        assert made in line
        assert (made in noted) == (kind == "pushed")
    assert {kind for kind, *_ in heard} == {"pushed", "saved"}
    objects = shelf.repository.path / "objects"
    assert not [*objects.glob(f"{PREFIX}*")]
    packs = {one.stem for one in objects.glob("pack/*.pack")}
    assert packs == {one.stem for one in objects.glob("pack/*.idx")}
    assert shelf.repository.check() == []
    await shelf.assert_rebuilds()
