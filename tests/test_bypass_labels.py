"""Ways round review, D: a label brought to an unapproved text by a detour, over every door where
the attempt exists. Over which doors a label moves at all is `test_bypass_doors`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from hub.db import now
from hub.people.rules import Rule
from hub.registry.models import Prompt
from hub.registry.prompt.document import to_json
from hub.registry.review import proposals
from tests.bench_of_review import change, create
from tests.over_doors import over
from tests.rest_door import Api, refused
from tests.shelf import saying

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANGE = Rule(kind="change", folder="clinical")
LIVE = Rule(kind="release", folder="clinical", label="production")
TWO = Rule(kind="release", folder="clinical", label="production", approvals=2)
Wanted = proposals.Wanted


async def approved(bench: Api, *wanted: Wanted, **more: Any) -> None:
    """Proposed by Ana, approved by Dora, merged by Ben."""
    made = await bench.propose(*wanted, **more)
    await bench.review(made, "dora")
    await bench.merge(made)


# --- who moves it, and for which label -----------------------------------------------------------


@over("form", "api", "command")
async def test_moving_a_label_needs_somebody_who_did_not_write_it(bench: Api):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(LIVE)
    await refused(bench.move("clinical/a", 1, by="ben"), "one approval")
    await refused(bench.move("clinical/a", 1, by="ana"), "move labels")
    await bench.move("clinical/a", 1, by="dora")
    await bench.move("clinical/a", 1, by="ben", label="staging")


@over("form", "api", "command")
async def test_what_was_approved_for_one_label_is_not_approved_for_another(bench: Api):
    await bench.save("clinical/a", "One")
    await bench.rule(CHANGE, TWO)
    made = await bench.propose(change("clinical/a", "Two"), target="staging")
    await bench.review(made, "ben", "dora")
    await bench.merge(made)
    await refused(bench.move("clinical/a", 2, by="maria"), "one more approval")


@over("form", "api", "command")
async def test_an_approval_on_record_lets_the_label_move_later(bench: Api):
    await bench.save("clinical/a", "One")
    await bench.rule(CHANGE, TWO)
    made = await bench.propose(change("clinical/a", "Two"), target="production")
    await bench.review(made, "ben", "dora")
    await bench.merge(made)
    assert await bench.live("clinical/a") is None
    await bench.assert_rebuilds()
    await bench.move("clinical/a", 2, by="ben")


@over("form", "api", "command")
async def test_only_those_named_may_release(bench: Api):
    leads = await bench.group("Leads", "dora")
    await bench.save("clinical/a", "One")
    may = (f"group:{leads}",)
    await bench.rule(Rule(kind="release", folder="clinical", approvals=0, may_release=may))
    await refused(bench.move("clinical/a", 1, by="ben"), "Only Leads")
    await bench.move("clinical/a", 1, by="dora")


@over("form", "api", "command")
async def test_a_rule_for_any_label_holds_for_every_name_of_one(bench: Api):
    """24. A rule for one label says nothing of another; one for any label does."""
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(LIVE)
    await bench.move("clinical/a", 1, by="ben", label="prod")
    assert await bench.live("clinical/a") is None
    await bench.move("clinical/a", None, by="ben", label="prod")
    await bench.rule(Rule(kind="release", folder="clinical"))
    for label in ("live", "production", "staging", "production-2"):
        await refused(bench.move("clinical/a", 1, by="ben", label=label), "one approval")


# --- 25: back to what was never approved ---------------------------------------------------------


async def evil_before_the_rules(bench: Api, name: str) -> None:
    """Version 1 is Ben's and was live, version 2 is Ana's and is live."""
    one = await bench.save(name, "Evil", actor=bench.ben)
    await bench.move(name, 1, by="ben")
    await bench.save(name, "Good", base=one.hash)
    await bench.move(name, 2, by="ben")


@over("form", "api", "command")
async def test_going_back_to_what_was_live_needs_no_approval_again(bench: Api):
    await evil_before_the_rules(bench, "clinical/a")
    await bench.rule(LIVE)
    await refused(bench.move("clinical/a", 1, by="ana"), "move labels")
    await bench.move("clinical/a", 1, by="ben")  # undo: his own text, but it was live before
    await bench.move("clinical/a", 2, by="ben")


@over("form", "api", "command")
async def test_what_went_live_elsewhere_is_nothing_to_go_back_to(bench: Api):
    """Live without rules in free/, then renamed into clinical/ by a review of what is live."""
    await evil_before_the_rules(bench, "free/a")
    await bench.rule(CHANGE, LIVE)
    made = await bench.propose(Wanted(kind="rename", name="free/a", new_name="clinical/a"))
    await bench.review(made, "dora")
    await bench.merge(made, by="dora")
    await refused(bench.move("clinical/a", 1, by="ben"), "one approval")
    assert await bench.live("clinical/a") == 2
    await bench.move("clinical/a", 1, by="dora")  # who did not write it


async def test_a_detour_by_names_under_the_same_rule_hinders_no_roll_back(bench: Api):
    await bench.rule(Rule(kind="release", folder="clinical", label="production", approvals=0))
    await evil_before_the_rules(bench, "clinical/a")
    await bench.rule(CHANGE, LIVE)
    await approved(bench, Wanted(kind="rename", name="clinical/a", new_name="clinical/b"))
    await bench.move("clinical/b", 1, by="ben")


@over("form", "api", "command")
@pytest.mark.parametrize("off", [True, False])
async def test_going_to_and_fro_reaches_only_what_the_rules_allowed(bench: Api, off: bool):
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


@over("form", "api", "command")
async def test_broken_glass_leads_nowhere_later(bench: Api):
    one = await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.save("clinical/a", "Evil", base=one.hash, actor=bench.people["maria"])
    await bench.rule(TWO)
    await bench.move("clinical/a", 1, by="maria", broke_glass="Now")
    await bench.move("clinical/a", 2, by="maria", broke_glass="Now")
    for by in ("ben", "maria", "dora"):
        await refused(bench.move("clinical/a", 1, by=by))
    await bench.move("clinical/a", None, by="maria", broke_glass="Away")
    for by in ("ben", "maria", "dora"):
        await refused(bench.move("clinical/a", 2, by=by))


# --- 22, 23, 40: the same words again ------------------------------------------------------------


@over("form", "api", "command")
async def test_the_same_words_under_another_id_were_never_approved(bench: Api):
    """22, 40. An approval is of one prompt's content: a twin, an import, one made anew has none."""
    await bench.save("clinical/a", "One")
    await bench.rule(LIVE)
    await approved(bench, change("clinical/a", "Two"), target="production")
    await bench.move("clinical/a", 2, by="ben")
    await bench.save("clinical/twin", "Two", actor=bench.ben)
    await refused(bench.move("clinical/twin", 1, by="ben"), "one approval")
    await bench.delete("clinical/a", by="ben")
    await bench.save("clinical/a", "Two", actor=bench.ben)
    await refused(bench.move("clinical/a", 1, by="ben"), "one approval")
    await bench.import_("clinical/c", "Two")
    await bench.rule(TWO)
    await refused(bench.move("clinical/c", 1, by="dora"), "one more approval")


@over("api", "git", "import")
async def test_an_id_that_was_somebody_s_is_not_given_again(bench: Api):
    """A file that names the id of a deleted, ruled prompt makes a prompt of its own."""
    saved = await bench.save("clinical/a", "One")
    await bench.rule(CHANGE)
    await approved(bench, Wanted(kind="delete", name="clinical/a"))
    evil = saying("Evil", id=saved.id)
    if bench.door == "import":
        await bench.import_("free/a", evil)
    elif bench.door == "git":
        await bench.merge(await bench.propose(create("free/a", "Evil", id=saved.id)))
    else:
        body = {"document": to_json(evil), "base": None}
        await bench.ask("ana", "POST", "versions/free/a", body)
        wanted = Wanted(kind="create", name="free/c", document=evil, prompt_id=saved.id)
        await bench.merge(await bench.propose(wanted))
    async with bench.database.read() as db:
        here = Prompt.workspace_id == bench.workspace.id
        names = await db.scalars(select(Prompt.name).where(here, Prompt.id == saved.id))
        assert names.one() == "clinical/a"  # deleted, and nobody else


@over("form", "api", "command")
async def test_restoring_takes_nobody_s_name_off_the_words(bench: Api):
    """23. Ben wrote them, or restored them; he does not release them."""
    one = await bench.save("clinical/a", "Evil", actor=bench.ben)
    two = await bench.save("clinical/a", "Good", base=one.hash)
    await bench.restore("clinical/a", 1, by="ana")
    await bench.save("clinical/b", "Good", actor=bench.ana)
    assert two.version == 2
    await bench.restore("clinical/a", 2, by="ben")
    await bench.rule(LIVE)
    for version in (1, 3, 4):
        await refused(bench.move("clinical/a", version, by="ben"), "one approval")
    await bench.move("clinical/a", 3, by="dora")


@over("form", "api", "command")
async def test_deleting_and_making_anew_is_no_way_round(bench: Api):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.move("clinical/a", 1, by="dora")
    await bench.rule(LIVE)
    await bench.delete("clinical/a", by="ben")  # taking off: ben may
    await bench.save("clinical/a", "Evil", actor=bench.ben)
    await refused(bench.move("clinical/a", 1, by="ben"), "one approval")


# --- 5, 39: other names for the same -------------------------------------------------------------


@over()
async def test_a_person_by_another_name_is_the_same(bench: Api):
    """5. The name that stands under a version can be changed; who one is cannot."""
    await bench.joins("eve", "Eve", f"eve.{bench.door}@example.org")
    await bench.save("clinical/a", "One")
    await bench.rule(CHANGE)
    made = await bench.propose(change("clinical/a", "Two"), by="eve")
    named = {"name": "Somebody Else"}
    sent = await bench.house.browsers["eve"].post_form("/account/name", named)
    assert sent.status_code == 303, sent.text
    await refused(bench.review(made, "eve"), "somebody else")
    await refused(bench.merge(made, by="eve"), "one approval")


@over()
async def test_a_prompt_does_not_move_from_under_the_rules(bench: Api):
    """39. There is no moving between workspaces; between folders it is a change of both."""
    await bench.save("clinical/a", "One")
    await bench.save("free/a", "One")
    await bench.rule(CHANGE)
    for old, new in (("clinical/a", "free/b"), ("free/a", "clinical/b")):
        await refused(bench.rename(old, new, by="maria"), "need review by")
        made = await bench.propose(Wanted(kind="rename", name=old, new_name=new))
        await refused(bench.merge(made), "one approval")
    assert bench.git("ls-tree", "-r", "--name-only", "main").split() == [
        "clinical/a.prompt.yml", "free/a.prompt.yml",
    ]  # fmt: skip


async def test_a_rename_does_not_carry_a_live_prompt_past_the_rule(bench: Api):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.move("clinical/a", 1, by="dora")
    await bench.save("free/b", "Evil", actor=bench.ben)
    await bench.move("free/b", 1, by="ben")
    await bench.rule(LIVE)
    for by in ("ana", "ben"):
        await refused(bench.rename("clinical/a", "free/a", by=by))
    await refused(bench.rename("free/b", "clinical/b", by="ben"), "one approval")


async def test_a_schedule_is_no_way_round(bench: Api):
    """Only a person schedules, by the form; when it is due, it is judged (`test_scheduled`)."""
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(LIVE)
    due = (now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    for who in ("carla", "ana"):
        later = {"version": "1", "expected": "", "reason": "Later", "when": "later", "due": due}
        await refused(bench.form(who, "release/production/clinical/a", **later), "cannot move")
