"""Ways round review, G: the rules themselves moved, or who counts by them (36–40).

Rules, groups and people are changed on the pages alone; no key and no command does it, but for the
operator's own at the data folder.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from hub.errors import Invalid
from hub.people import own_keys, rules_store
from hub.people.accounts import OPERATOR
from hub.people.models import Account, AuditEntry, Member, PolicyChange
from hub.people.rules import Policy, Rule
from tests.bench_of_review import create
from tests.rest_door import Api, Refused, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
AGREED = "another administrator"


async def guard(bench: Api, *rules: Rule, leads: tuple[str, ...] = ()) -> int:
    """Dora is an administrator, too; a change of the rules needs the other one. Returns a group
    that the rules name."""
    await bench.set_role("dora", "admin")
    group = await bench.group("Leads", *leads)
    made = rules or (Rule(kind="change", folder="clinical", who=(f"group:{group}",)),)
    await change(bench, "maria", *made, needs=1)
    assert (await force(bench)).change_needs == 1
    return group


async def force(bench: Api) -> Policy:
    async with bench.database.read() as db:
        return (await rules_store.read(db, bench.workspace.id)).policy


async def change(bench: Api, by: str, *rules: Rule, needs: int | str = 0) -> None:
    """The form of the rules, as the page fills it."""
    async with bench.database.read() as db:
        base = (await rules_store.read(db, bench.workspace.id)).policy_id
    fields = {"do": "save", "count": str(len(rules)), "base": str(base or "")}
    fields["change_needs"] = str(needs)
    for at, rule in enumerate(rules):
        fields |= {
            f"r{at}-kind": rule.kind, f"r{at}-folder": rule.folder, f"r{at}-label": rule.label,
            f"r{at}-approvals": str(rule.approvals),
        }  # fmt: skip
        fields |= {f"r{at}-who-{one}": "yes" for one in rule.who}
    await bench.form(by, "settings/rules", **fields)


async def waiting(bench: Api) -> int:
    """The change that waits."""
    async with bench.database.read() as db:
        query = select(PolicyChange.id).where(
            PolicyChange.workspace_id == bench.workspace.id, PolicyChange.accepted_at.is_(None),
            PolicyChange.declined_at.is_(None),
        )  # fmt: skip
        return (await db.scalars(query.order_by(PolicyChange.id.desc()))).first() or 0


async def role(bench: Api, who: str) -> str | None:
    async with bench.database.read() as db:
        here = (Member.workspace_id == bench.workspace.id, Member.account_id == account(bench, who))
        return await db.scalar(select(Member.role).where(*here))


def account(bench: Api, who: str) -> int:
    return bench.house.ids[who]


async def agree(bench: Api, by: str) -> None:
    await bench.form(by, f"settings/rules/{await waiting(bench)}/approve")


# --- 36, 37: the rules ---------------------------------------------------------------------------


async def test_weaker_rules_wait_where_rules_are_guarded(bench: Api):
    """36. A count of none, a deeper rule, no guard, no rules: all of it waits for the other."""
    group = await guard(bench)
    rule = Rule(kind="change", folder="clinical", who=(f"group:{group}",))
    made = await bench.propose(create("clinical/a", "One"))
    none = Rule(kind="change", folder="clinical", approvals=0)
    deep = Rule(kind="change", folder="clinical/a", approvals=0)
    before = await force(bench)
    for rules, needs in (((none,), 1), ((rule, deep), 1), ((rule,), 0), ((), 0)):
        await change(bench, "maria", *rules, needs=needs)
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
    await refused(change(bench, "maria", Rule(kind="change"), needs=typed), "whole number")


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


async def test_oneself_in_the_group_waits(bench: Api):
    group = await guard(bench, leads=("ben",))
    made = await bench.propose(create("clinical/a", "One"))
    fields = {f"person-{account(bench, who)}": "1" for who in ("ben", "maria")}
    await bench.form("maria", f"settings/groups/{group}", name="Leads", seen="", **fields)
    await refused(agree(bench, "maria"), AGREED)
    await bench.review(made, "maria")
    await refused(bench.merge(made), "Leads")
    await refused(bench.form("maria", f"settings/groups/{group}/delete"), "A rule names")
    await agree(bench, "dora")
    await bench.merge(made)


async def test_a_second_account_of_an_administrator_gets_no_word_alone(bench: Api):
    """Maria invites herself under another address, and takes the link to it."""
    await guard(bench, Rule(kind="change", folder="clinical"))
    address = "puppet@example.org"
    await bench.form("maria", "settings/people", email=address, name="Puppet", role="reviewer")
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
    path = f"settings/people/{found.id}/role"
    for wanted in ("reviewer", "admin"):
        await bench.form("maria", path, role=wanted)
        assert await role(bench, "puppet") == "editor"
    await refused(bench.merge(offered, by="maria"), "one approval")
    await agree(bench, "dora")
    assert await role(bench, "puppet") == "admin"


async def test_nor_does_who_was_removed_come_back_with_one(bench: Api):
    """By an undo, or invited anew: Ben by his role, Carla because a rule names her."""
    carla = f"person:{account(bench, 'carla')}"
    await guard(bench, Rule(kind="change", folder="clinical", who=("role:reviewer", carla)))
    for who in ("ben", "carla"):
        await bench.leaves(who)
        path = f"settings/people/{account(bench, who)}/back"
        await refused(bench.form("maria", path), AGREED)
        assert await role(bench, who) is None
    path = "settings/people"
    await refused(bench.form("maria", path, email="carla@example.org", role="viewer"), AGREED)


@pytest.mark.parametrize("who", ["ben", "dora", "ana", "carla"])
async def test_nobody_signs_in_as_somebody_whose_word_counts(bench: Api, who: str):
    """A link for a lost password would be one's colleague's word. Ana is in a group that a rule
    names; Carla's word counts for nothing."""
    group = await bench.group("Heads", "ana")
    await guard(bench, Rule(kind="change", folder="clinical", who=(f"group:{group}",)))
    path = f"settings/people/{account(bench, who)}/link"
    if who == "carla":
        await bench.form("maria", path)
    else:
        await refused(bench.form("maria", path), "Ask the operator")


async def test_less_of_a_word_needs_nobody_and_free_workspaces_are_as_before(bench: Api):
    def path(who: str) -> str:
        return f"settings/people/{account(bench, who)}/role"

    await bench.form("maria", path("ana"), role="reviewer")
    await guard(bench)
    await bench.form("maria", path("ana"), role="viewer")
    await bench.form("maria", path("dora"), role="reviewer")
    assert (await role(bench, "ana"), await role(bench, "dora")) == ("viewer", "reviewer")
    async with bench.database.read() as db:
        here = (AuditEntry.workspace_id == bench.workspace.id, AuditEntry.action.like("member.c%"))
        assert len(list(await db.scalars(select(AuditEntry).where(*here)))) == 3


# --- 40: deleted and made anew -------------------------------------------------------------------


async def test_a_group_made_anew_is_another_group(bench: Api):
    """Whoever deletes a group and makes one of its name has not got into the rules."""
    await bench.form("maria", "settings/groups", name="Leads")
    group = await bench.group("Others")
    await bench.form("maria", f"settings/groups/{group}/delete")
    rule = Rule(kind="change", who=(f"group:{group}",))
    await refused(change(bench, "maria", rule), "a group that is not here")


async def test_no_key_reaches_the_rules(bench: Api):
    """Neither an administrator's own nor an app's: there is no such door."""
    bot = await bench.bot("app", maker="maria")
    for who in ("maria", bot):
        for path in ("policy", "rules", "groups", "people", "keys"):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                with pytest.raises(Refused):
                    await bench.ask(who, method, path, {})
