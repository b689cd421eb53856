"""Administrators hear when sync needs them: once, and no more of it once it is well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.registry.labels import labels
from hub.registry.review.models import Notice
from hub.registry.review.notices import Reader
from tests.forge import Linked, clinic, linked_to_daemon, prompt

FILE = "support/triage.prompt.yml"


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        await linked.shelf.save("support/triage", "Be kind.")
        await linked.link()
        await linked.in_step()
        linked.forge.pull()
        yield linked


async def told(linked: Linked) -> list[Notice]:
    """What administrators have been told and not seen, the oldest first."""
    database = linked.shelf.database
    await Reader(database, mails=True).look()
    query = select(Notice).where(Notice.kind == "sync.stopped", Notice.seen_at.is_(None))
    async with database.read() as db:
        return list(await db.scalars(query.order_by(Notice.id)))


async def test_a_history_that_was_rewritten(linked: Linked):
    linked.forge.dev("commit", "-q", "--amend", "-m", "Another beginning")
    linked.forge.dev("push", "-q", "--force", "origin", "HEAD:main")
    for _ in range(3):
        await linked.sync()
    (one,) = await told(linked)
    assert one.text.startswith("Sync with 127.0.0.1:")
    assert "was rewritten" in one.text
    assert one.url == "/clinic/settings/git"
    assert one.mail_after is not None
    tip = linked.main()
    linked.forge.dev("push", "-q", "--force", "origin", f"{tip}:main")
    await linked.in_step()
    assert await told(linked) == []


async def test_what_passes_by_itself_is_told_when_it_lasts(linked: Linked):
    away = linked.forge.bare.with_name("elsewhere.git")
    linked.forge.bare.rename(away)
    for failures in range(1, 4):  # nothing is there: only a person can mend that
        assert (await linked.sync()).failures == failures
        assert len(await told(linked)) == (failures > 1)
    away.rename(linked.forge.bare)
    await linked.in_step()
    assert await told(linked) == []
    async with linked.shelf.database.write() as db:
        row = await db.merge(await linked.row())
        row.url = "git://127.0.0.1:1/acme/prompts.git"
    for failures in range(1, 10):  # nobody answers: that passes
        await linked.sync()
        assert len(await told(linked)) == (failures > 7)


async def test_mended_before_anybody_was_told(linked: Linked):
    linked.forge.git("branch", "-m", "main", "trunk")
    await linked.sync()
    linked.forge.git("branch", "-m", "trunk", "main")
    await linked.in_step()
    assert await told(linked) == []


async def test_a_prompt_that_goes_takes_its_labels_along(linked: Linked):
    """Both sides changed something, so what went there goes here in one commit with the rest."""
    shelf, forge = linked.shelf, linked.forge
    place = (shelf.publisher, shelf.workspace)
    await labels.move(*place, "production", "support/triage", 1, actor=shelf.ben, reason="Live")
    await linked.in_step()
    forge.commit({FILE: None}, "Away")
    await shelf.save("tutor/maths", "Explain sums.")
    await linked.in_step()
    assert "production" not in shelf.git("ls-tree", "-r", "--name-only", "deploy")


async def test_a_prompt_that_is_renamed_keeps_its_labels(linked: Linked):
    shelf, forge = linked.shelf, linked.forge
    place = (shelf.publisher, shelf.workspace)
    await labels.move(*place, "production", "support/triage", 1, actor=shelf.ben, reason="Live")
    await linked.in_step()
    forge.dev("mv", FILE, "care.prompt.yml")
    forge.commit({"other.prompt.yml": prompt("Hi.")}, "Elsewhere")
    await shelf.save("tutor/maths", "Explain sums.")
    await linked.in_step()
    assert shelf.git("ls-tree", "-r", "--name-only", "deploy") == "production/care.yml"
