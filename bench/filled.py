"""A workspace as large as the benchmarks ask, made through the write side."""

from __future__ import annotations

import asyncio
import random

from hub.db import Database
from hub.migrate import upgrade
from hub.people import accounts, keys, sign_ins, workspaces
from hub.people.policy import Actor, WorkspaceRef
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.prompt.document import Document, Message
from hub.registry.writing.publish import Publisher
from hub.settings import Settings

BATCH = 2000
LIVE = 2000
"""So many of the prompts are in production."""
FOLDERS = ("support", "clinical", "tutor", "legal", "sales/emails", "ops/alerts", "misc")
WORDS = (
    "triage ticket patient nurse refund policy contract clause pupil fraction answer kindly short "
    "customer order invoice summary question table number doctor handover vitals urgent zebra "
    "translate letter meeting notes risk lawyer teacher lesson exam grade feedback the a and of"
).split()


def document(rng: random.Random, number: int) -> Document:
    """About 1 kB, like a prompt that does some work."""
    text = " ".join(rng.choice(WORDS) + rng.choice(("", "", "s", ",", ".")) for _ in range(140))
    return Document(
        title=f"{rng.choice(WORDS).title()} {rng.choice(WORDS)} {number}",
        description=" ".join(rng.choice(WORDS) for _ in range(12)),
        tags=tuple(rng.sample(WORDS[:30], 2)),
        model="prompthub/tiny",
        messages=(
            Message(role="system", content=text),
            Message(role="user", content="{{ question }}"),
        ),
    )


def name_of(rng: random.Random, number: int) -> str:
    return f"{rng.choice(FOLDERS)}/{rng.choice(WORDS)}-{number:05}"


class Filled:
    """What was made before the measuring."""

    def __init__(self, settings: Settings, names: list[str]) -> None:
        self.settings = settings
        self.names = names
        self.workspace = WorkspaceRef(0, "", "")
        self.key = self.cookie = ""


async def fill(settings: Settings, prompts: int) -> Filled:
    """The prompts, by the write side; `production` on some; a key and a signed-in person."""
    settings.repositories.mkdir(parents=True)
    await upgrade(settings.database)
    database = Database(settings.database)
    publisher = Publisher(database, settings.repositories)
    rng = random.Random(7)
    made = Filled(settings, [name_of(rng, number) for number in range(prompts)])
    async with database.write() as db:
        ana = await accounts.create(db, "ana@example.org", "Ana Oliveira")
        actor = accounts.person(ana)
        made.workspace = await workspaces.create(
            db, "clinic", "Clinic", actor=actor, account_id=ana.id
        )
        made.key = (await keys.create(db, made.workspace, "bench", "write", actor=actor)).token
        made.cookie = await sign_ins.start(db, ana.id, "bench")
    await publisher.ensure(made.workspace)
    operator = Actor(kind="operator", name="Ana Oliveira", email="ana@example.org")
    for start in range(0, prompts, BATCH):
        batch = [
            (name, document(rng, start + at))
            for at, name in enumerate(made.names[start : start + BATCH])
        ]
        await versions.save_many(
            publisher, made.workspace, batch, actor=operator, message="Bring them in"
        )
    moves = [
        labels.move(publisher, made.workspace, "production", name, 1, actor=operator, reason="Go")
        for name in made.names[:LIVE]
    ]
    await asyncio.gather(*moves)
    await publisher.close()
    await database.close()
    return made
