"""Saving: what is answered is in git and in the index, and nobody is overwritten."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from hub.db import Database
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.registry import versions
from hub.registry.git.commits import (
    Commit,
    Plan,
    clean_email,
    clean_message,
    clean_name,
    parse_commit,
    stream,
)
from hub.registry.git.git_terms import MAIN
from hub.registry.models import Intent
from tests.shelf import Shelf, all_of, make_shelf, saying, somebody


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await make_shelf(database, tmp_path)


async def test_a_save_is_a_commit_by_that_person(shelf: Shelf):
    saved = await shelf.save("support/triage", "Sort the tickets.", message="Begin\n\nAt last.")
    assert (saved.version, saved.created) == (1, True)
    assert saved.id.startswith("p_")
    assert shelf.log("-1", "--format=%H %an <%ae> | %cn | %s") == [
        f"{saved.commit} Ana Oliveira <ana@example.org> | Prompt Hub | Begin"
    ]
    assert "Prompt: support/triage" in shelf.git("log", "-1", "--format=%b")
    text = shelf.git("show", "main:support/triage.prompt.yml")
    assert "Sort the tickets." in text
    assert saved.id in text
    await shelf.assert_rebuilds()


async def test_the_same_text_again_makes_no_version(shelf: Shelf):
    first = await shelf.save("a", "Hello")
    again = await shelf.save("a", "Hello", base=first.hash)
    assert (again.version, again.created, again.commit) == (1, False, first.commit)
    assert len(shelf.log("--format=%H")) == 1


async def test_a_moved_base_overwrites_nothing(shelf: Shelf):
    first = await shelf.save("a", "One")
    second = await shelf.save("a", "Two", base=first.hash, actor=shelf.ben)
    with pytest.raises(versions.BaseMoved) as refused:
        await shelf.save("a", "Three", base=first.hash)
    assert refused.value.facts["current"] == {
        "version": 2, "hash": second.hash, "author": "Ben Carter", "message": "Say it better",
    }  # fmt: skip
    assert "Ben Carter saved version 2" in refused.value.sentence


async def test_a_new_prompt_never_replaces_one(shelf: Shelf):
    await shelf.save("a", "One")
    with pytest.raises(Conflict, match="already"):
        await shelf.save("a", "Two")


async def test_many_at_once_all_land_and_share_syncs(shelf: Shelf):
    jobs = [shelf.save(f"team/p{n}", f"Text {n}") for n in range(40)]
    saved = await all_of(*jobs)
    assert {one.name for one in saved} == {f"team/p{n}" for n in range(40)}
    assert len(shelf.log("--format=%H")) == 40
    assert shelf.repository.packs() < 10
    await shelf.assert_rebuilds()


async def test_two_saves_of_one_prompt_at_once_one_wins(shelf: Shelf):
    first = await shelf.save("a", "One")
    done = await all_of(*(shelf.save("a", f"Try {n}", base=first.hash) for n in range(5)))
    assert sum(isinstance(one, versions.Saved) for one in done) == 1
    assert sum(isinstance(one, versions.BaseMoved) for one in done) == 4
    await shelf.assert_rebuilds()


async def test_one_bad_request_does_not_spoil_the_batch(shelf: Shelf):
    await shelf.save("a", "One")
    done = await all_of(shelf.save("b", "B"), shelf.save("a", "again"), shelf.save("c", "C"))
    assert [type(one).__name__ for one in done] == ["Saved", "Conflict", "Saved"]


async def test_the_id_stays_whatever_a_later_save_says(shelf: Shelf):
    first = await shelf.save("a", "One")
    other = saying("Two", id="p_elsewhere")
    second = await versions.save(
        shelf.publisher, shelf.workspace, "a", other, base=first.hash, actor=shelf.ana, message=""
    )
    assert (second.id, second.version) == (first.id, 2)
    assert shelf.log("-1", "--format=%s") == ["Change a"]
    copy = await versions.save(
        shelf.publisher, shelf.workspace, "copy", saying("x", id=first.id), base=None,
        actor=shelf.ana, message="",
    )  # fmt: skip
    assert copy.id != first.id


@pytest.mark.parametrize("name", ["", "A", "a//b", "../x", "a.yml/b", "x" * 300, "a/b.lock"])
async def test_wrong_names_are_refused(shelf: Shelf, name: str):
    with pytest.raises(Invalid):
        await shelf.save(name, "Text")
    assert shelf.repository.tips() == {}


async def test_hostile_templates_are_refused(shelf: Shelf):
    with pytest.raises(Invalid, match="Message 1"):
        await shelf.save("a", "{{ x.__class__ }}")
    with pytest.raises(Invalid, match="messages"):
        await versions.save(
            shelf.publisher, shelf.workspace, "a", versions.Document(), base=None,
            actor=shelf.ana, message="",
        )  # fmt: skip


async def test_included_snippets_must_exist(shelf: Shelf):
    with pytest.raises(NotFound, match="no prompt called snippets/tone"):
        await shelf.save("a", '{% include "snippets/tone@1" %}')
    await shelf.save("snippets/tone", "Be kind.")
    with pytest.raises(NotFound, match="no version 2"):
        await shelf.save("a", '{% include "snippets/tone@2" %}')
    assert (await shelf.save("a", '{% include "snippets/tone@1" %}')).version == 1


async def test_viewers_and_strangers_cannot_write(shelf: Shelf):
    carla = somebody("Carla Rossi", "viewer", shelf.workspace.id)
    with pytest.raises(Forbidden):
        await shelf.save("a", "x", actor=carla)
    mallory = somebody("Mallory Stone", "admin", shelf.workspace.id + 1)
    with pytest.raises(NotFound):
        await shelf.save("a", "x", actor=mallory)


async def test_hostile_names_and_messages_stay_text(shelf: Shelf):
    eve = somebody("Eve <root>\nauthor X\0", "editor", shelf.workspace.id)
    message = "Why\n\nPrompt: fake\nRequest-Id: stolen\0\r\nend"
    await shelf.save("a", "x", actor=eve, message=message)
    assert shelf.log("-1", "--format=%an") == ["Eve root author X"]
    assert shelf.git("fsck") == ""
    dump = await shelf.assert_rebuilds()
    assert "Request-Id: stolen\\nend" in dump


async def test_a_repeated_request_is_done_once(shelf: Shelf):
    first = await shelf.save("a", "One", request_id="k1")
    assert await shelf.save("a", "One", request_id="k1") == first
    with pytest.raises(Conflict, match="Idempotency-Key"):
        await shelf.save("a", "Other", request_id="k1")
    twice = await all_of(*(shelf.save("b", "B", request_id="k2") for _ in range(3)))
    assert twice[0] == twice[1] == twice[2]
    assert len(shelf.log("--format=%H")) == 2
    async with shelf.database.write() as db:
        await db.execute(delete(Intent))
    await shelf.assert_rebuilds()
    assert await shelf.save("b", "B", request_id="k2") == twice[0]


async def test_rename_delete_restore(shelf: Shelf):
    first = await shelf.save("old/name", "One")
    await shelf.save("old/name", "Two", base=first.hash)
    await versions.rename(shelf.publisher, shelf.workspace, "old/name", "new/name", actor=shelf.ana)
    dump = await shelf.dump()
    assert "old_names: workspace_id=1 name='old/name'" in dump
    assert "kind='renamed' old='old/name' new='new/name'" in dump
    assert dump.count("versions:") == 2
    await versions.delete(shelf.publisher, shelf.workspace, "new/name", actor=shelf.ana)
    with pytest.raises(NotFound, match="was deleted"):
        await shelf.save("new/name", "x", base=first.hash)
    back = await versions.restore(shelf.publisher, shelf.workspace, "new/name", 1, actor=shelf.ana)
    assert (back.version, back.hash, back.id) == (3, first.hash, first.id)
    with pytest.raises(NotFound, match="no version 9"):
        await versions.restore(shelf.publisher, shelf.workspace, "new/name", 9, actor=shelf.ana)
    await shelf.assert_rebuilds()


async def test_an_import_is_one_commit(shelf: Shelf):
    kept = await shelf.save("a", "A")
    made = await versions.save_many(
        shelf.publisher, shelf.workspace,
        [("a", saying("A")), ("b", saying("B")), ("c/d", saying("D"))],
        actor=shelf.ana, message="",
    )  # fmt: skip
    assert [one.created for one in made] == [False, True, True]
    assert made[0].commit == kept.commit
    assert shelf.log("--format=%s") == ["Save 2 prompts", "Say it better"]
    await shelf.assert_rebuilds()


async def test_an_import_with_one_id_in_two_files_gives_each_its_own(shelf: Shelf):
    twins = [("x", saying("X", id="p_twin")), ("y", saying("Y", id="p_twin"))]
    odd = [("z", saying("Z", id="../" * 30))]
    made = await versions.save_many(
        shelf.publisher, shelf.workspace, twins + odd, actor=shelf.ana, message="Import"
    )
    assert made[0].id == "p_twin"
    assert len({one.id for one in made}) == 3
    assert all(len(one.id) < 20 for one in made)
    await shelf.assert_rebuilds()


async def test_a_key_counts_for_who_sent_it(shelf: Shelf):
    await shelf.save("a", "A", request_id="1")
    zoe = somebody("Zoe", "editor", shelf.workspace.id, account_id=7)
    assert (await shelf.save("b", "B", request_id="1", actor=zoe)).created
    with pytest.raises(Invalid, match="Idempotency-Key"):
        await shelf.save("c", "C", request_id="x" * 81)


async def test_a_message_without_end_is_refused(shelf: Shelf):
    with pytest.raises(Invalid, match="Shorten it"):
        await shelf.save("a", "A", message="why " * 3000)


async def test_workspaces_do_not_meet(shelf: Shelf, tmp_path: Path):
    rival = await make_shelf(shelf.database, tmp_path, "rival")
    done = await all_of(shelf.save("a", "Ours"), rival.save("a", "Theirs"))
    assert [one.version for one in done] == [1, 1]
    assert done[0].id != done[1].id
    assert "Theirs" not in await shelf.dump()
    await shelf.assert_rebuilds()
    await rival.assert_rebuilds()


@given(st.text(), st.text(max_size=200), st.text(max_size=60))
def test_any_message_and_name_comes_back_from_git_as_it_was_indexed(
    message: str, name: str, mail: str
):
    at = datetime(2026, 5, 3, tzinfo=UTC)
    trailers = {"Prompt": "a/b", "Request-Id": "k"}
    written = Commit(
        id="1" * 40, parent=None, author=clean_name(name), email=clean_email(mail), at=at,
        message=clean_message(message) or "Change a/b", changes=[], trailers=trailers,
    )  # fmt: skip
    body = stream("x", [Plan(MAIN, None, written)])
    head, rest = body.split(b"\ndata ", 1)
    size, text = rest.split(b"\n", 1)
    lines = head.split(b"\n")[2:]
    read = parse_commit("1" * 40, b"\n".join(lines) + b"\n\n" + text[: int(size)], [])
    assert read == written


async def test_each_answer_is_of_its_own_save(shelf: Shelf):
    first = await shelf.save("a", "One")
    same, second = await all_of(
        shelf.save("a", "One", base=first.hash), shelf.save("a", "Two", base=first.hash)
    )
    assert (same.version, same.created, same.commit) == (1, False, first.commit)
    assert (second.version, second.created) == (2, True)
    back = await versions.restore(shelf.publisher, shelf.workspace, "a", 1, actor=shelf.ana)
    assert (back.version, back.created, back.hash) == (3, True, first.hash)
    again = await versions.restore(shelf.publisher, shelf.workspace, "a", 3, actor=shelf.ana)
    assert (again.version, again.created) == (3, False)
