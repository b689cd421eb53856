"""What arrives from elsewhere and must not simply land: clashes, and what the rules want read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.people.rules import Rule
from hub.registry.models import Version
from hub.registry.review import proposals
from hub.registry.review.models import Item, Proposal, Revision
from hub.registry.review.proposals import NeedsResolving
from hub.sync.remotes.view import view
from tests.forge import Linked, clinic, linked_to_daemon, prompt
from tests.offered import set_rules

FILE = "support/triage.prompt.yml"


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    """Both sides hold one prompt."""
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        await linked.shelf.save("support/triage", "Be kind.")
        await linked.link()
        await linked.in_step()
        linked.forge.pull()
        yield linked


async def rules(linked: Linked) -> None:
    await set_rules(linked.shelf.database, linked.shelf.workspace.id, Rule(kind="change"))


async def latest(linked: Linked, number: int) -> Revision:
    async with linked.shelf.database.read() as db:
        query = select(Revision).where(Revision.number == number)
        return (await db.scalars(query.order_by(Revision.revision.desc()))).first()


async def merged(linked: Linked, number: int) -> None:
    """Ben reads it, and merges."""
    shelf = linked.shelf
    digest = (await latest(linked, number)).digest
    await proposals.review(
        shelf.publisher, shelf.workspace, number, actor=shelf.ben, digest=digest, verdict="approve"
    )  # fmt: skip
    await proposals.merge(
        shelf.publisher, shelf.workspace, number, actor=shelf.ben, digest=digest
    )  # fmt: skip


async def versions(linked: Linked, name: str = "support/triage") -> int:
    async with linked.shelf.database.read() as db:
        return len(list(await db.scalars(select(Version.number).where(Version.name == name))))


async def test_where_main_needs_review_what_arrives_is_a_proposal(linked: Linked):
    await rules(linked)
    tip = linked.forge.commit({FILE: prompt("Be kinder."), "README.md": "Hi\n"}, "Kinder")
    row = await linked.sync()
    assert row.waiting == {"tip": tip, "proposals": [1]}
    assert (row.trouble, row.ahead, row.behind) == ("", 0, 1)
    assert "proposal 1" in view(row).sentence
    assert await versions(linked) == 1
    assert linked.forge.tip() == tip
    async with linked.shelf.database.read() as db:
        row = await db.get_one(Proposal, (linked.shelf.workspace.id, 1))
    assert (row.title, row.author) == ("Kinder", view(await linked.row()).name)
    assert (await latest(linked, 1)).co_authors == ["dev@example.org"]
    await linked.sync()  # nothing new: nothing more is proposed
    await merged(linked, 1)
    await linked.in_step()
    assert await versions(linked) == 2
    assert "Be kinder." in linked.forge.file(FILE)
    assert linked.forge.file("README.md") == "Hi"
    assert tip in linked.forge.git("rev-list", "main").split()


async def test_what_people_decline_goes_back_over_there_as_a_change(linked: Linked):
    await rules(linked)
    tip = linked.forge.commit({FILE: prompt("Be rude.")}, "Ruder")
    await linked.sync()
    later = linked.forge.commit({"tutor/maths.prompt.yml": prompt("Explain sums.")}, "Sums")
    row = await linked.sync()
    assert row.waiting == {"tip": tip, "proposals": [1]}  # one after the other
    assert (row.ahead, row.behind) == (0, 2)
    shelf = linked.shelf
    await proposals.decline(
        shelf.publisher, shelf.workspace, 1, actor=shelf.ben, reason="It is rude."
    )  # fmt: skip
    row = await linked.sync()
    assert row.waiting == {"tip": later, "proposals": [2]}
    await merged(linked, 2)
    await linked.in_step()
    assert "Be kind." in linked.forge.file(FILE)
    assert "Explain sums." in linked.forge.file("tutor/maths.prompt.yml")
    assert tip in linked.forge.git("rev-list", "main").split()  # nothing is thrown away


async def test_the_same_words_become_a_proposal_with_both_texts(linked: Linked):
    shelf = linked.shelf
    first = await latest_version(linked)
    tip = linked.forge.commit({FILE: prompt("Be kind and slow.")}, "Slower")
    mine = await shelf.save("support/triage", "Be kind and quick.", base=first)
    row = await linked.sync()
    assert row.waiting == {"tip": tip, "proposals": [1]}
    assert row.behind == 1
    assert row.ahead >= 1
    async with shelf.database.read() as db:
        item = (await db.scalars(select(Item))).one()
    assert (item.kind, item.base_hash) == ("change", first)
    assert b"slow" in (item.data or b"")
    with pytest.raises(NeedsResolving):
        await proposals.rebase(shelf.publisher, shelf.workspace, 1, actor=shelf.ben)
    # Editing goes on, of this prompt and of others; nothing is locked.
    again = await shelf.save("support/triage", "Be kind and very quick.", base=mine.hash)
    await shelf.save("tutor/maths", "Explain sums.")
    await linked.sync()
    assert linked.forge.tip() == tip
    await proposals.decline(
        shelf.publisher, shelf.workspace, 1, actor=shelf.ben, reason="Quick it is."
    )  # fmt: skip
    await linked.in_step()
    assert "very quick" in linked.forge.file(FILE)
    assert again.commit in linked.forge.git("rev-list", "main").split()
    assert tip in linked.forge.git("rev-list", "main").split()


async def test_deleted_there_and_changed_here_asks_a_person(linked: Linked):
    shelf = linked.shelf
    first = await latest_version(linked)
    linked.forge.commit({FILE: None}, "Away")
    await shelf.save("support/triage", "Be kind and quick.", base=first)
    row = await linked.sync()
    assert row.waiting is not None
    async with shelf.database.read() as db:
        item = (await db.scalars(select(Item))).one()
    assert (item.kind, item.name) == ("delete", "support/triage")
    assert "quick" in linked.text("support/triage")


async def test_changed_there_and_deleted_here_asks_a_person(linked: Linked):
    from hub.registry import versions as deeds

    shelf = linked.shelf
    linked.forge.commit({FILE: prompt("Be kinder.")}, "Kinder")
    await deeds.delete(shelf.publisher, shelf.workspace, "support/triage", actor=shelf.ben)
    row = await linked.sync()
    assert row.waiting is not None
    async with shelf.database.read() as db:
        item = (await db.scalars(select(Item))).one()
    assert (item.kind, item.name) == ("create", "support/triage")
    await merged(linked, 1)
    await linked.in_step()
    assert "Be kinder." in linked.forge.file(FILE)


async def test_both_made_a_prompt_of_one_name(linked: Linked):
    linked.forge.commit({"a/b.prompt.yml": prompt("Theirs.")}, "Theirs")
    await linked.shelf.save("a/b", "Ours.")
    row = await linked.sync()
    assert row.waiting is not None
    assert "Ours." in linked.text("a/b")
    await merged(linked, row.waiting["proposals"][0])
    await linked.in_step()
    assert "Theirs." in linked.forge.file("a/b.prompt.yml")


async def test_a_proposal_is_made_once_whatever_is_lost_in_between(linked: Linked):
    """The hub was killed after the proposal and before it was noted that there is one."""
    await rules(linked)
    linked.forge.commit({FILE: prompt("Be kinder.")}, "Kinder")
    await linked.sync()
    async with linked.shelf.database.write() as db:
        row = await db.merge(await linked.row())
        row.waiting, row.agreed = None, {}
    row = await linked.sync()
    assert row.waiting is not None
    assert row.waiting["proposals"] == [1]


async def test_a_way_out_of_a_ruled_folder_and_in_again_needs_review_too(linked: Linked):
    shelf = linked.shelf
    await set_rules(shelf.database, shelf.workspace.id, Rule(kind="change", folder="support"))
    linked.forge.dev("mv", FILE, "free.prompt.yml")
    linked.forge.commit({}, "Out")
    linked.forge.commit(
        {"free.prompt.yml": prompt("Be rude."), "a.prompt.yml": prompt("a")}, "Rude"
    )
    linked.forge.dev("mv", "free.prompt.yml", FILE)
    linked.forge.commit({}, "In")
    row = await linked.sync()
    assert row.waiting is not None
    assert "Be kind." in linked.text("support/triage")


async def latest_version(linked: Linked) -> str:
    async with linked.shelf.database.read() as db:
        query = select(Version.hash).where(Version.name == "support/triage")
        return (await db.scalars(query.order_by(Version.number.desc()))).first() or ""
