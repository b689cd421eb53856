"""Ways round review, D and G: a label brought to an unapproved text by a detour; the rules moved.

Attempts 5, 6, 22–25 and 36–40 of `docs/security.md`; over which doors a label moves at all is
`test_bypass_doors`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from hub.db import Database, now
from hub.errors import Conflict, Forbidden, Invalid
from hub.people import accounts, groups, keys, own_keys, policy_changes, rules_store, workspaces
from hub.people.models import Account
from hub.people.policy import Actor
from hub.people.rules import GroupEdit, Policy, Rule
from hub.registry import scheduled, versions
from hub.registry.models import Prompt
from hub.registry.releases import Move
from hub.registry.review import proposals
from tests.bench_of_review import Bench, change, create, make_bench
from tests.shelf import saying

CHANGE = Rule(kind="change", folder="clinical")
LIVE = Rule(kind="release", folder="clinical", label="production")
Wanted = proposals.Wanted


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


async def refused(doing: Any, match: str | None = None) -> None:
    with pytest.raises(proposals.NeedsReview, match=match):
        await doing


async def approved(bench: Bench, *wanted: Wanted, **more: Any) -> None:
    """Proposed by Ana, approved by Dora, merged by Ben."""
    made = await bench.propose(*wanted, **more)
    await bench.review(made, "dora")
    await bench.merge(made)


# --- 25: back to what was never approved ---------------------------------------------------------


async def evil_before_the_rules(bench: Bench, name: str) -> None:
    """Version 1 is Ben's and was live, version 2 is Ana's and is live."""
    one = await bench.save(name, "Evil", actor=bench.ben)
    await bench.move(name, 1, by="ben")
    await bench.save(name, "Good", base=one.hash)
    await bench.move(name, 2, by="ben")


async def test_what_went_live_elsewhere_is_nothing_to_go_back_to(bench: Bench):
    """Live without rules in free/, then renamed into clinical/ by a review of what is live."""
    await evil_before_the_rules(bench, "free/a")
    await bench.rule(CHANGE, LIVE)
    made = await bench.propose(Wanted(kind="rename", name="free/a", new_name="clinical/a"))
    await bench.review(made, "dora")
    await bench.merge(made, by="dora")
    await refused(bench.move("clinical/a", 1, by="ben"), "one approval")
    assert await bench.live("clinical/a") == 2
    await bench.move("clinical/a", 1, by="dora")  # who did not write it


async def test_a_detour_by_names_under_the_same_rule_hinders_no_roll_back(bench: Bench):
    await bench.rule(Rule(kind="release", folder="clinical", label="production", approvals=0))
    await evil_before_the_rules(bench, "clinical/a")
    await bench.rule(CHANGE, LIVE)
    await approved(bench, Wanted(kind="rename", name="clinical/a", new_name="clinical/b"))
    await bench.move("clinical/b", 1, by="ben")


@pytest.mark.parametrize("off", [True, False])
async def test_going_to_and_fro_reaches_only_what_the_rules_allowed(bench: Bench, off: bool):
    one = await bench.save("clinical/a", "One", actor=bench.ben)
    two = await bench.save("clinical/a", "Two", base=one.hash, actor=bench.ben)
    await bench.save("clinical/a", "Three", base=two.hash, actor=bench.ben)
    await bench.rule(LIVE)
    await bench.move("clinical/a", 1, by="dora")
    await refused(bench.move("clinical/a", 2, by="ben"))
    await bench.move("clinical/a", 2, by="maria")
    if off:
        await bench.move("clinical/a", None, by="ben")
        await bench.move("clinical/a", 2, by="ben")  # it was live, and is again
    await refused(bench.move("clinical/a", 3, by="ben"))
    await bench.move("clinical/a", 1, by="ben" if not off else "dora")
    await refused(bench.move("clinical/a", 3, by="ben"))


async def test_broken_glass_leads_nowhere_later(bench: Bench):
    one = await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.save("clinical/a", "Evil", base=one.hash, actor=bench.people["maria"])
    await bench.rule(Rule(kind="release", folder="clinical", label="production", approvals=2))
    await bench.move("clinical/a", 1, by="maria", broke_glass="Now")
    await bench.move("clinical/a", 2, by="maria", broke_glass="Now")
    for by in ("ben", "maria", "dora"):
        await refused(bench.move("clinical/a", 1, by=by))
    await bench.move("clinical/a", None, by="maria", broke_glass="Away")
    for by in ("ben", "maria", "dora"):
        await refused(bench.move("clinical/a", 2, by=by))


# --- 22, 23, 40: the same words again ------------------------------------------------------------


async def test_the_same_words_under_another_id_were_never_approved(bench: Bench):
    """22, 40. An approval is of one prompt's content: a twin, an import, one made anew has none."""
    await bench.save("clinical/a", "One")
    await bench.rule(LIVE)
    await approved(bench, change("clinical/a", "Two"), target="production")
    await bench.move("clinical/a", 2, by="ben")
    await bench.save("clinical/twin", "Two", actor=bench.ben)
    await refused(bench.move("clinical/twin", 1, by="ben"))
    await versions.delete(bench.publisher, bench.workspace, "clinical/a", actor=bench.ben)
    await versions.save_many(
        bench.publisher, bench.workspace, [("clinical/a", saying("Two"))], actor=bench.ben,
        message="",
    )  # fmt: skip
    await refused(bench.move("clinical/a", 1, by="ben"))


async def test_an_id_that_was_somebody_s_is_not_given_again(bench: Bench):
    """An import that names the id of a deleted, ruled prompt makes a prompt of its own."""
    saved = await bench.save("clinical/a", "One")
    await bench.rule(CHANGE)
    await approved(bench, Wanted(kind="delete", name="clinical/a"))
    for name, document in (("free/a", saying("Evil", id=saved.id)), ("free/b", saying("Evil"))):
        (made,) = await versions.save_many(
            bench.publisher, bench.workspace, [(name, document)], actor=bench.ana, message=""
        )
        assert made.id != saved.id
    wanted = Wanted(
        kind="create", name="free/c", document=saying("Evil", id=saved.id), prompt_id=saved.id
    )
    await bench.merge(await bench.propose(wanted))
    async with bench.database.read() as db:
        names = await db.scalars(select(Prompt.name).where(Prompt.id == saved.id))
        assert names.one() == "clinical/a"  # deleted, and nobody else


async def test_restoring_takes_nobody_s_name_off_the_words(bench: Bench):
    """23. Ben wrote them; whoever restores them, Ben does not release them."""
    one = await bench.save("clinical/a", "Evil", actor=bench.ben)
    await bench.save("clinical/a", "Good", base=one.hash)
    await versions.restore(bench.publisher, bench.workspace, "clinical/a", 1, actor=bench.ana)
    await bench.rule(LIVE)
    await refused(bench.move("clinical/a", 3, by="ben"))
    await bench.move("clinical/a", 3, by="dora")


# --- 5, 24: other names for the same -------------------------------------------------------------


async def test_a_person_by_another_name_is_the_same(bench: Bench):
    """5. The name that stands under a version can be changed; who one is cannot."""
    await bench.rule(CHANGE)
    made = await bench.propose(create("clinical/a", "One"), by="ben")
    async with bench.database.write() as db:
        await accounts.rename(db, bench.ben.account_id or 0, "Somebody Else")
        account = await db.get_one(Account, bench.ben.account_id)
        place = workspaces.WorkspaceRef(bench.workspace.id, "ward", "Ward")
        made_key = await own_keys.create(
            db, place, "script", "write", account=account, actor=accounts.person(account)
        )
    grant = await keys.KeyTable(bench.database).find(made_key.token)
    assert grant is not None
    bench.people["script"] = grant.actor
    bench.people["renamed"] = msgspec.structs.replace(bench.ben, name="Somebody Else")
    for who in ("ben", "renamed", "script"):
        with pytest.raises(Forbidden, match="somebody else"):
            await bench.review(made, who)
        await refused(bench.merge(made, by=who))


async def test_a_rule_for_any_label_holds_for_every_name_of_one(bench: Bench):
    """24. A rule for one label says nothing of another; one for any label does."""
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(LIVE)
    await bench.move("clinical/a", 1, by="ben", label="prod")
    assert await bench.live("clinical/a") is None
    await bench.move("clinical/a", None, by="ben", label="prod")
    await bench.rule(Rule(kind="release", folder="clinical"))
    for label in ("live", "production", "staging", "production-2"):
        await refused(bench.move("clinical/a", 1, by="ben", label=label))


async def test_a_schedule_is_no_way_round(bench: Bench):
    """Only a person schedules, and never what an app's key or a stranger asks for."""
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(LIVE)
    due, moves = now() + timedelta(hours=1), [Move("production", "clinical/a", 1)]
    key = Actor(
        kind="key", name="key ci", email="", key_id="k", workspace_id=bench.workspace.id,
        role="key:write",
    )  # fmt: skip
    for actor in (key, bench.people["carla"], bench.ana):
        with pytest.raises(Forbidden):
            await scheduled.schedule(
                bench.database, bench.workspace, moves, due, actor=actor, reason="Later"
            )


# --- 36–40: the rules themselves -----------------------------------------------------------------


async def offer(bench: Bench, policy: Policy, by: str = "maria") -> policy_changes.Outcome:
    async with bench.database.write() as db:
        force = await rules_store.read(db, bench.workspace.id)
        return await policy_changes.propose(
            db, bench.workspace.id, policy, base_id=force.policy_id, why="",
            actor=bench.people[by],
        )  # fmt: skip


async def test_weaker_rules_wait_where_rules_are_guarded(bench: Bench):
    """36, 38. A count of none, fewer rules, no guard, oneself in the group: all of it waits."""
    await bench.set_role("dora", "admin")
    leads = await bench.group("Leads", "ben")
    guarded = Policy(
        rules=(Rule(kind="change", folder="clinical", who=(f"group:{leads}",)),), change_needs=1
    )
    assert (await offer(bench, guarded)).accepted
    made = await bench.propose(create("clinical/a", "One"), by="ana")
    for weaker in (
        Policy(rules=(Rule(kind="change", folder="clinical", approvals=0),), change_needs=1),
        Policy(rules=(*guarded.rules, Rule(kind="change", folder="clinical/a", approvals=0)),
               change_needs=1),
        Policy(rules=guarded.rules),
        Policy(),
    ):  # fmt: skip
        assert not (await offer(bench, weaker)).accepted
    await bench.review(made, "maria")
    async with bench.database.write() as db:
        edit = GroupEdit(group_id=leads, add=(bench.people["maria"].account_id or 0,))
        done = await policy_changes.edit_group(
            db, bench.workspace.id, edit, actor=bench.people["maria"]
        )
        assert not done.accepted
        assert done.id is not None
        with pytest.raises(Forbidden, match="another administrator"):
            await policy_changes.approve(
                db, bench.workspace.id, done.id, actor=bench.people["maria"]
            )
    await refused(bench.merge(made), "Leads")
    async with bench.database.write() as db:
        with pytest.raises(Conflict):
            await policy_changes.delete_group(
                db, bench.workspace.id, leads, actor=bench.people["maria"]
            )


@pytest.mark.parametrize("count", [True, False, -1, 11, 1.5, "0", None])
def test_a_count_that_is_none_is_refused(count: Any) -> None:
    """37."""
    with pytest.raises(Invalid):
        Rule(kind="change", approvals=count)
    with pytest.raises(Invalid):
        Policy(change_needs=count)


async def test_a_group_made_anew_is_another_group(bench: Bench):
    """40. Whoever deletes a group and makes one of its name has not got into the rules."""
    place = bench.workspace.id
    maria = bench.people["maria"]
    async with bench.database.write() as db:
        free = await groups.make(db, place, "Leads", actor=maria)
        number = free.id
        await policy_changes.delete_group(db, place, number, actor=maria)
    with pytest.raises(Invalid, match="a group that is not here"):
        await offer(bench, Policy(rules=(Rule(kind="change", who=(f"group:{number}",)),)))


async def test_a_prompt_does_not_move_from_under_the_rules(bench: Bench):
    """39. There is no moving between workspaces; between folders it is a change of both."""
    await bench.save("clinical/a", "One")
    await bench.save("free/a", "One")
    await bench.rule(CHANGE)
    place = (bench.publisher, bench.workspace)
    for old, new in (("clinical/a", "free/b"), ("free/a", "clinical/b")):
        await refused(versions.rename(*place, old, new, actor=bench.people["maria"]))
        made = await bench.propose(Wanted(kind="rename", name=old, new_name=new))
        await refused(bench.merge(made))
    assert bench.git("ls-tree", "-r", "--name-only", "main").split() == [
        "clinical/a.prompt.yml", "free/a.prompt.yml",
    ]  # fmt: skip
