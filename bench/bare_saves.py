"""Saves grouped as barely as can be: what git alone allows, beside which `bench.saves` is read.

Whoever waits goes into one batch: `git fast-import` for its objects, `git update-ref` for the
branch, everything synced (`core.fsync=all`), and then all are answered. Nothing is parsed, judged,
numbered, indexed, found again or told to anybody, and no pack is ever rolled up.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Waiting = tuple[str, bytes, "asyncio.Future[None]"]


class BareSaves:
    """One writer of the branch `main` in a repository of its own."""

    def __init__(self, repository: Path) -> None:
        self._git = ["git", f"--git-dir={repository}", "-c", "core.fsync=all"]
        self._tip = self._run(("rev-parse", "main"), b"")
        self._line: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def save(self, path: str, data: bytes) -> None:
        """Returns once the commit is on the disk and the branch names it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((path, data, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        await done

    async def _work(self) -> None:
        while self._line:
            batch, self._line = self._line, []
            await asyncio.to_thread(self._write, batch)
            for _, _, done in batch:
                done.set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _write(self, batch: list[Waiting]) -> None:
        stream = b"".join(self._stream(batch))
        new = self._run(("fast-import", "--quiet", "--done", "--date-format=raw"), stream)
        move = f"update refs/heads/main {new} {self._tip}\n"
        self._run(("update-ref", "--stdin"), move.encode())
        self._tip = new

    def _stream(self, batch: list[Waiting]) -> Iterator[bytes]:
        for number, (path, data, _) in enumerate(batch):
            yield b"commit refs/batch\nmark :1\ncommitter A <a@example.org> 1 +0000\n"
            yield b"data 13\nSay it better"
            yield b"" if number else b"\nfrom %s" % self._tip.encode()
            yield b"\nM 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
        yield b"get-mark :1\nreset refs/batch\nfrom %s\n\ndone\n" % (b"0" * 40)

    def _run(self, words: tuple[str, ...], stdin: bytes) -> str:
        done = subprocess.run([*self._git, *words], input=stdin, capture_output=True, check=True)
        return done.stdout.decode().strip()


async def measure(
    repository: Path, contents: dict[str, bytes], clients: int, seconds: float
) -> dict[str, Any]:
    """So many clients, each saving one path after the other as fast as it is answered."""
    saves, took = BareSaves(repository), list[float]()
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        paths = list(contents)[number::clients]
        turn = 0
        while time.perf_counter() < end:
            path = paths[turn % len(paths)]
            began = time.perf_counter()
            await saves.save(path, contents[path] + b"# %d %d %d\n" % (clients, number, turn))
            took.append(time.perf_counter() - began)
            turn += 1

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    passed = time.perf_counter() - began
    return {
        "saves": len(took),
        "per_second": round(len(took) / passed, 1),
        "p50_ms": round(statistics.median(took) * 1000, 1),
    }
