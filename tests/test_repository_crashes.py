"""Where git or the hub dies half-way, nothing is lost and nothing stays half done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import now
from hub.errors import Unavailable
from hub.lock import hold
from hub.registry import doctor, versions
from hub.registry.git.git_terms import MAIN
from hub.registry.git.repository import Repository
from hub.registry.indexing import index
from hub.registry.labels import labels
from hub.registry.models import Intent
from hub.registry.writing import batch, recover
from tests.shelf import Shelf
from tests.test_repository import noise, shelf

__all__ = ["shelf"]


@pytest.fixture
def false_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a script in git's place, once: `$1` is the git folder, `$2` the command."""
    real = subprocess.run(["which", "git"], capture_output=True, text=True).stdout.strip()

    def install(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        once = f"if [ ! -e {folder}/done ]; then\n{script}\nfi\n".replace("$once", f"{folder}/done")
        text = f'#!/bin/sh\nreal={real}\n{once}exec {real} "$@"\n'
        (folder / "git").write_text(text)
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return install


async def test_git_killed_while_writing_objects(shelf: Shelf, false_git):
    false_git('if [ "$2" = fast-import ]; then touch $once; kill -9 $$; fi')
    assert (await shelf.save("a", "One")).version == 1


async def test_git_killed_with_the_lock_in_its_hand(shelf: Shelf, false_git):
    first = await shelf.save("a", "One")
    false_git(
        'if [ "$2" = update-ref ]; then touch $once; '
        "> ${1#--git-dir=}/HEAD.lock; "
        "sed -un 's/^update [^ ]* \\([^ ]*\\).*/\\1/p;/^commit/q' "
        "> ${1#--git-dir=}/refs/heads/main.lock; "
        "kill -9 $$; fi"
    )
    assert (await shelf.save("a", "Two", base=first.hash)).version == 2
    assert len(shelf.log("--format=%H")) == 2
    assert not await open_intents(shelf)


async def test_git_killed_after_the_deed(shelf: Shelf, false_git):
    false_git(
        'if [ "$2" = update-ref ]; then touch $once; '
        "sed -u '/^commit/q' | $real \"$@\" >/dev/null; kill -9 $$; fi"
    )
    assert (await shelf.save("a", "One")).version == 1
    assert len(shelf.log("--format=%H")) == 1


async def open_intents(shelf: Shelf) -> list[Intent]:
    async with shelf.database.read() as db:
        return list(await db.scalars(select(Intent).where(Intent.state == "open")))


async def test_an_index_that_fails_after_the_swap_catches_up(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
):
    real = batch.write_down

    async def fails(*_: object) -> None:
        monkeypatch.setattr(batch, "write_down", real)
        raise OSError("the database went away")

    monkeypatch.setattr(batch, "write_down", fails)
    saved = await shelf.save("a", "One", request_id="k")
    assert saved.version == 1
    assert f"commit='{saved.commit}'" in await shelf.dump()
    assert await shelf.save("a", "One", request_id="k") == saved
    assert not await open_intents(shelf)


async def test_a_crash_before_the_swap_cancels_and_the_retry_saves_once(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
):
    real = Repository.move
    monkeypatch.setattr(Repository, "move", lambda *_: (_ for _ in ()).throw(OSError("power")))
    with pytest.raises(OSError, match="power"):
        await shelf.save("a", "One", request_id="k")
    monkeypatch.setattr(Repository, "move", real)
    assert len(await open_intents(shelf)) == 2
    saved = await shelf.save("a", "One", request_id="k")
    assert (saved.version, len(shelf.log("--format=%H"))) == (1, 1)
    assert not await open_intents(shelf)


async def test_what_a_crash_left_is_swept_at_start(shelf: Shelf, tmp_path: Path):
    saved = await shelf.save("a", "One")
    await shelf.publisher.close()
    path = shelf.repository.path
    left = ["refs/heads/main.lock", "packed-refs.lock", "HEAD.lock", "objects/pack/tmp_pack_x"]
    for name in left:
        (path / name).write_text("")
    (path / "objects/pack/pack-x.keep").write_text("fast-import")
    (path / "objects/pack/pack-y.keep").write_text("")
    pack = next(path.glob("objects/pack/*.pack"))
    pack.with_suffix(".keep").write_text("")  # the operator's own
    left += ["objects/pack/pack-x.keep", "objects/pack/pack-y.keep"]
    (path / MAIN).write_text("")
    with pytest.raises(Unavailable):
        await shelf.save("b", "x")
    levels = {one.level for one in await doctor.examine(shelf.database, tmp_path / "repositories")}
    assert "error" in levels
    with hold(tmp_path):
        assert await recover.at_start(shelf.database, tmp_path / "repositories") == []
        with pytest.raises(Unavailable, match="already running"), hold(tmp_path):
            pass
    assert not any((path / name).exists() for name in left)
    assert pack.with_suffix(".keep").exists()
    assert shelf.repository.tips() == {MAIN: saved.commit}
    assert (await shelf.save("b", "x")).version == 1
    assert await doctor.examine(shelf.database, tmp_path / "repositories") == []


async def test_half_of_a_double_swap_is_completed(shelf: Shelf, tmp_path: Path):
    """What a power cut between two renames leaves: main has moved, deploy has not."""
    await shelf.save("a", "One")
    await labels.move(
        shelf.publisher, shelf.workspace, "production", "a", 1, actor=shelf.ben, reason=""
    )
    old = shelf.repository.tips()
    before = await shelf.dump()
    await versions.delete(shelf.publisher, shelf.workspace, "a", actor=shelf.ben)
    new = shelf.repository.tips()
    after = await shelf.dump()
    shelf.git("update-ref", "refs/heads/deploy", old["refs/heads/deploy"])
    shelf.git("update-ref", MAIN, old[MAIN])
    await index.reindex(shelf.database, shelf.repository, shelf.workspace.id)
    assert await shelf.dump() == before
    async with shelf.database.write() as db:
        refs = [[ref, old[ref], new[ref]] for ref in old]
        db.add(
            Intent(
                workspace_id=shelf.workspace.id, batch="cut", refs=refs, commits=[],
                state="open", at=now(),
            )
        )  # fmt: skip
    shelf.git("update-ref", MAIN, new[MAIN])
    assert await recover.at_start(shelf.database, tmp_path / "repositories") == []
    assert await shelf.dump() == after
    assert not await open_intents(shelf)


async def test_a_damaged_pack_is_found_and_what_is_indexed_still_read(shelf: Shelf, tmp_path: Path):
    await shelf.save("a", noise(2000))
    before = await shelf.dump()
    for pack in (shelf.repository.path / "objects/pack").glob("*.pack"):
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        data[60:200] = os.urandom(140)
        pack.write_bytes(data)
    found = await doctor.examine(shelf.database, tmp_path / "repositories")
    assert found[0].level == "error"
    assert "Restore the repository from a backup" in found[0].sentence
    assert await shelf.dump() == before


async def test_a_missing_repository_is_never_made_anew(shelf: Shelf):
    await shelf.save("a", "One")
    shelf.repository.path.rename(shelf.repository.path.with_suffix(".away"))
    with pytest.raises(Unavailable, match="restore it from a backup"):
        await shelf.save("b", "x")
    assert not shelf.repository.exists
