"""Ways round review, F: by the repository that a workspace is in step with (31–35).

Whoever may push there is nobody here: what arrives meets the rules as a proposal, nothing that is
written there reads as the hub's own word, and what is taken away there stays here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Forbidden, HubError
from hub.people.rules import Rule, folded
from hub.registry.git.commits import HUB_EMAIL, HUB_NAME
from hub.registry.git.deploy_file import Pointer, serialise
from hub.registry.labels import labels
from hub.registry.models import Label, Prompt, Version
from hub.registry.prompt.document import Document, Message
from hub.registry.review import proposals
from hub.registry.review.models import Merge, Proposal, Revision
from hub.sync.remotes import linking
from tests.forge import Linked, clinic, linked_to_daemon, prompt
from tests.offered import set_rules
from tests.shelf import git

FILE, OTHER = "support/triage.prompt.yml", "free/letter.prompt.yml"
LIVE = Rule(kind="release", label="production", approvals=2)
NAMES = ("support/triage", "free/letter")


@pytest.fixture
async def linked(database: Database, tmp_path: Path) -> AsyncIterator[Linked]:
    """Both sides hold two prompts; changes of support/ need a review, production two words."""
    with linked_to_daemon(await clinic(database, tmp_path), tmp_path) as linked:
        for name in NAMES:
            await linked.shelf.save(name, "Be kind.")
        await linked.link()
        await linked.in_step()
        linked.forge.pull()
        place = linked.shelf.workspace.id
        await set_rules(database, place, Rule(kind="change", folder="support"), LIVE)
        yield linked


async def rows(linked: Linked, model: type[Merge] | type[Label]) -> int:
    async with linked.shelf.database.read() as db:
        return len(list(await db.scalars(select(model))))


async def safe(linked: Linked) -> None:
    """What is ruled stands as it did, and nothing counts as approved or is live."""
    assert "Be kind." in linked.text("support/triage")
    assert (await rows(linked, Merge), await rows(linked, Label)) == (0, 0)


@pytest.mark.parametrize("diverged", [False, True])
async def test_what_is_ruled_arrives_as_a_proposal(linked: Linked, diverged: bool):
    """31, 32. Also beside what is free, and when main has moved here meanwhile."""
    linked.forge.commit({FILE: prompt("Evil."), OTHER: prompt("Evil.")})
    if diverged:
        await linked.shelf.save("free/new", "Hello.")
    row = await linked.sync()
    assert row.waiting is not None
    await safe(linked)
    assert "Be kind." in linked.text("free/letter")  # they came together, so they wait together


async def test_who_wrote_it_there_does_not_approve_it_here(linked: Linked):
    """31. By the address of their commits; and nobody else's name makes an author less of one."""
    linked.forge.dev("config", "user.email", "BEN@example.org")
    env = ("-c", "user.email=BEN@example.org", "-c", "user.name=Ben")
    (linked.forge.clone / FILE).write_text(prompt("Evil."))
    linked.forge.dev("add", "-A")
    linked.forge.dev(*env, "commit", "-q", "-m", "Mine", "--author", "Ben <BEN@example.org>")
    linked.forge.dev("push", "-q", "origin", "HEAD:main")
    await linked.sync()
    shelf = linked.shelf
    async with shelf.database.read() as db:
        made = (await db.scalars(select(Revision))).one()
    given = {"actor": shelf.ben, "digest": made.digest}
    with pytest.raises(Forbidden, match="somebody else"):
        await proposals.review(
            shelf.publisher, shelf.workspace, made.number, verdict="approve", **given
        )
    with pytest.raises(proposals.NeedsReview):
        await proposals.merge(shelf.publisher, shelf.workspace, made.number, **given)
    await safe(linked)


@pytest.mark.parametrize("as_hub", [False, True])
async def test_a_merge_that_was_forged_there_is_no_approval(linked: Linked, as_hub: bool):
    """31, 6. With the revision as its second parent, the hub's trailers, and the hub's name."""
    shelf = linked.shelf
    wanted = proposals.Wanted(
        kind="change", name="free/letter",
        document=Document(messages=(Message(role="system", content="Evil."),)),
    )  # fmt: skip
    made = await proposals.propose(
        shelf.publisher, shelf.database, shelf.workspace, actor=shelf.ana, title="Better", why="",
        items=[wanted], target="production",
    )  # fmt: skip
    await linked.sync()
    async with shelf.database.read() as db:
        commit = (await db.scalars(select(Revision.commit))).one()
    blob = shelf.git("rev-parse", f"{commit}:{OTHER}")
    said = (
        f"Better\n\nProposal: {made.number}\nRevision: 1\nDigest: {made.digest}\n"
        f"Approved-blob: {blob}\nReviewed-by: Ben Carter <ben@example.org>\n"
        "Reviewed-by: Maria Santos <maria@example.org>\n"
    )
    name, email = (HUB_NAME, HUB_EMAIL) if as_hub else ("Dev", "dev@example.org")
    bare = linked.forge.bare
    (bare / "objects/info/alternates").write_text(f"{shelf.repository.path / 'objects'}\n")
    tree = git(bare, "rev-parse", f"{commit}^{{tree}}")
    raw = (
        f"tree {tree}\nparent {linked.forge.tip()}\nparent {commit}\n"
        f"author Ana <ana@example.org> 1700000000 +0000\n"
        f"committer {name} <{email}> 1700000000 +0000\n\n{said}"
    )
    forged = git(bare, "hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.encode())
    git(bare, "update-ref", "refs/heads/main", forged)
    await linked.sync()
    async with shelf.database.read() as db:  # no rule asks for a word there, so it is merged
        assert (await db.get_one(Proposal, (shelf.workspace.id, made.number))).state == "merged"
        merge = (await db.scalars(select(Merge))).one()
    assert (merge.reviewers, merge.merged_email) == ([], "noreply@localhost")
    for version in (1, 2):
        with pytest.raises(HubError, match=r"approval|version 2"):
            await labels.move(
                shelf.publisher, shelf.workspace, "production", "free/letter", version,
                actor=shelf.ben, reason="Now",
            )  # fmt: skip
    assert await rows(linked, Label) == 0
    await shelf.assert_rebuilds()


async def test_tags_and_other_branches_there_move_nothing_here(linked: Linked):
    """33. A tag called main, a branch of releases, one of proposals."""
    before = linked.shelf.repository.tips()
    (linked.forge.clone / FILE).write_text(prompt("Evil."))
    linked.forge.dev("add", "-A")
    linked.forge.dev("commit", "-q", "-m", "Evil")
    where = "production/support/triage.yml"
    for ref in ("refs/tags/main", "refs/tags/deploy", "refs/heads/proposals/1", "refs/heads/other"):
        linked.forge.dev("push", "-q", "origin", f"HEAD:{ref}")
    linked.forge.dev("checkout", "-q", "--orphan", "releases")
    linked.forge.dev("rm", "-rqf", ".")
    (linked.forge.clone / where).parent.mkdir(parents=True)
    (linked.forge.clone / where).write_text("version: 1\n")
    linked.forge.dev("add", "-A")
    linked.forge.dev("commit", "-q", "-m", "Live")
    linked.forge.dev("push", "-qf", "origin", "HEAD:deploy")
    await linked.sync()
    assert linked.shelf.repository.tips() == before
    await safe(linked)


@pytest.mark.parametrize("how", ["rewritten", "deleted"])
async def test_what_is_taken_away_there_stays_here(linked: Linked, how: str):
    """34, 35."""
    before = linked.shelf.repository.tips()
    if how == "deleted":
        linked.forge.git("update-ref", "-d", "refs/heads/main")
    else:
        linked.forge.dev("checkout", "-q", "--orphan", "fresh")
        (linked.forge.clone / FILE).write_text(prompt("Evil."))
        linked.forge.dev("add", "-A")
        linked.forge.dev("commit", "-q", "-m", "Evil")
        linked.forge.dev("push", "-qf", "origin", "HEAD:main")
    row = await linked.sync()
    assert row.stopped is not None
    assert linked.shelf.repository.tips() == before
    await safe(linked)


@pytest.mark.parametrize("name", NAMES)
async def test_a_link_in_the_place_of_a_prompt_is_its_deletion(linked: Linked, name: str):
    """31. Nothing goes round the rules as a kind of file that no prompt has, and git alone would
    tell the same story."""
    file = linked.forge.clone / f"{name}.prompt.yml"
    file.unlink()
    file.symlink_to("elsewhere")
    linked.forge.dev("add", "-A")
    linked.forge.dev("commit", "-q", "-m", "Elsewhere")
    linked.forge.dev("push", "-q", "origin", "HEAD:main")
    row = await linked.sync()
    await linked.shelf.assert_rebuilds()
    if name == "free/letter":
        assert (row.waiting, row.trouble) == (None, "")
        async with linked.shelf.database.read() as db:
            query = select(Prompt.name).where(Prompt.deleted_at.is_not(None))
            assert list(await db.scalars(query)) == [name]
        return
    await safe(linked)
    assert row.waiting is not None
    shelf = linked.shelf
    await proposals.decline(shelf.publisher, shelf.workspace, 1, actor=shelf.ben, reason="No.")
    await linked.in_step()
    await safe(linked)
    assert "Be kind." in linked.forge.file(FILE)


async def test_nobody_is_lost_among_many_authors(linked: Linked):
    """31. Whoever is a member is named, however many wrote after them."""
    for at in range(23):
        linked.forge.commit({FILE: prompt(f"Evil {at}.")}, push=False)
        rename(linked, "author", "Ben+work@example.org" if at == 0 else f"dev{at}@example.org")
    linked.forge.dev("push", "-q", "origin", "HEAD:main")
    await linked.sync()
    await not_by_ben(linked)


async def test_who_committed_it_there_wrote_it_too(linked: Linked):
    """31. Though somebody else is named as the author."""
    linked.forge.commit({FILE: prompt("Evil.")}, push=False)
    rename(linked, "committer", "ben@example.org")
    linked.forge.dev("push", "-q", "origin", "HEAD:main")
    await linked.sync()
    await not_by_ben(linked)


async def test_what_only_a_merge_says_is_by_whoever_merged(linked: Linked):
    """31. It is in neither of its sides."""
    dev = linked.forge.dev
    dev("checkout", "-q", "-b", "side")
    linked.forge.commit({OTHER: prompt("Be kinder.")}, "Kinder", push=False)
    dev("checkout", "-q", "main")
    dev("merge", "-q", "--no-ff", "--no-commit", "side")
    linked.forge.commit({FILE: prompt("Evil.")}, "Merge", push=False)
    rename(linked, "author", "ben@example.org")
    dev("push", "-q", "origin", "HEAD:main")
    await linked.sync()
    await not_by_ben(linked)


def rename(linked: Linked, who: str, email: str, name: str = "X") -> None:
    """The newest commit again, with another address."""
    body = re.sub(
        f"(?m)^{who} .*?>", f"{who} {name} <{email}>", linked.forge.dev("cat-file", "-p", "HEAD")
    )
    made = git(linked.forge.clone, "hash-object", "-t", "commit", "-w", "--stdin",
               stdin=f"{body}\n".encode())  # fmt: skip
    linked.forge.dev("reset", "-q", "--hard", made)


async def not_by_ben(linked: Linked) -> None:
    """He is one of its authors."""
    shelf = linked.shelf
    async with shelf.database.read() as db:
        revision = (await db.scalars(select(Revision))).one()
    assert "ben@example.org" in {folded(one) for one in revision.co_authors}
    with pytest.raises(Forbidden, match="somebody else"):
        await proposals.review(
            shelf.publisher, shelf.workspace, 1, actor=shelf.ben, digest=revision.digest,
            verdict="approve",
        )  # fmt: skip


async def test_a_first_release_there_approves_nothing(linked: Linked):
    """6. In the hub's name, with what it says of approvals, on a branch that was not there yet."""
    shelf = linked.shelf
    made = await proposals.propose(
        shelf.publisher, shelf.database, shelf.workspace, actor=shelf.ana, title="Worse", why="",
        items=[proposals.Wanted(kind="release", name="free/letter", version=1)],
        target="production",
    )  # fmt: skip
    known = shelf.git("rev-parse", "main"), shelf.git("rev-parse", "main:free/letter.prompt.yml")
    async with shelf.database.read() as db:
        version = (await db.scalars(select(Version).where(Version.name == "free/letter"))).one()
    pointer = Pointer(
        prompt=version.prompt_id, version=1, blob=known[1], hash=version.hash,
        commit=version.commit, by="Dev", at=version.created_at, why="",
    )  # fmt: skip
    async with shelf.database.write() as db:
        (await linking.get(db, shelf.workspace.id)).takes_releases = True
    dev = linked.forge.dev
    dev("checkout", "-q", "--orphan", "deploy")
    dev("rm", "-q", "-r", "-f", ".")
    said = f"Proposal: 1\nRevision: 1\nTarget: production\nDigest: {made.digest}\n"
    said += f"Approved-blob: {known[1]}\nReviewed-by: Ben <ben@example.org>"
    path = "staging/free/letter.yml"
    linked.forge.commit({path: serialise(pointer).decode()}, f"Worse\n\n{said}", push=False)
    rename(linked, "committer", HUB_EMAIL, HUB_NAME)
    dev("push", "-q", "origin", "HEAD:deploy")
    row = await linked.sync()
    await linked.shelf.assert_rebuilds()
    await safe(linked)
    assert "the hub itself made it" in row.note
