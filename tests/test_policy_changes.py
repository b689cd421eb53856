"""How rules and groups change: at once, or by the word of other administrators; on both engines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.outbox import Event
from hub.people import accounts, groups, policy_changes, rules_store, workspaces
from hub.people.accounts import OPERATOR
from hub.people.models import AuditEntry, PolicyChange
from hub.people.policy import Actor
from hub.people.policy_changes import Outcome
from hub.people.rules import GroupEdit, Policy, Rule
from tests.cast import Cast, make_cast, on_both_engines

pytestmark = on_both_engines


class Clinic:
    """The workspace `clinic` with three administrators: Maria, Ana and Ben."""

    def __init__(self, database: Database, cast: Cast) -> None:
        self.database, self.cast, self.id = database, cast, cast.workspace.id

    def actor(self, who: str, role: str = "admin") -> Actor:
        return Actor(
            kind="person", name=who.capitalize(), email=f"{who}@example.org",
            account_id=self.cast.account_ids[who], workspace_id=self.id, role=role,
        )  # fmt: skip

    async def role(self, who: str, role: str) -> None:
        async with self.database.write() as db:
            number = self.cast.account_ids[who]
            await workspaces.change_role(db, self.id, number, role, actor=OPERATOR)

    async def force(self) -> rules_store.Loaded:
        return await self.database.read_at_once(lambda db: rules_store.load(db, self.id))

    async def propose(self, who: str, policy: Policy, **more: Any) -> Outcome:
        base = (await self.force()).policy_id
        given: dict[str, Any] = {"base_id": base, "why": "", "actor": self.actor(who)} | more
        async with self.database.write() as db:
            return await policy_changes.propose(db, self.id, policy, **given)

    async def approve(self, who: str, change: int | None) -> Outcome:
        async with self.database.write() as db:
            return await policy_changes.approve(db, self.id, change or 0, actor=self.actor(who))

    async def group(self, name: str, *people: str) -> int:
        async with self.database.write() as db:
            made = await groups.make(db, self.id, name, actor=self.actor("maria"))
            ids = tuple(self.cast.account_ids[who] for who in people)
            edit = GroupEdit(group_id=made.id, add=ids)
            await policy_changes.edit_group(db, self.id, edit, actor=self.actor("maria"))
            return made.id

    async def edit(self, who: str, group: int, **more: Any) -> Outcome:
        for key in ("add", "remove"):
            more[key] = tuple(self.cast.account_ids[one] for one in more.get(key, ()))
        async with self.database.write() as db:
            edit = GroupEdit(group_id=group, **more)
            return await policy_changes.edit_group(db, self.id, edit, actor=self.actor(who))

    async def members(self, group: int) -> list[str]:
        async with self.database.read() as db:
            found = {one.id: one for one in await groups.listed(db, self.id)}
            return [name.split()[0].lower() for _, name, _ in found[group].members]

    async def deeds(self, *actions: str) -> list[str]:
        async with self.database.read() as db:
            query = select(AuditEntry.action).where(AuditEntry.workspace_id == self.id)
            found = await db.scalars(query.order_by(AuditEntry.id))
            return [one for one in found if one.startswith(actions)]


@pytest.fixture
async def clinic(database: Database) -> Clinic:
    made = Clinic(database, await make_cast(database))
    await made.role("ana", "admin")
    await made.role("ben", "admin")
    return made


ONE = Policy(rules=(Rule(kind="change", folder="clinical"),))
GUARDED = Policy(rules=ONE.rules, change_needs=1)
TWICE = Policy(rules=ONE.rules, change_needs=2)
NONE = Policy()


async def test_without_a_rule_about_rules_a_change_is_in_force_at_once(clinic: Clinic) -> None:
    before = (await clinic.force()).epoch
    made = await clinic.propose("maria", ONE, why=" because ")
    found = await clinic.force()
    assert (made.accepted, found.policy_id, found.policy.rules) == (True, made.id, ONE.rules)
    assert found.epoch > before
    assert await clinic.deeds("policy") == ["policy.changed"]
    async with clinic.database.read() as db:
        row = await db.get_one(PolicyChange, made.id)
        assert (row.why, row.by, row.account_id) == (
            "because", "Maria", clinic.cast.account_ids["maria"],
        )  # fmt: skip
        assert "policy.changed" in set(await db.scalars(select(Event.kind)))


async def test_the_same_rules_again_and_old_bases_are_refused(clinic: Clinic) -> None:
    await clinic.propose("maria", ONE)
    with pytest.raises(Invalid, match="already"):
        await clinic.propose("maria", ONE)
    with pytest.raises(Conflict, match="meanwhile"):
        await clinic.propose("maria", NONE, base_id=None)


async def test_a_guarded_policy_changes_only_by_another_administrator_s_word(
    clinic: Clinic,
) -> None:
    await clinic.propose("maria", GUARDED)
    made = await clinic.propose("maria", NONE)
    assert (made.accepted, made.waits_for) == (False, 1)
    assert (await clinic.force()).policy.rules == ONE.rules
    with pytest.raises(Forbidden, match="another administrator"):
        await clinic.approve("maria", made.id)
    for who, role in (("carla", "viewer"), ("carla", "admin"), ("mallory", "admin")):
        actor = clinic.actor(who, role)
        with pytest.raises((Forbidden, NotFound)):
            async with clinic.database.write() as db:
                await policy_changes.approve(db, clinic.id, made.id or 0, actor=actor)
    with pytest.raises(Forbidden, match="by a person"):
        async with clinic.database.write() as db:
            await policy_changes.approve(db, clinic.id, made.id or 0, actor=OPERATOR)
    assert (await clinic.approve("ben", made.id)).accepted
    assert (await clinic.force()).policy.rules == ()
    with pytest.raises(Conflict, match="decided"):
        await clinic.approve("ana", made.id)
    assert await clinic.deeds("policy") == [
        "policy.changed", "policy.proposed", "policy.approved", "policy.changed"
    ]  # fmt: skip


async def test_an_approval_counts_once_and_only_while_they_are_administrators(
    clinic: Clinic,
) -> None:
    await clinic.propose("maria", TWICE)
    made = await clinic.propose("maria", NONE)
    assert (await clinic.approve("ben", made.id)).waits_for == 1
    assert (await clinic.approve("ben", made.id)).waits_for == 1
    await clinic.role("ben", "reviewer")
    with pytest.raises(Forbidden):
        await clinic.approve("ben", made.id)
    assert (await clinic.approve("ana", made.id)).waits_for == 1, "Ben counts no more"
    await clinic.role("carla", "admin")
    assert (await clinic.approve("carla", made.id)).accepted


async def test_a_change_made_upon_older_rules_cannot_be_accepted(clinic: Clinic) -> None:
    await clinic.propose("maria", GUARDED)
    old = await clinic.propose("maria", NONE)
    new = await clinic.propose("ana", TWICE)
    await clinic.approve("ben", new.id)
    with pytest.raises(Conflict, match="Other rules came into force"):
        await clinic.approve("ben", old.id)
    async with clinic.database.write() as db:
        await policy_changes.decline(db, clinic.id, old.id or 0, actor=clinic.actor("maria"))
    assert (await clinic.force()).policy_id == new.id


async def test_a_declined_change_is_over(clinic: Clinic) -> None:
    await clinic.propose("maria", GUARDED)
    made = await clinic.propose("maria", NONE)
    async with clinic.database.write() as db:
        await policy_changes.decline(db, clinic.id, made.id or 0, actor=clinic.actor("ben"))
    with pytest.raises(Conflict, match="decided"):
        await clinic.approve("ben", made.id)
    assert (await clinic.force()).policy.rules == ONE.rules


async def test_two_last_approvals_at_once_accept_once(clinic: Clinic) -> None:
    await clinic.propose("maria", GUARDED)
    made = await clinic.propose("maria", NONE)
    answers = await asyncio.gather(
        clinic.approve("ana", made.id), clinic.approve("ben", made.id), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in answers) == ["Conflict", "Outcome"]
    assert (await clinic.deeds("policy")).count("policy.changed") == 2


async def test_rules_that_nobody_could_change_any_more_are_refused(clinic: Clinic) -> None:
    with pytest.raises(Invalid, match="2 other administrators"):
        await clinic.propose("maria", Policy(change_needs=3))
    await clinic.propose("maria", Policy(change_needs=2))
    await clinic.role("ben", "editor")
    with pytest.raises(Invalid, match="1 other administrator"):
        await clinic.propose("maria", Policy(change_needs=3))
    made = await clinic.propose("maria", NONE)
    assert (await clinic.approve("ana", made.id)).waits_for == 1


async def test_the_operator_is_bound_and_may_break_the_glass(clinic: Clinic) -> None:
    await clinic.propose("maria", TWICE)
    assert not (await clinic.propose("maria", NONE, actor=OPERATOR)).accepted
    assert not (await clinic.propose("maria", NONE, broke_glass="me too")).accepted
    made = await clinic.propose("maria", NONE, actor=OPERATOR, broke_glass="two have left us")
    assert made.accepted
    assert "glass.broken" in await clinic.deeds("glass")
    async with clinic.database.read() as db:
        row = await db.get_one(PolicyChange, made.id)
        assert row.approvals == [{"name": "operator", "broke_glass": "two have left us"}]


async def test_rules_name_groups_and_members_of_this_workspace_alone(clinic: Clinic) -> None:
    ids = clinic.cast.account_ids
    async with clinic.database.write() as db:
        mallory = await accounts.find(db, "mallory@example.org")
        assert mallory
        actor = Actor(
            kind="person", name="M", email=mallory.email, account_id=mallory.id,
            workspace_id=clinic.cast.rival.id, role="admin",
        )  # fmt: skip
        theirs = await groups.make(db, clinic.cast.rival.id, "Leads", actor=actor)
    for who in (f"group:{theirs.id}", "group:999", f"person:{ids['mallory']}", "person:999"):
        with pytest.raises(Invalid, match="names a"):
            await clinic.propose("maria", Policy(rules=(Rule(kind="change", who=(who,)),)))
    who = (f"person:{ids['ben']}",)
    await clinic.propose("maria", Policy(rules=(Rule(kind="change", who=who),)))
    async with clinic.database.write() as db:
        await workspaces.remove(db, clinic.id, ids["ben"], actor=OPERATOR)
    kept = Policy(rules=(Rule(kind="change", who=who, approvals=2),))
    assert (await clinic.propose("maria", kept)).accepted, "who left may stay named"


# ── groups ──────────────────────────────────────────────────────────────────────────────────────
