"""Finding prompts: search, filters, pages, names old and new; every workspace for itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.db import Database, now
from hub.errors import Conflict, Invalid, NotFound
from hub.registry import drafts, versions
from hub.registry.labels import labels
from hub.registry.prompt.document import Document, Message
from hub.registry.reading import catalog, history
from hub.registry.reading.listing import Listing
from tests.cast import on_both_engines
from tests.shelf import Shelf, make_shelf, saying


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await make_shelf(database, tmp_path)


async def fill(shelf: Shelf, *prompts: tuple[str, Document]) -> None:
    await versions.save_many(
        shelf.publisher, shelf.workspace, list(prompts), actor=shelf.ana, message="Bring them in"
    )


async def find(shelf: Shelf, **asked: object) -> Listing:
    async with shelf.database.read() as db:
        return await catalog.find(db, shelf.workspace.id, **asked)  # type: ignore[arg-type]


def names_of(found: Listing) -> list[str]:
    return [item.name for item in found.items]


@on_both_engines
async def test_search_as_one_types(shelf: Shelf):
    await fill(
        shelf,
        ("support/triage", saying("Sort the tickets of the day.", title="Triage")),
        ("support/refunds/reply", saying("Say sorry, and mention triage once.", title="Refunds")),
        ("clinical/hand-over", saying("Vitals first.", title="Hand-over", tags=("night shift",))),
        ("misc/titled", saying("Nothing.", title="About triage nurses")),
        ("misc/described", saying("Nothing.", description="Works after triage.")),
    )
    # The name, then the title, then the description, then the text.
    assert names_of(await find(shelf, q="triage")) == [
        "support/triage", "misc/titled", "misc/described", "support/refunds/reply",
    ]  # fmt: skip
    assert names_of(await find(shelf, q="support/tri")) == ["support/triage"]
    assert names_of(await find(shelf, q="hand")) == ["clinical/hand-over"]
    assert names_of(await find(shelf, q="sorry tri")) == ["support/refunds/reply"]
    assert names_of(await find(shelf, q="night")) == ["clinical/hand-over"]
    assert names_of(await find(shelf, q="TRIAGE", folder="support/refunds")) == [
        "support/refunds/reply"
    ]
    hit = (await find(shelf, q="mention")).items[0].hit
    assert hit is not None
    assert (hit.before, hit.hit, hit.after) == ("Say sorry, and ", "mention", " triage once.")


@on_both_engines
@pytest.mark.parametrize(
    "typed",
    [
        '"', "'", '"open', "a AND", "NOT", "OR OR", "NEAR(a b)", "name:x", "{x} : y", "* *", "(",
        "-a", "a:*", "&|!<->", "\\", "%_%", "\0", "é\ud800x", "", "   ", "^a", "ß" * 300, "a " * 99,
    ],
)  # fmt: skip
async def test_nothing_typed_is_an_error(shelf: Shelf, typed: str):
    await fill(shelf, ("a/b", saying("A and not or near.")))
    await find(shelf, q=typed)
    await find(shelf, tag=typed, label=typed, folder=typed)


@on_both_engines
async def test_words_in_other_scripts_and_accents(shelf: Shelf):
    await fill(
        shelf,
        ("a/french", saying("Écoutez le médecin.")),
        ("a/hindi", saying("यह किताब अच्छी है")),
        ("a/russian", saying("Ответьте клиенту")),
    )
    assert names_of(await find(shelf, q="medecin")) == ["a/french"]
    assert names_of(await find(shelf, q="médecin")) == ["a/french"]
    assert names_of(await find(shelf, q="किताब")) == ["a/hindi"]
    assert names_of(await find(shelf, q="клиент")) == ["a/russian"]
    hit = (await find(shelf, q="medecin")).items[0].hit
    assert hit is not None
    assert hit.hit == "médecin"


@on_both_engines
async def test_filters(shelf: Shelf):
    await fill(
        shelf,
        ("a/one", saying("1", tags=("red", "blue"))),
        ("a/deep/two", saying("2", tags=("red",))),
        ("ab/three", saying("3", tags=("reddish",))),
        ("four", saying("4")),
    )
    assert names_of(await find(shelf, folder="a")) == ["a/deep/two", "a/one"]
    assert names_of(await find(shelf, tag="red")) == ["a/deep/two", "a/one"]
    for name in ("a/one", "ab/three"):
        await labels.move(
            shelf.publisher, shelf.workspace, "production", name, 1, actor=shelf.ben, reason="Go"
        )
    assert names_of(await find(shelf, label="production")) == ["a/one", "ab/three"]
    assert names_of(await find(shelf, differs=True)) == []
    about = await about_of(shelf, "a/one")
    await shelf.save("a/one", "1, better", base=about.hash)
    found = await find(shelf, differs=True)
    assert names_of(found) == ["a/one"]
    assert [(one.label, one.version) for one in found.items[0].labels] == [("production", 1)]
    async with shelf.database.read() as db:
        folders = await catalog.folders(db, shelf.workspace.id)
        assert [(one.path, one.depth, one.count) for one in folders] == [
            ("a", 0, 2), ("a/deep", 1, 1), ("ab", 0, 1),
        ]  # fmt: skip
        # The save above came without tags.
        assert await catalog.tags(db, shelf.workspace.id) == [("red", 1), ("reddish", 1)]
        assert await catalog.labels(db, shelf.workspace.id) == [("production", 2)]


async def about_of(shelf: Shelf, name: str) -> catalog.About:
    async with shelf.database.read() as db:
        return await catalog.get(db, shelf.workspace.id, name)


@on_both_engines
async def test_pages_stay_right_while_others_save(shelf: Shelf):
    await fill(shelf, *[(f"p{n:03}", saying(f"Text {n}")) for n in range(0, 50, 2)])
    first = await find(shelf, limit=10)
    assert (first.total, len(first.items)) == (25, 10)
    await fill(shelf, ("p001", saying("New, before")), ("p021", saying("New, after")))
    seen, cursor = names_of(first), first.next
    while cursor:
        page = await find(shelf, limit=10, cursor=cursor)
        seen += names_of(page)
        cursor = page.next
    assert seen == sorted(set(seen))
    assert "p021" in seen
    assert "p001" not in seen
    searched = await find(shelf, q="text", limit=20)
    rest = await find(shelf, q="text", limit=20, cursor=searched.next)
    assert len(set(names_of(searched) + names_of(rest))) == 25
    for wrong in ("x", "bm8", first.next[:-2] if first.next else "", searched.next):
        with pytest.raises(Invalid):
            await find(shelf, cursor=wrong)
    with pytest.raises(Invalid):
        await find(shelf, limit=0)


@on_both_engines
async def test_workspaces_do_not_see_each_other(shelf: Shelf, database: Database, tmp_path: Path):
    other = await make_shelf(database, tmp_path, "elsewhere")
    await fill(shelf, ("shared/name", saying("Our secret recipe")))
    await fill(other, ("shared/name", saying("Their words")))
    found = await find(shelf, q="secret")
    assert [item.hit and item.hit.hit for item in found.items] == ["secret"]
    assert names_of(await find(other, q="secret")) == []
    assert (await find(other)).total == 1
    async with database.read() as db:
        view = await catalog.version(db, other.workspace.id, "shared/name")
        assert view.document.messages[0].content == "Their words"
        with pytest.raises(NotFound):
            await catalog.get_by_id(db, shelf.workspace.id, view.prompt_id)


async def test_an_old_name_leads_to_the_new_one(shelf: Shelf):
    await shelf.save("old/name", "Text")
    await versions.rename(shelf.publisher, shelf.workspace, "old/name", "new/name", actor=shelf.ana)
    with pytest.raises(catalog.Moved) as moved:
        await about_of(shelf, "old/name")
    assert moved.value.name == "new/name"
    assert names_of(await find(shelf, q="old")) == []
    await versions.delete(shelf.publisher, shelf.workspace, "new/name", actor=shelf.ana)
    with pytest.raises(NotFound, match="deleted by Ana"):
        await about_of(shelf, "new/name")
    async with shelf.database.read() as db:
        tombstone = await catalog.get(db, shelf.workspace.id, "new/name", deleted=True)
    assert tombstone.deleted_at is not None
    assert (await find(shelf)).total == 0


async def test_one_line_of_time(shelf: Shelf):
    start = now() - timedelta(days=9)
    saved = await shelf.save("a", "One", at=start)
    await labels.move(
        shelf.publisher, shelf.workspace, "production", "a", 1, actor=shelf.ben,
        reason="Ready", at=start + timedelta(days=1),
    )  # fmt: skip
    await versions.rename(
        shelf.publisher, shelf.workspace, "a", "b", actor=shelf.ana, at=start + timedelta(days=2)
    )
    await shelf.save("b", "Two", base=saved.hash, at=start + timedelta(days=3))
    async with shelf.database.read() as db:
        about = await catalog.get(db, shelf.workspace.id, "b")
        lines = await history.timeline(db, shelf.workspace.id, about.id)
    assert [line.kind for line in lines] == ["version", "renamed", "label", "version"]
    assert [line.labels for line in lines if isinstance(line, history.VersionLine)] == [
        [], ["production"],
    ]  # fmt: skip


async def test_the_name_of_a_copy(shelf: Shelf):
    await fill(shelf, ("f/a", saying("1")), ("f/a-copy", saying("2")))
    async with shelf.database.read() as db:
        assert await catalog.free_name(db, shelf.workspace.id, "f/a") == "f/a-copy-2"
        assert await catalog.free_name(db, shelf.workspace.id, "lone") == "lone-copy"


@on_both_engines
async def test_a_pinned_snippet_stays_what_it_was(shelf: Shelf):
    tone = await shelf.save("snippets/tone", "Be kind to {{ who }}.")
    including = Document(
        messages=(Message(role="system", content='{% include "snippets/tone@1" %} Now work.'),)
    )
    await fill(shelf, ("support/triage", including))
    await shelf.save("snippets/tone", "Be brief.", base=tone.hash)
    await versions.rename(
        shelf.publisher, shelf.workspace, "snippets/tone", "snippets/voice", actor=shelf.ana
    )
    with pytest.raises(Conflict, match="include it by that name"):
        await shelf.save("snippets/tone", "An impostor.", at=now() + timedelta(seconds=60))
    async with shelf.database.read() as db:
        view = await catalog.version(db, shelf.workspace.id, "support/triage")
    assert view.snippets == {"snippets/tone@1": "Be kind to {{ who }}."}


async def test_has_my_draft(shelf: Shelf):
    from tests.cast import make_cast

    cast = await make_cast(shelf.database)
    ana, ben = cast.account_ids["ana"], cast.account_ids["ben"]
    await fill(shelf, ("a", saying("1")), ("b", saying("2")))
    about = await about_of(shelf, "a")
    async with shelf.database.write() as db:
        await drafts.put(
            db, shelf.workspace.id, ana, about.id, {"messages": []}, name="a", base=about.hash,
            base_version=1, revision=0,
        )  # fmt: skip
    assert names_of(await find(shelf, has_draft_of=ana)) == ["a"]
    assert names_of(await find(shelf, has_draft_of=ben)) == []
