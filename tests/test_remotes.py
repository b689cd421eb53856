"""A workspace and a repository elsewhere, kept in step both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.registry import labels
from hub.registry.models import Version
from tests.forge import Linked, git_daemon, prompt, room_for
from tests.shelf import make_shelf

FILE = "support/triage.prompt.yml"


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    """A workspace beside an empty forge; nobody has linked them yet."""
    shelf = await make_shelf(database, tmp_path)
    with git_daemon(tmp_path / "forge") as forge:
        room = room_for(database, shelf.publisher, tmp_path, "127.0.0.1")
        yield Linked(shelf, forge, room)


async def test_what_is_here_goes_to_an_empty_forge(linked: Linked):
    saved = await linked.shelf.save("support/triage", "Be kind.")
    await labels.move(
        linked.shelf.publisher, linked.shelf.workspace, "production", "support/triage", 1,
        actor=linked.shelf.ben, reason="Ready",
    )  # fmt: skip
    await linked.link()
    await linked.in_step()
    assert linked.forge.tip() == saved.commit
    assert "version: 1" in linked.forge.file("production/support/triage.yml", "deploy")


async def test_what_is_there_is_imported(linked: Linked):
    linked.forge.begin({FILE: prompt("Be kind."), "README.md": "Hello\n"})
    linked.forge.commit({FILE: prompt("Be very kind.")}, "Kinder")
    await linked.link()
    await linked.in_step()
    assert linked.forge.file("README.md") == "Hello"
    assert "Be very kind." in linked.text("support/triage")


async def test_a_change_there_and_a_change_here_meet(linked: Linked):
    await linked.shelf.save("support/triage", "Be kind.")
    await linked.shelf.save("tutor/maths", "Explain fractions.")
    await linked.link()
    await linked.in_step()
    linked.forge.pull()
    text = linked.forge.file(FILE)
    linked.forge.commit({FILE: text.replace("Be kind.", "Be kind and quick.") + "\n"}, "Quicker")
    await linked.in_step()
    saved = await linked.shelf.save("tutor/physics", "Explain light.")
    await linked.in_step()
    assert linked.forge.tip() == saved.commit
    linked.forge.pull()
    linked.forge.commit({"tutor/maths.prompt.yml": prompt("Explain sums.")}, "Sums")
    await linked.shelf.save("tutor/physics", "Explain sound.", base=saved.hash)
    await linked.in_step()
    assert "Explain sums." in linked.text("tutor/maths")
    assert "Explain sound." in linked.forge.file("tutor/physics.prompt.yml")
    async with linked.shelf.database.read() as db:
        query = select(Version.author, Version.message).where(Version.name == "tutor/maths")
        assert (await db.execute(query.order_by(Version.number.desc()))).first() == ("Dev", "Sums")
