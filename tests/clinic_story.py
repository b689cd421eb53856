"""A change under review, made by the front functions: for tests and for looking at pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from hub.db import Database
from hub.front import Front
from hub.people import rules
from hub.people.models import Account, Member
from hub.people.policy import Actor
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.prompt.document import Document, Message
from hub.registry.review import proposals
from hub.registry.review.proposals import Made, Wanted
from hub.registry.versions import Saved
from hub.registry.writing.publish import Publisher
from tests.cast import Cast
from tests.offered import set_rules

NAME = "clinical/triage"
OLD = "Decide how soon to call back.\n\nAsk for the name.\n\nBe kind."
NEW = OLD.replace("Ask for the name.", "Ask for the name, in any case.")
TITLE = "Treat names in any case"
WHY = "The look-up failed for callers whose name arrives in lower case."
NEEDS_ONE = rules.Rule(kind="change", folder="clinical")


def doc(content: str = OLD, **more: Any) -> Document:
    return Document(
        title="Call-back triage", messages=(Message(role="system", content=content),), **more
    )


@dataclass
class Story:
    """The hub, and what people do in it before the test begins."""

    publisher: Publisher
    database: Database
    cast: Cast

    async def actor(self, who: str) -> Actor:
        async with self.database.read() as db:
            account = await db.get_one(Account, self.cast.account_ids[who])
            member = await db.get_one(Member, (self.cast.workspace.id, account.id))
        return Actor(
            kind="person", name=account.name, email=account.email, account_id=account.id,
            workspace_id=self.cast.workspace.id, role=member.role,
        )  # fmt: skip

    async def saved(
        self, content: str = OLD, *, name: str = NAME, base: str | None = None, who: str = "ana",
        **more: Any,
    ) -> Saved:  # fmt: skip
        return await versions.save(
            self.publisher, self.cast.workspace, name, doc(content, **more), base=base,
            actor=await self.actor(who), message="Shorter",
        )  # fmt: skip

    async def live(self, version: int = 1, name: str = NAME) -> None:
        await labels.move(
            self.publisher, self.cast.workspace, "production", name, version,
            actor=await self.actor("ben"), reason="Go live",
        )  # fmt: skip

    async def rules(self, *made: rules.Rule) -> None:
        await set_rules(self.database, self.cast.workspace.id, *(made or (NEEDS_ONE,)))

    async def proposed(
        self, *wanted: Wanted, who: str = "ana", title: str = TITLE, why: str = WHY,
        target: str | None = None, asked: tuple[str, ...] = (),
    ) -> Made:  # fmt: skip
        """A proposal; without wishes, NEW instead of OLD."""
        items = wanted or (Wanted(kind="change", name=NAME, document=doc(NEW)),)
        return await proposals.propose(
            self.publisher, self.database, self.cast.workspace, actor=await self.actor(who),
            title=title, why=why, items=items, target=target,
            reviewers=[self.cast.account_ids[one] for one in asked],
        )  # fmt: skip

    async def revised(
        self, *wanted: Wanted, number: int = 1, who: str = "ana", message: str = "As asked"
    ) -> Made:  # fmt: skip
        return await proposals.revise(
            self.publisher, self.database, self.cast.workspace, number,
            actor=await self.actor(who), items=wanted, message=message, expected_revision=None,
        )  # fmt: skip

    async def approved(self, digest: str, *, number: int = 1, who: str = "ben") -> None:
        await proposals.review(
            self.publisher, self.cast.workspace, number, actor=await self.actor(who),
            digest=digest, verdict="approve",
        )  # fmt: skip


@pytest.fixture
async def story(hub: Front, cast: Cast) -> Story:
    """A hub in which nothing was written yet."""
    return Story(hub.state.publisher, hub.state.database, cast)
