"""Merging: exactly what was approved lands on main, and with it the label if one shall move."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Conflict, Forbidden
from hub.outbox import Event
from hub.people.models import AuditEntry
from hub.people.rules import Rule
from hub.registry import versions
from hub.registry.models import LabelMove
from hub.registry.review import proposals
from hub.registry.review.models import Merge, Revision
from tests.bench_of_review import Bench, change, create, make_bench
from tests.cast import on_both_engines

Wanted = proposals.Wanted
CLINICAL = Rule(kind="change", folder="clinical", approvals=1)
LIVE = Rule(kind="release", folder="clinical", label="production", approvals=1)
LONG = "Ask for the name.\n\nAsk for the day of birth.\n\nBe kind."


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


@on_both_engines
async def test_an_approved_change_lands_with_its_record(bench: Bench):
    saved = await bench.save("clinical/triage", "One")
    await bench.rule(CLINICAL, LIVE)
    made = await bench.propose(change("clinical/triage", "Two", saved.hash), target="production")
    with pytest.raises(proposals.NeedsReview, match="one approval from reviewers"):
        await bench.merge(made, by="ana")
    await bench.review(made, "ben", body="Good")
    merged = await bench.merge(made, by="dora", release=True, reason="For the night shift")
    assert [(v.name, v.version) for v in merged.versions] == [("clinical/triage", 2)]
    assert [(m.label, m.name, m.old, m.new) for m in merged.moves] == [
        ("production", "clinical/triage", None, 2)
    ]
    assert await bench.state(1) == "merged"
    assert await bench.live("clinical/triage") == 2
    parents = bench.git("log", "-1", "--format=%P", "main").split()
    assert parents == [saved.commit, bench.git("rev-parse", "refs/proposals/1/1")]
    assert bench.git("log", "-1", "--format=%an|%cn|%s", "main") == "Ana|Prompt Hub|Say it better"
    body = bench.git("log", "-1", "--format=%b", "main")
    blob = bench.git("rev-parse", "main:clinical/triage.prompt.yml")
    for line in (
        "Proposal: 1", "Revision: 1", f"Digest: {made.digest}", f"Approved-blob: {blob}",
        "Reviewed-by: Ben <ben@example.org>", "Merged-by: Dora <dora@example.org>",
        "Target: production",
    ):  # fmt: skip
        assert line in body.splitlines()
    assert "For the night shift" in bench.git("log", "-1", "--format=%B", "deploy")
    async with bench.database.read() as db:
        record = (await db.scalars(select(Merge))).one()
        assert (record.reviewers, record.blobs) == (["Ben <ben@example.org>"], [blob])
        move = (await db.scalars(select(LabelMove))).one()
        assert (move.proposal, move.broke_glass, move.author) == (1, False, "Dora")
        told = {row.action: row.subject for row in await db.scalars(select(AuditEntry))}
        kinds = list(await db.scalars(select(Event.kind)))
    for action in ("proposal.opened", "proposal.reviewed", "proposal.merged"):
        assert told[action] == "#1 Say it better"
    assert {"proposal.opened", "proposal.reviewed", "proposal.merged", "label.moved"} <= set(kinds)
    await bench.assert_rebuilds()


async def test_a_merge_in_a_free_folder_needs_nobody(bench: Bench):
    saved = await bench.save("a", "One")
    made = await bench.propose(change("a", "Two", saved.hash), by="carla")
    with pytest.raises(Forbidden):
        await bench.merge(made, by="carla")
    await bench.merge(made, by="ana")
    assert (await bench.head("a"))[0] == 2
    with pytest.raises(proposals.Closed, match="merged already"):
        await bench.merge(made, by="ana")


async def test_the_first_prompt_of_all_can_come_by_a_proposal(bench: Bench):
    made = await bench.propose(create("a", "Hello"), target="production")
    await bench.merge(made, release=True)
    assert bench.git("log", "--first-parent", "--format=%s", "main") == "Say it better\nBegin"
    assert await bench.live("a") == 1
    await bench.assert_rebuilds()


async def test_every_kind_lands(bench: Bench):
    a, _, _ = [await bench.save(name, "One") for name in ("a", "old/b", "c")]
    await bench.move("old/b", 1)
    await bench.move("c", 1)
    made = await bench.propose(
        create("new/d", "Hello"), change("a", "Two", a.hash),
        Wanted(kind="rename", name="old/b", new_name="new/b"), Wanted(kind="delete", name="c"),
        target="production",
    )  # fmt: skip
    merged = await bench.merge(made, release=True)
    assert {(v.name, v.version) for v in merged.versions} == {("new/d", 1), ("a", 2)}
    files = bench.git("ls-tree", "-r", "--name-only", "main").split()
    assert files == ["a.prompt.yml", "new/b.prompt.yml", "new/d.prompt.yml"]
    live = bench.git("ls-tree", "-r", "--name-only", "deploy").split()
    assert live == ["production/a.yml", "production/new/b.yml", "production/new/d.yml"]
    assert await bench.live("new/b") == 1
    await bench.assert_rebuilds()


async def test_a_release_alone_is_a_proposal_too(bench: Bench):
    one = await bench.save("clinical/a", "One")
    await bench.save("clinical/a", "Two", base=one.hash)
    await bench.rule(LIVE)
    main = bench.git("rev-parse", "main")
    made = await bench.propose(
        Wanted(kind="release", name="clinical/a", version=1), target="production"
    )
    await bench.review(made, "dora")
    merged = await bench.merge(made, by="ben", release=True)
    assert (merged.versions, await bench.live("clinical/a")) == ((), 1)
    assert bench.git("rev-parse", "main") == main
    assert await bench.state(1) == "merged"
    await bench.assert_rebuilds()
    async with bench.database.read() as db:
        assert (await db.scalars(select(Merge.reviewers))).one() == ["Dora <dora@example.org>"]


async def test_main_moved_elsewhere_keeps_the_approval(bench: Bench):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL)
    made = await bench.propose(change("clinical/a", "Two", saved.hash))
    await bench.review(made, "ben")
    await bench.save("elsewhere/b", "Other")
    assert (await bench.merge(made, by="ana")).versions[0].version == 2


async def test_another_text_meanwhile_makes_a_revision_and_voids_the_approval(bench: Bench):
    saved = await bench.save("clinical/a", LONG)
    made = await bench.propose(
        change("clinical/a", LONG.replace("the name", "the full name"), saved.hash)
    )
    await bench.save("clinical/a", LONG.replace("kind", "brief"), base=saved.hash, actor=bench.ben)
    await bench.rule(CLINICAL)
    await bench.review(made, "dora")
    with pytest.raises(proposals.BroughtTogether, match="Ben saved version 2") as refused:
        await bench.merge(made, by="dora")
    facts = refused.value.facts
    assert (facts["revision"], await bench.state(1)) == (2, "open")
    text = bench.git("show", "refs/proposals/1/2:clinical/a.prompt.yml")
    assert "full name" in text
    assert "brief" in text
    newer = proposals.Made(number=1, revision=2, digest=facts["digest"])
    with pytest.raises(proposals.NeedsReview):
        await bench.merge(newer, by="dora")
    with pytest.raises(proposals.StaleReview):
        await bench.review(made, "dora")
    await bench.review(newer, "dora")
    await bench.merge(newer, by="dora")
    async with bench.database.read() as db:
        revision = await db.get_one(Revision, (bench.workspace.id, 1, 2))
    assert revision.author == "Ana"
    assert "Brought together by Dora" in revision.message
    await bench.assert_rebuilds()


async def test_the_same_text_by_somebody_else_keeps_the_approval(bench: Bench):
    saved = await bench.save("clinical/a", "One")
    made = await bench.propose(change("clinical/a", "Two", saved.hash), target="production")
    await bench.save("clinical/a", "Two", base=saved.hash, actor=bench.ben)
    await bench.rule(CLINICAL)
    await bench.review(made, "dora")
    merged = await bench.merge(made, by="dora", release=True)
    assert (merged.versions, merged.moves[0].new) == ((), 2)
    assert await bench.state(1) == "merged"
    await bench.assert_rebuilds()


async def test_a_clash_shows_both_texts_and_is_settled_by_a_revision(bench: Bench):
    saved = await bench.save("a", LONG)
    made = await bench.propose(change("a", LONG.replace("kind", "gentle"), saved.hash))
    await bench.save("a", LONG.replace("kind", "brief"), base=saved.hash, actor=bench.ben)
    with pytest.raises(proposals.NeedsResolving, match="Ben changed") as refused:
        await bench.merge(made)
    with pytest.raises(proposals.NeedsResolving):
        await proposals.rebase(bench.publisher, bench.workspace, 1, actor=bench.ana)
    item = refused.value.items[0]
    assert "gentle" in item.mine.messages[0].content
    assert "brief" in item.theirs.messages[0].content
    newer = await bench.revise(
        1, change("a", LONG.replace("kind", "gentle and brief"), item.theirs_hash)
    )
    await bench.merge(newer)
    assert "gentle and brief" in bench.git("show", "main:a.prompt.yml")


async def test_gone_or_renamed_meanwhile_is_said(bench: Bench):
    one, two = await bench.save("a", "One"), await bench.save("b", "One")
    first = await bench.propose(change("a", "Two", one.hash))
    second = await bench.propose(change("b", "Two", two.hash))
    third = await bench.propose(create("c", "Hello"))
    await versions.delete(bench.publisher, bench.workspace, "a", actor=bench.ana)
    await versions.rename(bench.publisher, bench.workspace, "b", "d", actor=bench.ana)
    await bench.save("c", "Mine")
    with pytest.raises(Conflict, match="a was deleted"):
        await bench.merge(first)
    with pytest.raises(Conflict, match="called d now"):
        await bench.merge(second)
    with pytest.raises(Conflict, match="prompt called c by now"):
        await bench.merge(third)
    newer = await proposals.rebase(bench.publisher, bench.workspace, second.number, actor=bench.ana)
    assert newer.revision == 2
    await bench.merge(newer)
    assert "Two" in bench.git("show", "main:d.prompt.yml")


async def test_a_rename_or_a_delete_of_what_changed_is_looked_at_again(bench: Bench):
    saved = await bench.save("a", "One")
    gone = await bench.propose(Wanted(kind="delete", name="a"))
    moved = await bench.propose(Wanted(kind="rename", name="a", new_name="b"))
    await bench.save("a", "Two", base=saved.hash)
    for made in (gone, moved):
        with pytest.raises(proposals.BroughtTogether):
            await bench.merge(made)


async def test_a_label_moved_meanwhile_is_looked_at_again(bench: Bench):
    one = await bench.save("a", "One")
    await bench.save("a", "Two", base=one.hash)
    made = await bench.propose(Wanted(kind="release", name="a", version=2), target="production")
    await bench.move("a", 1)
    with pytest.raises(proposals.BroughtTogether, match="moved to version 1 by Ben"):
        await bench.merge(made, release=True)


async def test_nothing_to_rebase_makes_no_revision(bench: Bench):
    saved = await bench.save("a", "One")
    made = await bench.propose(change("a", "Two", saved.hash))
    await bench.save("b", "Other")
    again = await proposals.rebase(bench.publisher, bench.workspace, 1, actor=bench.ana)
    assert (again.revision, again.digest, again.created) == (1, made.digest, False)
