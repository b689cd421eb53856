"""Ways round review, E once more: a merge or a release that counts on the owners of its folders,
and at the same moment somebody else owns one, each by another door (6 rounds; `REVIEW_RACES=200`).

What counts is who owned the folders when the merge made up its mind: if they owned them no more by
then, their approval is worth nothing, however early it was given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select

from hub.db import now
from hub.people.models import GroupMember, Member
from hub.people.rules import Owners, Rule
from hub.registry.models import LabelMove
from hub.registry.review import proposals
from hub.registry.review.models import Merge
from tests.bench_of_review import create
from tests.governing import agree, promote, remove, set_group, set_rules
from tests.racing import LONG, ROUNDS, Watch, doors_of, soon
from tests.rest_door import Api, Refused
from tests.shelf import all_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), LONG]
CHANGE = Rule(kind="change", who=("owners",))
MOVE = Rule(kind="release", label="production", approvals=0, may_release=("owners",))
RULES = (CHANGE, MOVE)


@dataclass
class Ward:
    """Dora owns clinical/, Ben support/, each through a group; Carla administers beside Maria."""

    bench: Api
    leads: int
    desk: int

    @property
    def owners(self) -> tuple[Owners, Owners]:
        support = Owners(folder="support", who=(f"group:{self.desk}",))
        return (Owners(folder="clinical", who=(f"group:{self.leads}",)), support)

    @property
    def others(self) -> tuple[Owners, Owners]:
        """Maria owns clinical/, who has approved nothing."""
        maria = f"person:{self.bench.house.ids['maria']}"
        return (Owners(folder="clinical", who=(maria,)), self.owners[1])

    async def ready(self, *, needs: int = 0) -> None:
        """As it was before the last round."""
        here = self.bench.workspace.id
        async with self.bench.database.write() as db:
            for who, group in (("dora", self.leads), ("ben", self.desk)):
                id = self.bench.house.ids[who]
                if await db.get(Member, (here, id)) is None:
                    row = {"workspace_id": here, "account_id": id, "role": "reviewer"}
                    db.add(Member(**row, created_at=now()))
                if await db.get(GroupMember, (group, id)) is None:
                    db.add(GroupMember(group_id=group, account_id=id))
        await self.bench.rule(*RULES, needs=needs, owners=self.owners)


async def make_ward(bench: Api) -> Ward:
    await promote(bench, "carla")
    desk = await bench.group("Help Desk", "ben")
    return Ward(bench, await bench.group("Clinical Leads", "dora"), desk)


# ── what is done while somebody merges, or moves a label ─────────────────────────────────────────


async def another_is_named(ward: Ward, door: Api) -> None:
    await set_rules(door, "maria", *RULES, owners=ward.others)


async def one_is_taken_out(ward: Ward, door: Api) -> None:
    """Administrators are asked then."""
    await set_rules(door, "maria", *RULES, owners=ward.owners[1:])


async def a_folder_below_gets_its_own(ward: Ward, door: Api) -> None:
    below = Owners(folder="clinical/ward", who=("role:admin",))
    await set_rules(door, "maria", *RULES, owners=(*ward.owners, below))


async def out_of_the_group_that_owns(ward: Ward, door: Api) -> None:
    await set_group(door, "maria", ward.leads, "maria")


async def an_owner_leaves(ward: Ward, door: Api) -> None:
    await remove(door, "maria", "dora")


async def others_are_agreed_to(ward: Ward, door: Api) -> None:
    """Where the rules are guarded: who is asked decides the moment."""
    await agree(door, "carla")


Deed = Callable[[Ward, Api], Awaitable[None]]
DEEDS: list[Deed] = [
    another_is_named, one_is_taken_out, a_folder_below_gets_its_own, out_of_the_group_that_owns,
    an_owner_leaves, others_are_agreed_to,
]  # fmt: skip


async def prepare(ward: Ward, deed: Deed) -> None:
    guarded = deed is others_are_agreed_to
    await ward.ready(needs=int(guarded))
    if guarded:
        await set_rules(ward.bench, "maria", *RULES, needs=1, owners=ward.others)


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_merge_counts_on_those_who_own_the_folders_then(
    bench: Api, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward, watch, won = await make_ward(bench), Watch(monkeypatch), 0
    for turn in range(1, ROUNDS + 1):
        door, other_door = doors_of(bench, turn)
        await prepare(ward, deed)
        both = (create(f"clinical/ward/p{turn}", "One"), create(f"support/p{turn}", "Two"))
        made = await bench.propose(*both)
        await bench.review(made, "dora", "ben")
        watch.start()
        merged, done = await all_of(
            soon(door.merge(made, by="ben")), watch.deed(deed(ward, other_door))
        )
        assert done is None, done
        if isinstance(merged, proposals.Merged):
            won += 1
            assert watch.began[0] <= watch.done, turn
            assert sorted(await counted(bench, made.number)) == ["Ben", "Dora"]
        else:
            assert isinstance(merged, Refused), merged
            assert await bench.state(made.number) == "open"
    print(f"{deed.__name__}: {won} of {ROUNDS} merged first, none afterwards")
    await ward.ready()
    await bench.assert_rebuilds()


async def counted(bench: Api, number: int) -> list[str]:
    """Whose approvals the merge has on record."""
    async with bench.database.read() as db:
        here = (Merge.workspace_id == bench.workspace.id) & (Merge.number == number)
        (record,) = await db.scalars(select(Merge).where(here))
    return [one.partition(" <")[0] for one in record.reviewers]


@pytest.mark.parametrize("deed", [another_is_named, out_of_the_group_that_owns])
async def test_a_label_is_moved_by_those_who_own_the_folder_then(
    bench: Api, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await bench.save("clinical/ward/a", "One")
    await bench.save("clinical/ward/a", "Two", base=one.hash)
    ward, watch, won = await make_ward(bench), Watch(monkeypatch), 0
    for turn in range(1, ROUNDS + 1):
        door, other_door = doors_of(bench, turn)
        await prepare(ward, deed)
        before, version = await moves(bench), turn % 2 + 1
        watch.start()
        moving = door.move("clinical/ward/a", version, by="dora")
        moved, done = await all_of(soon(moving), watch.deed(deed(ward, other_door)))
        assert done is None, done
        assert not isinstance(moved, Exception) or isinstance(moved, Refused), moved
        if await moves(bench) > before:
            won += 1
            assert watch.began[0] <= watch.done, turn
            assert await bench.live("clinical/ward/a") == version
    print(f"release, {deed.__name__}: {won} of {ROUNDS} moved first, none afterwards")


async def moves(bench: Api) -> int:
    async with bench.database.read() as db:
        query = select(func.count()).where(LabelMove.workspace_id == bench.workspace.id)
        return await db.scalar(query) or 0
