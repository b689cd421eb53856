"""What others do while somebody pushes: tidy up the repository, type, fill the disk."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.registry import drafts
from hub.registry.git.git_terms import RefMove
from hub.registry.git.repository import Repository
from hub.registry.models import Version
from hub.registry.writing import recover
from tests.bench_of_review import Bench, make_bench
from tests.git_people import CLEAN
from tests.pushing import Scratch, receive
from tests.shelf import make_shelf
from tests.test_git_push import prompt
from tests.test_repository import noise

REF = "refs/heads/main"


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path / "data")


TIDY = (("pack-refs", "--all"), ("repack", "-dq", "--geometric=2"), ("gc", "--quiet"))
"""Not `repack -ad`: it drops what no ref names yet, by whoever is writing just then."""


async def test_git_tidies_up_while_people_write_and_read(bench: Bench, tmp_path: Path):
    scratch = Scratch(bench.repository.path, tmp_path / "scratch.git")
    await bench.save("a/x", "0")
    done = threading.Event()

    def tidy() -> None:
        while not done.is_set():
            for words in TIDY:
                subprocess.run(
                    ["git", *words], cwd=bench.repository.path, env=CLEAN, check=False,
                    capture_output=True,
                )  # fmt: skip

    tidying = threading.Thread(target=tidy)
    tidying.start()
    seen: list[str] = []
    try:
        for turn in range(8):
            await bench.save("a/x", str(turn + 1), (await bench.head("a/x"))[1])
            old = bench.repository.tip(REF) or ""
            made = scratch.commit(old, {f"a/p{turn}.prompt.yml": prompt(str(turn))})
            said = await receive(bench, bench.people["ana"], scratch.body(old, made))
            assert f"ok {REF}" in said
            seen.append(bench.repository.tip(REF) or "")
            assert seen[-1] == made
    finally:
        done.set()
        tidying.join()
    line = bench.git("rev-list", "--first-parent", "--reverse", "main").split()
    assert [one for one in line if one in seen] == seen
    assert bench.repository.check() == []
    await bench.assert_rebuilds()


async def test_objects_that_somebody_cleared_away_are_written_again(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`git repack -ad` in the moment before the ref moves: it leaves alone what a save wrote."""
    scratch = Scratch(bench.repository.path, tmp_path / "scratch.git")
    saved = await bench.save("a/x", "0")
    real, times = Repository.move, 0

    def move(self: Repository, moves: Iterable[RefMove]) -> None:
        nonlocal times
        times += 1
        if times in {1, 2}:
            bench.git("repack", "-adq")
        real(self, moves)

    monkeypatch.setattr(Repository, "move", move)
    assert (await bench.save("a/x", "1", saved.hash)).version == 2
    assert times == 1
    old = bench.repository.tip(REF) or ""
    made = scratch.commit(old, {"a/y.prompt.yml": prompt("Kept.")})
    assert f"ok {REF}" in await receive(bench, bench.people["ana"], scratch.body(old, made))
    assert times == 3
    assert bench.repository.check() == []
    await bench.assert_rebuilds()


async def test_a_draft_stays_as_it_is_when_a_push_comes_in(bench: Bench, tmp_path: Path):
    scratch = Scratch(bench.repository.path, tmp_path / "scratch.git")
    saved = await bench.save("a/x", "One")
    typed = {"messages": [{"role": "system", "content": "half a sen"}]}
    given = {"name": "a/x", "base": saved.hash, "base_version": 1, "revision": 0}
    ana = bench.people["ana"].account_id or 0
    async with bench.database.write() as db:
        await drafts.put(db, bench.workspace.id, ana, saved.id, typed, **given)
    old = bench.repository.tip(REF) or ""
    text = bench.git("show", "main:a/x.prompt.yml").replace("One", "Pushed")
    made = scratch.commit(old, {"a/x.prompt.yml": f"{text}\n"})
    assert f"ok {REF}" in await receive(bench, bench.people["ben"], scratch.body(old, made))
    async with bench.database.read() as db:
        kept = await drafts.get(db, bench.workspace.id, ana, saved.id)
    assert kept is not None
    assert (kept.document, kept.base) == (typed, saved.hash)
    assert (await bench.head("a/x"))[0] == 2


async def test_a_disk_that_a_push_fills(database: Database, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        shelf = await make_shelf(database, disk)
        await shelf.save("a/first", "First")
        scratch = Scratch(shelf.repository.path, tmp_path / "scratch.git")
        old = shelf.repository.tip(REF) or ""
        large = {f"a/p{n}.prompt.yml": prompt(noise(900_000 + 2 * n)) for n in range(6)}
        tip = scratch.commit(old, large)
        said = await receive(shelf, shelf.ana, scratch.body(old, tip))
        assert "disk is full" in said
        assert shelf.repository.tip(REF) == old
        assert recover.sweep(shelf.repository, {}) == []  # nothing of it was left
        assert (await shelf.save("a/second", "Room again")).version == 1
        async with database.read() as db:
            names = set(await db.scalars(select(Version.name)))
        assert names == {"a/first", "a/second"}
        await shelf.assert_rebuilds()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
