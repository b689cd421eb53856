"""What is wrong over there: sync stops with a sentence and a choice, and throws nothing away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.db import Database
from hub.errors import Conflict
from hub.sync import remotes
from hub.sync.remote_models import Remote
from hub.sync.remote_view import view
from tests.forge import Linked, clinic, linked_to_daemon, prompt

FILE = "support/triage.prompt.yml"


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    """Both sides hold one prompt."""
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        await linked.shelf.save("support/triage", "Be kind.")
        await linked.link()
        await linked.in_step()
        linked.forge.pull()
        yield linked


async def stopped(linked: Linked, why: str, sentence: str) -> Remote:
    """It stopped for this reason, and neither side was touched; again and again."""
    ours, theirs = linked.main(), linked.forge.git("for-each-ref")
    for _ in range(2):
        row = await linked.sync()
        assert row.stopped is not None
        assert (row.stopped["why"], row.trouble) == (why, "")
        assert sentence in view(row).sentence
        assert (linked.main(), linked.forge.git("for-each-ref")) == (ours, theirs)
    return row


async def choose(linked: Linked, row: Remote, do: str) -> None:
    assert do in {one.do for one in view(row).choices}
    place = (linked.shelf.database, linked.shelf.workspace)
    await remotes.choose(*place, do, view(row).tip, linked.shelf.ben)


async def rewritten(linked: Linked) -> str:
    linked.forge.commit({FILE: prompt("Be kinder.")}, "Kinder")
    await linked.in_step()
    linked.forge.dev("reset", "-q", "--hard", "HEAD~1")
    tip = linked.forge.commit({"a/b.prompt.yml": prompt("Other.")}, "Other", push=False)
    linked.forge.dev("push", "-q", "--force", "origin", "HEAD:main")
    return tip


async def test_rewritten_and_brought_together(linked: Linked):
    tip = await rewritten(linked)
    row = await stopped(linked, "rewritten", "was rewritten")
    await linked.shelf.save("tutor/maths", "Explain sums.")  # editing goes on meanwhile
    await choose(linked, row, "together")
    await linked.in_step()
    assert "Be kinder." in linked.forge.file(FILE)
    assert "Other." in linked.text("a/b")
    assert tip in linked.forge.git("rev-list", "main").split()


async def test_rewritten_and_ours_put_there(linked: Linked):
    tip = await rewritten(linked)
    row = await stopped(linked, "rewritten", "was rewritten")
    ours = linked.main()
    await choose(linked, row, "ours")
    await linked.in_step()
    assert linked.forge.tip() == ours
    assert linked.forge.tip(f"kept/{tip[:12]}") == tip
    assert linked.shelf.repository.tip(f"refs/keep/{tip}") == tip


async def test_a_choice_holds_for_what_was_shown_alone(linked: Linked):
    await rewritten(linked)
    row = await stopped(linked, "rewritten", "was rewritten")
    linked.forge.commit({"a/c.prompt.yml": prompt("More.")}, "More")
    await choose(linked, row, "ours")
    later = await stopped(linked, "rewritten", "was rewritten")
    assert later.stopped is not None
    assert later.stopped["tip"] == linked.forge.tip()
    with pytest.raises(Conflict):
        await remotes.choose(
            linked.shelf.database, linked.shelf.workspace, "ours", view(row).tip, linked.shelf.ben
        )  # fmt: skip


async def test_rewritten_back_clears_by_itself(linked: Linked):
    linked.forge.commit({FILE: prompt("Be kinder.")}, "Kinder")
    await linked.in_step()
    whole = linked.forge.tip() or ""
    linked.forge.git("update-ref", "refs/heads/main", f"{whole}~1")
    row = await linked.sync()
    # It only lost what is here: that goes there again, and nobody needs to be asked.
    assert row.stopped is None
    await linked.in_step()
    assert linked.forge.tip() == whole


async def test_emptied(linked: Linked):
    linked.forge.git("update-ref", "-d", "refs/heads/main")
    linked.forge.git("update-ref", "-d", "refs/heads/deploy")
    row = await stopped(linked, "emptied", "was emptied")
    await choose(linked, row, "fill")
    await linked.in_step()


async def test_renamed_and_followed(linked: Linked):
    linked.forge.git("branch", "-m", "main", "trunk")
    linked.forge.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    row = await stopped(linked, "renamed", "main at")
    await choose(linked, row, "follow")
    await linked.shelf.save("tutor/maths", "Explain sums.")
    row = await linked.sync()
    assert (row.main, row.stopped, row.trouble) == ("trunk", None, "")
    assert linked.forge.tip("trunk") == linked.main()
    assert linked.forge.tip("main") is None


async def test_renamed_and_made_again(linked: Linked):
    linked.forge.git("branch", "-m", "main", "trunk")
    linked.forge.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    row = await stopped(linked, "renamed", "main at")
    await choose(linked, row, "fill")
    await linked.in_step()
    assert linked.forge.tip("trunk") == linked.forge.tip("main")


async def test_unrelated_at_first_and_brought_together(database: Database, tmp_path: Path):
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        await linked.shelf.save("support/triage", "Be kind.")
        linked.forge.begin({"a/b.prompt.yml": prompt("Theirs."), "README.md": "Hi\n"})
        await linked.link()
        row = await stopped(linked, "unrelated", "another beginning")
        await choose(linked, row, "together")
        await linked.in_step()
        assert "Theirs." in linked.text("a/b")
        assert "Be kind." in linked.forge.file(FILE)
        assert linked.forge.file("README.md") == "Hi"


async def test_deleted_and_made_anew_with_another_history(linked: Linked):
    linked.forge.dev("checkout", "-q", "--orphan", "anew")
    linked.forge.commit({FILE: prompt("Anew.")}, "Anew", push=False)
    linked.forge.dev("push", "-q", "--force", "origin", "HEAD:main")
    row = await stopped(linked, "rewritten", "was rewritten")
    await choose(linked, row, "together")
    row = await linked.sync()
    assert row.waiting is not None  # both have the prompt, with different words
    assert "Be kind." in linked.text("support/triage")


async def test_releases_that_were_made_there_are_left_alone(linked: Linked):
    from hub.registry import labels

    shelf = linked.shelf
    await labels.move(
        shelf.publisher, shelf.workspace, "production", "support/triage", 1, actor=shelf.ben,
        reason="Ready",
    )  # fmt: skip
    await linked.in_step()
    linked.forge.pull("deploy")
    theirs = linked.forge.commit({"production/x.yml": "version: 1\n"}, "Mine", branch="deploy")
    await shelf.save("tutor/maths", "Explain sums.")
    row = await linked.sync()
    assert "releases that were not made here" in row.note
    assert linked.forge.tip("deploy") == theirs
    assert linked.forge.tip() == linked.main()  # prompts go on
    linked.forge.git("update-ref", "-d", "refs/heads/deploy")
    await linked.in_step()
    assert linked.forge.tip("deploy") == shelf.repository.tip("refs/heads/deploy")
