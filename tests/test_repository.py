"""The repository under faults: full disks, killed gits, stale locks, damaged files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database, now
from hub.errors import Conflict, HubError, Unavailable
from hub.lock import hold
from hub.registry import batch, doctor, index, labels, publish, recover, versions
from hub.registry.asks import Saved
from hub.registry.git_terms import MAIN, SETTINGS, RefMove, RefMoved, RepositoryFull
from hub.registry.models import Intent
from hub.registry.publish import Publisher
from hub.registry.repository import Repository, version
from tests.shelf import Clone, Shelf, all_of, make_shelf


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await make_shelf(database, tmp_path)


def noise(size: int) -> str:
    """Text that does not compress well."""
    return random.Random(size).randbytes(size // 2).hex()


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


async def test_it_is_made_to_last(shelf: Shelf):
    has = shelf.repository.settings()
    assert has["core.fsync"] == "all"
    assert has["core.hookspath"] == "/dev/null"
    assert {key.lower() for key in SETTINGS} <= has.keys()
    assert (shelf.repository.path / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert not list(shelf.repository.path.glob("hooks/*"))
    hidden = shelf.git("config", "--get-all", "transfer.hideRefs").split()
    assert hidden == ["refs/hub", "refs/proposals"]
    assert version() > (2, 0)


async def test_nothing_is_inherited_from_the_environment(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "nonsense")
    assert (await shelf.save("a", "One")).version == 1


async def test_two_hubs_on_one_repository_lose_nothing(shelf: Shelf, settings):
    other = Database(settings.database)
    twin = Shelf(
        other, Publisher(other, shelf.publisher.repositories), shelf.workspace, shelf.ana, shelf.ben
    )
    for turn in range(5):
        done = await all_of(
            *(one.save(f"{who}/t{turn}n{n}", "x")
              for who, one in (("a", shelf), ("b", twin)) for n in range(4))
        )  # fmt: skip
        assert [one for one in done if not isinstance(one, Saved)] == []
    assert len(shelf.log("--format=%H")) == 40
    await shelf.assert_rebuilds()
    await other.close()


async def test_a_push_in_between_is_never_overwritten(shelf: Shelf, tmp_path: Path):
    await shelf.save("a", "One")
    clone = Clone(shelf, tmp_path / "clone")

    async def pushes() -> int:
        pushed = 0
        for n in range(8):
            clone.write(f"pushed/p{n}.prompt.yml", "messages: []\n")
            clone.git("add", "-A")
            clone.git("commit", "-q", "-m", f"Push {n}")
            for _ in range(20):
                await asyncio.to_thread(clone.git, "pull", "-q", "--rebase")
                try:
                    await asyncio.to_thread(clone.git, "push", "-q", "origin", "HEAD:main")
                except AssertionError:
                    continue
                pushed += 1
                break
        return pushed

    async def saves() -> None:
        for n in range(25):
            await shelf.save(f"saved/s{n}", "x")

    pushed, _ = await asyncio.gather(pushes(), saves())
    assert pushed == 8
    await clone.arrives()
    names = shelf.git("ls-tree", "-r", "--name-only", "main").split()
    assert len(names) == 1 + 8 + 25
    await shelf.assert_rebuilds()


async def test_refs_move_together_or_not_at_all(shelf: Shelf):
    saved = await shelf.save("a", "One")
    repository = shelf.repository
    moves = [
        RefMove("refs/heads/deploy", None, saved.commit),
        RefMove(MAIN, saved.commit[::-1], saved.commit),
    ]
    with pytest.raises(RefMoved):
        repository.move(moves)
    assert repository.tips() == {MAIN: saved.commit}


async def test_a_full_disk_refuses_with_a_sentence_and_loses_nothing(shelf: Shelf):
    first = await shelf.save("a", "One")
    before = await shelf.dump()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(RepositoryFull, match="disk is full"):
            await shelf.save("a", noise(400_000), base=first.hash)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await shelf.dump() == before
    assert (await shelf.save("a", "Two", base=first.hash)).version == 2
    assert shelf.repository.check() == []


async def test_a_disk_that_fills_up(database: Database, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        shelf = await make_shelf(database, disk)
        saved = [await shelf.save(f"p{n}", noise(100_000 + n)) for n in range(4)]

        async def go_on() -> None:
            for n in range(4, 100):
                saved.append(await shelf.save(f"p{n}", noise(100_000 + n)))

        with pytest.raises(HubError, match="disk is full"):
            await go_on()
        assert not list(disk.glob("repositories/ward.git/objects/pack/tmp_*"))
        files = shelf.git("ls-tree", "-r", "--name-only", "main").split()
        assert len(files) == len(saved)
        (disk / "repositories/ward.git/description").unlink(missing_ok=True)
        recover.sweep(shelf.repository, {})
        assert shelf.repository.check() == []
        await shelf.assert_rebuilds()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


async def test_no_git_is_left_waiting(shelf: Shelf):
    first = await shelf.save("a", "One")
    for turn in range(3):  # one batch upon the other: gits are started before their batch comes
        await all_of(*(shelf.save(f"t{turn}/p{n}", "x") for n in range(3)))
    with pytest.raises(Conflict):
        await shelf.save("a", "Two")
    assert not (await shelf.save("a", "One", base=first.hash)).created
    await shelf.publisher.close()
    mine = f"--git-dir={shelf.repository.path}".encode()
    lines: list[bytes] = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(process.read_bytes())
    assert not [line for line in lines if mine in line]


async def test_a_child_of_a_killed_hub_keeps_nobody_out(tmp_path: Path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    held = subprocess.Popen(["flock", str(tmp_path / "hub.lock"), "sleep", "0.4"])
    while subprocess.run(["flock", "-n", str(tmp_path / "hub.lock"), "true"]).returncode == 0:
        await asyncio.sleep(0.01)
    (tmp_path / "hub.lock").write_text(str(os.getpid()))
    with pytest.raises(Unavailable, match="already running"), hold(tmp_path):
        pass
    (tmp_path / "hub.lock").write_text(str(dead.pid))
    with hold(tmp_path):
        assert (tmp_path / "hub.lock").read_text() == str(os.getpid())
    held.wait()


async def test_git_killed_while_writing_objects(shelf: Shelf, false_git):
    false_git('if [ "$2" = fast-import ]; then touch $once; kill -9 $$; fi')
    assert (await shelf.save("a", "One")).version == 1


async def test_git_killed_with_the_lock_in_its_hand(shelf: Shelf, false_git):
    first = await shelf.save("a", "One")
    false_git(
        'if [ "$2" = update-ref ]; then touch $once; '
        "sed -n 's/^update [^ ]* \\([^ ]*\\).*/\\1/p' > ${1#--git-dir=}/refs/heads/main.lock; "
        "kill -9 $$; fi"
    )
    assert (await shelf.save("a", "Two", base=first.hash)).version == 2
    assert len(shelf.log("--format=%H")) == 2
    assert not await open_intents(shelf)


async def test_git_killed_after_the_deed(shelf: Shelf, false_git):
    false_git('if [ "$2" = update-ref ]; then touch $once; $real "$@"; kill -9 $$; fi')
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
    path = shelf.repository.path
    left = ["refs/heads/main.lock", "packed-refs.lock", "HEAD.lock", "objects/pack/tmp_pack_x"]
    for name in left:
        (path / name).write_text("")
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


async def test_packs_are_rolled_up_beside_the_work(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(publish, "MANY_PACKS", 5)
    for n in range(25):
        await shelf.save(f"p{n}", f"Text {n}")
    await shelf.publisher.close()
    assert shelf.repository.packs() <= 8
    assert shelf.repository.check() == []
    await shelf.assert_rebuilds()
