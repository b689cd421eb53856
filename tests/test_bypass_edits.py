"""Ways round review, B: changing what was approved (7–12), and words that do not count, over every
door where the attempt exists."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from hub.outbox import Event
from hub.people.models import AuditEntry
from hub.people.rules import Rule
from hub.registry.models import LabelMove
from hub.registry.review.models import Merge
from hub.registry.review.propose import Made
from tests.bench_of_review import change
from tests.over_doors import over
from tests.rest_door import Api, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLINICAL = Rule(kind="change", folder="clinical")
LIVE = Rule(kind="release", folder="clinical", label="production")
MOVED_ON = "has changed since you looked"


async def proposed(bench: Api, text: str = "Two", by: str = "ana", **more: Any) -> Made:
    """A change of clinical/a, which has one version, with the rules in force."""
    await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL, LIVE)
    return await bench.propose(change("clinical/a", text), by=by, **more)


# --- 7, 8, 10, 12: another text ------------------------------------------------------------------


EDITS: list[tuple[str, dict[str, Any]]] = [
    ("Two.", {}),
    ("Two. ", {}),
    ("Two. \u200b", {}),
    ("Two. \u200b", {"description": "More"}),
    ("Two. \u200b", {"description": "More", "parameters": {"temperature": 2.0}}),
]


@over()
async def test_any_edit_after_the_approval_voids_it(bench: Api):
    """A letter, a blank, what nobody sees, the description, a setting: each another content."""
    made = await proposed(bench)
    for text, more in EDITS:
        await bench.review(made, "ben", saw_hidden=True)
        newer = await bench.revise(1, change("clinical/a", text, **more))
        await refused(bench.merge(made), MOVED_ON)
        await refused(bench.merge(newer), "one approval")
        made = newer
    assert made.revision == len(EDITS) + 1


@over("form", "api")
async def test_another_target_voids_the_approval(bench: Api):
    made = await proposed(bench, target="staging")
    await bench.review(made, "ben")
    if bench.door == "form":
        fields = {"title": "Same", "why": "", "target": "production", "revision": "1"}
        await bench.form("ana", "proposals/1/edit", **fields)
        newer = await bench.latest(1)
    else:
        newer = await bench.revise(1, change("clinical/a", "Two"), target="production")
    await refused(bench.merge(newer), "one approval")


@over("form", "api")
async def test_other_words_about_it_keep_the_approval(bench: Api):
    made = await proposed(bench)
    await bench.review(made, "ben")
    if bench.door == "form":
        fields = {"title": "Better said", "why": "", "target": "", "revision": "1"}
        await bench.form("ana", "proposals/1/edit", **fields)
        newer = await bench.latest(1)
    else:
        newer = await bench.revise(1, change("clinical/a", "Two"), title="Better said")
    await bench.merge(newer)


@over()
async def test_hidden_characters_are_approved_knowingly(bench: Api):
    made = await proposed(bench, "Two\u202e\u200b")
    await refused(bench.review(made, "ben"), "2 hidden characters")
    await bench.review(made, "dora", verdict="changes")
    await bench.review(made, "ben", "dora", saw_hidden=True)
    await bench.merge(made)


# --- 9: the base moves ---------------------------------------------------------------------------


@over("form", "api", "command")
async def test_what_would_land_otherwise_than_it_was_read_does_not_land(bench: Api):
    made = await proposed(bench)
    await bench.review(made, "ben")
    await bench.rule()
    await bench.save("clinical/a", "One", base=(await bench.head("clinical/a"))[1])
    other = await bench.propose(change("clinical/a", "Three"), by="carla")
    await bench.merge(other)
    await bench.rule(CLINICAL, LIVE)
    await refused(bench.merge(made))
    assert (await bench.head("clinical/a"))[0] == 2
    assert bench.git("show", "main:clinical/a.prompt.yml").endswith("Three")


# --- words that do not count ---------------------------------------------------------------------


@over("form", "api", "command")
async def test_an_open_request_for_a_change_blocks_until_taken_back(bench: Api):
    made = await proposed(bench)
    await bench.review(made, "ben")
    await bench.review(made, "dora", verdict="changes")
    await refused(bench.merge(made), "Dora asked for a change")
    await bench.review(made, "dora", verdict="none")
    await bench.merge(made)


@over("form", "api", "command")
async def test_one_person_approves_once(bench: Api):
    await bench.save("clinical/a", "One")
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))
    made = await bench.propose(change("clinical/a", "Two"))
    await bench.review(made, "ben", "ben")
    await refused(bench.merge(made), "one more")
    await bench.review(made, "dora")
    await bench.merge(made)


@over("api", "command")
async def test_a_required_check_is_posted_by_keys_that_do_nothing_else(bench: Api):
    await bench.save("clinical/a", "One")
    await bench.rule(Rule(kind="change", folder="clinical", approvals=0, checks=("ci",)))
    made = await bench.propose(change("clinical/a", "Two"))
    await refused(bench.merge(made), "has not reported")
    for who in ("ana", "maria", await bench.bot("app")):
        await refused(check(bench, who, made.digest, "pass"), "posted by machines")
    ci = await bench.bot("checker", scope="checks")
    await check(bench, ci, made.digest, "fail")
    await refused(bench.merge(made), "failed")
    await refused(check(bench, ci, "0" * 64, "pass"), "latest")
    await refused(bench.merge(made, by=ci), "cannot save")
    await check(bench, ci, made.digest, "pass")
    await bench.merge(made)


async def check(bench: Api, who: str, digest: str, state: str) -> None:
    if bench.door == "command":
        await bench.command(who, "check", "1", "ci", state, "--digest", digest)
        return
    body = {"digest": digest, "name": "ci", "state": state}
    await bench.ask(who, "POST", "proposals/1/checks", body)


# --- what somebody types is no word of the hub's -------------------------------------------------

FORGED = "\n\nProposal: 7\nRevision: 1\nDigest: abc\nReviewed-by: Dora <dora@example.org>"
TYPED = [
    {"why": "Because." + FORGED},
    {"why": FORGED.strip()},
    {"title": "Because." + FORGED},
    {"why": "Because.\r\n\r\nReviewed-by: Dora <dora@example.org>"},
]


@over()
async def test_trailers_in_a_title_or_a_reason_approve_nothing(bench: Api):
    """6. In a proposal, in the message of a pushed commit, in the reason of a merge."""
    await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL, LIVE)
    for at, more in enumerate(TYPED):
        made = await bench.propose(change("clinical/a", f"Two {at}"), **more)
        await refused(bench.merge(made), "one approval")
        await bench.review(made, "ben")
        await bench.merge(made, reason="Ready." + FORGED)
        await bench.assert_rebuilds()
        async with bench.database.read() as db:
            here = (Merge.workspace_id == bench.workspace.id) & (Merge.number == made.number)
            query = select(Merge.reviewers).where(here)
            assert (await db.scalars(query)).one() == ["Ben <ben@example.org>"]


# --- breaking the glass --------------------------------------------------------------------------


@over("form", "api", "command")
async def test_breaking_the_glass_works_at_once_and_shows_for_ever(bench: Api):
    made = await proposed(bench, target="production")
    await refused(bench.merge(made, by="ben", broke_glass="Now!"), "administrator")
    await bench.merge(made, by="maria", release=True, broke_glass="It hurts people")
    for ref in ("main", "deploy"):
        assert "Broke-Glass: It hurts" in bench.git("log", "-1", "--format=%b", ref)
    place = bench.workspace.id
    async with bench.database.read() as db:
        merges = select(Merge.broke_glass).where(Merge.workspace_id == place)
        assert (await db.scalars(merges)).one() is True
        moves = select(LabelMove.broke_glass).where(LabelMove.workspace_id == place)
        assert (await db.scalars(moves)).one() is True
        for action in ("proposal.merged", "glass.broken"):
            here = (AuditEntry.workspace_id == place) & (AuditEntry.action == action)
            detail = (await db.scalars(select(AuditEntry.detail).where(here))).one()
            assert detail["broke_glass"] == "It hurts people"
        told = (Event.workspace_id == place) & (Event.kind == "glass.broken")
        broken = (await db.scalars(select(Event).where(told))).one()
    assert (broken.payload["by"], broken.payload["reason"]) == ("Maria", "It hurts people")
    await bench.assert_rebuilds()


@over("form", "api", "command")
async def test_glass_that_need_not_be_broken_stays_whole_and_no_reason_breaks_any(bench: Api):
    made = await proposed(bench)
    await refused(bench.merge(made, by="maria", broke_glass="   "), "one approval")
    await bench.review(made, "ben")
    await bench.merge(made, by="maria", broke_glass="Just in case")
    async with bench.database.read() as db:
        here = Merge.workspace_id == bench.workspace.id
        assert (await db.scalars(select(Merge.broke_glass).where(here))).one() is False


@over("form", "api", "command")
async def test_going_back_to_what_broke_the_glass_is_no_undo(bench: Api):
    one = await bench.save("clinical/a", "One", actor=bench.people["maria"])
    await bench.rule(LIVE)
    await bench.move("clinical/a", 1, by="maria", broke_glass="The old text was dangerous")
    await bench.save("clinical/a", "Two", base=one.hash)
    await bench.move("clinical/a", 2, by="maria")
    await refused(bench.move("clinical/a", 1, by="maria"), "one approval")
