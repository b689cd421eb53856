"""Ways round review, A: approving one's own words (1–6), whoever seems to have written them, over
every door where the attempt exists."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from hub.people import rules_store
from hub.people.models import Account
from hub.people.rules import Rule, folded
from hub.registry.prompt.document import Document, Message, to_json
from hub.registry.review import proposals, record
from hub.registry.review.models import Merge, Revision
from tests.bench_of_review import change, create
from tests.over_doors import over
from tests.rest_door import Api, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLINICAL = Rule(kind="change", folder="clinical")
LIVE = Rule(kind="release", folder="clinical", label="production")
SOMEBODY_ELSE = "somebody else has to approve it"
ONE = "one approval"
Wanted = proposals.Wanted


# --- 1, 2, 4: authors, co-authors, whoever made the key ------------------------------------------


@over()
async def test_no_author_approves_their_own_work(bench: Api):
    """1. Directly, or as the author of an earlier revision."""
    await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL, LIVE)
    made = await bench.propose(change("clinical/a", "Two"), by="ben")
    await refused(bench.review(made, "ben"), SOMEBODY_ELSE)
    await refused(bench.merge(made, by="ben"), ONE)
    newer = await bench.revise(1, change("clinical/a", "Three"), by="dora")
    for who in ("ben", "dora"):
        await refused(bench.review(newer, who), SOMEBODY_ELSE)
    await bench.review(newer, "maria")
    await bench.merge(newer, by="ben")


@over()
async def test_a_co_author_does_not_count_whatever_the_case_of_the_address(bench: Api):
    """4. And taking the line out makes nobody less of an author."""
    await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL)
    why = "Together.\n\nCo-Authored-By: Ben <BEN@Example.org>"
    made = await bench.propose(change("clinical/a", "Two"), why=why)
    await refused(bench.review(made, "ben"), SOMEBODY_ELSE)
    newer = await bench.revise(1, change("clinical/a", "Three"))
    await refused(bench.review(newer, "ben"), SOMEBODY_ELSE)
    await bench.review(newer, "dora")
    await bench.merge(newer)


@over("api", "command", "git")
async def test_what_an_app_proposes_its_keys_maker_cannot_approve(bench: Api):
    """2. Over the doors that take a key; an app gives no word at any."""
    await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL, LIVE)
    bot = await bench.bot(maker="ben")
    made = await bench.propose(change("clinical/a", "Two"), by=bot)
    await refused(bench.review(made, "ben"), SOMEBODY_ELSE)
    await refused(bench.review(made, bot), "cannot approve")
    await refused(bench.merge(made, by=bot), ONE)
    await bench.review(made, "dora")
    await bench.merge(made, by=bot)


@over("form", "api", "command")
async def test_what_an_app_saved_its_keys_maker_cannot_release(bench: Api):
    bot = await bench.bot(maker="ben")
    await bench.save("clinical/a", "One", actor=bench.people[bot])
    await bench.rule(LIVE)
    await refused(bench.move("clinical/a", 1, by=bot), ONE)
    await refused(bench.move("clinical/a", 1, by="ben"), ONE)
    await bench.move("clinical/a", 1, by="dora")


# --- 3: a second account -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("ANA@Example.org", "ana@example.org"),
        ("ana+two@example.org", "ana@example.org"),
        ("ana+@example.org", "ana@example.org"),
        (" ana+a+b@example.org ", "ana@example.org"),
        ("ana.two@example.org", "ana.two@example.org"),
        ("+ana@example.org", "+ana@example.org"),
        ("ana@other.org", "ana@other.org"),
        ("operator", "operator"),
    ],
)
async def test_one_letter_box_is_one_person(address: str, same: str) -> None:
    assert folded(address) == same


@over()
async def test_a_second_account_of_the_same_letter_box_approves_nothing(bench: Api):
    await bench.joins("ben2", "Ben at work", f"ben+{bench.door}@example.org")
    await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL, LIVE)
    made = await bench.propose(change("clinical/a", "Two"), by="ben")
    await refused(bench.review(made, "ben2"), SOMEBODY_ELSE)
    await bench.review(made, "dora")
    await bench.merge(made, by="ben2")
    await bench.save("free/a", "One", actor=bench.ben)
    await bench.rule(Rule(kind="release", label="production"))
    await refused(bench.move("free/a", 1, by="ben2"), ONE)
    await bench.move("free/a", 1, by="dora")


@over("form", "api", "command")
async def test_two_accounts_of_one_letter_box_are_one_approval(bench: Api):
    await bench.joins("dora2", "Dora again", f"dora+{bench.door}@example.org")
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "dora", "dora2")
    await refused(bench.merge(made), "one more approval")


async def test_an_address_that_changed_after_the_word_was_given(bench: Api):
    """No door changes an address; if an operator does so by hand, nobody gains by it."""
    for who in ("eve", "fay"):
        await bench.joins(who, who.title(), f"{who}@example.org")
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))
    made = await bench.propose(create("clinical/a", "One"), by="eve")
    await bench.review(made, "ben", "fay")
    async with bench.database.write() as db:
        for old, new in (("eve@example.org", "eve@elsewhere.org"), ("fay@example.org", "BEN@x.y")):
            new = "ben+fay@EXAMPLE.org" if new == "BEN@x.y" else new
            await db.execute(update(Account).where(Account.email == old).values(email=new))
        await rules_store.bump(db, bench.workspace.id)
    await refused(bench.merge(made, by="dora"), "one more approval")
    await refused(bench.review(made, "eve"), SOMEBODY_ELSE)


# --- 4: somebody else puts my words up -----------------------------------------------------------


@over("form", "api", "command")
async def test_whoever_wrote_the_text_does_not_approve_its_release(bench: Api):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(LIVE)
    wanted = Wanted(kind="release", name="clinical/a", version=1)
    made = await bench.propose(wanted, by="carla", target="production")
    await bench.review(made, "ben")
    await refused(bench.merge(made), ONE)
    async with bench.database.read() as db:
        shown = await record.get(db, bench.workspace.id, made.number)
    assert shown.sentence != "Approved"
    await bench.review(made, "dora")
    await bench.merge(made)
    assert await bench.live("clinical/a") == 1


@over()
async def test_nor_the_rename_that_puts_it_under_the_rules(bench: Api):
    await bench.save("free/a", "Evil", actor=bench.ben)
    await bench.move("free/a", 1, by="ben")
    for rules in ((CLINICAL, LIVE), (LIVE,), (CLINICAL,)):
        await bench.rule(*rules)
        made = await bench.propose(Wanted(kind="rename", name="free/a", new_name="clinical/a"))
        await bench.review(made, "ben")
        await refused(bench.merge(made, by="ben"), ONE)
    await bench.review(made, "dora")
    await bench.merge(made, by="ben")
    made = await bench.propose(Wanted(kind="rename", name="clinical/a", new_name="clinical/b"))
    await bench.review(made, "ben")  # the text was under these rules before
    await bench.merge(made, by="ben")


# --- 4: my words come in by a merge that nobody read ---------------------------------------------


def two(first: str, second: str) -> Document:
    return Document(
        messages=(Message(role="system", content=first), Message(role="user", content=second))
    )


async def put(bench: Api, who: str, document: Document, base: str | None) -> str:
    body = {"document": to_json(document), "base": base}
    return (await bench.ask(who, "POST", "versions/clinical/a", body))["hash"]


async def side_by_side(bench: Api, by: str) -> tuple[proposals.Made, str]:
    """Ana's open proposal changes the one message, and `by` has saved the other meanwhile."""
    saved = await put(bench, "ana", two("One", "Two"), None)
    await bench.rule(LIVE)
    wanted = Wanted(kind="change", name="clinical/a", document=two("First", "Two"), base=saved)
    made = await bench.propose(wanted, target="production")
    await put(bench, by, two("One", "Evil"), saved)
    return made, saved


@over("form", "api", "command")
@pytest.mark.parametrize("by", ["ben", "ci"])
async def test_what_was_saved_meanwhile_is_not_approved_by_who_saved_it(bench: Api, by: str):
    """Ben with his own key, or with one that he made for an app."""
    await bench.bot("ci", maker="ben")
    made, _ = await side_by_side(bench, by)
    await bench.review(made, "dora")
    await refused(bench.merge(made, by="ben", release=True))
    newer = await bench.latest(1)
    async with bench.database.read() as db:
        here = (Revision.workspace_id == bench.workspace.id) & (Revision.revision == 2)
        latest = (await db.scalars(select(Revision).where(here))).one()
    assert latest.author_email == "ana@example.org"
    await refused(bench.review(newer, "ben"), SOMEBODY_ELSE)
    await refused(bench.merge(newer, by="ben", release=True), ONE)
    await bench.review(newer, "dora")
    await bench.merge(newer, by="ben", release=True)
    assert await bench.live("clinical/a") == 3
    await bench.assert_rebuilds()


@over("form", "api")
async def test_nor_when_it_was_brought_up_to_date_first(bench: Api):
    await side_by_side(bench, "ben")
    path = "proposals/1/rebase"
    await (bench.form("ben", path) if bench.door == "form" else bench.ask("ben", "POST", path, {}))
    newer = await bench.latest(1)
    assert newer.revision == 2
    await refused(bench.review(newer, "ben"), SOMEBODY_ELSE)
    await refused(bench.merge(newer, by="ben", release=True), ONE)


async def test_what_a_reviewer_has_seen_meanwhile_makes_nobody_an_author(bench: Api):
    base = await put(bench, "ana", two("One", "Two"), None)
    await bench.rule(CLINICAL)
    first, second = [
        await bench.propose(
            Wanted(kind="change", name="clinical/a", document=document, base=base), by=by
        )
        for document, by in ((two("First", "Two"), "ana"), (two("One", "Second"), "ben"))
    ]
    await bench.review(second, "dora")
    await bench.merge(second)
    await bench.form("ana", f"proposals/{first.number}/rebase")
    newer = await bench.latest(first.number)
    await bench.review(newer, "ben")
    await bench.merge(newer)
    async with bench.database.read() as db:
        here = (Merge.workspace_id == bench.workspace.id) & (Merge.number == first.number)
        query = select(Merge.reviewers).where(here)
        assert (await db.scalars(query)).one() == ["Ben <ben@example.org>"]


# --- 6: who is in the group that counts ----------------------------------------------------------


@over()
async def test_an_author_counts_for_nothing_in_whichever_group_they_are(bench: Api):
    leads = await bench.group("Leads", "ana", "ben")
    who = (f"group:{leads}", f"person:{bench.ana.account_id}", "role:reviewer")
    await bench.save("clinical/a", "One")
    await bench.rule(Rule(kind="change", folder="clinical", who=who))
    made = await bench.propose(change("clinical/a", "Two"))
    await refused(bench.review(made, "ana"), SOMEBODY_ELSE)
    newer = await bench.revise(1, change("clinical/a", "Three"), by="ben")
    for who_wrote in ("ana", "ben"):
        await refused(bench.review(newer, who_wrote), SOMEBODY_ELSE)
    await refused(bench.merge(newer, by="ben"), "approval")
    await bench.review(newer, "dora")
    await bench.merge(newer, by="ben")


@over("form", "api", "command")
async def test_only_those_the_rule_names_count(bench: Api):
    leads = await bench.group("Clinical Leads", "ana", "dora")
    await bench.save("clinical/a", "One")
    await bench.rule(Rule(kind="change", folder="clinical", who=(f"group:{leads}",)))
    made = await bench.propose(change("clinical/a", "Two"), by="carla")
    await bench.review(made, "ben", "maria")
    await refused(bench.merge(made), "Clinical Leads")
    await bench.review(made, "ana")
    await bench.merge(made)


@over("form", "api", "command")
async def test_somebody_who_was_demoted_or_left_does_not_count(bench: Api):
    await bench.joins("eve", "Eve", f"eve.{bench.door}@example.org")
    await bench.rule(CLINICAL)
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "eve")
    await bench.set_role("eve", "editor")
    await refused(bench.merge(made, by="dora"), ONE)
    await bench.set_role("eve", "reviewer")
    await bench.leaves("eve")
    await refused(bench.merge(made, by="dora"), ONE)
    await refused(bench.merge(made, by="eve"))
    await refused(bench.review(made, "eve"))
