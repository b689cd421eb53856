"""A hub's heart in a process of its own, to be killed: saves in a loop, acknowledges on stdout.

`python -m tests.saver DATA CLIENTS` forks a life for each line it reads (so that the imports are
paid once), says `born PID`, and `gone` when that life is over. In between come the answers to
saves: name, version, hash, commit. Every third save of a client is followed by a release, the one
behind it is released in the same step.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from hub.db import Database
from hub.lock import hold
from hub.people.policy import Actor, WorkspaceRef
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.writing import recover
from hub.registry.writing.publish import Publisher
from tests.shelf import saying

ANA = Actor(kind="operator", name="Ana Oliveira", email="ana@example.org")


async def main(data: Path, clients: int, turn: str) -> None:
    database = Database(f"sqlite+aiosqlite:///{data}/hub.db")
    with hold(data):
        assert await recover.at_start(database, data / "repositories") == []
        publisher = Publisher(database, data / "repositories")
        workspace = WorkspaceRef(1, "ward", "Ward")
        acknowledge("ready")
        names = [f"r{turn}/c{n}" for n in range(clients)]
        await asyncio.gather(*(client(publisher, workspace, name) for name in names))


async def client(publisher: Publisher, workspace: WorkspaceRef, name: str) -> None:
    base: str | None = None
    for count in range(100_000):
        given = {"base": base, "actor": ANA, "message": "", "request_id": f"{name}-{count}"}
        both = count % 3 == 0
        saved = await (
            versions.save_and_release(
                publisher, workspace, name, saying(f"Text {count} of {name}"),
                labels=["production"], **given,
            )
            if both
            else versions.save(
                publisher, workspace, name, saying(f"Text {count} of {name}"), **given
            )
        )  # fmt: skip
        acknowledge(
            "both" if both else "saved", saved.name, saved.version, saved.hash, saved.commit
        )
        base = saved.hash
        if count % 3 == 2:
            moved = await labels.move(
                publisher, workspace, "production", name, saved.version, actor=ANA, reason=""
            )
            acknowledge("moved", name, moved.new, "-", moved.commit)


def acknowledge(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def mother(data: Path, clients: int) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()  # its gits can be killed with it
            asyncio.run(main(data, clients, line.strip()))
        acknowledge("born", child)
        os.waitpid(child, 0)
        acknowledge("gone")


if __name__ == "__main__":
    mother(Path(sys.argv[1]), int(sys.argv[2]))
