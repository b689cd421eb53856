"""What does git cost over the hub's own door? `python -m bench.clone [--prompts 10000]`

A workspace of 10,000 prompts with 50,000 versions, a commit each but for the first ones. Then, in
turns: a stock `git clone` from the hub over HTTP, and one over `file://` of the very same
repository. Then pushes: how soon the index and a listening app have what was pushed, counted from
the moment in which the pack is sent, and from the hub's answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from bench.delivery import App
from bench.filled import Filled, document, fill
from bench.serving import HUB, uvicorn
from hub.db import Database
from hub.people.policy import Actor
from hub.registry import versions
from hub.registry.git.repository import version as git_version
from hub.registry.models import Prompt, Version
from hub.registry.writing.publish import Publisher
from hub.settings import Secret, Settings

RESULTS = Path(__file__).parent / "results" / "clone.json"
MAIN = "refs/heads/main"
AT_ONCE = 100
KINDS = {"whole": (), "bare": ("--bare",), "depth 1": ("--depth=1", "--bare")}
WORK = ("hub worked ms", "its gits worked ms")
RATIO, HEARD = 3.0, 250.0
"""The bars: a clone beside stock git's, and milliseconds until apps have a push."""
CLEAN = {
    "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0", "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org",
}  # fmt: skip


async def grow(made: Filled, wanted: int) -> dict[str, int]:
    """More versions of chance prompts, many at once as people save; how many there are then."""
    database = Database(made.settings.database)
    publisher = Publisher(database, made.settings.repositories)
    actor = Actor(kind="operator", name="Ana Oliveira", email="ana@example.org")
    rng = random.Random(11)
    async with database.read() as db:
        rows = await db.execute(select(Prompt.name, Prompt.hash))
        bases = {row.name: row.hash for row in rows}
    left = wanted - len(bases)

    async def save(name: str) -> None:
        saved = await versions.save(
            publisher, made.workspace, name, document(rng, rng.randrange(10**6)),
            base=bases[name], actor=actor, message="Say it better",
        )  # fmt: skip
        bases[name] = saved.hash

    while left > 0:
        names = rng.sample(sorted(bases), min(AT_ONCE, left, len(bases)))
        await asyncio.gather(*map(save, names))
        left -= len(names)
    async with database.read() as db:
        count = await db.scalar(select(func.count()).select_from(Version)) or 0
    await publisher.close()
    await database.close()
    return {"prompts": len(bases), "versions": count}


def git(*words: str, at: Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> bytes:
    return subprocess.run(
        ["git", *words],
        cwd=at,
        input=stdin,
        capture_output=True,
        check=True,
        env=CLEAN | (env or {}),
    ).stdout


def clones(door: str, repository: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of each kind, by the hub and by stock git in turns."""
    took: dict[str, dict[str, list[float]]] = {
        kind: {"hub": [], "file": []} for kind in KINDS
    }  # fmt: skip
    sources = {"hub": door, "file": f"file://{repository}"}
    for turn in range(rounds):
        for kind, options in KINDS.items():
            order = ("hub", "file") if turn % 2 else ("file", "hub")
            for source in order:
                begun = time.perf_counter()
                git("clone", "-q", *options, sources[source], "copy", at=folder)
                took[kind][source].append(round(time.perf_counter() - begun, 3))
                shutil.rmtree(folder / "copy")
    return {
        kind: {
            **{f"{source} s": statistics.median(several) for source, several in two.items()},
            "ratio": round(
                statistics.median(h / f for h, f in zip(two["hub"], two["file"], strict=True)), 2
            ),
            "rounds": two,
        }
        for kind, two in took.items()
    }


class Pusher:
    """A developer's clone, and what its pushes send."""

    def __init__(self, door: str, folder: Path) -> None:
        git("clone", "-q", "--bare", door, "pusher", at=folder)
        self.folder = folder / "pusher"

    def body(self, path: str, text: str) -> tuple[bytes, str]:
        """Of one commit that puts `text` at `path`, on top of main; and the commit."""
        old, index = self._said("rev-parse", MAIN), {"GIT_INDEX_FILE": str(self.folder / "i")}
        blob = self._said("hash-object", "-w", "--stdin", stdin=text.encode())
        git("read-tree", old, at=self.folder, env=index)
        line = f"100644 {blob}\t{path}\n".encode()
        git("update-index", "--index-info", at=self.folder, stdin=line, env=index)
        tree = git("write-tree", at=self.folder, env=index).decode().strip()
        new = self._said("commit-tree", tree, "-p", old, "-m", "Say it better")
        asked = f"{old} {new} {MAIN}\0 report-status".encode()
        packed = git(
            "pack-objects", "--revs", "--stdout", "-q", at=self.folder,
            stdin=f"{new}\n^{old}\n".encode(),
        )  # fmt: skip
        return b"%04x" % (len(asked) + 4) + asked + b"0000" + packed, new

    def keep(self, tip: str) -> None:
        git("update-ref", MAIN, tip, at=self.folder)

    def _said(self, *words: str, stdin: bytes = b"") -> str:
        return git(*words, at=self.folder, stdin=stdin).decode().strip()


def worked(pid: int) -> tuple[int, int]:
    """Milliseconds of a processor that the process has had so far, and its children that ended."""
    said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own, own_system, children, children_system = (int(one) for one in said[11:15])
    tick = 1000 // os.sysconf("SC_CLK_TCK")
    return (own + own_system) * tick, (children + children_system) * tick


async def pushes(made: Filled, pusher: Pusher, count: int, pid: int) -> dict[str, Any]:
    """Milliseconds until the hub answers, the index has it, and an app has heard of it; and what
    the hub and its gits work until the answer, which no other process makes longer."""
    port, rng = made.settings.port, random.Random(3)
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        headers = {"Authorization": f"Bearer {made.key}"}
        place = (await client.get("/api/v1/snapshot?label=latest", headers=headers)).json()
        since = f"{place['epoch']}:{place['revision']}"
        ask = (
            f"GET /api/v1/stream?since={since}&label=latest HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {made.key}\r\n\r\n"
        )
        app = App()
        await app.listen(port, ask.encode(), asyncio.Semaphore(1))
        found: dict[str, list[float]] = {}
        for turn in range(count):
            name = rng.choice(made.names)
            text = f"messages:\n- role: user\n  content: Pushed {turn} {rng.random()}\n"
            for what, ms in (await _push(client, app, made, pusher, name, text, pid)).items():
                found.setdefault(what, []).append(round(ms, 1))
        app.task.cancel()
        app.writer.close()
    work = {f"{w} mean": round(statistics.mean(found.pop(w)), 1) for w in WORK}
    middle = {f"{what} p50": round(statistics.median(all_), 1) for what, all_ in found.items()}
    return {"pushes": count, **work, **middle, **{f"{w} most": max(a) for w, a in found.items()}}


async def _push(
    client: httpx.AsyncClient, app: App, made: Filled, pusher: Pusher, name: str, text: str,
    pid: int,
) -> dict[str, float]:  # fmt: skip
    body, tip = await asyncio.to_thread(pusher.body, f"{name}.prompt.yml", text)
    app.heard.clear()
    before, begun = worked(pid), time.perf_counter()
    kind = {"Content-Type": "application/x-git-receive-pack-request"}
    answer = await client.post(
        "/clinic.git/git-receive-pack", content=body, headers=kind, auth=("a", made.key)
    )
    answered, after = time.perf_counter(), worked(pid)
    assert f"ok {MAIN}" in answer.text, answer.text
    headers = {"Authorization": f"Bearer {made.key}"}
    read = await client.get(f"/api/v1/prompts/{name}?label=latest", headers=headers)
    shown = time.perf_counter()
    assert json.dumps(text.partition("content: ")[2].strip()) in read.text, read.text
    async with asyncio.timeout(30):
        await app.heard.wait()
    pusher.keep(tip)
    await asyncio.sleep(0.3)
    return {
        "answered ms": (answered - begun) * 1000, "index shows it ms": (shown - begun) * 1000,
        "app has it ms": (app.at - begun) * 1000,
        "app after the answer ms": max(0.0, (app.at - answered) * 1000),
        **{what: after[at] - before[at] for at, what in enumerate(WORK)},
    }  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--prompts", type=int, default=10_000)
    asked.add_argument("--versions", type=int, default=50_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--pushes", type=int, default=40)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-clone-") as name:
        folder = Path(name)
        settings = Settings(data=folder / "data", port=8489, secret_key=Secret("0" * 64))
        settings.data.mkdir()
        made = asyncio.run(fill(settings, given.prompts))
        size = asyncio.run(grow(made, given.versions))
        repository = settings.repositories / "clinic.git"
        env = {
            "PROMPTHUB_DATA": str(settings.data), "PROMPTHUB_SECRET_KEY": "0" * 64,
            "PROMPTHUB_PORT": str(settings.port),
        }  # fmt: skip
        with uvicorn("hub.app:from_environment", settings.port, env, *HUB) as hub:
            door = f"http://any:{made.key}@127.0.0.1:{settings.port}/clinic.git"
            cloned = clones(door, repository, folder, given.rounds)
            pushed = asyncio.run(pushes(made, Pusher(door, folder), given.pushes, hub.pid))
    tell(size, cloned, pushed)


def tell(size: dict[str, int], cloned: dict[str, Any], pushed: dict[str, Any]) -> None:
    got = {f"clone, {kind}: times stock git": one["ratio"] for kind, one in cloned.items()}
    for what in ("index shows it ms", "app has it ms", "app after the answer ms"):
        got[f"{what} p50"] = pushed[f"{what} p50"]
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "python": platform.python_version(), "load": os.getloadavg()[0],
        "git": ".".join(map(str, git_version())), **size, "clones": cloned, "pushes": pushed,
        "bars": {
            what: {
                "bar": (bar := RATIO if "clone" in what else HEARD), "got": value,
                "met": value <= bar,
            }
            for what, value in got.items()
        },
    }  # fmt: skip
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
