"""The gits that stay while one batch of saves follows upon the other: let go, and killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from hub.db import Database
from hub.migrate import upgrade
from hub.registry.git.repository import Repository
from tests.shelf import Shelf, make_shelf
from tests.test_repository import shelf

__all__ = ["shelf"]


def test_gits_that_were_not_needed_leave_nothing_behind(tmp_path: Path):
    repository = Repository.create(tmp_path / "clinic.git")
    before = everything(repository)
    repository.make_ready()
    deadline = time.monotonic() + 60
    while everything(repository) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert everything(repository) != before  # an empty pack: it is there, and waits
    repository.dismiss()
    assert everything(repository) == before


def everything(repository: Repository) -> set[Path]:
    return set(repository.path.rglob("*"))


def test_an_event_loop_that_ends_leaves_no_git_behind(tmp_path: Path):
    """A save was answered, and nobody waits for what comes after it; no thread is free for it."""

    async def one_save(folder: Path, turns: int) -> None:
        database = Database(f"sqlite+aiosqlite:///{folder}/hub.db")
        shelf = await make_shelf(database, folder)
        loop, free = asyncio.get_running_loop(), threading.Event()
        loop.set_default_executor(ThreadPoolExecutor(1))
        shelf.publisher.written = lambda: loop.run_in_executor(None, free.wait)
        await shelf.save("support/triage", "Text")
        for _ in range(turns):
            await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:  # as the loop does when it ends
            task.cancel()
        loop.call_later(0.02, free.set)
        await asyncio.gather(*others, return_exceptions=True)
        free.set()
        await database.close()

    for turns in range(8):
        folder = tmp_path / str(turns)
        folder.mkdir()
        asyncio.run(upgrade(f"sqlite+aiosqlite:///{folder}/hub.db"))
        asyncio.run(one_save(folder, turns))
    left: list[bytes] = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended while we looked
            left.append(one.read_bytes())
    assert not [words for words in left if str(tmp_path).encode() in words]


async def test_gits_killed_at_any_moment_lose_no_save(shelf: Shelf):
    """Six people save all the time, while the gits between them and the disk are killed."""
    killer = Killer(shelf.repository.path)
    killer.start()
    try:
        await asyncio.gather(*(saves(shelf, f"p{n}", killer) for n in range(6)))
    finally:
        killer.over.set()
        killer.join()
    await shelf.publisher.close()
    left = ("objects/pack/tmp_*", "objects/pack/*.keep", "fast_import_crash_*", "refs/**/*.lock")
    assert not [path for one in left for path in shelf.repository.path.glob(one)]
    assert shelf.repository.check() == []
    await shelf.assert_rebuilds()


async def saves(shelf: Shelf, name: str, killer: Killer) -> None:
    """Version after version until enough was killed; each has the number that it must have."""
    base, count = None, 0
    while killer.killed < 12:
        count += 1
        made = await shelf.save(name, f"Text {count}", base=base)
        assert made.version == count
        killer.saved += 1
        base = made.hash


class Killer(threading.Thread):
    """Kills a git of ours that works in the repository; the next one once saves go on again."""

    def __init__(self, repository: Path) -> None:
        super().__init__()
        self.word, self.over = f"--git-dir={repository}", threading.Event()
        self.saved = self.killed = 0

    def run(self) -> None:
        enough = 6
        while not self.over.wait(random.uniform(0, 0.05)):
            if self.saved >= enough and (gits := self.gits()):
                with suppress(ProcessLookupError):  # it ended by itself while we looked
                    os.kill(random.choice(gits), signal.SIGKILL)
                    self.killed += 1
                    enough = self.saved + 12

    def gits(self) -> list[int]:
        children: list[str] = []
        for task in Path(f"/proc/{os.getpid()}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                children += (task / "children").read_text().split()
        return [int(pid) for pid in children if self.word in words_of(pid)]


def words_of(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
