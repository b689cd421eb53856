"""The repository: made to last, shared by several, and what a full disk does to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.db import Database
from hub.errors import Conflict, HubError, Unavailable
from hub.lock import hold
from hub.registry.git.git_terms import MAIN, SETTINGS, RefMove, RefMoved, RepositoryFull
from hub.registry.git.repository import version
from hub.registry.writing import publish, recover
from hub.registry.writing.asks import Saved
from hub.registry.writing.publish import Publisher
from tests.shelf import Clone, Shelf, all_of, make_shelf


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> AsyncIterator[Shelf]:
    made = await make_shelf(database, tmp_path)
    yield made
    await made.publisher.close()  # gits that wait for a save that does not come


def noise(size: int) -> str:
    """Text that does not compress well."""
    return random.Random(size).randbytes(size // 2).hex()


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
    command = ["flock", str(tmp_path / "hub.lock"), "sleep", "600"]
    held = subprocess.Popen(command, start_new_session=True)
    while subprocess.run(["flock", "-n", str(tmp_path / "hub.lock"), "true"]).returncode == 0:
        await asyncio.sleep(0.01)
    (tmp_path / "hub.lock").write_text(str(os.getpid()))
    with pytest.raises(Unavailable, match="already running"), hold(tmp_path):
        pass
    (tmp_path / "hub.lock").write_text(str(dead.pid))
    ending = threading.Timer(0.3, os.killpg, (held.pid, signal.SIGKILL))
    ending.start()
    with hold(tmp_path):
        assert (tmp_path / "hub.lock").read_text() == str(os.getpid())
    ending.join()
    held.wait()


async def test_packs_are_rolled_up_beside_the_work(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(publish, "MANY_PACKS", 5)
    deadline, n = time.monotonic() + 60, 0
    while n < 25 or (shelf.repository.packs() > 8 and time.monotonic() < deadline):
        await shelf.save(f"p{n}", f"Text {n}")
        n += 1
    await shelf.publisher.close()
    assert shelf.repository.packs() <= 8
    assert not list(shelf.repository.path.glob("objects/pack/*.keep"))
    assert shelf.repository.check() == []
    await shelf.assert_rebuilds()
