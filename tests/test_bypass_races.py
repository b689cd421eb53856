"""Ways round review, E: two things at the same moment (6 rounds each; `REVIEW_RACES=200`), the
one by each door in turn, the other by the next: forms, REST, commands.

A merge is decided when its intents are committed. Whatever came before that moment counts: so the
merge must fail if the other deed had been done when its last try began, and what it put on main was
approved as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.db import Database, now
from hub.errors import HubError
from hub.people import rules_store
from hub.people.models import Account, Group, GroupMember, Member
from hub.people.rules import Rule
from hub.registry.models import LabelMove, Prompt
from hub.registry.review import proposals
from hub.registry.review.models import Merge
from hub.registry.writing.asks import Saved
from tests.bench_of_review import Bench, create, make_bench
from tests.cast import on_both_engines
from tests.governing import remove, set_group, set_role, set_rules
from tests.over_doors import DOORS
from tests.racing import LONG, ROUNDS, Watch, doors_of, soon
from tests.rest_door import Api, Refused, refused
from tests.shelf import all_of

LIVE = Rule(kind="release", folder="clinical", label="production")
Deed = Callable[[Any, proposals.Made], Awaitable[Any]]
behind = pytest.mark.asyncio(loop_scope="module")
"""For races behind the doors; the last one is below them, on both engines."""


# --- what is done while somebody merges ----------------------------------------------------------


async def tighten(bench: Api, _: proposals.Made) -> None:
    await set_rules(bench, "maria", Rule(kind="change", folder="clinical", approvals=2))


async def others_count(bench: Api, _: proposals.Made) -> None:
    await set_rules(bench, "maria", Rule(kind="change", folder="clinical", who=("role:admin",)))


async def out_of_group(bench: Api, _: proposals.Made) -> None:
    async with bench.database.read() as db:
        here = Group.workspace_id == bench.workspace.id
        (group,) = await db.scalars(select(Group.id).where(here))
    await set_group(bench, "maria", group)


async def demote(bench: Api, _: proposals.Made) -> None:
    await set_role(bench, "maria", "ben", "viewer")


async def leave(bench: Api, _: proposals.Made) -> None:
    await remove(bench, "maria", "ben")


async def disable(bench: Bench, _: proposals.Made) -> None:
    """By no door: an operator's deed in the tables."""
    async with bench.database.write() as db:
        mine = Account.id == bench.ben.account_id
        await db.execute(update(Account).where(mine).values(disabled_at=now()))
        await rules_store.bump(db, bench.workspace.id)


async def demote_merger(bench: Api, _: proposals.Made) -> None:
    await set_role(bench, "maria", "dora", "viewer")


async def withdraw(bench: Any, made: proposals.Made) -> None:
    await bench.close(made.number, "withdraw", "ana")


async def decline(bench: Any, made: proposals.Made) -> None:
    await bench.close(made.number, "decline", "maria")


async def ask_for_change(bench: Bench, made: proposals.Made) -> None:
    await bench.review(made, "maria", verdict="changes")


async def take_back(bench: Bench, made: proposals.Made) -> None:
    await bench.review(made, "ben", verdict="none")


async def revise(bench: Bench, made: proposals.Made) -> None:
    await bench.revise(made.number, create(f"clinical/p{made.number}", "Evil"))


async def ready(bench: Bench, *who: str) -> None:
    """As it was before the last round; `who` counts, besides administrators."""
    group = next((int(one[6:]) for one in who if one.startswith("group:")), 0)
    ben = bench.ben.account_id or 0
    async with bench.database.write() as db:
        await db.execute(update(Account).values(disabled_at=None))
        if await db.get(Member, (bench.workspace.id, ben)) is None:
            row = {"workspace_id": bench.workspace.id, "account_id": ben, "role": "viewer"}
            db.add(Member(**row, created_at=now()))
        if group and await db.get(GroupMember, (group, ben)) is None:
            db.add(GroupMember(group_id=group, account_id=ben))
    await bench.set_role("ben", "reviewer")
    await bench.set_role("dora", "reviewer")
    await bench.rule(Rule(kind="change", folder="clinical", who=(*who, "role:admin")))


DEEDS: list[Deed] = [
    tighten, others_count, out_of_group, demote, leave, disable, demote_merger, withdraw, decline,
    ask_for_change, take_back, revise,
]  # fmt: skip


@LONG
@behind
@pytest.mark.parametrize("deed", DEEDS)
async def test_what_was_done_before_a_merge_counts(
    bench: Api, deed: Deed, monkeypatch: pytest.MonkeyPatch
):
    group, watch, won = await bench.group("Leads", "ben"), Watch(monkeypatch), 0
    who = "role:reviewer" if deed is demote else f"group:{group}"
    for turn in range(1, ROUNDS + 1):
        door, other_door = doors_of(bench, turn)
        await ready(bench, who)
        made = await bench.propose(create(f"clinical/p{turn}", "One"))
        await door.review(made, "ben")
        watch.start()
        merged, other = await all_of(
            soon(door.merge(made, by="dora")), watch.deed(deed(other_door, made))
        )
        for one in (merged, other):
            assert not isinstance(one, Exception) or isinstance(one, Refused), one
        if isinstance(merged, proposals.Merged):
            won += 1
            assert not watch.done or watch.began[0] <= watch.done, turn
            await assert_recorded(bench, made)
        else:
            assert not isinstance(other, Exception)
            assert await bench.state(turn) != "merged"
    print(f"{deed.__name__}: {won} of {ROUNDS} merged first, none afterwards")
    await ready(bench, who)
    await bench.assert_rebuilds()


async def assert_recorded(bench: Bench, made: proposals.Made) -> None:
    async with bench.database.read() as db:
        here = (Merge.workspace_id == bench.workspace.id) & (Merge.number == made.number)
        (record,) = await db.scalars(select(Merge).where(here))
    assert (record.digest, record.reviewers) == (made.digest, ["Ben <ben@example.org>"])
    assert "Evil" not in bench.git("show", f"main:clinical/p{made.number}.prompt.yml")


# --- others --------------------------------------------------------------------------------------


@LONG
@behind
async def test_an_approval_and_a_new_revision(bench: Api):
    """Whichever is first: nothing that nobody approved is merged."""
    await bench.rule(Rule(kind="change", folder="clinical"))
    approved = 0
    for turn in range(1, ROUNDS + 1):
        name = f"clinical/p{turn}"
        door, other_door = doors_of(bench, turn)
        made = await bench.propose(create(name, "One"))
        word, newer = await all_of(
            soon(door.review(made, "ben"), most=0.1),
            soon(other_door.revise(turn, create(name, "Evil"))),
        )
        assert isinstance(newer, proposals.Made), newer
        assert word is None or isinstance(word, Refused), word
        approved += word is None
        await refused(door.merge(newer, by="dora"), "one approval")
        await refused(door.merge(made, by="dora"), "has changed since you looked")
    print(f"approved before the revision: {approved} of {ROUNDS}")


@LONG
@behind
async def test_two_merges_with_their_releases(bench: Api):
    await bench.rule(Rule(kind="change", folder="clinical"), LIVE)
    for turn in range(1, ROUNDS + 1):
        made = await bench.propose(create(f"clinical/p{turn}", "One"), target="production")
        await bench.review(made, "ben")
        doors = [*doors_of(bench, turn), bench]
        jobs = [
            soon(door.merge(made, by=who, release=True))
            for door, who in zip(doors, ("ben", "dora", "ben"), strict=True)
        ]
        await all_of(*jobs)  # each door says that it is merged, by whichever of them
        await assert_recorded(bench, made)
        assert await bench.live(f"clinical/p{turn}") == 1
    count = bench.git("rev-list", "--count", "--merges", "--first-parent", "main")
    assert count == str(ROUNDS)
    async with bench.database.read() as db:
        here = LabelMove.workspace_id == bench.workspace.id
        assert len(list(await db.scalars(select(LabelMove.id).where(here)))) == ROUNDS
    await bench.assert_rebuilds()


@LONG
@behind
async def test_two_releases_that_saw_the_same(bench: Api):
    one = await bench.save("clinical/a", "One")
    two = await bench.save("clinical/a", "Two", base=one.hash)
    await bench.save("clinical/a", "Three", base=two.hash)
    await bench.rule(LIVE)
    await bench.move("clinical/a", 1)
    for turn in range(ROUNDS):
        seen = await bench.live("clinical/a")
        others = [number for number in (1, 2, 3) if number != seen]
        doors = (DOORS["form"](**vars(bench)), bench)
        done = await all_of(
            *(
                soon(door.move("clinical/a", to, by=by, expected=seen))
                for door, to, by in zip(doors[:: 1 - 2 * (turn % 2)], others, ("ben", "dora"),
                                        strict=True)
            )
        )  # fmt: skip
        assert sum(isinstance(one, Refused) for one in done) <= 1, done
    async with bench.database.read() as db:
        here = LabelMove.workspace_id == bench.workspace.id
        moves = list(await db.scalars(select(LabelMove).where(here).order_by(LabelMove.id)))
    assert len(moves) == ROUNDS + 1
    assert all(before.new == after.old for before, after in pairwise(moves))
    await bench.assert_rebuilds()


@LONG
@behind
async def test_a_direct_save_and_the_rule_that_forbids_it(
    bench: Api, monkeypatch: pytest.MonkeyPatch
):
    watch = Watch(monkeypatch)
    for turn in range(1, ROUNDS + 1):
        await bench.rule()
        watch.start()
        rule = Rule(kind="change", folder="clinical")
        name = f"clinical/p{turn}"
        fields = {"name": name, "title": "", "text": "Evil"}
        by_form, by_rest = bench.form("ana", "new", **fields), bench.save(name, "Evil")
        save, other = (by_form, by_rest) if turn % 2 else (by_rest, by_form)
        other.close()
        ruling = set_rules(doors_of(bench, turn)[1], "maria", rule)
        saved, ruled = await all_of(soon(save), watch.deed(ruling))
        assert ruled is None, ruled
        assert saved is None or isinstance(saved, Refused | Saved), saved
        if await there(bench, name):
            assert watch.began[0] <= watch.done


async def there(bench: Bench, name: str) -> bool:
    async with bench.database.read() as db:
        here = (Prompt.workspace_id == bench.workspace.id, Prompt.name == name)
        return await db.scalar(select(Prompt.id).where(*here)) is not None


async def tighten_below(bench: Bench, _: proposals.Made) -> None:
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))


@pytest.fixture
async def below(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


@on_both_engines
async def test_a_merge_under_way_and_everything_at_once(below: Bench):
    group = await below.group("Leads", "ben")
    await ready(below, f"group:{group}")
    made = await below.propose(create("clinical/p1", "One"))
    await below.review(made, "ben")
    jobs = [soon(below.merge(made, by=who)) for who in ("dora", "maria", "ben")]
    deeds = (tighten_below, take_back, ask_for_change, revise)
    done = await all_of(*jobs, *(soon(deed(below, made)) for deed in deeds))
    for one in done:
        assert not isinstance(one, Exception) or isinstance(one, HubError), one
    assert sum(isinstance(one, proposals.Merged) for one in done) <= 1
    if await below.state(1) == "merged":
        await assert_recorded(below, made)
    await below.assert_rebuilds()
