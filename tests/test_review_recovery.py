"""A crash at any step of proposing and merging heals by itself, and nothing acknowledged is lost.

12 kills in the ordinary suite, `REVIEW_KILLS=200` for the long run. The seed is printed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, select

from hub.db import Database
from hub.lock import hold
from hub.people.rules import Rule
from hub.registry.git.repository import Repository
from hub.registry.indexing import index
from hub.registry.models import Intent, LabelMove, Version
from hub.registry.review import proposals
from hub.registry.review.models import Item, Merge, Proposal, Revision
from hub.registry.writing import batch, recover
from hub.registry.writing.publish import Publisher
from tests.bench_of_review import Bench, change, create, make_bench
from tests.test_kill9 import Saver

KILLS = int(os.environ.get("REVIEW_KILLS", "12"))
RULES = (
    Rule(kind="change", folder="clinical"),
    Rule(kind="release", folder="clinical", label="production"),
)


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path / "data")


class Killed(Exception):
    """The process ends here."""


STEPS: list[tuple[Any, str, bool]] = [
    (Repository, "write", False),
    (Repository, "write", True),
    (Repository, "sync_written", False),
    (Repository, "sync_written", True),
    (batch, "write_intents", False),
    (batch, "write_intents", True),
    (Repository, "move", False),
    (Repository, "move", True),
    (batch, "write_down", False),
    (batch, "write_down", True),
]


def die(monkeypatch: pytest.MonkeyPatch, place: Any, step: str, *, after: bool) -> None:
    """From now on whatever reaches that step goes no further."""
    real: Callable[..., Any] = getattr(place, step)

    async def slow(*args: Any, **more: Any) -> Any:
        if after:
            await real(*args, **more)
        raise Killed

    def quick(*args: Any, **more: Any) -> Any:
        if after:
            real(*args, **more)
        raise Killed

    monkeypatch.setattr(place, step, slow if place is batch else quick)
    monkeypatch.setattr("hub.registry.writing.publish._Writer._mend_index", _never)


async def _never(*_: Any) -> None:
    raise Killed


async def rise(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is started again."""
    monkeypatch.undo()
    bench.publisher = Publisher(bench.database, bench.publisher.repositories)
    assert await recover.at_start(bench.database, bench.publisher.repositories) == []
    async with bench.database.read() as db:
        assert not list(await db.scalars(select(Intent).where(Intent.state == "open")))


@pytest.mark.parametrize(("place", "step", "after"), STEPS)
async def test_proposing_dies_at_any_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: Any, step: str, after: bool
):
    saved = await bench.save("clinical/a", "One")
    die(monkeypatch, place, step, after=after)
    with pytest.raises(Killed):
        await bench.propose(change("clinical/a", "Two", saved.hash), request_id="k")
    await rise(bench, monkeypatch)
    made = await bench.propose(change("clinical/a", "Two", saved.hash), request_id="k")
    assert made.number == 1
    assert bench.git("for-each-ref", "--format=%(refname)", "refs/proposals") == (
        "refs/proposals/1/1"
    )
    again = await bench.propose(create("clinical/b", "Hello"))
    assert again.number == 2
    await bench.assert_rebuilds()


@pytest.mark.parametrize(("place", "step", "after"), STEPS)
async def test_merging_dies_at_any_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: Any, step: str, after: bool
):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(*RULES)
    made = await bench.propose(change("clinical/a", "Two", saved.hash), target="production")
    await bench.review(made, "dora")
    die(monkeypatch, place, step, after=after)
    with pytest.raises(Killed):
        await bench.merge(made, release=True)
    await rise(bench, monkeypatch)
    if await bench.state(1) == "open":  # it had not come about: neither half of it
        assert (await bench.head("clinical/a"))[0] == 1
        assert await bench.live("clinical/a") is None
        await bench.merge(made, release=True)
    with pytest.raises(proposals.Closed, match="merged"):
        await bench.merge(made, release=True)
    assert (await bench.head("clinical/a"))[0] == 2
    assert await bench.live("clinical/a") == 2
    async with bench.database.read() as db:
        assert (await db.scalars(select(Merge.reviewers))).one() == ["Dora <dora@example.org>"]
        assert (await db.scalars(select(LabelMove.proposal))).one() == 1
    await bench.assert_rebuilds()


async def test_the_hub_goes_on_without_a_restart(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    saved = await bench.save("clinical/a", "One")
    made = await bench.propose(change("clinical/a", "Two", saved.hash), target="production")
    for step in ("write_down", "write_intents"):
        die(monkeypatch, batch, step, after=False)
        with pytest.raises(Killed):
            await bench.propose(create("clinical/b", "Hello"))
        monkeypatch.undo()
    await bench.merge(made, release=True)
    async with bench.database.read() as db:
        assert set(await db.scalars(select(Proposal.number))) == {1, 2}
    assert (await bench.propose(create("clinical/c", "Hello"))).number == 3


async def test_approvals_and_releases_come_back_from_git_alone(bench: Bench):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(*RULES)
    made = await bench.propose(change("clinical/a", "Two", saved.hash), target="production")
    await bench.review(made, "dora")
    await bench.merge(made, release=True)
    open_one = await bench.propose(change("clinical/a", "Three"))
    before = await bench.dump()
    async with bench.database.write() as db:
        for model in (Item, Revision, Proposal):
            await db.execute(delete(model))
    await index.reindex(bench.database, bench.repository, bench.workspace.id)
    assert await bench.dump() == before
    assert await bench.state(made.number) == "merged"
    assert await bench.state(open_one.number) == "open"
    async with bench.database.read() as db:
        record = (await db.scalars(select(Merge))).one()
        assert record.reviewers == ["Dora <dora@example.org>"]
        assert (await db.scalars(select(LabelMove.proposal))).one() == made.number


class Reviewer(Saver):
    """The mother of the processes that are killed."""

    def __init__(self, data: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.review_saver", str(data), "3"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            cwd=Path(__file__).parent.parent,
        )  # fmt: skip


@pytest.mark.timeout(KILLS * 8 + 300)
async def test_kill_9_at_any_moment(bench: Bench, database: Database, tmp_path: Path):
    data = tmp_path / "data"
    await bench.rule(*RULES)
    (data / "people.json").write_bytes(msgspec.json.encode(bench.people))
    seed = int(os.environ.get("KILL9_SEED", random.randrange(10**6)))
    print(f"KILL9_SEED={seed} REVIEW_KILLS={KILLS}")
    dice = random.Random(seed)
    heard: list[list[str]] = []
    saver = Reviewer(data)
    try:
        for turn in range(KILLS):
            heard += saver.live_and_die(turn, dice, most=9, pause=0.2)
    finally:
        saver.close()
    with hold(data):
        assert await recover.at_start(database, data / "repositories") == []
    await assert_whole(bench, heard)
    assert bench.repository.check() == []
    await bench.assert_rebuilds()
    bench.publisher = Publisher(database, data / "repositories")
    made = await bench.propose(create("clinical/after", "Still works"))
    await bench.review(made, "dora")
    await bench.merge(made)


async def assert_whole(bench: Bench, heard: list[list[str]]) -> None:
    async with bench.database.read() as db:
        assert not list(await db.scalars(select(Intent).where(Intent.state == "open")))
        state = {row.number: row.state for row in await db.scalars(select(Proposal))}
        digests = {(row.number, row.revision): row for row in await db.scalars(select(Revision))}
        records = {row.number: row for row in await db.scalars(select(Merge))}
        rows = await db.execute(select(Version.name, Version.number, Version.hash, Version.commit))
        versions = {(row.name, row.number): (row.hash, row.commit) for row in rows}
    listed = bench.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/proposals")
    refs: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, refs[name] = line.partition(" ")
    assert {f"refs/proposals/{n}/{r}": row.commit for (n, r), row in digests.items()} == refs
    commits = set(bench.git("rev-list", "--first-parent", "main").split())
    assert {n for n, said in state.items() if said == "merged"} == set(records)
    for record in records.values():
        assert record.commit in commits
        assert record.digest == digests[record.number, record.revision].digest
        assert record.reviewers == ["Dora <dora@example.org>"]
    for words in heard:
        if words[0] == "proposed":
            assert digests[int(words[1]), int(words[2])].digest == words[3]
        else:
            _, number, name, version, digest, commit = words
            assert state[int(number)] == "merged"
            assert versions[name, int(version)] == (digest, commit)
    assert [words for words in heard if words[0] == "merged"]
