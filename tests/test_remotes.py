"""A workspace and a repository elsewhere, kept in step both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.registry import drafts
from hub.registry.labels import labels
from hub.registry.models import Prompt, Version
from hub.registry.review import proposals
from hub.registry.review.proposals import Wanted
from hub.sync.remotes import linking
from hub.sync.remotes.watch import once
from hub.sync.remotes.wire import Heads, Wire
from tests.forge import Linked, clinic, linked_to_daemon, prompt
from tests.shelf import git, saying

FILE = "support/triage.prompt.yml"


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    """A workspace beside an empty forge; nobody has linked them yet."""
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        yield linked


async def test_what_is_here_goes_to_an_empty_forge(linked: Linked):
    saved = await linked.shelf.save("support/triage", "Be kind.")
    await labels.move(
        linked.shelf.publisher, linked.shelf.workspace, "production", "support/triage", 1,
        actor=linked.shelf.ben, reason="Ready",
    )  # fmt: skip
    await linked.link()
    await linked.in_step()
    assert linked.forge.tip() == saved.commit
    assert "version: 1" in linked.forge.file("production/support/triage.yml", "deploy")


async def test_what_is_there_is_imported(linked: Linked):
    linked.forge.begin({FILE: prompt("Be kind."), "README.md": "Hello\n"})
    linked.forge.commit({FILE: prompt("Be very kind.")}, "Kinder")
    await linked.link()
    await linked.in_step()
    assert linked.forge.file("README.md") == "Hello"
    assert "Be very kind." in linked.text("support/triage")


async def test_a_change_there_and_a_change_here_meet(linked: Linked):
    await linked.shelf.save("support/triage", "Be kind.")
    await linked.shelf.save("tutor/maths", "Explain fractions.")
    await linked.link()
    await linked.in_step()
    linked.forge.pull()
    text = linked.forge.file(FILE)
    linked.forge.commit({FILE: text.replace("Be kind.", "Be kind and quick.") + "\n"}, "Quicker")
    await linked.in_step()
    saved = await linked.shelf.save("tutor/physics", "Explain light.")
    await linked.in_step()
    assert linked.forge.tip() == saved.commit
    linked.forge.pull()
    linked.forge.commit({"tutor/maths.prompt.yml": prompt("Explain sums.")}, "Sums")
    await linked.shelf.save("tutor/physics", "Explain sound.", base=saved.hash)
    await linked.in_step()
    assert "Explain sums." in linked.text("tutor/maths")
    assert "Explain sound." in linked.forge.file("tutor/physics.prompt.yml")
    async with linked.shelf.database.read() as db:
        query = select(Version.author, Version.message).where(Version.name == "tutor/maths")
        assert (await db.execute(query.order_by(Version.number.desc()))).first() == ("Dev", "Sums")


async def test_commits_from_there_are_kept_as_they_are(linked: Linked):
    await linked.shelf.save("support/triage", "Be kind.")
    await linked.link()
    await linked.in_step()
    linked.forge.pull()
    for text in ("Be kinder.", "Be kindest."):
        tip = linked.forge.commit({FILE: prompt(text)}, text)
    await linked.in_step()
    assert linked.main() == tip  # nothing was added to their history
    assert linked.shelf.log("--format=%an: %s", "main")[:2] == [
        "Dev: Be kindest.", "Dev: Be kinder."
    ]  # fmt: skip
    async with linked.shelf.database.read() as db:
        query = select(Version.number, Version.author).where(Version.name == "support/triage")
        found = [tuple(row) for row in await db.execute(query.order_by(Version.number))]
    assert found == [(1, "Ana Oliveira"), (2, "Dev"), (3, "Dev")]


async def test_renames_and_edits_meet_by_the_prompts_id(linked: Linked):
    first = await linked.shelf.save("support/triage", "Be kind.\n\nAsk for the name.")
    await linked.shelf.save("support/old", "Goodbye.")
    await linked.link()
    await linked.in_step()
    linked.forge.pull()
    linked.forge.dev("mv", FILE, "support/sorting.prompt.yml")
    linked.forge.dev("rm", "-q", "support/old.prompt.yml")
    (linked.forge.clone / "new.prompt.yml").write_text(prompt("Hello."))
    linked.forge.commit({}, "Tidy up")
    await linked.shelf.save(
        "support/triage", "Be kind.\n\nAsk for the whole name.", base=first.hash
    )  # fmt: skip
    await linked.in_step()
    assert "whole name" in linked.forge.file("support/sorting.prompt.yml")
    assert sorted(linked.forge.git("ls-tree", "-r", "--name-only", "main").split()) == [
        "new.prompt.yml", "support/sorting.prompt.yml"
    ]  # fmt: skip
    async with linked.shelf.database.read() as db:
        row = (await db.scalars(select(Prompt).where(Prompt.name == "support/sorting"))).one()
    assert (row.id, row.head) == (first.id, 2)


async def test_other_files_are_carried_along_whatever_they_are(linked: Linked):
    await linked.shelf.save("support/triage", "Be kind.")
    await linked.link()
    await linked.in_step()
    linked.forge.pull()
    odd = {"README.md": "Hi\n", "docs/a b\"c\\ü\n.md": "odd\n", ".github/workflows/ci.yml": "x\n",
           "Bad Name.prompt.yml": prompt("x"), "bin/run": "#!/bin/sh\n"}  # fmt: skip
    (linked.forge.clone / "link").symlink_to("README.md")
    (linked.forge.clone / "bin").mkdir()
    linked.forge.commit({}, "A link")
    await linked.shelf.save("tutor/maths", "Explain sums.")  # so both sides have changed
    for name, text in odd.items():
        path = linked.forge.clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (linked.forge.clone / "bin" / "run").chmod(0o755)
    linked.forge.commit({}, "Odd files")
    there = linked.forge.git("ls-tree", "-r", "-z", "main")
    await linked.in_step()
    here = linked.shelf.git("ls-tree", "-r", "-z", "main").split("\0")
    assert set(there.split("\0")) - {""} <= set(here)
    linked.forge.pull()
    linked.forge.commit({"README.md": None}, "No more")
    await linked.shelf.save("tutor/physics", "Explain light.")
    await linked.in_step()
    assert "README.md" not in linked.forge.git("ls-tree", "--name-only", "main").split()


async def test_a_file_that_breaks_there_leaves_the_good_version_served(linked: Linked):
    await linked.shelf.save("support/triage", "Be kind.")
    await linked.link()
    await linked.in_step()
    linked.forge.pull()
    linked.forge.commit({FILE: "messages: [\n"}, "Oops")
    await linked.in_step()
    async with linked.shelf.database.read() as db:
        row = (await db.scalars(select(Prompt))).one()
    assert (row.head, row.problem is None) == (1, False)
    linked.forge.commit({FILE: prompt("Mended.")}, "Mend")
    await linked.shelf.save("tutor/maths", "Explain sums.")
    await linked.in_step()
    assert "Mended." in linked.text("support/triage")


async def test_what_cannot_be_brought_together_names_the_file_and_mends_by_itself(linked: Linked):
    first = await linked.shelf.save("support/triage", "Be kind.")
    await linked.link()
    await linked.in_step()
    linked.forge.pull()
    linked.forge.commit({FILE: "messages: [\n"}, "Oops")
    await linked.shelf.save("support/triage", "Be kind and brief.", base=first.hash)
    row = await linked.sync()
    assert row.stopped is not None
    assert row.stopped["why"] == "refused"
    assert row.stopped["said"].startswith("support/triage.prompt.yml: Line ")
    assert await linked.sync() is not None  # and it says so again
    text = linked.shelf.git("show", "main:support/triage.prompt.yml") + "\n"
    linked.forge.commit({FILE: text}, "Mend")
    await linked.in_step()


async def test_open_proposals_stand_there_as_branches(linked: Linked):
    shelf = linked.shelf
    await shelf.save("support/triage", "Be kind.")
    await linked.link(mirror="on")
    place = (shelf.publisher, shelf.database, shelf.workspace)
    change = Wanted(kind="change", name="support/triage", document=saying("Be kinder."))
    made = await proposals.propose(
        *place, actor=shelf.ana, title="Kinder", why="", items=[change]
    )  # fmt: skip
    await linked.in_step()
    first = linked.forge.tip("proposals/1")
    assert "Be kinder." in linked.forge.file(FILE, "proposals/1")
    change = Wanted(kind="change", name="support/triage", document=saying("Be kindest."))
    await proposals.revise(
        *place, 1, actor=shelf.ana, items=[change], message="More", expected_revision=None
    )  # fmt: skip
    await linked.in_step()
    assert linked.forge.tip("proposals/1") not in (None, first)
    linked.forge.pull("proposals/1")
    theirs = linked.forge.commit({FILE: prompt("Mine.")}, "Mine", branch="proposals/1")
    await proposals.withdraw(shelf.publisher, shelf.workspace, made.number, actor=shelf.ana)
    await linked.in_step()
    assert linked.forge.tip("proposals/1") == theirs  # somebody's own work is left alone


async def test_a_draft_is_not_touched_by_what_arrives(linked: Linked):
    shelf = linked.shelf
    first = await shelf.save("support/triage", "Be kind.")
    await linked.link()
    await linked.in_step()
    place = (shelf.workspace.id, shelf.ana.account_id or 0, first.id)
    async with shelf.database.write() as db:
        typed = {"messages": [{"role": "system", "content": "Be kind and"}]}
        await drafts.put(
            db, *place, typed, name="support/triage", base=first.hash, base_version=1
        )  # fmt: skip
    linked.forge.pull()
    linked.forge.commit({FILE: prompt("Be kinder.")}, "Kinder")
    await linked.in_step()
    async with shelf.database.read() as db:
        draft = await drafts.get(db, *place)
    assert draft is not None
    assert (draft.document, draft.base_version) == (typed, 1)


async def test_a_long_history_is_imported_version_by_version(linked: Linked):
    count = 1100
    parts = [b"reset refs/heads/main\n"]
    for number in range(count):
        text = prompt(f"Text {number}.").encode()
        path = f"support/p{number % 7}.prompt.yml"
        parts.append(
            b"commit refs/heads/main\ncommitter Dev <dev@example.org> 1700000000 +0000\n"
            b"data 1\nx\nM 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text)
        )  # fmt: skip
    git(linked.forge.bare, "fast-import", "--quiet", stdin=b"".join(parts))
    tip = linked.forge.tip()
    await linked.link()
    await linked.in_step(rebuilds=False)
    assert linked.main() == tip  # nothing was added
    async with linked.shelf.database.read() as db:
        assert len(list(await db.scalars(select(Version.commit)))) == count


@pytest.mark.parametrize("news", ["there", "here"])
async def test_a_round_whose_link_was_ended_meanwhile_changes_nothing(
    linked: Linked, monkeypatch: pytest.MonkeyPatch, news: str
):
    """It takes its time, and whoever unlinked it goes on working."""
    await linked.shelf.save("support/triage", "Be kind.")
    await linked.link()
    await linked.in_step()
    forge, shelf, row = linked.forge, linked.shelf, await linked.row()
    if news == "there":
        forge.pull()
        forge.commit({"a/b.prompt.yml": prompt("Theirs.")})
    before, look = forge.tip(), Wire.heads

    async def heads(wire: Wire) -> Heads:
        found = await look(wire)
        await linking.unlink(shelf.database, shelf.workspace, linked.admin)
        await shelf.save("tutor/maths", "Nobody's business over there.")
        return found

    monkeypatch.setattr(Wire, "heads", heads)
    await once(linked.room, shelf.workspace, row)
    assert forge.tip() == before
    assert "a/b.prompt.yml" not in shelf.git("ls-tree", "-r", "--name-only", "main")
