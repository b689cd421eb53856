"""Members are called by name in a remark; what is typed is shown as text."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.outbox import Event
from hub.registry.review.models import Proposal, Watcher
from tests.cast import Browser, Cast
from tests.test_talk import HERE, db, say

__all__ = ["db"]


# ── calling people ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "called"),
    [
        ("@ben look", ["ben"]),
        ("@Ben Carter, look", ["ben"]),
        ("@ben.carter look", []),
        ("ask @carla@example.org or @Ana", ["carla", "ana"]),
        ("mail ben@example.org", []),
        ("> @ben said so\nhm", []),
        ("@mallory and @Mallory Stone and @mallory@example.org", []),
        ("@benjamin", []),
        ("(@ben)", ["ben"]),
        ("@BEN @ben", ["ben"]),
        ("@", []),
    ],
)
async def test_members_are_called_and_nobody_else(
    db: Database, cast: Cast, body: str, called: list[str]
):
    await say(db, cast, "maria", body)
    async with db.read() as session:
        event = await session.scalar(select(Event).where(Event.kind == "proposal.commented"))
        watching = set(await session.scalars(select(Watcher.account_id)))
    assert event
    assert event.payload["mentioned"] == [cast.account_ids[who] for who in called]
    assert watching == {cast.account_ids[who] for who in ["maria", *called]}


async def test_what_is_typed_is_shown_as_text(db: Database, cast: Cast, ben: Browser):
    await say(
        db, cast, "ana", "<b>no</b> @ben see https://example.org/a?b=1. \u200b\n\n> was so\nyes"
    )
    page = (await ben.get(f"{HERE}/talk")).text
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert '<strong class="mention">@ben</strong>' in page
    assert '<a href="https://example.org/a?b=1" rel="nofollow noopener noreferrer">' in page
    assert "<blockquote>was so</blockquote>" in page
    assert "U+200B" in page


async def test_a_remark_moves_the_proposal_up_and_is_announced(db: Database, cast: Cast):
    async with db.read() as session:
        before = (await session.get_one(Proposal, (cast.workspace.id, 7))).updated_at
    first = await say(db, cast, "ben", "Hm")
    async with db.read() as session:
        proposal = await session.get_one(Proposal, (cast.workspace.id, 7))
        event = await session.scalar(select(Event).where(Event.kind == "proposal.commented"))
    assert proposal.updated_at > before
    assert event
    assert (event.payload["number"], event.payload["by"], event.payload["comment"]) == (
        7, "Ben Carter", first,
    )  # fmt: skip
    assert event.payload["account_id"] == cast.account_ids["ben"]
