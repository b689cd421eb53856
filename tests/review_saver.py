"""A hub's heart in a process of its own, to be killed: proposes, reviews and merges in a loop.

As `tests.saver`: a life for each line it reads, `born PID`, `gone`, and in between what was done:
`proposed NUMBER REVISION DIGEST` and `merged NUMBER NAME VERSION HASH COMMIT`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from hub.db import Database
from hub.lock import hold
from hub.people.policy import Actor, WorkspaceRef
from hub.registry.writing import recover
from hub.registry.writing.publish import Publisher
from tests.bench_of_review import Bench, change, create
from tests.saver import acknowledge


async def main(data: Path, clients: int, turn: str, people: dict[str, Actor]) -> None:
    database = Database(f"sqlite+aiosqlite:///{data}/hub.db")
    with hold(data):
        assert await recover.at_start(database, data / "repositories") == []
        publisher = Publisher(database, data / "repositories")
        place = WorkspaceRef(1, "ward", "Ward")
        bench = Bench(database, publisher, place, people["ana"], people["ben"], people)
        acknowledge("ready")
        await asyncio.gather(*(client(bench, f"clinical/r{turn}c{n}") for n in range(clients)))


async def client(bench: Bench, name: str) -> None:
    base: str | None = None
    for count in range(100_000):
        text = f"Text {count} of {name}"
        wanted = create(name, text) if base is None else change(name, text, base)
        made = await bench.propose(wanted, target="production", request_id=f"{name}-{count}")
        acknowledge("proposed", made.number, made.revision, made.digest)
        if count % 2:
            made = await bench.revise(made.number, msgspec.structs.replace(wanted))
        await bench.review(made, "dora")
        merged = await bench.merge(made, by="ben", release=count % 3 != 2)
        version = merged.versions[0]
        acknowledge("merged", made.number, name, version.version, version.hash, merged.commit)
        base = version.hash


def mother(data: Path, clients: int) -> None:
    people = msgspec.json.decode((data / "people.json").read_bytes(), type=dict[str, Actor])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()  # its gits can be killed with it
            asyncio.run(main(data, clients, line.strip(), people))
        acknowledge("born", child)
        os.waitpid(child, 0)
        acknowledge("gone")


if __name__ == "__main__":
    mother(Path(sys.argv[1]), int(sys.argv[2]))
