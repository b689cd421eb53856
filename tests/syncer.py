"""A hub that syncs, in a process of its own, to be killed in a certain step, or at any moment.

`python -m tests.syncer DATA SLUG` forks a life for each line it reads: the step after which it
kills itself, or `-` to go round after round until it is killed. It says `born PID` and `gone`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub.db import Database
from hub.lock import hold
from hub.people.models import Workspace
from hub.people.policy import WorkspaceRef
from hub.registry.git.quarantine import Quarantine
from hub.registry.git.repository import Repository
from hub.registry.writing import recover
from hub.registry.writing.publish import Publisher
from hub.sync.remotes import linking, rounds, watch
from hub.sync.remotes.wire import Wire
from tests.forge import room_for

STEPS: dict[str, tuple[Any, str]] = {
    "fetch": (Wire, "fetch"),
    "keep": (Quarantine, "keep"),
    "write": (Repository, "write"),
    "sync": (Repository, "sync_written"),
    "move": (Repository, "move"),
    "publish": (Publisher, "publish"),
    "offer": (rounds, "offer"),
    "push": (Wire, "push"),
    "note": (watch, "_write_down"),
}
"""What is done in each; `before` and `after` are two moments to die."""


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def doom(step: str) -> None:
    """Have this process die just before or just after a step."""
    when, _, name = step.partition(" ")
    place, function = STEPS[name]
    real = getattr(place, function)

    async def later(*args: Any, **more: Any) -> Any:
        if when == "before":
            die()
        made = await real(*args, **more)
        die()
        return made

    def now(*args: Any, **more: Any) -> Any:
        if when == "before":
            die()
        made = real(*args, **more)
        die()
        return made

    setattr(place, function, later if asyncio.iscoroutinefunction(real) else now)


async def live(data: Path, slug: str, step: str) -> None:
    database = Database(f"sqlite+aiosqlite:///{data}/hub.db")
    with hold(data):
        assert await recover.at_start(database, data / "repositories") == []
        publisher = Publisher(database, data / "repositories")
        room = room_for(database, publisher, data, "127.0.0.1")
        async with database.read() as db:
            row = (await db.scalars(select(Workspace).where(Workspace.slug == slug))).one()
        workspace = WorkspaceRef(row.id, row.slug, row.name)
        if step != "-":
            doom(step)
        while True:
            async with database.read() as db:
                linked = await linking.get(db, workspace.id)
            await watch.once(room, workspace, linked)


def mother(data: Path, slug: str) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()  # its gits can be killed with it
            asyncio.run(live(data, slug, line.strip()))
        print("born", child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    mother(Path(sys.argv[1]), sys.argv[2])
