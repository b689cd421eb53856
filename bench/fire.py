"""Does memory come back when everything breaks? `python -m bench.fire [--people 50] [--rounds 2]`

A real hub with its real engine. Everybody presses Run at the same moment on seven models: the
built-in one, whose engine is killed while it writes; one that answers; one that dies in the middle;
one that sends garbage; one that closes at once; one that always asks to wait; and one whose cable
is pulled while it streams. One person opens other pages meanwhile. Memory, descriptors and child
processes of the hub are read before, twice a second during, and after. The first round, in which
the hub makes what it makes once, does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.filled import Filled, fill
from bench.serving import HUB, uvicorn
from hub.db import Database
from hub.people.policy import Actor
from hub.registry import versions
from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.writing.publish import Publisher
from hub.settings import Secret, Settings
from tests.crowding import (
    OVER,
    Endpoints,
    Level,
    Person,
    connect,
    counted,
    endpoints,
    level,
    looking,
    models,
    signed_in,
    under_fire,
)

RESULTS = Path(__file__).parent / "results" / "fire.json"
PROMPT = "support/mood"
VALUES = {"v.said": "I love this lamp, it never broke"}
SETTLE = 20.0
"""Seconds from the last answer to the last look; a grid stays in memory for ten."""
OPERATOR = Actor(kind="operator", name="Ana Oliveira", email="ana@example.org")


async def prepare(made: Filled, to: Endpoints, people: int) -> tuple[list[str], list[str]]:
    """The columns, and everybody's session."""
    database = Database(made.settings.database)
    publisher = Publisher(database, made.settings.repositories)
    text = "Is the customer happy or not? Answer with one word.\n{{ said }}"
    document = Document(
        messages=(Message(role="user", content=text),), variables=(Variable(name="said"),)
    )
    await versions.save(
        publisher, made.workspace, PROMPT, document, base=None, actor=OPERATOR, message="First"
    )
    by_name = await connect(database, made.settings, made.workspace, to)
    cookies = await signed_in(database, made.workspace, people)
    await publisher.close()
    await database.close()
    return models(by_name), cookies


async def watched(pid: int, until: asyncio.Event) -> list[Level]:
    found: list[Level] = []
    while not until.is_set():
        found.append(level(pid))
        await asyncio.sleep(0.5)
    return found


async def one_round(
    made: Filled, everybody: list[Person], columns: list[str], pid: int, to: Endpoints
) -> dict[str, Any]:
    over = asyncio.Event()
    url, some = everybody[0].url, made.names[3]
    pages = ["/clinic/prompts", f"/clinic/prompts/{some}", f"/clinic/history/{some}"]
    before = level(pid)
    watching = asyncio.create_task(watched(pid, over))
    others = asyncio.create_task(looking(url, made.cookie, pages, over))
    begun = time.perf_counter()
    found = await under_fire(everybody, columns, VALUES, pid, to)
    lasted = time.perf_counter() - begun
    over.set()
    took, during = sorted(await others), await watching
    await asyncio.sleep(SETTLE)
    return {
        "before": asdict(before), "after": asdict(level(pid)),
        "most during": {
            name: max(getattr(one, name) for one in during)
            for name in ("memory", "descriptors", "children")
        },
        "cells": counted(found), "not over": sum(one.state not in OVER for one in found),
        "failed without a sentence": sum(one.state == "failed" and not one.error for one in found),
        "lasted s": round(lasted, 1),
        "other pages ms": {
            "pages": len(took), "p50": round(statistics.median(took), 1),
            "p95": round(took[int(len(took) * 0.95)], 1), "most": round(took[-1], 1),
        },
    }  # fmt: skip


async def rounds(
    made: Filled, cookies: list[str], columns: list[str], pid: int, to: Endpoints, count: int
) -> list[dict[str, Any]]:
    """In the first one the cable is pulled; in later ones nobody is there from the beginning."""
    url = f"http://127.0.0.1:{made.settings.port}"
    everybody = [Person(url, cookie, f"/clinic/try/{PROMPT}") for cookie in cookies]
    for one in everybody:
        await one.open()
    found: list[dict[str, Any]] = []
    for _ in range(count + 1):
        found.append(await one_round(made, everybody, columns, pid, to))
    for one in everybody:
        await one.client.aclose()
    return found


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--people", type=int, default=50)
    ask.add_argument("--prompts", type=int, default=200)
    ask.add_argument("--rounds", type=int, default=2)
    ask.add_argument("--port", type=int, default=8491)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder, endpoints() as to:
        settings = Settings(
            data=Path(folder) / "data", port=given.port, secret_key=Secret("0" * 64),
            private_hosts=to.hosts,
        )  # fmt: skip
        made = asyncio.run(fill(settings, given.prompts))
        columns, cookies = asyncio.run(prepare(made, to, given.people))
        env = {
            "PROMPTHUB_DATA": str(settings.data), "PROMPTHUB_SECRET_KEY": "0" * 64,
            "PROMPTHUB_PORT": str(given.port), "PROMPTHUB_PRIVATE_HOSTS": to.hosts,
        }  # fmt: skip
        with uvicorn("hub.app:from_environment", given.port, env, *HUB) as hub:
            found = asyncio.run(rounds(made, cookies, columns, hub.pid, to, given.rounds))
    first, *counting = found
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "people": given.people,
        "models": len(columns), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1),
        "first round": first, "rounds": counting,
        "MiB kept by a round": [
            round(one["after"]["memory"] - one["before"]["memory"], 1) for one in counting
        ],
    }  # fmt: skip
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
