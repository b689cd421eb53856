"""Ways round review, F again: whoever linked the repository has a way in there, and can have its
commits name whom they like. So they count as an author of all that comes from there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Forbidden
from hub.people.models import Account
from hub.people.policy import Actor
from hub.people.rules import Rule
from hub.registry.models import PushedCommit
from hub.registry.review import proposals
from hub.registry.review.models import Revision
from hub.sync.remotes import linking
from hub.sync.remotes.linking import Fields
from tests.forge import Linked, clinic, linked_to_daemon, prompt
from tests.offered import set_rules

FILE, FREE = "support/triage.prompt.yml", "free/letter.prompt.yml"
RULES = (Rule(kind="change", folder="support"), Rule(kind="release", label="production"))


async def maria(linked: Linked) -> Actor:
    async with linked.shelf.database.read() as db:
        account = (await db.scalars(select(Account).where(Account.name == "Maria Santos"))).one()
    return Actor(
        kind="person", name=account.name, email=account.email, account_id=account.id,
        workspace_id=linked.shelf.workspace.id, role="admin",
    )  # fmt: skip


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    """Linked by Maria, who administers; changes of support/ and releases need one word."""
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        for name in ("support/triage", "free/letter"):
            await linked.shelf.save(name, "Be kind.")
        linked.admin = await maria(linked)
        await linked.link()
        await linked.in_step()
        linked.forge.pull()
        await set_rules(database, linked.shelf.workspace.id, *RULES)
        yield linked


async def refused(linked: Linked, number: int, digest: str) -> None:
    """Maria's word does not count, and Ben's does."""
    shelf = linked.shelf
    given: dict[str, Any] = {"digest": digest, "verdict": "approve"}
    with suppress(Forbidden):
        await proposals.review(
            shelf.publisher, shelf.workspace, number, actor=linked.admin, **given
        )
    with pytest.raises(proposals.NeedsReview):
        await proposals.merge(
            shelf.publisher, shelf.workspace, number, actor=linked.admin,
            digest=digest,
        )  # fmt: skip
    await proposals.review(shelf.publisher, shelf.workspace, number, actor=shelf.ben, **given)
    await proposals.merge(shelf.publisher, shelf.workspace, number, actor=shelf.ben, digest=digest)


async def to_propose(linked: Linked, arrives: Callable[[], Awaitable[object]]) -> None:
    """A release of what arrived, by Ana."""
    await arrives()
    shelf = linked.shelf
    made = await proposals.propose(
        shelf.publisher, shelf.database, shelf.workspace, actor=shelf.ana, title="Live", why="",
        items=[proposals.Wanted(kind="release", name="free/letter", version=2)],
        target="production",
    )  # fmt: skip
    await refused(linked, made.number, made.digest)
    await shelf.assert_rebuilds()


@pytest.mark.parametrize("diverged", [False, True])
async def test_what_arrives_is_not_approved_by_who_linked(linked: Linked, diverged: bool):
    """The commits name a developer alone."""
    linked.forge.commit({FILE: prompt("Evil.")})
    if diverged:
        await linked.shelf.save("free/new", "Hello.")
    row = await linked.sync()
    assert row.waiting is not None
    async with linked.shelf.database.read() as db:
        revision = (await db.scalars(select(Revision))).one()
    await refused(linked, 1, revision.digest)
    assert "Evil." in linked.text("support/triage")
    await linked.shelf.assert_rebuilds()


async def test_nor_is_the_release_of_what_came_straight_in(linked: Linked):
    """No rule asks about the change itself; their commit is main's as it is."""

    async def arrives() -> None:
        tip = linked.forge.commit({FREE: prompt("Evil.")})
        await linked.sync()
        assert linked.main() == tip
        async with linked.shelf.database.read() as db:
            brought = await db.get_one(PushedCommit, (linked.shelf.workspace.id, tip))
        assert (brought.email, brought.others) == ("", ["maria@example.org"])

    await to_propose(linked, arrives)


async def test_nor_of_what_was_brought_together(linked: Linked):
    async def arrives() -> None:
        linked.forge.commit({FREE: prompt("Evil.")})
        await linked.shelf.save("free/new", "Hello.")
        await linked.sync()
        assert "Evil." in linked.text("free/letter")

    await to_propose(linked, arrives)


async def test_whoever_enters_a_token_has_a_way_in_too(linked: Linked):
    ben = linked.shelf.ben
    async with linked.shelf.database.write() as db:
        row = await linking.get(db, linked.shelf.workspace.id)
        row.answers = []
    place = linked.room, linked.shelf.workspace
    await linking.renew(*place, Fields(mirror="on"), linked.admin)
    assert (await linked.row()).answers == []  # a wish is no way in
    await linking.renew(*place, Fields(token="ghp_another"), linked.admin)
    assert (await linked.row()).answers == [linked.admin.account_id]
    with pytest.raises(Forbidden, match="no administrator"):
        await linking.renew(*place, Fields(token="ghp_mine"), ben)
