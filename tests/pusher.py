"""A hub's heart in a process of its own, to be killed: pushes in a loop while others save.

As `tests.saver`: a life for each line it reads, `born PID`, `gone`, and in between what was done:
`pushed NAME HASH COMMIT` and `saved NAME HASH COMMIT`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from pathlib import Path

from hub.db import Database
from hub.lock import hold
from hub.people.policy import Actor, WorkspaceRef
from hub.registry import versions
from hub.registry.writing import recover
from hub.registry.writing.publish import Publisher
from tests.pushing import Scratch, receive
from tests.saver import acknowledge
from tests.shelf import Shelf, saying

ANA = Actor(
    kind="person", name="Ana", email="ana@example.org", account_id=1, workspace_id=1, role="editor"
)


async def main(data: Path, turn: str) -> None:
    database = Database(f"sqlite+aiosqlite:///{data}/hub.db")
    with hold(data):
        assert await recover.at_start(database, data / "repositories") == []
        publisher = Publisher(database, data / "repositories")
        shelf = Shelf(database, publisher, WorkspaceRef(1, "ward", "Ward"), ANA, ANA)
        acknowledge("ready")
        await asyncio.gather(pushes(shelf, data / f"scratch{turn}.git", turn), saves(shelf, turn))


async def pushes(shelf: Shelf, folder: Path, turn: str) -> None:
    scratch = Scratch(shelf.repository.path, folder)
    for count in range(100_000):
        old = shelf.repository.tip("refs/heads/main") or ""
        name, text = f"pushed/t{turn}n{count}", f"messages:\n- role: user\n  content: {count}\n"
        made = scratch.commit(old, {f"{name}.prompt.yml": text})
        said = await receive(shelf, ANA, scratch.body(old, made))
        if "ok refs/heads/main" in said:
            acknowledge("pushed", name, hashlib.sha256(text.encode()).hexdigest(), made)
        await asyncio.sleep(0)


async def saves(shelf: Shelf, turn: str) -> None:
    for count in range(100_000):
        name = f"saved/t{turn}n{count}"
        saved = await versions.save(
            shelf.publisher, shelf.workspace, name, saying(name), base=None, actor=ANA, message=""
        )
        acknowledge("saved", name, saved.hash, saved.commit)
        await asyncio.sleep(0.2)  # a push takes longer than a save, and shall win sometimes


def mother(data: Path) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()  # its gits can be killed with it
            asyncio.run(main(data, line.strip()))
        acknowledge("born", child)
        os.waitpid(child, 0)
        acknowledge("gone")


if __name__ == "__main__":
    mother(Path(sys.argv[1]))
