"""Ways round review, G again: which keys reach the rules, the groups and the people. A key never
does more than its owner, in no other workspace, and administers only if it was made for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.db import now
from hub.people import keys
from hub.people.models import Account
from hub.people.rules import Rule
from tests.bench_of_review import create
from tests.governing import (
    account,
    agree,
    delete_group,
    email,
    force,
    invite,
    key,
    link,
    make_group,
    promote,
    put_back,
    remove,
    role,
    set_group,
    set_role,
    set_rules,
)  # fmt: skip
from tests.over_doors import bench_in, over
from tests.rest_door import Api, House, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLINICAL = Rule(kind="change", folder="clinical")
Deed = Callable[[Api, str], Awaitable[Any]]


async def everything(bench: Api) -> dict[str, Deed]:
    """All that only an administrator does, each by whoever is named."""
    group = await bench.group("Leads", "ana")
    return {
        "no rules": lambda at, by: set_rules(at, by),
        "agree": lambda at, by: agree(at, by),
        "decline": lambda at, by: agree(at, by, decline=True),
        "a group": lambda at, by: make_group(at, by, "Friends"),
        "into the group": lambda at, by: set_group(at, by, group, "ana", "ben"),
        "no group": lambda at, by: delete_group(at, by, group),
        "a puppet": lambda at, by: invite(at, by, f"puppet.{at.door}@example.org", "reviewer"),
        "a role": lambda at, by: set_role(at, by, "carla", "admin"),
        "out": lambda at, by: remove(at, by, "dora"),
        "back": lambda at, by: put_back(at, by, "dora"),
        "a link": lambda at, by: link(at, by, "carla"),
    }


async def nothing_of(bench: Api, deeds: dict[str, Deed], by: str, match: str) -> None:
    """None of it, and nothing changed."""
    before = await bench.mark(), await force(bench)
    for deed in deeds.values():
        await refused(deed(bench, by), match)
    assert (await bench.mark(), await force(bench)) == before


async def guarded(bench: Api) -> dict[str, Deed]:
    """There is something to undo: a rule, and a change that waits."""
    deeds = await everything(bench)
    await promote(bench, "dora")
    await set_rules(bench, "maria", CLINICAL, needs=1)
    await set_rules(bench, "maria", Rule(kind="change", folder="clinical", approvals=0), needs=1)
    return deeds


@over()
async def test_nobody_comes_back_into_a_group_that_others_are_asked_to_agree_to(bench: Api):
    """Whoever agrees has seen a group without them."""
    await promote(bench, "dora")
    await set_rules(bench, "maria", CLINICAL, needs=1)
    group = await make_group(bench, "maria", "Leads", "ben", "carla")
    await remove(bench, "maria", "carla")
    leads = Rule(kind="change", folder="clinical", who=(f"group:{group}",))
    await set_rules(bench, "maria", leads, needs=1)
    await refused(put_back(bench, "maria", "carla"), "another administrator has to agree")
    await agree(bench, "dora")
    await refused(put_back(bench, "maria", "carla"), "another administrator has to agree")
    assert await role(bench, "carla") is None


@over("api", "command")
@pytest.mark.parametrize("who", ["ana", "ben", "carla"])
async def test_a_key_does_not_more_than_its_owner(bench: Api, who: str):
    await nothing_of(bench, await guarded(bench), who, "cannot change this workspace's settings")


@over("api", "command")
@pytest.mark.parametrize("scope", ["read", "write"])
async def test_an_administrator_s_other_keys_administer_nothing(bench: Api, scope: str):
    deeds = await guarded(bench)
    await nothing_of(bench, deeds, await key(bench, "maria", scope), "key for administering")


@over("api", "command")
@pytest.mark.parametrize("scope", ["read", "write", "checks", "run"])
async def test_an_app_s_key_administers_nothing(bench: Api, scope: str):
    deeds = await guarded(bench)
    bot = await bench.bot(f"app {scope}", maker="maria", scope=scope)
    await nothing_of(bench, deeds, bot, "key for administering|does not read who")
    for path in ("people", "groups"):
        await refused(bench.ask(bot, "GET", path), "does not read who belongs here")
    for path in ("audit", "audit.jsonl"):
        await refused(bench.ask(bot, "GET", path), "cannot change")


@over("api", "command")
async def test_a_key_of_another_workspace_finds_nothing_here(house: House, bench: Api):
    """Maria administers both; what her key for the other one names, is not there."""
    deeds = await guarded(bench)
    for some in ("agree", "decline", "into the group", "no group"):
        assert some in deeds
    other = await bench_in(house, bench.door)
    bench.tokens["elsewhere"] = other.tokens["maria"]
    mark = await bench.mark()
    for name in ("agree", "decline", "into the group", "no group"):
        await refused(deeds[name](bench, "elsewhere"), "no such|There is no group")
    await bench.joins("zoe", "Zoe", f"zoe.{bench.door}@example.org", "viewer")
    mark = await bench.mark()
    for deed in (set_role(bench, "elsewhere", "zoe", "admin"), remove(bench, "elsewhere", "zoe"),
                 link(bench, "elsewhere", "zoe")):  # fmt: skip
        await refused(deed, "no such member|not a member")
    body = {"name": "Mine", "members": [await email(bench, "zoe")]}
    await refused(bench.ask("elsewhere", "POST", "groups", body), "not a member")
    rule = {"rule": {"kind": "change", "who": [f"person:{account(bench, 'zoe')}"]}}
    await refused(bench.ask("elsewhere", "POST", "policy/rules", rule), "not a member")
    assert await bench.mark() == mark


@over("api", "command")
async def test_a_key_ends_with_what_its_owner_was(bench: Api):
    """Demoted, disabled, removed; and revoked."""
    deeds = await guarded(bench)
    await bench.set_role("dora", "reviewer")
    await nothing_of(bench, deeds, "dora", "cannot change this workspace's settings")
    await promote(bench, "ben")
    async with bench.database.write() as db:
        (await db.get_one(Account, account(bench, "ben"))).disabled_at = now()
    await nothing_of(bench, deeds, "ben", "unknown or was revoked")
    async with bench.database.write() as db:
        (await db.get_one(Account, account(bench, "ben"))).disabled_at = None
    await bench.leaves("ben")
    await nothing_of(bench, deeds, "ben", "unknown or was revoked")
    number = keys.id_of(bench.tokens["maria"])
    await bench.form("maria", f"settings/keys/{number}/revoke")
    await nothing_of(bench, deeds, "maria", "unknown or was revoked")


@over("form", "api", "command")
async def test_whoever_was_removed_meanwhile_changes_nothing(
    bench: Api, monkeypatch: pytest.MonkeyPatch
):
    """Between the door, which admitted them, and the deed, which reads their role again."""
    from hub.people import gate

    deeds = await guarded(bench)
    admitted = gate.require

    def late(*given: Any) -> None:
        """As if every check at a door had been made a moment ago."""
        if given[1] is not gate.Need.ADMIN:
            admitted(*given)

    await bench.set_role("maria", "reviewer")
    monkeypatch.setattr(gate, "require", late)
    before = await force(bench)
    for deed in deeds.values():
        await refused(deed(bench, "maria"), "no administrator here any more|settings")
    assert await force(bench) == before
    assert await role(bench, "dora") == "admin"


@over("api", "command")
async def test_a_key_is_worth_no_sign_in_beyond_itself(house: House, bench: Api):
    """A link to its owner's account, or to a workspace that the key is not for."""
    await bench.joins("uma", "Uma", f"uma.{bench.door}@example.org", "admin")
    await refused(link(bench, "uma", "uma"), "no link that signs in as its owner")
    await refused(link(bench, "maria", "maria"))
    other = await bench_in(house, bench.door)
    async with other.database.write() as db:
        await other.enter(db, "uma", "admin")
    await refused(link(bench, "maria", "uma"), "this key is not for")
    for method, path in (("POST", "keys"), ("GET", "keys"), ("POST", "account/keys")):
        await refused(bench.ask("maria", method, path, {}))


@over("api", "command")
async def test_breaking_glass_takes_a_key_for_administering(bench: Api):
    await set_rules(bench, "maria", CLINICAL)
    made = await bench.propose(create("clinical/a", "One"))
    other = await key(bench, "maria", "write")
    await refused(bench.merge(made, by=other, broke_glass="Now!"), "break glass")
    await bench.merge(made, by="maria", broke_glass="A patient was sent home")


@over("api", "command")
async def test_changed_by_one_administrator_and_agreed_to_by_the_other(bench: Api):
    """The way that is open: nothing counts before the other one said so, with their own key."""
    await guarded(bench)
    await refused(agree(bench, "maria"), "another administrator")
    narrow = await key(bench, "dora", "write")
    await refused(agree(bench, narrow), "key for administering")
    assert (await force(bench)).rules == (CLINICAL,)
    await agree(bench, "dora")
    assert (await force(bench)).rules[0].approvals == 0
