"""How fast is a review? `python -m bench.review [--prompts 10000] [--proposals 2000]`

A workspace made through the write side: many prompts, many open proposals that all wait for the
person who looks, one proposal with 200 comments on its words, one of a 50 kB text. Every page is
asked of the whole app in this process, so the figure is server time. The floor, in the same run,
is an empty page of the same frame. The word diff is timed beside Python's own difflib, which is
given the same words.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.filled import Filled, fill
from bench.word_diff import LARGE, diffs, prose, some_words, summed
from hub.app import create_app
from hub.db import Database
from hub.front import Front
from hub.outbox import announce
from hub.people import accounts, policy_changes, sign_ins, workspaces
from hub.people.models import Account
from hub.people.policy import Actor
from hub.people.rules import Policy, Rule
from hub.registry import versions
from hub.registry.prompt.document import Document, Message
from hub.registry.reading import catalog
from hub.registry.review import comments, proposals
from hub.registry.review.drawing import Wanted
from hub.registry.writing.publish import Publisher
from hub.settings import Secret, Settings

RESULTS = Path(__file__).parent / "results" / "review.json"
BARS = {"page p95 ms": 100.0, "word diff ms": 50.0}
COMMENTS = 200
TOGETHER = 100
ROUNDS = 40
TALKED, LONG = "clinical/talked-about", "clinical/long"


# ── a workspace under review ────────────────────────────────────────────────────────────────────


class Reviewed:
    """The filled workspace, its proposals, and who looks at them."""

    def __init__(self, made: Filled, database: Database) -> None:
        self.made, self.database = made, database
        self.publisher = Publisher(database, made.settings.repositories)
        self.ana = self.ben = accounts.OPERATOR
        self.cookie = ""
        self.long = self.talked = 0

    async def people(self) -> None:
        """Ana writes; Ben reviews, and may see everything."""
        place = self.made.workspace
        async with self.database.write() as db:
            ana = await db.scalar(select(Account).where(Account.email == "ana@example.org"))
            assert ana
            self.ana = self._member(ana)
            ben = await accounts.create(db, "ben@example.org", "Ben Carter")
            await workspaces.add(db, place, ben.email, "", "admin", actor=self.ana)
            self.ben, self.cookie = self._member(ben), await sign_ins.start(db, ben.id, "bench")

    def _member(self, account: Account) -> Actor:
        return Actor(
            kind="person", name=account.name, email=account.email, account_id=account.id,
            workspace_id=self.made.workspace.id, role="admin",
        )  # fmt: skip

    async def offers(self, count: int) -> None:
        """So many open proposals, made at once in groups as a busy team would."""
        names = self.made.names
        for start in range(0, count, TOGETHER):
            numbers = range(start, min(start + TOGETHER, count))
            await asyncio.gather(
                *(self._propose(names[at % len(names)], f"Be kinder. {at}") for at in numbers)
            )
        rng = random.Random(5)
        text = prose(rng, LARGE)
        talked = " ".join(f"Rule {at}: ask the caller about number {at}." for at in range(600))
        operator = Actor(kind="operator", name="Ana Oliveira", email="ana@example.org")
        await versions.save_many(
            self.publisher, self.made.workspace, [(LONG, saying(text)), (TALKED, saying("Ask."))],
            actor=operator, message="Long ones",
        )  # fmt: skip
        self.long = await self._propose(LONG, some_words(rng, text, 10))
        self.talked = await self._propose(TALKED, talked)
        for at in range(COMMENTS):
            await self._remark(at)

    async def rules(self) -> None:
        """Every change needs an approval, so all of it waits for Ben."""
        async with self.database.write() as db:
            await policy_changes.propose(
                db, self.made.workspace.id, Policy(rules=(Rule(kind="change"),)), base_id=None,
                why="Bench", actor=self.ana,
            )  # fmt: skip

    async def _propose(self, name: str, text: str) -> int:
        made = await proposals.propose(
            self.publisher, self.database, self.made.workspace, actor=self.ana, why="It helps.",
            title=f"Say it better in {name}", target="production",
            items=[Wanted(kind="change", name=name, document=saying(text))],
        )  # fmt: skip
        return made.number

    async def _remark(self, at: int) -> None:
        async with self.database.write() as db:
            place = self.made.workspace.id
            prompt = await catalog.get(db, place, TALKED)
            on = comments.On(prompt_id=prompt.id, place="messages/0", quote=f"about number {at}")
            await comments.add(
                db, place, self.talked, actor=self.ben, body=f"Remark {at}, @ana", on=on
            )


def saying(text: str) -> Document:
    return Document(messages=(Message(role="system", content=text),))


async def reviewed(settings: Settings, prompts: int, count: int) -> Reviewed:
    made = await fill(settings, prompts)
    workspace = Reviewed(made, Database(settings.database))
    await workspace.people()
    await workspace.offers(count)
    await workspace.rules()
    await workspace.publisher.close()
    await workspace.database.close()
    return workspace


# ── pages ───────────────────────────────────────────────────────────────────────────────────────


async def ask(app: Front, path: str, cookie: str) -> tuple[int, int]:
    """Status and size of a page, asked without a socket."""
    status = size = 0
    address, _, query = path.partition("?")

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, size
        status = message.get("status", status)
        size += len(message.get("body", b""))

    scope: Any = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": address, "raw_path": address.encode(), "root_path": "",
        "query_string": query.encode(), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8487),
        "headers": [(b"host", b"127.0.0.1"), (b"cookie", f"__Host-session={cookie}".encode())],
    }  # fmt: skip
    await app(scope, receive, send)
    return status, size


def addresses(workspace: Reviewed) -> dict[str, str]:
    base, long, talked = "/clinic/proposals", workspace.long, workspace.talked
    return {
        "floor: an empty page": f"{base}/999999999",
        "home": "/clinic", "queue, waiting": f"{base}?state=waiting",
        "queue, open": f"{base}?state=open", "queue, searched": f"{base}?state=open&q=triage",
        "proposal": f"{base}/1", "proposal, 50 kB": f"{base}/{long}",
        "proposal, 50 kB, side by side": f"{base}/{long}?view=side",
        "proposal, 200 comments": f"{base}/{talked}", "talk, 200 comments": f"{base}/{talked}/talk",
        "talk, 50 kB": f"{base}/{long}/talk", "revisions": f"{base}/{talked}/revisions",
        "merge": f"{base}/1/merge", "rules": "/clinic/settings/rules", "inbox": "/clinic/notices",
        "audit": "/clinic/settings/audit", "audit, narrowed": "/clinic/settings/audit?what=review.",
    }  # fmt: skip


async def pages(workspace: Reviewed) -> dict[str, Any]:
    """Taken in turns, so that a noisy machine is noisy for all."""
    app = create_app(workspace.made.settings)
    took: dict[str, list[tuple[float, float]]] = {}
    async with app.lifespan():
        await app.state.bell.look()  # the notices of all that was made
        gc.collect()
        gc.freeze()  # as the hub does when it has started
        for turn in range(ROUNDS + 3):
            for what, path in addresses(workspace).items():
                one = await page_ms(app, path, workspace.cookie)
                took.setdefault(what, []).extend([one] * (turn >= 3))
        for _ in range(ROUNDS):
            await disturb(app.state.database, workspace.made.workspace.id)
            path = addresses(workspace)["queue, waiting"]
            one = await page_ms(app, path, workspace.cookie)
            took.setdefault("queue, first after a change", []).append(one)
    shown = {what: pages_summed(several) for what, several in took.items()}
    floor = shown["floor: an empty page"]["p50"]
    return {
        what: one | {"times the floor": round(one["p50"] / floor, 1)} for what, one in shown.items()
    }


def pages_summed(several: list[tuple[float, float]]) -> dict[str, float]:
    worked = statistics.median(cpu for _, cpu in several)
    return summed([clock for clock, _ in several]) | {"cpu": round(worked, 2)}


async def page_ms(app: Front, path: str, cookie: str) -> tuple[float, float]:
    """What it took by the clock and of the processor; a busy machine shows in the first alone."""
    begun, worked = time.perf_counter(), time.process_time()
    status, size = await ask(app, path, cookie)
    took = (time.perf_counter() - begun) * 1000, (time.process_time() - worked) * 1000
    assert size > 3000, (path, status, size)
    assert status == (404 if "999999999" in path else 200), (path, status)
    return took


async def disturb(database: Database, workspace_id: int) -> None:
    """Something happened, so what is remembered of the queue is of no use."""
    async with database.write() as db:
        announce(db, "review.requested", workspace_id=workspace_id, subject="#1", number=1)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--prompts", type=int, default=10_000)
    given.add_argument("--proposals", type=int, default=2_000)
    asked = given.parse_args()
    words = diffs()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder) / "data", port=8487, secret_key=Secret("0" * 64))
        workspace = asyncio.run(reviewed(settings, asked.prompts, asked.proposals))
        shown = asyncio.run(pages(workspace))
    slow = {what for what, one in shown.items() if one["p95"] > BARS["page p95 ms"]}
    slow |= {what for what, one in words.items() if one["p50"] > BARS["word diff ms"]}
    result: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "prompts": asked.prompts,
        "proposals": asked.proposals, "cores": os.cpu_count(), "load": os.getloadavg()[0],
        "python": platform.python_version(), "pages ms": shown, "word diff ms": words,
        "bars": BARS, "over a bar": sorted(slow),
        "over a bar by cpu": [
            what for what, one in shown.items() if one["cpu"] > BARS["page p95 ms"]
        ],
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for name in ("pages ms", "word diff ms"):
        print(f"\n{name:32}      p50      p95      cpu   beside")
        for what, one in result[name].items():
            beside = one.get("difflib", one.get("times the floor"))
            figures = one["p50"], one["p95"], one.get("cpu", one["p50"]), beside
            print(f"{what:32}", *(f"{figure:8.1f}" for figure in figures))
    print("\nover a bar:", ", ".join(sorted(slow)) or "nothing")
    print("over it by what the processor did:", ", ".join(result["over a bar by cpu"]) or "nothing")


if __name__ == "__main__":
    main()
