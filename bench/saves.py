"""How fast is a durable save? `python -m bench.saves [--prompts 10000] [--seconds 6]`

Through `versions.save`, on SQLite with `synchronous=FULL` and git with `core.fsync=all`, in a
workspace that holds many prompts already: alone, with 8 clients, with 32. Beside it, in the same
run: what a save costs with plain git (`commit-tree` and `update-ref` each time), and before and
after each of ours as many clients upon `bench.bare_saves`, in a copy of the repository.

The bars were set by such a bare one, which did 9 ms alone, 293 saves a second with 8 clients and
1,062 with 32 on the machine where it was written. A disk that is twice as slow today is so for
both: `of_bare` is the share of it that is left when everything is done that a save has to do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import select

from bench import bare_saves
from hub.db import Database, now
from hub.migrate import upgrade
from hub.people.models import Workspace
from hub.people.policy import Actor, WorkspaceRef
from hub.registry import versions
from hub.registry.git.git_terms import MAIN
from hub.registry.git.repository import Repository, version
from hub.registry.indexing import index
from hub.registry.models import Prompt
from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.writing.publish import Publisher

RESULTS = Path(__file__).parent / "results" / "saves.json"
Bases = dict[str, versions.Saved]
ANA = Actor(kind="operator", name="Ana Oliveira", email="ana@example.org")
BODY = "You sort the tickets of a hospital. Answer in one word, kindly, about {{ ticket }}. " * 8


def document(text: str, id: str | None = None) -> Document:
    return Document(
        id=id,
        title="Triage",
        description="Sorts tickets by urgency",
        tags=("support", "triage"),
        model="prompthub/tiny",
        parameters={"temperature": 0.2, "max_tokens": 64},
        messages=(
            Message(role="system", content=BODY + text),
            Message(role="user", content="{{ ticket }}"),
        ),
        variables=(Variable(name="ticket", type="long text", description="What they wrote"),),
    )


def name_of(number: int) -> str:
    return f"folder{number % 256:03}/prompt{number:05}"


async def main(prompts: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="saves", dir=os.environ.get("BENCH_DIR")) as folder:
        database = await _database(Path(folder))
        workspace = await _workspace(database)
        publisher = Publisher(database, Path(folder) / "repositories")
        repository = await publisher.ensure(workspace)
        bases = await _fill(publisher, workspace, prompts)
        floor = await asyncio.to_thread(_floor, repository, seconds / 2)
        copy = Path(shutil.copytree(repository.path, Path(folder) / "bare.git"))
        contents = {f"{name_of(n)}.prompt.yml": BODY.encode() for n in range(prompts)}

        async def beside_bare(clients: int) -> dict[str, Any]:
            before = await bare_saves.measure(copy, contents, clients, seconds / 2)
            ours = await _clients(publisher, workspace, bases, clients, seconds)
            after = await bare_saves.measure(copy, contents, clients, seconds / 2)
            return _beside(ours, floor, [before, after])

        alone, eight, many = [await beside_bare(clients) for clients in (1, 8, 32)]
        lost = await _lost(publisher, workspace, bases)
        await publisher.close()
        packs = repository.packs()
        await database.close()
    results = {
        "at": now().isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.platform()}, git {version()}",
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "prompts": prompts,
        "floor_plain_git": floor,
        "alone": alone,
        "clients_8": eight,
        "clients_32": many,
        "lost": lost,
        "packs_left": packs,
        "targets": {
            "alone p50 <= 30 ms": alone["p50_ms"] <= 30,
            "8 clients >= 250/s": eight["per_second"] >= 250,
            "32 clients >= 900/s": many["per_second"] >= 900,
            "none lost": lost == 0,
            "8 clients >= 0.85 of bare": eight["of_bare"] >= 0.85,  # 250 of 293
            "32 clients >= 0.85 of bare": many["of_bare"] >= 0.85,  # 900 of 1,062
        },
    }
    print(json.dumps(results, indent=2))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def _beside(
    one: dict[str, Any], floor: dict[str, Any], bare: list[dict[str, Any]]
) -> dict[str, Any]:
    per_second = statistics.mean(each["per_second"] for each in bare)
    return one | {
        "times_the_floor": round(one["per_second"] / floor["per_second"], 1),
        "bare": bare,
        "of_bare": round(one["per_second"] / per_second, 2),
    }


async def _database(folder: Path) -> Database:
    url = f"sqlite+aiosqlite:///{folder}/hub.db"
    await upgrade(url)
    return Database(url)


async def _workspace(database: Database) -> WorkspaceRef:
    async with database.write() as db:
        row = Workspace(slug="bench", name="Bench", created_at=now())
        db.add(row)
        await db.flush()
        return WorkspaceRef(row.id, row.slug, row.name)


async def _fill(publisher: Publisher, workspace: WorkspaceRef, prompts: int) -> Bases:
    bases: Bases = {}
    for start in range(0, prompts, 1000):
        names = [name_of(n) for n in range(start, min(start + 1000, prompts))]
        made = await versions.save_many(
            publisher, workspace, [(name, document(name)) for name in names], actor=ANA,
            message="Fill",
        )  # fmt: skip
        bases |= {one.name: one for one in made}
    return bases


async def _clients(
    publisher: Publisher, workspace: WorkspaceRef, bases: Bases, clients: int,
    seconds: float,
) -> dict[str, Any]:  # fmt: skip
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        names = list(bases)[number::clients]
        turn = 0
        while time.perf_counter() < end:
            name = names[turn % len(names)]
            old = bases[name]
            began = time.perf_counter()
            saved = await versions.save(
                publisher, workspace, name, document(f"{clients}-{number}-{turn}", old.id),
                base=old.hash, actor=ANA, message="Say it better",
            )  # fmt: skip
            took.append(time.perf_counter() - began)
            bases[name] = saved
            turn += 1

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    passed = time.perf_counter() - began
    took.sort()
    return {
        "saves": len(took),
        "per_second": round(len(took) / passed, 1),
        "p50_ms": round(statistics.median(took) * 1000, 1),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 1),
    }


async def _lost(publisher: Publisher, workspace: WorkspaceRef, bases: Bases) -> int:
    """Acknowledged contents that the index or git does not show."""
    repository = publisher.repository(workspace.slug)
    assert not await index.catch_up(publisher.database, repository, workspace.id)
    async with publisher.database.read() as db:
        rows = await db.execute(select(Prompt.name, Prompt.hash, Prompt.blob))
        shown = {name: (digest, blob) for name, digest, blob in rows}
    in_git = {path: blob for _, blob, path in repository.files(repository.tip(MAIN) or "")}
    return sum(
        shown.get(name, ("", ""))[0] != saved.hash
        or in_git.get(f"{name}.prompt.yml") != shown[name][1]
        for name, saved in bases.items()
    )


def _floor(repository: Repository, seconds: float) -> dict[str, Any]:
    """Commits of the same tree on another branch, one plain git command after the other."""
    git = ["git", f"--git-dir={repository.path}"]

    def run(*args: str) -> str:
        done = subprocess.run([*git, *args], capture_output=True, check=True, text=True)
        return done.stdout.strip()

    tip = run("rev-parse", "main")
    tree = run("rev-parse", "main^{tree}")
    run("config", "user.name", "floor")
    run("config", "user.email", "floor@example.org")
    took: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        new = run("commit-tree", tree, "-p", tip, "-m", "floor")
        run("update-ref", "refs/heads/floor", new)
        tip = new
        took.append(time.perf_counter() - began)
    run("update-ref", "-d", "refs/heads/floor")
    return {
        "saves": len(took),
        "per_second": round(len(took) / sum(took), 1),
        "p50_ms": round(statistics.median(took) * 1000, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    given = parser.parse_args()
    uvloop.run(main(given.prompts, given.seconds))
