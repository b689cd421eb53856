"""Proposals that were merged over there, as pull requests: known again, whatever way they came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.db import Database
from hub.people.rules import Rule
from hub.registry import versions
from hub.registry.models import Version
from hub.registry.review import proposals, record
from hub.registry.review.drawing import Wanted
from hub.registry.review.models import Proposal, Revision
from tests.forge import Linked, clinic, linked_to_daemon, prompt
from tests.offered import set_rules
from tests.shelf import saying

FILE = "support/triage.prompt.yml"
DANA = ("Dana Lee", "dana@example.org")
GITHUB = ("GitHub", "noreply@github.com")


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    """Ana's proposal stands there as a branch, fetched into the clone."""
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        shelf = linked.shelf
        await shelf.save("support/triage", "Be kind.")
        await shelf.save("tutor/maths", "Explain sums.")
        await linked.link(mirror="on")
        change = Wanted(kind="change", name="support/triage", document=saying("Be kinder."))
        new = Wanted(kind="create", name="tutor/french", document=saying("Explain verbs."))
        await proposals.propose(
            shelf.publisher, shelf.database, shelf.workspace, actor=shelf.ana, title="Kinder",
            why="", items=[change, new],
        )  # fmt: skip
        await linked.in_step()
        linked.forge.pull()
        yield linked


def merge(linked: Linked) -> None:
    """The button *Create a merge commit*."""
    linked.forge.dev("merge", "-q", "--no-ff", "-m", "Merge #1", "origin/proposals/1", by=DANA)


def squash(linked: Linked) -> None:
    linked.forge.dev("merge", "-q", "--squash", "origin/proposals/1")
    who = ("--author", "Ana <ana@example.org>")
    linked.forge.dev("commit", "-q", *who, "-m", "Kinder (#1)", by=GITHUB)


def rebase(linked: Linked) -> None:
    linked.forge.dev("cherry-pick", "origin/proposals/1", by=DANA)


def forward(linked: Linked) -> None:
    linked.forge.dev("merge", "-q", "--ff-only", "origin/proposals/1")


WAYS = {merge: "Dana Lee at ", squash: "", rebase: "Dana Lee at ", forward: ""}


def push(linked: Linked) -> str:
    linked.forge.dev("push", "-q", "origin", "HEAD:main")
    return linked.forge.dev("rev-parse", "HEAD")


async def of(linked: Linked, number: int = 1) -> Proposal:
    async with linked.shelf.database.read() as db:
        return await db.get_one(Proposal, (linked.shelf.workspace.id, number))


async def how_many(linked: Linked) -> int:
    async with linked.shelf.database.read() as db:
        return await db.scalar(select(func.count(Proposal.number))) or 0


def place(linked: Linked) -> str:
    return linked.forge.url.removeprefix("git://").removesuffix(".git")


@pytest.mark.parametrize("way", WAYS)
async def test_where_no_rule_asks_it_is_merged_here_too(linked: Linked, way):
    way(linked)
    tip = push(linked)
    await linked.in_step()
    found = await of(linked)
    assert (found.state, found.closed_by) == ("merged", f"{WAYS[way]}{place(linked)}")
    assert await how_many(linked) == 1
    assert "Be kinder." in linked.text("support/triage")
    assert tip in linked.forge.git("rev-list", "main").split()
    assert linked.forge.tip("proposals/1") is None
    await linked.in_step()


@pytest.mark.parametrize("way", WAYS)
async def test_where_review_is_asked_the_same_proposal_waits(linked: Linked, way):
    shelf = linked.shelf
    await set_rules(shelf.database, shelf.workspace.id, Rule(kind="change"))
    way(linked)
    linked.forge.dev("push", "-q", "origin", ":proposals/1")  # as forges do when they merge
    tip = push(linked)
    for _ in range(2):
        row = await linked.sync()
        assert row.waiting == {"tip": tip, "proposals": [1]}
        assert await how_many(linked) == 1
    assert linked.forge.tip("proposals/1") is None
    async with shelf.database.read() as db:
        view = await record.get(db, shelf.workspace.id, 1)
    start = f"Merged by {WAYS[way]}{place(linked)}, but not here yet. Waiting for one approval"
    assert view.sentence.startswith(start)
    assert "Be kind." in linked.text("support/triage")
    await approved_and_merged(linked)
    await linked.in_step()
    assert "Be kinder." in linked.forge.file(FILE)
    assert tip in linked.forge.git("rev-list", "main").split()


async def test_approved_here_before_it_was_merged_there_it_lands(linked: Linked):
    shelf = linked.shelf
    await set_rules(shelf.database, shelf.workspace.id, Rule(kind="change"))
    await approved(linked)
    merge(linked)
    push(linked)
    await linked.in_step()
    found = await of(linked)
    assert (found.state, found.closed_by) == ("merged", f"Dana Lee at {place(linked)}")


async def test_what_else_arrives_with_it_becomes_a_proposal_of_its_own(linked: Linked):
    shelf = linked.shelf
    await set_rules(shelf.database, shelf.workspace.id, Rule(kind="change"))
    merge(linked)
    tip = linked.forge.commit({"tutor/maths.prompt.yml": prompt("Explain fractions.")}, "Sums")
    row = await linked.sync()
    assert row.waiting == {"tip": tip, "proposals": [1, 2]}
    async with shelf.database.read() as db:
        view = await record.get(db, shelf.workspace.id, 2)
    assert [one.name for one in view.items] == ["tutor/maths"]


async def test_changed_over_there_before_it_was_merged(linked: Linked):
    """Somebody put a commit of their own on the branch: one more revision, by them as well."""
    shelf, forge = linked.shelf, linked.forge
    await set_rules(shelf.database, shelf.workspace.id, Rule(kind="change"))
    forge.pull("proposals/1")
    text = forge.file(FILE, "proposals/1").replace("Be kinder.", "Be kinder and slow.")
    forge.commit({FILE: text}, "Slower", branch="proposals/1")
    forge.pull("main")
    merge(linked)
    push(linked)
    row = await linked.sync()
    assert row.waiting is not None
    assert row.waiting["proposals"] == [1]
    async with shelf.database.read() as db:
        last = await db.get_one(Revision, (shelf.workspace.id, 1, 2))
    assert "dev@example.org" in last.co_authors
    await approved_and_merged(linked)
    await linked.in_step()
    assert "Be kinder and slow." in linked.text("support/triage")


async def test_both_sides_went_on_meanwhile(linked: Linked):
    """Brought together with what was saved here, and the proposal is merged all the same."""
    shelf = linked.shelf
    tagged = saying("Be kind.", tags=("ours",))
    await versions.save(
        shelf.publisher, shelf.workspace, "support/triage", tagged, actor=shelf.ana, message="Tag",
        base=await hash_of(linked),
    )  # fmt: skip
    merge(linked)
    push(linked)
    await linked.in_step()
    assert "Be kinder." in linked.text("support/triage")
    assert "ours" in linked.text("support/triage")
    assert (await of(linked)).state == "merged"


async def test_the_same_words_without_a_mirror_are_somebody_elses(linked: Linked):
    async with linked.shelf.database.write() as db:
        (await db.merge(await linked.row())).mirror = False
    squash(linked)
    push(linked)
    await linked.in_step()
    assert (await of(linked)).state == "open"


async def hash_of(linked: Linked) -> str:
    async with linked.shelf.database.read() as db:
        query = select(Version.hash).where(Version.name == "support/triage")
        return (await db.scalars(query)).one()


async def approved(linked: Linked) -> str:
    """Ben reads it."""
    shelf = linked.shelf
    async with shelf.database.read() as db:
        digest = (await record.get(db, shelf.workspace.id, 1)).digest
    await proposals.review(
        shelf.publisher, shelf.workspace, 1, actor=shelf.ben, digest=digest, verdict="approve"
    )  # fmt: skip
    return digest


async def approved_and_merged(linked: Linked) -> None:
    shelf = linked.shelf
    digest = await approved(linked)
    await proposals.merge(
        shelf.publisher, shelf.workspace, 1, actor=shelf.ben, digest=digest
    )  # fmt: skip
