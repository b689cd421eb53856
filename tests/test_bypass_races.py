"""Ways round review, E: two things at the same moment (10 rounds each; `REVIEW_RACES=200`).

A merge is decided when its intents are committed. Whatever came before that moment counts: so the
merge must fail if the other deed had been done when its last try began, and what it put on main was
approved as it is.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from hub.db import Database, now
from hub.errors import HubError
from hub.people import rules_store
from hub.people.models import Account, GroupMember, Member
from hub.people.rules import Rule
from hub.registry import batch
from hub.registry.labels import LabelMoved
from hub.registry.models import LabelMove
from hub.registry.review import proposals
from hub.registry.review.models import Merge
from tests.bench_of_review import Bench, create, make_bench
from tests.cast import on_both_engines
from tests.shelf import all_of

ROUNDS = int(os.environ.get("REVIEW_RACES", "10"))
LONG = pytest.mark.timeout(60 + ROUNDS * 4)
LIVE = Rule(kind="release", folder="clinical", label="production")
Deed = Callable[[Bench, proposals.Made], Awaitable[Any]]


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


class Watch:
    """When merges made up their minds, and when the other deed was done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began: list[float] = []
        self.done = 0.0
        write = batch.write_intents

        async def watched(*args: Any) -> None:
            began = perf_counter()
            await write(*args)
            self.began.append(began)

        monkeypatch.setattr(batch, "write_intents", watched)

    async def deed(self, doing: Awaitable[Any]) -> Any:
        """Only what was acknowledged is known to have happened before."""
        await asyncio.sleep(random.choice((0.01, 0.05, 0.15)) * random.random())
        done = await doing
        self.done = perf_counter()
        return done

    def start(self) -> None:
        self.began, self.done = [], 0.0


async def soon(doing: Awaitable[Any], *, most: float = 0.015) -> Any:
    await asyncio.sleep(random.uniform(0, most))
    return await doing


# --- what is done while somebody merges ----------------------------------------------------------


async def tighten(bench: Bench, _: proposals.Made) -> None:
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))


async def others_count(bench: Bench, _: proposals.Made) -> None:
    await bench.rule(Rule(kind="change", folder="clinical", who=("role:admin",)))


async def out_of_group(bench: Bench, _: proposals.Made) -> None:
    await _now(bench, delete(GroupMember))


async def demote(bench: Bench, _: proposals.Made) -> None:
    await bench.set_role("ben", "viewer")


async def leave(bench: Bench, _: proposals.Made) -> None:
    await _now(bench, delete(Member).where(Member.account_id == bench.ben.account_id))


async def disable(bench: Bench, _: proposals.Made) -> None:
    mine = Account.id == bench.ben.account_id
    await _now(bench, update(Account).where(mine).values(disabled_at=now()))


async def demote_merger(bench: Bench, _: proposals.Made) -> None:
    await bench.set_role("dora", "viewer")


async def withdraw(bench: Bench, made: proposals.Made) -> None:
    await proposals.withdraw(bench.database, bench.workspace, made.number, actor=bench.ana)


async def decline(bench: Bench, made: proposals.Made) -> None:
    maria = bench.people["maria"]
    await proposals.decline(bench.database, bench.workspace, made.number, actor=maria, reason="No")


async def ask_for_change(bench: Bench, made: proposals.Made) -> None:
    await bench.review(made, "maria", verdict="changes")


async def take_back(bench: Bench, made: proposals.Made) -> None:
    await bench.review(made, "ben", verdict="none")


async def revise(bench: Bench, made: proposals.Made) -> None:
    await bench.revise(made.number, create(f"clinical/p{made.number}", "Evil"))


async def _now(bench: Bench, statement: Any) -> None:
    async with bench.database.write() as db:
        await db.execute(statement)
        await rules_store.bump(db, bench.workspace.id)


async def ready(bench: Bench, group: int) -> None:
    """As it was before the last round."""
    ben = bench.ben.account_id or 0
    async with bench.database.write() as db:
        await db.execute(update(Account).values(disabled_at=None))
        if await db.get(Member, (bench.workspace.id, ben)) is None:
            row = {"workspace_id": bench.workspace.id, "account_id": ben, "role": "viewer"}
            db.add(Member(**row, created_at=now()))
        if await db.get(GroupMember, (group, ben)) is None:
            db.add(GroupMember(group_id=group, account_id=ben))
    await bench.set_role("ben", "reviewer")
    await bench.set_role("dora", "reviewer")
    who = (f"group:{group}", "role:admin")
    await bench.rule(Rule(kind="change", folder="clinical", who=who))


DEEDS: list[Deed] = [
    tighten, others_count, out_of_group, leave, disable, demote_merger, withdraw, decline,
    ask_for_change, take_back, revise,
]  # fmt: skip


@LONG
@pytest.mark.parametrize("deed", DEEDS)
async def test_what_was_done_before_a_merge_counts(
    bench: Bench, deed: Deed, monkeypatch: pytest.MonkeyPatch
):
    group, watch, won = await bench.group("Leads", "ben"), Watch(monkeypatch), 0
    for turn in range(1, ROUNDS + 1):
        await ready(bench, group)
        made = await bench.propose(create(f"clinical/p{turn}", "One"))
        await bench.review(made, "ben")
        watch.start()
        merged, other = await all_of(
            soon(bench.merge(made, by="dora")), watch.deed(deed(bench, made))
        )
        for one in (merged, other):
            assert not isinstance(one, Exception) or isinstance(one, HubError), one
        if isinstance(merged, proposals.Merged):
            won += 1
            assert not watch.done or watch.began[0] <= watch.done, turn
            await assert_recorded(bench, made)
        else:
            assert not isinstance(other, Exception)
            assert await bench.state(turn) != "merged"
    print(f"{deed.__name__}: {won} of {ROUNDS} merged first, none afterwards")
    await bench.assert_rebuilds()


async def assert_recorded(bench: Bench, made: proposals.Made) -> None:
    async with bench.database.read() as db:
        (record,) = await db.scalars(select(Merge).where(Merge.number == made.number))
    assert (record.digest, record.reviewers) == (made.digest, ["Ben <ben@example.org>"])
    assert "Evil" not in bench.git("show", f"main:clinical/p{made.number}.prompt.yml")


# --- others --------------------------------------------------------------------------------------


@LONG
async def test_an_approval_and_a_new_revision(bench: Bench):
    """Whichever is first: nothing that nobody approved is merged."""
    await bench.rule(Rule(kind="change", folder="clinical"))
    approved = 0
    for turn in range(1, ROUNDS + 1):
        name = f"clinical/p{turn}"
        made = await bench.propose(create(name, "One"))
        word, newer = await all_of(
            soon(bench.review(made, "ben"), most=0.1),
            soon(bench.revise(turn, create(name, "Evil"))),
        )
        assert isinstance(newer, proposals.Made), newer
        assert word is None or isinstance(word, proposals.StaleReview), word
        approved += word is None
        with pytest.raises(proposals.NeedsReview):
            await bench.merge(newer, by="dora")
        with pytest.raises(proposals.StaleReview):
            await bench.merge(made, by="dora")
    print(f"approved before the revision: {approved} of {ROUNDS}")


@LONG
async def test_two_merges_with_their_releases(bench: Bench):
    await bench.rule(Rule(kind="change", folder="clinical"), LIVE)
    for turn in range(1, ROUNDS + 1):
        made = await bench.propose(create(f"clinical/p{turn}", "One"), target="production")
        await bench.review(made, "ben")
        jobs = [soon(bench.merge(made, by=who, release=True)) for who in ("ben", "dora", "ben")]
        done = await all_of(*jobs)
        assert sum(isinstance(one, proposals.Merged) for one in done) == 1, done
        assert sum(isinstance(one, proposals.Closed) for one in done) == 2, done
        await assert_recorded(bench, made)
        assert await bench.live(f"clinical/p{turn}") == 1
    count = bench.git("rev-list", "--count", "--merges", "--first-parent", "main")
    assert count == str(ROUNDS)
    await bench.assert_rebuilds()


@LONG
async def test_two_releases_that_saw_the_same(bench: Bench):
    one = await bench.save("clinical/a", "One")
    two = await bench.save("clinical/a", "Two", base=one.hash)
    await bench.save("clinical/a", "Three", base=two.hash)
    await bench.rule(LIVE)
    await bench.move("clinical/a", 1)
    for _ in range(ROUNDS):
        seen = await bench.live("clinical/a")
        others = [number for number in (1, 2, 3) if number != seen]
        done = await all_of(
            *(
                soon(bench.move("clinical/a", to, by=by, expected=seen))
                for to, by in zip(others, ("ben", "dora"), strict=True)
            )
        )
        assert sum(isinstance(one, LabelMoved) for one in done) == 1, done
        assert sum(isinstance(one, Exception) for one in done) == 1, done
    async with bench.database.read() as db:
        moves = list(await db.scalars(select(LabelMove).order_by(LabelMove.id)))
    assert len(moves) == ROUNDS + 1
    assert all(before.new == after.old for before, after in pairwise(moves))
    await bench.assert_rebuilds()


@LONG
async def test_a_direct_save_and_the_rule_that_forbids_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    watch = Watch(monkeypatch)
    for turn in range(1, ROUNDS + 1):
        await bench.rule()
        watch.start()
        rule = Rule(kind="change", folder="clinical")
        saved, _ = await all_of(
            soon(bench.save(f"clinical/p{turn}", "Evil")), watch.deed(bench.rule(rule))
        )
        if isinstance(saved, Exception):
            assert isinstance(saved, proposals.NeedsReview), saved
        else:
            assert watch.began[0] <= watch.done


@on_both_engines
async def test_a_merge_under_way_and_everything_at_once(bench: Bench):
    group = await bench.group("Leads", "ben")
    await ready(bench, group)
    made = await bench.propose(create("clinical/p1", "One"))
    await bench.review(made, "ben")
    jobs = [soon(bench.merge(made, by=who)) for who in ("dora", "maria", "ben")]
    deeds = (tighten, out_of_group, take_back, ask_for_change, revise, withdraw)
    done = await all_of(*jobs, *(soon(deed(bench, made)) for deed in deeds))
    for one in done:
        assert not isinstance(one, Exception) or isinstance(one, HubError), one
    assert sum(isinstance(one, proposals.Merged) for one in done) <= 1
    if await bench.state(1) == "merged":
        await assert_recorded(bench, made)
    await bench.assert_rebuilds()
