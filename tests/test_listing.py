"""The list: filters together, totals that are true at once, the place where a word was found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.db import Database
from hub.registry import drafts, versions
from hub.registry.labels import labels
from hub.registry.reading import catalog, list_sql, listing, search
from hub.registry.reading.list_sql import Asked
from tests.cast import make_cast, on_both_engines
from tests.shelf import Shelf, make_shelf, saying


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await make_shelf(database, tmp_path)


async def names(shelf: Shelf, **asked: object) -> list[str]:
    async with shelf.database.read() as db:
        found = await listing.find(db, shelf.workspace.id, **asked)  # type: ignore[arg-type]
    assert found.total == len(found.items)
    return [item.name for item in found.items]


async def put_live(shelf: Shelf, *of: str, label: str = "production") -> None:
    for name in of:
        await labels.move(
            shelf.publisher, shelf.workspace, label, name, 1, actor=shelf.ben, reason="Go"
        )


@on_both_engines
async def test_the_total_is_true_after_every_change(shelf: Shelf):
    async with shelf.database.read() as db:
        assert (await listing.find(db, shelf.workspace.id)).total == 0
    made = [(f"p{n}", saying(f"Text {n}", tags=("red",))) for n in range(7)]
    await versions.save_many(shelf.publisher, shelf.workspace, made, actor=shelf.ana, message="In")
    for _ in range(2):
        async with shelf.database.read() as db:
            assert (await listing.find(db, shelf.workspace.id, limit=2)).total == 7
            assert (await listing.find(db, shelf.workspace.id, label="production")).total == 0
    await put_live(shelf, "p1", "p4")
    assert await names(shelf, label="production") == ["p1", "p4"]
    await versions.delete(shelf.publisher, shelf.workspace, "p0", actor=shelf.ben, message="Out")
    async with shelf.database.read() as db:
        assert (await listing.find(db, shelf.workspace.id, limit=2)).total == 6
        assert (await listing.find(db, shelf.workspace.id, tag="red", limit=2)).total == 6


async def test_what_a_session_took_back_is_not_counted(shelf: Shelf):
    await shelf.save("one", "Text")
    async with shelf.database.read() as db:
        about = await catalog.get(db, shelf.workspace.id, "one")
        await db.execute(list_sql.text("UPDATE prompts SET deleted_at = changed_at"))
        assert (await listing.find(db, shelf.workspace.id)).total == 0
        await db.rollback()
        assert (await listing.find(db, shelf.workspace.id)).total == 1
    assert about.name == "one"


@on_both_engines
async def test_filters_narrow_together(shelf: Shelf):
    cast = await make_cast(shelf.database)
    who = cast.account_ids["ana"]
    for name in ("a/one", "a/two", "a/three", "b/one"):
        await shelf.save(name, f"Words of {name}")
    await put_live(shelf, "a/one", "a/two", "b/one")
    await put_live(shelf, "a/one", label="staging")
    async with shelf.database.read() as db:
        two = await catalog.get(db, shelf.workspace.id, "a/two")
        three = await catalog.get(db, shelf.workspace.id, "a/three")
    await shelf.save("a/two", "Better words", base=two.hash)
    async with shelf.database.write() as db:
        for about in (two, three):
            await drafts.put(
                db, shelf.workspace.id, who, about.id, {"messages": []}, name=about.name,
                base=about.hash, base_version=1, revision=0,
            )  # fmt: skip
    assert await names(shelf, label="production", folder="a") == ["a/one", "a/two"]
    assert await names(shelf, has_draft_of=who) == ["a/three", "a/two"]
    assert await names(shelf, has_draft_of=who, label="production") == ["a/two"]
    assert await names(shelf, differs=True) == ["a/two"]
    assert await names(shelf, differs=True, label="staging") == []
    assert await names(shelf, label="latest", folder="a") == ["a/one", "a/three", "a/two"]
    assert await names(shelf, q="words", label="production", folder="a") == ["a/one", "a/two"]
    assert await names(shelf, q="words", has_draft_of=who, differs=True) == ["a/two"]
    async with shelf.database.read() as db:
        [first, _] = (await listing.find(db, shelf.workspace.id, folder="a", limit=2)).items
    assert [(one.label, one.version) for one in first.labels] == [
        ("production", 1), ("staging", 1),
    ]  # fmt: skip


@on_both_engines
async def test_many_with_a_label_are_found_as_few_are(shelf: Shelf):
    made = [f"p{n:02}" for n in range(20)]
    for name in made:
        await shelf.save(name, "Text")
    await put_live(shelf, *made[::3])
    async with shelf.database.read() as db:
        sqlite = list_sql.is_sqlite(db)
        narrowed = list_sql.narrow(Asked(label="production"), sqlite=sqlite)
        given = narrowed.values | {"workspace": shelf.workspace.id, "limit": 3, "after": "p05"}
        for few in (True, False):
            sql = list_sql.list_sql(narrowed, paged=True, few=few, sqlite=sqlite)
            found = await list_sql.rows(db, sql, given)
            assert [row[1] for row in found] == ["p06", "p09", "p12"]


@pytest.mark.parametrize(
    ("typed", "text", "hit"),
    [
        ("refund", "No prerefund, but Refunds. And refund.", "Refunds"),
        ("pol refund", "A refund policy", "refund"),
        ("tri", "İstanbul's TRIAGE desk", "TRIAGE"),
        ("medecin", "Le médecin", "médecin"),
        ("x_y", "snake_y and x", "y"),
        ("y", "snake_y", "y"),
        ("nothing", "of the kind", None),
        ("…", "no word was typed", None),
    ],
)
def test_where_a_word_was_found(typed: str, text: str, hit: str | None):
    found = search.snippet(typed, ["", text])
    assert (found.hit if found else None) == hit


@given(st.text(max_size=40), st.text(max_size=200))
def test_a_snippet_is_cut_from_the_text(typed: str, text: str):
    if found := search.snippet(typed, [text], around=500):
        spaced = search._one_line(text)
        assert search._one_line(found.before + found.hit + found.after) == spaced
