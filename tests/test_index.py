"""The index follows git, whoever made the commits, and can always be built again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Conflict
from hub.registry import doctor, versions
from hub.registry.git.git_terms import MAIN
from hub.registry.indexing import index
from hub.registry.models import Prompt, PromptEvent, Version
from hub.sync.export import choose
from tests.shelf import Clone, Shelf, make_shelf

GOOD = "template: plain\nmessages:\n- role: system\n  content: {text}\n"


def prompt(text: str, id: str | None = None) -> str:
    return (f"id: {id}\n" if id else "") + GOOD.format(text=text)


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await make_shelf(database, tmp_path)


@pytest.fixture
async def clone(shelf: Shelf, tmp_path: Path) -> Clone:
    await shelf.save("support/triage", "Sort the tickets.")
    return Clone(shelf, tmp_path / "clone")


async def found(shelf: Shelf, name: str) -> Prompt:
    async with shelf.database.read() as db:
        query = select(Prompt).where(Prompt.name == name, Prompt.deleted_at.is_(None))
        return (await db.scalars(query)).one()


async def told(shelf: Shelf) -> list[str]:
    async with shelf.database.read() as db:
        events = await db.scalars(select(PromptEvent).order_by(PromptEvent.id))
        return [f"{event.kind} {event.old} {event.new}".strip() for event in events]


async def contents(shelf: Shelf, id: str) -> list[int]:
    async with shelf.database.read() as db:
        query = select(Version.number).where(Version.prompt_id == id).order_by(Version.number)
        return list(await db.scalars(query))


async def test_a_push_is_followed_as_a_save_is(shelf: Shelf, clone: Clone):
    clone.write("tutor/maths.prompt.yml", prompt("Be patient.", "tutor-maths"))
    clone.write("README.md", "Not a prompt.")
    clone.push("Add a tutor")
    await clone.arrives()
    maths = await found(shelf, "tutor/maths")
    assert (maths.id, maths.head, maths.folder) == ("tutor-maths", 1, "tutor")
    assert (maths.changed_by, maths.change) == ("Dev", "Add a tutor")
    saved = await shelf.save("tutor/maths", "Be very patient.", base=maths.hash)
    assert (saved.version, saved.id) == (2, "tutor-maths")
    await shelf.assert_rebuilds()


async def test_a_save_after_a_push_nobody_told_us_of(shelf: Shelf, clone: Clone):
    clone.write("other.prompt.yml", prompt("x"))
    clone.push("Silent")
    saved = await shelf.save("mine", "y")
    assert shelf.git("rev-parse", "main~1") == clone.git("rev-parse", "HEAD")
    assert (await found(shelf, "other")).id.startswith("f_")
    assert saved.version == 1
    await shelf.assert_rebuilds()


async def test_a_broken_file_is_flagged_and_the_last_good_version_served(
    shelf: Shelf, clone: Clone
):
    good = (clone.folder / "support/triage.prompt.yml").read_text()
    clone.write("support/triage.prompt.yml", good + "messages: [broken\n")
    clone.write("never/good.prompt.yml", b"\xff\xfe")
    clone.push("Oops")
    await clone.arrives()
    triage, never = await found(shelf, "support/triage"), await found(shelf, "never/good")
    assert triage.head == 1
    assert "ine" in (triage.problem or "")
    assert (never.head, never.hash) == (0, "")
    assert "UTF-8" in (never.problem or "")
    async with shelf.database.read() as db:  # the good ones can be taken along meanwhile
        whole = await choose(db, shelf.workspace, "")
    assert [view.name for view in whole.views] == ["support/triage"]
    assert whole.beside == "1 other prompt has no version that can be used."
    with pytest.raises(Conflict, match="broken"):
        await versions.rename(
            shelf.publisher, shelf.workspace, "support/triage", "x", actor=shelf.ana
        )
    mended = await shelf.save("support/triage", "Sort them.", base=triage.hash)
    assert mended.version == 2
    assert await told(shelf) == [
        "broken never/good never/good", "broken support/triage support/triage",
        "mended support/triage support/triage",
    ]  # fmt: skip
    await shelf.assert_rebuilds()


async def test_mending_by_putting_it_back_makes_no_version(shelf: Shelf, clone: Clone):
    good = (clone.folder / "support/triage.prompt.yml").read_text()
    clone.write("support/triage.prompt.yml", "broken: [")
    clone.push("Oops")
    await clone.arrives()
    hash = (await found(shelf, "support/triage")).hash
    back = await shelf.save("support/triage", "Sort the tickets.", base=hash)
    assert (back.version, back.created, back.hash) == (1, False, hash)
    assert shelf.git("show", "main:support/triage.prompt.yml") == good.rstrip("\n")
    assert (await found(shelf, "support/triage")).problem is None
    await shelf.assert_rebuilds()


async def test_an_id_lives_in_one_file(shelf: Shelf, clone: Clone):
    text = (clone.folder / "support/triage.prompt.yml").read_text()
    owner = (await found(shelf, "support/triage")).id
    clone.write("a/copy.prompt.yml", text)
    clone.write("two/b.prompt.yml", prompt("b", "twin"))
    clone.write("two/a.prompt.yml", prompt("a", "twin"))
    clone.push("Copies")
    await clone.arrives()
    assert (await found(shelf, "support/triage")).id == owner
    copy = await found(shelf, "a/copy")
    assert copy.id.startswith("f_")
    assert "same id as support/triage" in (copy.problem or "")
    assert (await found(shelf, "two/a")).id == "twin"
    assert "same id as two/a" in ((await found(shelf, "two/b")).problem or "")
    clone.write("a/copy.prompt.yml", prompt("mine now"))
    clone.push("Own id")
    await clone.arrives()
    assert (await found(shelf, "a/copy")).problem is None
    await shelf.assert_rebuilds()


async def test_a_changed_id_is_flagged(shelf: Shelf, clone: Clone):
    owner = (await found(shelf, "support/triage")).id
    clone.write("support/triage.prompt.yml", prompt("x", "another"))
    clone.push("Change the id")
    await clone.arrives()
    triage = await found(shelf, "support/triage")
    assert (triage.id, triage.head) == (owner, 1)
    assert f"Put {owner} back" in (triage.problem or "")
    await shelf.assert_rebuilds()


async def test_a_pure_rename_makes_no_version_and_an_edit_in_it_does(shelf: Shelf, clone: Clone):
    clone.write("plain.prompt.yml", prompt("no id"))
    clone.push("Without an id")
    await clone.arrives()
    plain = await found(shelf, "plain")
    clone.git("mv", "plain.prompt.yml", "moved.prompt.yml")
    clone.git("mv", "support", "help")
    clone.push("Move both")
    await clone.arrives()
    moved, help = await found(shelf, "moved"), await found(shelf, "help/triage")
    assert (moved.id, moved.head, help.head) == (plain.id, 1, 1)
    text = (clone.folder / "help/triage.prompt.yml").read_text()
    clone.git("mv", "help", "care")
    clone.write("care/triage.prompt.yml", text.replace("Sort", "Order"))
    clone.push("Move and edit")
    await clone.arrives()
    assert (await found(shelf, "care/triage")).head == 2
    dump = await shelf.assert_rebuilds()
    assert dump.count("old_names:") == 3


async def test_two_prompts_swap_their_names(shelf: Shelf, clone: Clone):
    await shelf.save("other", "Other")
    clone.pull()
    ids = [(await found(shelf, name)).id for name in ("support/triage", "other")]
    clone.git("mv", "other.prompt.yml", "tmp")
    clone.git("mv", "support/triage.prompt.yml", "other.prompt.yml")
    (clone.folder / "support").mkdir(exist_ok=True)
    clone.git("mv", "tmp", "support/triage.prompt.yml")
    clone.push("Swap")
    await clone.arrives()
    assert [(await found(shelf, n)).id for n in ("other", "support/triage")] == ids
    assert "old_names" not in await shelf.assert_rebuilds()


async def test_links_submodules_and_odd_names_are_ignored_and_reported(
    shelf: Shelf, clone: Clone, tmp_path: Path
):
    (clone.folder / "link.prompt.yml").symlink_to("/etc/passwd")
    clone.write("UPPER.prompt.yml", prompt("x"))
    clone.write("new\nline.prompt.yml", prompt("x"))
    clone.write("ok.prompt.yml", prompt("x"))
    (clone.folder / "ok.prompt.yml").chmod(0o755)
    clone.push("Odd things")
    await clone.arrives()
    assert (await found(shelf, "ok")).head == 1
    with pytest.raises(Exception, match="No row"):
        await found(shelf, "link")
    said = [one.sentence for one in await doctor.examine(shelf.database, tmp_path / "repositories")]
    assert len(said) == 3
    assert any("symbolic link" in one for one in said)
    assert any("UPPER.prompt.yml on main is ignored" in one for one in said)
    await shelf.assert_rebuilds()


async def test_merges_count_once_on_the_first_parent_line(shelf: Shelf, clone: Clone):
    clone.git("checkout", "-q", "-b", "work")
    for n in range(3):
        clone.write("work.prompt.yml", prompt(f"step {n}"))
        clone.git("add", "-A")
        clone.git("commit", "-q", "-m", f"Step {n}")
    clone.git("checkout", "-q", "main")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge the work", "work")
    clone.git("push", "-q", "origin", "main")
    await clone.arrives()
    work = await found(shelf, "work")
    assert (work.head, work.change) == (1, "Merge the work")
    await shelf.assert_rebuilds()


async def test_a_rewritten_history_is_reported_and_only_reindexed_on_request(
    shelf: Shelf, clone: Clone, tmp_path: Path
):
    before = await shelf.dump()
    clone.write("support/triage.prompt.yml", prompt("history, rewritten"))
    clone.git("add", "-A")
    clone.git("commit", "-q", "--amend", "-m", "Never happened")
    shelf.git("config", "receive.denyNonFastForwards", "false")
    clone.git("push", "-q", "--force", "origin", "main")
    with pytest.raises(index.Rewound, match="prompthub reindex"):
        await clone.arrives()
    with pytest.raises(index.Rewound):
        await shelf.save("more", "x")
    assert await shelf.dump() == before
    errors = await doctor.examine(shelf.database, tmp_path / "repositories")
    assert errors[0].level == "error"
    await index.reindex(shelf.database, shelf.repository, shelf.workspace.id)
    assert (await found(shelf, "support/triage")).change == "Never happened"
    assert (await shelf.save("more", "x")).version == 1


async def test_a_merge_that_puts_our_line_second_is_a_rewrite_too(shelf: Shelf, clone: Clone):
    """Its first-parent line would give other version numbers."""
    clone.git("checkout", "-q", "--orphan", "foreign")
    clone.write("theirs.prompt.yml", prompt("x"))
    clone.git("add", "-A")
    clone.git("commit", "-q", "-m", "Theirs")
    clone.git("merge", "-q", "--allow-unrelated-histories", "-m", "Foxtrot", "origin/main")
    clone.git("push", "-q", "origin", "HEAD:main")
    with pytest.raises(index.Rewound):
        await clone.arrives()


async def test_a_deleted_prompt_keeps_its_name_free(shelf: Shelf):
    first = await shelf.save("a", "One")
    await versions.delete(shelf.publisher, shelf.workspace, "a", actor=shelf.ana)
    second = await shelf.save("a", "Other")
    assert second.id != first.id
    assert second.version == 1
    assert await contents(shelf, first.id) == [1]
    assert shelf.repository.tip(MAIN) == second.commit
    await shelf.assert_rebuilds()
