"""Drafts: nothing typed is lost, nothing saved is overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.db import Database
from hub.errors import Invalid
from hub.people.policy import Actor
from hub.registry import drafts, saving, versions
from hub.registry.reading import catalog
from hub.registry.saving import NeedsResolving, SavedDraft
from tests.cast import Cast, make_cast, on_both_engines
from tests.shelf import Shelf, make_shelf

TWO = "First paragraph.\n\nSecond paragraph."


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await make_shelf(database, tmp_path)


@pytest.fixture
async def people(shelf: Shelf) -> Cast:
    return await make_cast(shelf.database)


def tree(text: str, **more: Any) -> drafts.Tree:
    return {"messages": [{"role": "system", "content": text}], **more}


def person(shelf: Shelf, people: Cast, who: str) -> Actor:
    return Actor(
        kind="person", name=who.title(), email=f"{who}@example.org", role="editor",
        account_id=people.account_ids[who], workspace_id=shelf.workspace.id,
    )  # fmt: skip


async def put(shelf: Shelf, account: int, key: str, text: str, **more: Any) -> drafts.DraftView:
    given: dict[str, Any] = {"name": "a", "base": None, "base_version": None} | more
    async with shelf.database.write() as db:
        return await drafts.put(db, shelf.workspace.id, account, key, tree(text), **given)


async def kept(shelf: Shelf, account: int, key: str) -> drafts.DraftView | None:
    async with shelf.database.read() as db:
        return await drafts.get(db, shelf.workspace.id, account, key)


@on_both_engines
async def test_autosave_keeps_what_was_typed_even_if_it_is_no_prompt(shelf: Shelf, people: Cast):
    ana, ben = people.account_ids["ana"], people.account_ids["ben"]
    odd = {"messages": "half done", "modelParameters": {"temperature": "hot"}, "x": float("inf")}
    async with shelf.database.write() as db:
        await drafts.put(
            db, shelf.workspace.id, ana, "p_1", odd, name="a", base=None, base_version=None,
            revision=0,
        )  # fmt: skip
    found = await kept(shelf, ana, "p_1")
    assert found is not None
    assert found.document == odd | {"x": "inf"}
    assert await kept(shelf, ben, "p_1") is None


@on_both_engines
async def test_a_forgotten_window_does_not_overwrite_newer_text(shelf: Shelf, people: Cast):
    ana = people.account_ids["ana"]
    first = await put(shelf, ana, "p_1", "One", revision=0)
    second = await put(shelf, ana, "p_1", "Two", revision=first.revision)
    with pytest.raises(drafts.StaleDraft) as refused:
        await put(shelf, ana, "p_1", "Old window", revision=first.revision)
    assert refused.value.draft == second
    assert "another window" in refused.value.sentence
    found = await kept(shelf, ana, "p_1")
    assert found is not None
    assert found.document == tree("Two")


@on_both_engines
async def test_discard_can_be_undone(shelf: Shelf, people: Cast):
    ana = people.account_ids["ana"]
    for key in ("p_1", "f" * 40):
        draft = await put(shelf, ana, key, "Precious")
        async with shelf.database.write() as db:
            assert await drafts.discard(db, shelf.workspace.id, ana, key) == draft
            assert await drafts.listed(db, shelf.workspace.id, ana) == []
        assert await kept(shelf, ana, key) is None
        async with shelf.database.write() as db:
            assert await drafts.bring_back(db, shelf.workspace.id, ana, key) == draft
            await drafts.drop(db, shelf.workspace.id, ana, key)


async def test_the_list_says_which_are_behind(shelf: Shelf, people: Cast):
    ana = people.account_ids["ana"]
    one = await shelf.save("a", "One")
    await put(shelf, ana, one.id, "Mine", base=one.hash, base_version=1)
    key = f"{drafts.NEW}1"
    await put(shelf, ana, key, "New", name="brand/new")
    await shelf.save("a", "Two", base=one.hash)
    async with shelf.database.read() as db:
        lines = await drafts.listed(db, shelf.workspace.id, ana)
        assert await drafts.names(db, shelf.workspace.id, ana) == {"a"}
    assert {(line.name, line.head, line.behind) for line in lines} == {
        ("a", 2, True), ("brand/new", None, False),
    }  # fmt: skip


async def save_draft(
    shelf: Shelf, actor: Actor, key: str, text: str, base: str | None, **more: Any
) -> SavedDraft:
    return await saving.save_draft(
        shelf.publisher, shelf.database, shelf.workspace, actor, more.pop("name", "a"),
        tree(text, **more), base, "Because", prompt_id=key,
    )  # fmt: skip


async def text_of(shelf: Shelf, name: str) -> str:
    async with shelf.database.read() as db:
        view = await catalog.version(db, shelf.workspace.id, name)
    return view.document.messages[0].content


async def test_a_draft_becomes_a_version_and_is_gone(shelf: Shelf, people: Cast):
    ana = person(shelf, people, "ana")
    key = f"{drafts.NEW}1"
    await put(shelf, people.account_ids["ana"], key, "New")
    made = await save_draft(shelf, ana, key, "New", None)
    assert (made.saved.version, made.note) == (1, "")
    assert await kept(shelf, people.account_ids["ana"], key) is None


@on_both_engines
async def test_what_others_saved_meanwhile_is_merged_in(shelf: Shelf, people: Cast):
    ana = person(shelf, people, "ana")
    one = await shelf.save("a", TWO)
    await shelf.save("a", TWO.replace("Second", "Last"), base=one.hash, actor=shelf.ben)
    made = await save_draft(shelf, ana, one.id, TWO.replace("First", "Opening"), one.hash)
    assert made.saved.version == 3
    assert made.note == (
        "Ben Carter saved version 2 while you wrote; both changes are in this version."
    )
    assert await text_of(shelf, "a") == "Opening paragraph.\n\nLast paragraph."


async def test_two_who_changed_the_same_words(shelf: Shelf, people: Cast):
    ana = person(shelf, people, "ana")
    one = await shelf.save("a", "Be kind.")
    await shelf.save("a", "Be brief.", base=one.hash, actor=shelf.ben)
    with pytest.raises(NeedsResolving) as refused:
        await save_draft(shelf, ana, one.id, "Be bold.", one.hash)
    clash = refused.value.clashes[0]
    assert (clash.base, clash.mine, clash.theirs) == ("Be kind.", "Be bold.", "Be brief.")
    assert refused.value.theirs.number == 2
    assert "Ben Carter saved version 2" in refused.value.sentence
    assert await text_of(shelf, "a") == "Be brief."
    draft = await kept(shelf, people.account_ids["ana"], one.id)
    assert draft is not None
    assert (draft.document, draft.base) == (tree("Be bold."), one.hash)
    made = await save_draft(shelf, ana, one.id, "Be brief and bold.", refused.value.theirs.hash)
    assert made.saved.version == 3
    assert await kept(shelf, people.account_ids["ana"], one.id) is None


async def test_a_refused_save_keeps_the_text(shelf: Shelf, people: Cast):
    ana = person(shelf, people, "ana")
    one = await shelf.save("a", "One")
    with pytest.raises(Invalid):
        await save_draft(shelf, ana, one.id, "{{ broken", one.hash, template="jinja")
    await versions.delete(shelf.publisher, shelf.workspace, "a", actor=shelf.ben)
    with pytest.raises(catalog.NoSuchPrompt, match="deleted by Ben Carter"):
        await save_draft(shelf, ana, one.id, "Fine", one.hash)
    draft = await kept(shelf, people.account_ids["ana"], one.id)
    assert draft is not None
    assert draft.document == tree("Fine")


async def test_what_was_typed_since_stays_a_draft(shelf: Shelf, people: Cast):
    ana = person(shelf, people, "ana")
    one = await shelf.save("a", "One")
    first = await put(shelf, people.account_ids["ana"], one.id, "Two", revision=0)
    await put(shelf, people.account_ids["ana"], one.id, "Three", revision=first.revision)
    await saving.save_draft(
        shelf.publisher, shelf.database, shelf.workspace, ana, "a", tree("Two"), one.hash, "Why",
        prompt_id=one.id, revision=first.revision,
    )  # fmt: skip
    draft = await kept(shelf, people.account_ids["ana"], one.id)
    assert draft is not None
    assert draft.document == tree("Three")
