"""Labels: moved with a look at what was there, rolled back in one step, remembered for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.db import Database
from hub.errors import Forbidden, Invalid, NotFound
from hub.registry import versions
from hub.registry.git import deploy_file
from hub.registry.indexing import index
from hub.registry.labels import labels
from hub.registry.models import LabelMove
from tests.shelf import Clone, Shelf, all_of, make_shelf


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    made = await make_shelf(database, tmp_path)
    first = await made.save("support/triage", "One")
    second = await made.save("support/triage", "Two", base=first.hash)
    await made.save("support/triage", "Three", base=second.hash)
    return made


async def release(
    shelf: Shelf, version: int | None, label: str = "production", **more: Any
) -> LabelMove:
    given: dict[str, Any] = {"actor": shelf.ben, "reason": "Tried on twelve cases"} | more
    return await labels.move(
        shelf.publisher, shelf.workspace, label, "support/triage", version, **given
    )


async def moves(shelf: Shelf, label: str = "production") -> list[tuple[int | None, int | None]]:
    async with shelf.database.read() as db:
        found = await labels.as_of(db, shelf.workspace.id, label, datetime.now(UTC))
        id = found[0].prompt_id if found else (await _id(shelf))
        return [(m.old, m.new) for m in await labels.history(db, shelf.workspace.id, label, id)]


async def _id(shelf: Shelf) -> str:
    return shelf.git("show", "main:support/triage.prompt.yml").split("id: ")[1].split()[0]


async def test_a_release_is_a_commit_on_deploy_that_says_who_when_why(shelf: Shelf):
    move = await release(shelf, 2)
    assert (move.old, move.new, move.author) == (None, 2, "Ben Carter")
    assert shelf.log("-1", "deploy", "--format=%H %an %s") == [
        f"{move.commit} Ben Carter Tried on twelve cases"
    ]
    file = shelf.git("show", "deploy:production/support/triage.yml")
    assert [line.split(":")[0] for line in file.splitlines()] == [
        "prompt", "version", "blob", "hash", "commit", "by", "at", "why",
    ]  # fmt: skip
    pointer = deploy_file.parse(file.encode())
    assert pointer is not None
    assert (pointer.version, pointer.by) == (2, "Ben Carter")
    assert shelf.git("rev-parse", f"{pointer.commit}:support/triage.prompt.yml") == pointer.blob
    await shelf.assert_rebuilds()


async def test_a_release_that_looked_at_something_else_moves_nothing(shelf: Shelf):
    await release(shelf, 1, expected=None)
    with pytest.raises(labels.LabelMoved, match="is at version 1 now, not unset"):
        await release(shelf, 2, expected=None)
    with pytest.raises(labels.LabelMoved, match="is at version 1 now, not at version 3"):
        await release(shelf, 2, expected=3)
    done = await all_of(*(release(shelf, n, expected=1) for n in (2, 3)))
    assert sorted(type(one).__name__ for one in done) == ["LabelMove", "LabelMoved"]
    await shelf.assert_rebuilds()


async def test_roll_back_in_one_step_and_take_off(shelf: Shelf):
    await release(shelf, 2)
    moved = await release(shelf, 3)
    async with shelf.database.read() as db:
        before = await labels.previous(db, shelf.workspace.id, "production", moved.prompt_id)
    assert before == 2
    await release(shelf, before, expected=3, reason="")
    assert shelf.log("-1", "deploy", "--format=%s") == [
        "Move production of support/triage to version 2"
    ]
    same = await release(shelf, 2)
    assert (same.old, same.new, same.commit) == (2, 2, "")
    await release(shelf, None, reason="")
    assert shelf.git("ls-tree", "-r", "--name-only", "deploy") == ""
    assert await moves(shelf) == [(2, None), (3, 2), (2, 3), (None, 2)]
    await shelf.assert_rebuilds()


async def test_what_was_live_at_fourteen_hours_on_the_third_of_may(shelf: Shelf):
    day = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
    await release(shelf, 1, at=day)
    await release(shelf, 2, at=day + timedelta(hours=1))
    await release(shelf, 3, at=day + timedelta(hours=3))
    await release(shelf, None, at=day + timedelta(hours=5))

    async def live(hours: float) -> list[int]:
        async with shelf.database.read() as db:
            at = day + timedelta(hours=hours)
            found = await labels.as_of(db, shelf.workspace.id, "production", at)
            return [one.version for one in found]

    assert [await live(hours) for hours in (-1, 0.5, 2, 4, 6)] == [[], [1], [2], [3], []]


async def test_labels_go_with_a_rename_and_away_with_a_delete(shelf: Shelf):
    await release(shelf, 2)
    await release(shelf, 3, label="staging")
    await versions.rename(
        shelf.publisher, shelf.workspace, "support/triage", "care/triage", actor=shelf.ana
    )
    assert shelf.git("ls-tree", "-r", "--name-only", "deploy").split() == [
        "production/care/triage.yml", "staging/care/triage.yml",
    ]  # fmt: skip
    assert (await shelf.dump()).count("label_moves:") == 2
    await versions.delete(shelf.publisher, shelf.workspace, "care/triage", actor=shelf.ben)
    assert shelf.git("ls-tree", "-r", "--name-only", "deploy") == ""
    dump = await shelf.assert_rebuilds()
    assert dump.count("label_moves:") == 4
    assert "labels:" not in dump


async def test_a_save_and_its_release_sent_at_once(shelf: Shelf):
    """The release names a version that the same batch is still writing."""
    base = (await shelf.save("b", "B")).hash

    async def go() -> LabelMove:
        return await labels.move(
            shelf.publisher, shelf.workspace, "production", "b", 2, actor=shelf.ben, reason=""
        )

    saved, moved = await all_of(shelf.save("b", "B2", base=base), go())
    assert (saved.version, moved.new) == (2, 2)
    pointer = deploy_file.parse(shelf.git("show", "deploy:production/b.yml").encode())
    assert pointer is not None
    assert pointer.commit == saved.commit
    await shelf.assert_rebuilds()


async def test_refusals_say_what_to_do(shelf: Shelf):
    with pytest.raises(NotFound, match="no version 9; its newest is 3"):
        await release(shelf, 9)
    with pytest.raises(Invalid, match="latest"):
        await release(shelf, 1, label="latest")
    with pytest.raises(Forbidden, match="reviewer or an administrator can"):
        await release(shelf, 1, actor=shelf.ana)
    with pytest.raises(NotFound, match="no prompt called nope"):
        await labels.move(
            shelf.publisher, shelf.workspace, "production", "nope", 1, actor=shelf.ben, reason=""
        )


async def test_a_label_moved_by_a_commit_of_somebody_elses(shelf: Shelf, tmp_path: Path):
    await release(shelf, 1)
    clone = Clone(shelf, tmp_path / "clone")
    clone.git("checkout", "-q", "deploy")
    file = clone.folder / "production/support/triage.yml"
    clone.write("staging/elsewhere/name.yml", file.read_bytes())
    id = await _id(shelf)
    clone.write("production/support/triage.yml", f"prompt: {id}\nversion: 3\nwhy: &x 1\n")
    clone.push("By hand, badly", "deploy")
    await clone.arrives()
    assert await moves(shelf) == [(1, None), (None, 1)]  # what cannot be read serves nothing
    clone.write("production/support/triage.yml", f"version: 3\nprompt: {id}\n")
    clone.write("production/junk.yml", b"\xff")
    clone.write("README.md", "hello")
    clone.push("By hand, well", "deploy")
    await clone.arrives()
    assert await moves(shelf) == [(None, 3), (1, None), (None, 1)]
    assert await moves(shelf, "staging") == [(None, 1)]
    await release(shelf, 2, expected=3)
    await shelf.assert_rebuilds()


@pytest.mark.parametrize(
    "why", ['He said "no": \\ # & *', "two\nlines\x85\u2028\ufeff", "🙂 tab\t"]
)
def test_deploy_files_hold_any_text(why: str):
    pointer = deploy_file.Pointer(
        prompt="p_x", version=7, blob="1" * 40, hash="2" * 64, commit="3e" * 20, by="O'Neill: #1",
        at=datetime(2026, 5, 3, 14, 0, tzinfo=UTC), why=why,
    )  # fmt: skip
    assert deploy_file.parse(deploy_file.serialise(pointer)) == pointer


async def test_a_rewound_deploy_branch_is_reported(shelf: Shelf):
    await release(shelf, 1)
    tip = shelf.git("rev-parse", "deploy")
    await release(shelf, 2)
    shelf.git("update-ref", "refs/heads/deploy", tip)
    with pytest.raises(index.Rewound, match="rewritten or put back"):
        await release(shelf, 3)
