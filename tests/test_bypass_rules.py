"""Ways round review, G: the rules themselves moved, or who counts by them (36–40), by a page's
form, over REST and by a command. Which keys get that far is in `test_bypass_settings.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from hub.errors import Invalid
from hub.people import own_keys
from hub.people.accounts import OPERATOR
from hub.people.models import Account, AuditEntry
from hub.people.rules import Policy, Rule
from tests.bench_of_review import create
from tests.governing import (
    account,
    agree,
    delete_group,
    force,
    invite,
    link,
    promote,
    put_back,
    remove,
    role,
    set_group,
    set_role,
    set_rules,
)  # fmt: skip
from tests.over_doors import over
from tests.rest_door import Api, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
AGREED = "another administrator"


async def guard(bench: Api, *rules: Rule, leads: tuple[str, ...] = ()) -> int:
    """Dora is an administrator, too; a change of the rules needs the other one. Returns a group
    that the rules name."""
    await promote(bench, "dora")
    group = await bench.group("Leads", *leads)
    made = rules or (Rule(kind="change", folder="clinical", who=(f"group:{group}",)),)
    await set_rules(bench, "maria", *made, needs=1)
    assert (await force(bench)).change_needs == 1
    return group


# --- 36, 37: the rules ---------------------------------------------------------------------------


@over("form", "api", "command")
async def test_weaker_rules_wait_where_rules_are_guarded(bench: Api):
    """36. A count of none, a deeper rule, no guard, no rules: all of it waits for the other."""
    group = await guard(bench)
    rule = Rule(kind="change", folder="clinical", who=(f"group:{group}",))
    made = await bench.propose(create("clinical/a", "One"))
    none = Rule(kind="change", folder="clinical", approvals=0)
    deep = Rule(kind="change", folder="clinical/a", approvals=0)
    before = await force(bench)
    for rules, needs in (((none,), 1), ((rule, deep), 1), ((rule,), 0), ((), 0)):
        await set_rules(bench, "maria", *rules, needs=needs)
        await refused(agree(bench, "maria"), AGREED)
        assert await force(bench) == before
    await bench.review(made, "maria", "ben")
    await refused(bench.merge(made), "Leads")


@pytest.mark.parametrize("count", [True, False, -1, 11, 1.5, "0", None])
async def test_a_count_that_is_none_is_refused(count: Any) -> None:
    """37."""
    with pytest.raises(Invalid):
        Rule(kind="change", approvals=count)
    with pytest.raises(Invalid):
        Policy(change_needs=count)


@pytest.mark.parametrize("typed", ["true", "-1", "11", "1.5", "", "１", "1e1", "0x1"])
async def test_a_count_that_is_none_is_refused_by_the_form(bench: Api, typed: str):
    await refused(set_rules(bench, "maria", Rule(kind="change"), needs=typed), "whole number")


@pytest.mark.parametrize("who", ["ana", "ben", "carla"])
async def test_only_administrators_change_rules_groups_and_people(bench: Api, who: str):
    group, me = await bench.group("Leads"), account(bench, who)
    rules = {"do": "save", "count": "0", "base": "", "change_needs": "1"}
    for path, fields in (
        ("settings/rules", rules),
        (f"settings/groups/{group}", {f"person-{me}": "1", "name": "Leads"}),
        (f"settings/people/{me}/role", {"role": "admin", "sure": "yes"}),
        ("settings/people", {"email": "me2@example.org", "role": "reviewer"}),
        (f"settings/people/{account(bench, 'maria')}/link", {}),
        ("settings/keys", {"name": "k", "scope": "checks"}),
    ):
        await refused(bench.form(who, path, **fields))


# --- 38: who counts ------------------------------------------------------------------------------


@over("form", "api", "command")
async def test_oneself_in_the_group_waits(bench: Api):
    group = await guard(bench, leads=("ben",))
    made = await bench.propose(create("clinical/a", "One"))
    await set_group(bench, "maria", group, "ben", "maria")
    await refused(agree(bench, "maria"), AGREED)
    await bench.review(made, "maria")
    await refused(bench.merge(made), "Leads")
    await refused(delete_group(bench, "maria", group), "A rule names")
    await agree(bench, "dora")
    await bench.merge(made)


@over("form", "api", "command")
async def test_a_second_account_of_an_administrator_gets_no_word_alone(bench: Api):
    """Maria invites herself under another address, and takes the link to it."""
    await guard(bench, Rule(kind="change", folder="clinical"))
    address = f"puppet.{bench.door}@example.org"
    await invite(bench, "maria", address, "reviewer")
    async with bench.database.read() as db:
        found = (await db.scalars(select(Account).where(Account.email == address))).one()
    bench.house.ids["puppet"] = found.id
    assert await role(bench, "puppet") == "editor"
    async with bench.database.write() as db:
        puppet = await db.get_one(Account, found.id)
        made = await own_keys.create(
            db, bench.workspace, "k", "write", account=puppet, actor=OPERATOR
        )
    bench.tokens["puppet"] = made.token
    offered = await bench.propose(create("clinical/a", "Evil"), by="maria")
    await bench.review(offered, "puppet")  # anybody may speak; it does not count
    await refused(bench.merge(offered, by="maria"), "one approval")
    await refused(agree(bench, "maria"), AGREED)
    for wanted in ("reviewer", "admin"):
        await set_role(bench, "maria", "puppet", wanted)
        assert await role(bench, "puppet") == "editor"
    await refused(bench.merge(offered, by="maria"), "one approval")
    await agree(bench, "dora")
    assert await role(bench, "puppet") == "admin"


@over("form", "api", "command")
async def test_nor_does_who_was_removed_come_back_with_one(bench: Api):
    """By an undo, or invited anew: Ben by his role, Carla because a rule names her."""
    carla = f"person:{account(bench, 'carla')}"
    await guard(bench, Rule(kind="change", folder="clinical", who=("role:reviewer", carla)))
    for who in ("ben", "carla"):
        await remove(bench, "maria", who)
        await refused(put_back(bench, "maria", who), AGREED)
        assert await role(bench, who) is None
    await refused(invite(bench, "maria", "carla@example.org", "viewer"), AGREED)


@over("form", "api", "command")
async def test_nobody_signs_in_as_somebody_whose_word_counts(bench: Api):
    """A link for a lost password would be one's colleague's word. Ida is in a group that a rule
    names; Zoe's word counts for nothing."""
    roles = {"rex": "reviewer", "ada": "admin", "ida": "editor", "zoe": "viewer"}
    for who, as_ in roles.items():
        await bench.joins(f"{who} {bench.door}", who, f"{who}.{bench.door}@example.org", as_)
    group = await bench.group("Heads", f"ida {bench.door}")
    await guard(bench, Rule(kind="change", folder="clinical", who=(f"group:{group}",)))
    for who in ("rex", "ada", "ida"):
        await refused(link(bench, "maria", f"{who} {bench.door}"), "word counts here")
    await link(bench, "maria", f"zoe {bench.door}")


@over("form", "api", "command")
async def test_less_of_a_word_needs_nobody_and_free_workspaces_are_as_before(bench: Api):
    await set_role(bench, "maria", "ana", "reviewer")
    await guard(bench)
    await set_role(bench, "maria", "ana", "viewer")
    await set_role(bench, "maria", "dora", "reviewer")
    assert (await role(bench, "ana"), await role(bench, "dora")) == ("viewer", "reviewer")
    async with bench.database.read() as db:
        here = (AuditEntry.workspace_id == bench.workspace.id, AuditEntry.action.like("member.c%"))
        assert len(list(await db.scalars(select(AuditEntry).where(*here)))) == 3


# --- 40: deleted and made anew -------------------------------------------------------------------


@over("form", "api", "command")
async def test_a_group_made_anew_is_another_group(bench: Api):
    """Whoever deletes a group and makes one of its name has not got into the rules."""
    await bench.form("maria", "settings/groups", name="Leads")
    group = await bench.group("Others")
    await delete_group(bench, "maria", group)
    rule = Rule(kind="change", who=(f"group:{group}",))
    await refused(set_rules(bench, "maria", rule), "a group that is not here")
