"""What is wrong over there: sync stops with a sentence and a choice, and throws nothing away."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Conflict
from hub.people.rules import Rule
from hub.registry.labels import labels
from hub.registry.models import Label, Version
from hub.sync.remotes import linking
from hub.sync.remotes.models import Remote
from hub.sync.remotes.view import view
from tests.forge import Linked, clinic, linked_to_daemon, prompt
from tests.offered import set_rules
from tests.shelf import git

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
    await linking.choose(*place, do, view(row).tip, linked.admin)


async def test_put_back_to_an_older_commit_takes_nothing_back_and_says_so(linked: Linked):
    older = linked.main()
    linked.forge.commit({FILE: prompt("Be kinder.")}, "Kinder")
    await linked.in_step()
    newer = linked.main()
    linked.forge.dev("push", "-q", "--force", "origin", f"{older}:main")
    for _ in range(2):  # not for one round alone
        row = await linked.sync()
        assert (row.stopped, row.trouble, row.ahead) == (None, "", 0)
        assert "put back to an older commit" in view(row).note
        assert linked.forge.tip() == linked.main() == newer
    await linked.shelf.save("support/other", "Be brief.")
    await linked.in_step()  # what was said is gone


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
    assert (row.ahead, row.behind) == (1, 1)
    await linked.shelf.save("tutor/maths", "Explain sums.")  # editing goes on meanwhile
    row = await linked.sync()
    assert (row.ahead, row.behind) == (2, 1)
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
        await linking.choose(
            linked.shelf.database, linked.shelf.workspace, "ours", view(row).tip, linked.admin
        )  # fmt: skip


async def test_emptied(linked: Linked):
    linked.forge.git("update-ref", "-d", "refs/heads/main")
    linked.forge.git("update-ref", "-d", "refs/heads/deploy")
    row = await stopped(linked, "emptied", "was emptied")
    assert (row.ahead, row.behind) == (1, 0)
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


async def released(linked: Linked, version: int) -> None:
    shelf = linked.shelf
    await labels.move(
        shelf.publisher, shelf.workspace, "production", "support/triage", version,
        actor=shelf.ben, reason="Ready",
    )  # fmt: skip


async def live(linked: Linked) -> int | None:
    async with linked.shelf.database.read() as db:
        return await db.scalar(select(Label.version).where(Label.label == "production"))


async def rolled_back(linked: Linked) -> str:
    """Two releases here, and the second one undone over there."""
    shelf = linked.shelf
    await released(linked, 1)
    await shelf.save("support/triage", "Be quick.", base=await text_hash(linked))
    await released(linked, 2)
    await linked.in_step()
    linked.forge.pull("deploy")
    linked.forge.dev("revert", "--no-edit", "HEAD")
    linked.forge.dev("push", "-q", "origin", "HEAD:deploy")
    return linked.forge.tip("deploy") or ""


async def text_hash(linked: Linked) -> str:
    async with linked.shelf.database.read() as db:
        query = select(Version.hash).order_by(Version.number.desc())
        return (await db.scalars(query)).first() or ""


async def test_releases_that_were_made_there_are_left_alone(linked: Linked):
    theirs = await rolled_back(linked)
    await linked.shelf.save("tutor/maths", "Explain sums.")
    row = await linked.sync()
    assert "releases that were not made here" in row.note
    assert await live(linked) == 2
    assert linked.forge.tip("deploy") == theirs
    assert linked.forge.tip() == linked.main()  # prompts go on
    linked.forge.git("update-ref", "-d", "refs/heads/deploy")
    await linked.in_step()
    assert linked.forge.tip("deploy") == linked.shelf.repository.tip("refs/heads/deploy")


async def test_releases_that_were_made_there_count_where_somebody_said_so(linked: Linked):
    theirs = await rolled_back(linked)
    place = (linked.room, linked.shelf.workspace)
    wish = linking.Fields(deploy="on", takes_releases="on")
    await linking.renew(*place, wish, linked.admin)
    await linked.in_step()
    assert await live(linked) == 1
    assert linked.shelf.repository.tip("refs/heads/deploy") == theirs


async def test_no_release_passes_a_rule_by_being_made_there(linked: Linked):
    theirs = await rolled_back(linked)
    rule = Rule(kind="release", label="production", may_release=("role:reviewer",))
    await set_rules(linked.shelf.database, linked.shelf.workspace.id, rule)
    wish = linking.Fields(deploy="on", takes_releases="on")
    await linking.renew(linked.room, linked.shelf.workspace, wish, linked.admin)
    row = await linked.sync()
    assert "are not taken in" in row.note
    assert "may move production" in row.note
    assert await live(linked) == 2
    assert linked.forge.tip("deploy") == theirs


@pytest.mark.parametrize("kind", ["sha256", "shallow"])
async def test_repositories_that_cannot_be_kept_in_step_say_so(linked: Linked, kind: str):
    if kind == "sha256":
        shutil.rmtree(linked.forge.bare)
        linked.forge.bare.mkdir()
        linked.forge.git("init", "-q", "--bare", "--object-format=sha256", "-b", "main")
        tree = linked.forge.git("hash-object", "-w", "-t", "tree", "/dev/null")
        tip = linked.forge.git("commit-tree", tree, "-m", "x")
        linked.forge.git("update-ref", "refs/heads/main", tip)
    else:
        for text in ("Be kinder.", "Be kindest."):
            linked.forge.commit({FILE: prompt(text)}, text)
        whole = linked.forge.folder / "whole.git"
        linked.forge.bare.rename(whole)
        git(linked.forge.folder, "clone", "-q", "--bare", "--depth=1", f"file://{whole}",
            str(linked.forge.bare))  # fmt: skip
    before = linked.main()
    row = await linked.sync()
    assert linked.main() == before
    assert {"sha256": "SHA-256", "shallow": "a part of its history"}[kind] in row.trouble
    assert not (linked.shelf.repository.path / "shallow").exists()


async def test_a_forge_of_very_many_branches_is_read_to_its_last(linked: Linked):
    """git lists them by name, in many pieces: main comes behind all the others."""
    tip = linked.forge.commit({FILE: prompt("Be kinder.")}, "Kinder")
    many = (f"create refs/heads/feature/with-a-name/{n:04} {tip}\n" for n in range(2000))
    git(linked.forge.bare, "update-ref", "--stdin", stdin="".join(many).encode())
    await linked.in_step()
    assert "Be kinder." in linked.text("support/triage")


async def test_what_a_forge_says_is_one_line_of_the_log(
    linked: Linked, caplog: pytest.LogCaptureFixture
):
    hook = linked.forge.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nprintf 'no\\nERROR hub: made up\\033[2J\\n' >&2\nexit 1\n")
    hook.chmod(0o755)
    await linked.shelf.save("tutor/maths", "Explain sums.")
    with caplog.at_level("INFO", "hub"):
        row = await linked.sync()
    assert row.trouble
    said = [one.getMessage() for one in caplog.records if "made up" in one.getMessage()]
    assert said
    assert all(one.isprintable() for one in said)
