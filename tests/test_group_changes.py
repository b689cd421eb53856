"""Groups and people that the rules name, and how they change; on both engines."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Conflict, Forbidden, HubError, Invalid, NotFound
from hub.people import groups, policy_changes, rules_store, workspaces
from hub.people.accounts import OPERATOR
from hub.people.models import GroupMember
from hub.people.rules import GroupEdit, Owners, Policy, Rule
from tests.cast import make_cast, on_both_engines
from tests.test_policy_changes import GUARDED, Clinic

pytestmark = on_both_engines


@pytest.fixture
async def clinic(database: Database) -> Clinic:
    made = Clinic(database, await make_cast(database))
    await made.role("ana", "admin")
    await made.role("ben", "admin")
    return made


async def test_groups_are_made_renamed_filled_and_deleted(clinic: Clinic) -> None:
    group = await clinic.group(" Clinical  Leads ", "ben", "carla")
    assert await clinic.members(group) == ["ben", "carla"]
    epoch = (await clinic.force()).epoch
    await clinic.edit(
        "ana", group, name="Leads", add=("maria", "ben", "mallory"), remove=("carla",)
    )
    assert await clinic.members(group) == ["ben", "maria"]
    assert (await clinic.force()).epoch > epoch
    for wrong in ("leads", "", "x" * 81, "\n"):
        with pytest.raises((Conflict, Invalid)):
            await clinic.group(wrong)
    async with clinic.database.write() as db:
        actor = clinic.actor("ben")
        assert await policy_changes.delete_group(db, clinic.id, group, actor=actor) == "Leads"
    async with clinic.database.read() as db:
        assert await groups.listed(db, clinic.id) == []
        assert list(await db.scalars(select(GroupMember.account_id))) == []
    assert await clinic.deeds("group") == [
        "group.made", "group.member-added", "group.member-added", "group.renamed",
        "group.member-added", "group.member-removed", "group.deleted",
    ]  # fmt: skip


async def test_only_administrators_of_the_workspace_change_groups(clinic: Clinic) -> None:
    group = await clinic.group("Leads")
    await clinic.role("ben", "reviewer")
    for actor in (
        clinic.actor("ben", "reviewer"), clinic.actor("ben"), clinic.actor("carla", "viewer"),
        clinic.actor("mallory"),
    ):  # fmt: skip
        edit = GroupEdit(group_id=group, add=(clinic.cast.account_ids["ben"],))
        with pytest.raises((Forbidden, NotFound)):
            async with clinic.database.write() as db:
                await policy_changes.edit_group(db, clinic.id, edit, actor=actor)
        with pytest.raises((Forbidden, NotFound)):
            async with clinic.database.write() as db:
                await policy_changes.delete_group(db, clinic.id, group, actor=actor)
    assert await clinic.members(group) == []


async def test_a_group_that_guarded_rules_name_changes_by_another_s_word(clinic: Clinic) -> None:
    group = await clinic.group("Leads", "ben")
    free = await clinic.group("Others")
    rule = Rule(kind="change", who=(f"group:{group}",))
    await clinic.propose("maria", Policy(rules=(rule,), change_needs=1))
    made = await clinic.edit("maria", group, add=("maria",), remove=("ben",), name="Us")
    assert not made.accepted
    assert await clinic.members(group) == ["ben"]
    assert (await clinic.edit("maria", free, add=("maria",))).accepted
    assert (await clinic.approve("ana", made.id)).accepted
    assert await clinic.members(group) == ["maria"]
    found = await clinic.force()
    assert (found.policy.rules, found.groups) == ((rule,), {group: "Us"})


async def test_a_group_cannot_be_swapped_under_a_waiting_change(clinic: Clinic) -> None:
    await clinic.propose("maria", GUARDED)
    group = await clinic.group("Leads", "ben")
    rule = Rule(kind="change", who=(f"group:{group}",))
    made = await clinic.propose("maria", Policy(rules=(rule,), change_needs=1))
    with pytest.raises(Conflict, match="waits for approval"):
        await clinic.edit("maria", group, add=("maria",), remove=("ben",))
    with pytest.raises(Conflict, match="Decide on that first"):
        async with clinic.database.write() as db:
            await policy_changes.delete_group(db, clinic.id, group, actor=clinic.actor("maria"))
    await clinic.approve("ana", made.id)
    assert await clinic.members(group) == ["ben"]


async def test_a_group_that_rules_name_is_not_deleted(clinic: Clinic) -> None:
    group = await clinic.group("Leads")
    await clinic.propose("maria", Policy(rules=(Rule(kind="change", who=(f"group:{group}",)),)))
    with pytest.raises(Conflict, match="Take the group out"):
        async with clinic.database.write() as db:
            await policy_changes.delete_group(db, clinic.id, group, actor=clinic.actor("maria"))
    with pytest.raises(HubError):
        async with clinic.database.write() as db:
            await policy_changes.delete_group(db, clinic.id, 999, actor=clinic.actor("maria"))


async def test_whoever_leaves_counts_no_more_and_comes_back_outside_of_groups(
    clinic: Clinic,
) -> None:
    group = await clinic.group("Leads", "ben", "carla")
    ids = clinic.cast.account_ids
    before = (await clinic.force()).epoch
    async with clinic.database.write() as db:
        await workspaces.remove(db, clinic.id, ids["ben"], actor=OPERATOR)
    assert (await clinic.force()).epoch > before
    assert await clinic.members(group) == ["carla"]
    async with clinic.database.write() as db:
        await workspaces.put_back(db, clinic.id, ids["ben"], actor=OPERATOR)
    assert await clinic.members(group) == ["ben", "carla"], "an undo undoes all of it"
    async with clinic.database.write() as db:
        await workspaces.remove(db, clinic.id, ids["ben"], actor=OPERATOR)
        await workspaces.add(
            db, clinic.cast.workspace, "ben@example.org", "", "viewer", actor=OPERATOR
        )
    assert await clinic.members(group) == ["carla"]
    people = await clinic.database.read_at_once(
        lambda db: rules_store.people_now(db, clinic.id, [ids["ben"]])
    )
    assert people[ids["ben"]].groups == frozenset()


async def test_every_change_of_people_raises_the_epoch(clinic: Clinic) -> None:
    epochs = [(await clinic.force()).epoch]
    await clinic.role("carla", "editor")
    epochs.append((await clinic.force()).epoch)
    async with clinic.database.write() as db:
        place = clinic.cast.workspace
        await workspaces.add(db, place, "new@example.org", "New", "viewer", actor=OPERATOR)
    epochs.append((await clinic.force()).epoch)
    assert epochs == sorted(set(epochs))


async def test_a_group_is_not_called_what_rules_call_others(clinic: Clinic) -> None:
    group = await clinic.group("Leads", "ben")
    for name in ("owners", "Reviewers", "the folder’s owners", "The Folder's Owners", "Anyone",
                 "no one", "ＡＤＭＩＮ", "group:7", "Person:1", "ben@example.org"):  # fmt: skip
        with pytest.raises(Invalid, match="already means something in a rule"):
            await clinic.group(name)
        with pytest.raises(Invalid, match="already means something in a rule"):
            await clinic.edit("ana", group, name=name)
    for good in ("Owners of forms", "Subgroup: nights", "Team @ night"):
        await clinic.group(good)


async def test_a_group_that_is_called_so_already_goes_on(clinic: Clinic) -> None:
    group = await clinic.group("Leads", "ben")
    async with clinic.database.write() as db:
        (await groups.find(db, clinic.id, group)).name = "owners"
    await clinic.edit("ana", group, name="owners", add=("carla",))
    assert await clinic.members(group) == ["ben", "carla"]
    policy = Policy(rules=(Rule(kind="change", who=(f"group:{group}",)),))
    await clinic.propose("ana", policy)
    assert (await clinic.force()).policy.rules == policy.rules


async def test_what_keeps_a_group_is_said_as_it_is(clinic: Clinic) -> None:
    group, word = await clinic.group("Leads"), "Say who else does first"
    mine = (f"group:{group}",)
    rule, clinical, rest = (
        Rule(kind="change", who=("owners",)), Owners(folder="clinical", who=mine),
        Owners(who=mine),
    )  # fmt: skip
    for policy, said in (
        (Policy(rules=(msgspec.structs.replace(rule, who=mine),)), "A rule names “Leads”"),
        (Policy(rules=(rule,), owners=(clinical,)), f"“Leads” owns clinical/. {word}"),
        (Policy(rules=(rule,), owners=(rest, clinical)), "owns clinical/ and every other folder"),
        (Policy(rules=(rule,), owners=(rest,)), "“Leads” owns every folder. Say"),
    ):
        await clinic.propose("ana", policy)
        with pytest.raises(Conflict, match=said):
            await delete(clinic, group)
    await clinic.propose("ana", Policy(rules=(rule,), change_needs=1))
    await clinic.propose("ana", Policy(rules=(rule,), owners=(clinical,), change_needs=1))
    with pytest.raises(Conflict, match="change of the rules that waits for approval names “Leads”"):
        await delete(clinic, group)


async def delete(clinic: Clinic, group: int) -> None:
    async with clinic.database.write() as db:
        await policy_changes.delete_group(db, clinic.id, group, actor=clinic.actor("ana"))
