"""What the judge looks at, read from the tables, on both engines."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub.db import Database, now
from hub.errors import Invalid
from hub.people import rules_store
from hub.people.models import Account, Group, GroupMember, PolicyChange
from hub.people.rules import FREE, Policy, Rule
from tests.cast import Cast, make_cast, on_both_engines

pytestmark = on_both_engines


@pytest.fixture
async def clinic(database: Database) -> Cast:
    return await make_cast(database)


async def keep(database: Database, cast: Cast, policy: Policy, *, accepted: bool = True) -> None:
    async with database.write() as db:
        db.add(
            PolicyChange(
                workspace_id=cast.workspace.id, base_id=None, policy=msgspec.to_builtins(policy),
                why="", by="maria", account_id=None, at=now(), approvals=[],
                accepted_at=now() if accepted else None, declined_at=None,
            )
        )  # fmt: skip


async def loaded(database: Database, workspace_id: int) -> rules_store.Loaded:
    return await database.read_at_once(lambda db: rules_store.load(db, workspace_id))


async def test_the_latest_accepted_rules_of_the_workspace_are_in_force(
    database: Database, clinic: Cast
) -> None:
    first = await loaded(database, clinic.workspace.id)
    assert (first.policy, first.policy_id) == (FREE, None)
    one, two = Policy(rules=(Rule(kind="change"),)), Policy(change_needs=1)
    await keep(database, clinic, one)
    await keep(database, clinic, two, accepted=False)
    found = await loaded(database, clinic.workspace.id)
    assert (found.policy.rules, found.policy.change_needs) == (one.rules, 0)
    assert (await loaded(database, clinic.rival.id)).policy == FREE
    async with database.read() as db:
        assert await rules_store.read(db, clinic.workspace.id) == found


async def test_groups_and_people_that_rules_name_have_names(
    database: Database, clinic: Cast
) -> None:
    async with database.write() as db:
        group = Group(workspace_id=clinic.workspace.id, name="Leads", created_at=now())
        other = Group(workspace_id=clinic.rival.id, name="Secret", created_at=now())
        db.add_all([group, other])
    ben = clinic.account_ids["ben"]
    who = (f"group:{group.id}", f"group:{other.id}", f"person:{ben}")
    await keep(database, clinic, Policy(rules=(Rule(kind="change", who=who),)))
    found = await loaded(database, clinic.workspace.id)
    assert found.called == {f"group:{group.id}": "Leads", f"person:{ben}": "Ben Carter"}


async def test_people_are_as_they_stand_now(database: Database, clinic: Cast) -> None:
    ids = clinic.account_ids
    async with database.write() as db:
        group = Group(workspace_id=clinic.workspace.id, name="Leads", created_at=now())
        other = Group(workspace_id=clinic.rival.id, name="Leads", created_at=now())
        db.add_all([group, other])
        await db.flush()
        for where, who in ((group, "ben"), (other, "ben"), (group, "mallory"), (group, "carla")):
            db.add(GroupMember(group_id=where.id, account_id=ids[who]))
        (await db.get_one(Account, ids["carla"])).disabled_at = now()

    def look(db: Any) -> dict[str, tuple[str, frozenset[int]]]:
        found = rules_store.people_now(db, clinic.workspace.id, [*ids.values(), 999])
        return {one.email.split("@")[0]: (one.role, one.groups) for one in found.values()}

    assert await database.read_at_once(look) == {
        "maria": ("admin", frozenset()), "ana": ("editor", frozenset()),
        "ben": ("reviewer", frozenset({group.id})), "carla": ("", frozenset()),
        "mallory": ("", frozenset()),
    }  # fmt: skip


async def test_the_epoch_counts_up(database: Database, clinic: Cast) -> None:
    before = (await loaded(database, clinic.workspace.id)).epoch
    for _ in range(2):
        async with database.write() as db:
            await rules_store.bump(db, clinic.workspace.id)
    assert (await loaded(database, clinic.workspace.id)).epoch == before + 2


async def test_rules_that_cannot_be_read_stop_the_deed(database: Database, clinic: Cast) -> None:
    async with database.write() as db:
        db.add(
            PolicyChange(
                workspace_id=clinic.workspace.id, base_id=None, why="", by="?", account_id=None,
                policy={"rules": [{"kind": "change", "approvals": -1}]}, at=now(), approvals=[],
                accepted_at=now(), declined_at=None,
            )
        )  # fmt: skip
    with pytest.raises((Invalid, msgspec.ValidationError)):
        await loaded(database, clinic.workspace.id)
