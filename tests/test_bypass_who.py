"""Ways round review, A: approving one's own words (1–6), whoever seems to have written them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.db import Database, now
from hub.errors import Forbidden
from hub.people import accounts, keys, rules_store, workspaces
from hub.people.models import Account, Workspace
from hub.people.policy import Actor
from hub.people.rules import Rule, folded
from hub.registry import versions
from hub.registry.document import Document, Message
from hub.registry.review import proposals, record
from hub.registry.review.models import Merge, Revision
from tests.bench_of_review import Bench, create, make_bench

CLINICAL = Rule(kind="change", folder="clinical")
LIVE = Rule(kind="release", folder="clinical", label="production")
Wanted = proposals.Wanted


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


async def refused(doing: Any, match: str = "one approval") -> None:
    with pytest.raises(proposals.NeedsReview, match=match):
        await doing


async def joins(bench: Bench, email: str, name: str, role: str = "reviewer") -> None:
    """Somebody new, known to the bench by the address."""
    async with bench.database.write() as db:
        account = await accounts.create(db, email, name)
        account.password_hash = "unset"
        place = workspaces.ref(await db.get_one(Workspace, bench.workspace.id))
        await workspaces.add(db, place, email, "", role, actor=accounts.OPERATOR)
        bench.people[email] = Actor(
            kind="person", name=name, email=email, account_id=account.id,
            workspace_id=bench.workspace.id, role=role,
        )  # fmt: skip


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
def test_one_letter_box_is_one_person(address: str, same: str) -> None:
    assert folded(address) == same


async def test_a_second_account_of_the_same_letter_box_approves_nothing(bench: Bench):
    await joins(bench, "ben+work@example.org", "Ben at work")
    await bench.rule(CLINICAL, LIVE)
    made = await bench.propose(create("clinical/a", "One"), by="ben", target="production")
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(made, "ben+work@example.org")
    await bench.review(made, "dora")
    await bench.merge(made)
    await bench.save("free/a", "One", actor=bench.ben)
    await bench.rule(Rule(kind="release", label="production"))
    await refused(bench.move("free/a", 1, by="ben+work@example.org"))
    await bench.move("free/a", 1, by="dora")


async def test_two_accounts_of_one_letter_box_are_one_approval(bench: Bench):
    await joins(bench, "dora+two@example.org", "Dora again")
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "dora", "dora+two@example.org")
    await refused(bench.merge(made), "one more approval")


async def test_an_address_that_changed_after_the_word_was_given(bench: Bench):
    """No door changes an address; if an operator does so by hand, nobody gains by it."""
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "ben", "dora")
    async with bench.database.write() as db:
        moved = {"email": "ana@elsewhere.org"}
        await db.execute(update(Account).where(Account.email == "ana@example.org").values(moved))
        moved = {"email": "ben@EXAMPLE.org"}
        await db.execute(update(Account).where(Account.email == "dora@example.org").values(moved))
        await rules_store.bump(db, bench.workspace.id)
    await refused(bench.merge(made), "one more approval")
    bench.people["ana"] = Actor(
        kind="person", name="Ana", email="ana@elsewhere.org", role="reviewer",
        account_id=bench.ana.account_id, workspace_id=bench.workspace.id,
    )  # fmt: skip
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(made, "ana")


# --- 4: somebody else puts my words up -----------------------------------------------------------


async def test_whoever_wrote_the_text_does_not_approve_its_release(bench: Bench):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(LIVE)
    wanted = Wanted(kind="release", name="clinical/a", version=1)
    made = await bench.propose(wanted, by="carla", target="production")
    await bench.review(made, "ben")
    await refused(bench.merge(made))
    assert await sentence(bench, made) != "Approved"
    await bench.review(made, "dora")
    await bench.merge(made)
    assert await bench.live("clinical/a") == 1


async def test_nor_the_rename_that_puts_it_under_the_rules(bench: Bench):
    await bench.save("free/a", "Evil", actor=bench.ben)
    await bench.move("free/a", 1, by="ben")
    await bench.rule(CLINICAL, LIVE)
    for rules in ((CLINICAL, LIVE), (CLINICAL,), (LIVE,)):
        await bench.rule(*rules)
        wanted = Wanted(kind="rename", name="free/a", new_name="clinical/a")
        made = await bench.propose(wanted, by="ana")
        await bench.review(made, "ben")
        await refused(bench.merge(made, by="ben"))
    await bench.review(made, "dora")
    await bench.merge(made, by="ben")
    wanted = Wanted(kind="rename", name="clinical/a", new_name="clinical/b")
    made = await bench.propose(wanted, by="ana")
    await bench.review(made, "ben")  # the text was under these rules before
    await bench.merge(made, by="ben")


async def sentence(bench: Bench, made: proposals.Made) -> str:
    async with bench.database.read() as db:
        return (await record.get(db, bench.workspace.id, made.number)).sentence


# --- 4: my words come in by a merge that nobody read ---------------------------------------------


def two(first: str, second: str) -> Document:
    return Document(
        messages=(Message(role="system", content=first), Message(role="user", content=second))
    )


async def side_by_side(bench: Bench) -> proposals.Made:
    """Ana's open proposal changes the one message, and Ben has saved the other meanwhile."""
    place = (bench.publisher, bench.workspace)
    given: dict[str, Any] = {"message": "", "actor": bench.ana}
    saved = await versions.save(*place, "clinical/a", two("One", "Two"), base=None, **given)
    await bench.rule(LIVE)
    wanted = Wanted(kind="change", name="clinical/a", document=two("First", "Two"), base=saved.hash)
    made = await bench.propose(wanted, target="production")
    given["actor"] = bench.ben
    await versions.save(*place, "clinical/a", two("One", "Evil"), base=saved.hash, **given)
    return made


@pytest.mark.parametrize("by", ["rebase", "merge"])
async def test_what_was_saved_meanwhile_is_not_approved_by_who_saved_it(bench: Bench, by: str):
    made = await side_by_side(bench)
    if by == "merge":
        await bench.review(made, "dora")
        with pytest.raises(proposals.BroughtTogether):
            await bench.merge(made, by="ben", release=True)
    else:
        await proposals.rebase(bench.publisher, bench.database, bench.workspace, 1, actor=bench.ben)
    async with bench.database.read() as db:
        latest = (await db.scalars(select(Revision).where(Revision.revision == 2))).one()
    assert latest.author_email == "ana@example.org"
    assert latest.co_authors == ["ben@example.org"]
    newer = proposals.Made(number=1, revision=2, digest=latest.digest)
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(newer, "ben")
    await refused(bench.merge(newer, by="ben", release=True))
    await bench.review(newer, "dora")
    await bench.merge(newer, by="ben", release=True)
    assert await bench.live("clinical/a") == 3
    await bench.assert_rebuilds()


async def test_nor_by_whoever_made_the_key_that_saved_it(bench: Bench):
    place = (bench.publisher, bench.workspace)
    saved = await versions.save(
        *place, "clinical/a", two("One", "Two"), base=None, actor=bench.ana, message=""
    )
    await bench.rule(LIVE)
    wanted = Wanted(kind="change", name="clinical/a", document=two("First", "Two"), base=saved.hash)
    await bench.propose(wanted, target="production")
    async with bench.database.write() as db:
        key = await keys.create(db, bench.workspace, "ci", "write", actor=bench.ben)
    bot = Actor(
        kind="key", name="key ci", email="", key_id=key.id, workspace_id=bench.workspace.id,
        role="key:write",
    )  # fmt: skip
    evil = two("One", "Evil")
    await versions.save(*place, "clinical/a", evil, base=saved.hash, actor=bot, message="")
    newer = await proposals.rebase(
        bench.publisher, bench.database, bench.workspace, 1, actor=bench.ben
    )
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(newer, "ben")
    await refused(bench.merge(newer, by="ben", release=True))
    await bench.review(newer, "dora")
    await bench.merge(newer, by="ben", release=True)


async def test_what_a_reviewer_has_seen_meanwhile_makes_nobody_an_author(bench: Bench):
    place = (bench.publisher, bench.workspace)
    given: dict[str, Any] = {"message": "", "actor": bench.ana}
    saved = await versions.save(*place, "clinical/a", two("One", "Two"), base=None, **given)
    await bench.rule(CLINICAL)
    first, second = [
        await bench.propose(
            Wanted(kind="change", name="clinical/a", document=document, base=saved.hash), by=by
        )
        for document, by in ((two("First", "Two"), "ana"), (two("One", "Second"), "ben"))
    ]
    await bench.review(second, "dora")
    await bench.merge(second)
    newer = await proposals.rebase(
        bench.publisher, bench.database, bench.workspace, first.number, actor=bench.ana
    )
    await bench.review(newer, "ben")
    await bench.merge(newer)
    async with bench.database.read() as db:
        query = select(Merge.reviewers).where(Merge.number == first.number)
        assert (await db.scalars(query)).one() == ["Ben <ben@example.org>"]


# --- 6: who is in the group that counts ----------------------------------------------------------


async def test_an_author_counts_for_nothing_in_whichever_group_they_are(bench: Bench):
    leads = await bench.group("Leads", "ana", "ben")
    who = (f"group:{leads}", f"person:{bench.ana.account_id}", "role:reviewer")
    await bench.rule(Rule(kind="change", folder="clinical", who=who))
    made = await bench.propose(create("clinical/a", "One"), at=now() - timedelta(hours=1))
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(made, "ana")
    newer = await bench.revise(1, create("clinical/a", "Two"), by="ben")
    for who_wrote in ("ana", "ben"):
        with pytest.raises(Forbidden, match="somebody else"):
            await bench.review(newer, who_wrote)
    await refused(bench.merge(newer, by="ben"))
    await bench.review(newer, "dora")
    await bench.merge(newer, by="ben")
