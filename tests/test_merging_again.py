"""Merging twice, at once, after it was closed; and what only looks like a merge."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Forbidden, Invalid
from hub.registry import versions
from hub.registry.indexing import index
from hub.registry.review import proposals
from hub.registry.review.models import Merge, Proposal
from tests.bench_of_review import Bench, change, make_bench
from tests.shelf import all_of
from tests.test_merging import LONG


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


async def test_two_proposals_on_one_prompt_merge_one_after_the_other(bench: Bench):
    saved = await bench.save("a", LONG)
    first = await bench.propose(change("a", LONG.replace("name", "full name"), saved.hash))
    second = await bench.propose(change("a", LONG.replace("kind", "brief"), saved.hash))
    done = await all_of(bench.merge(first), bench.merge(second))
    assert [type(one).__name__ for one in done] == ["Merged", "BroughtTogether"]


async def test_merging_twice_at_once_merges_once(bench: Bench):
    saved = await bench.save("a", "One")
    made = await bench.propose(change("a", "Two", saved.hash), target="production")
    done = await all_of(*(bench.merge(made, release=True) for _ in range(6)))
    assert sorted(type(one).__name__ for one in done) == ["Closed"] * 5 + ["Merged"]
    assert (await bench.head("a"))[0] == 2


async def test_the_same_request_merges_once_and_is_answered_alike(bench: Bench):
    saved = await bench.save("a", "One")
    made = await bench.propose(change("a", "Two", saved.hash))
    first = await bench.merge(made, request_id="k")
    assert await bench.merge(made, request_id="k") == first


async def test_declined_and_withdrawn_cannot_be_merged_until_reopened(bench: Bench):
    saved = await bench.save("a", "One")
    made = await bench.propose(change("a", "Two", saved.hash))
    given = (bench.publisher, bench.workspace, 1)
    with pytest.raises(Invalid, match="why"):
        await proposals.decline(*given, actor=bench.ben, reason=" ")
    with pytest.raises(Forbidden):
        await proposals.withdraw(*given, actor=bench.ben)
    await proposals.decline(*given, actor=bench.ben, reason="Not now")
    with pytest.raises(proposals.Closed, match="declined"):
        await bench.merge(made)
    await proposals.reopen(*given, actor=bench.ana)
    await proposals.withdraw(*given, actor=bench.ana)
    with pytest.raises(proposals.Closed):
        await bench.revise(1, change("a", "Three", saved.hash))
    with pytest.raises(proposals.Closed):
        await bench.review(made, "ben")
    await proposals.reopen(*given, actor=bench.ana)
    await bench.merge(made)
    with pytest.raises(proposals.Closed):
        await proposals.reopen(*given, actor=bench.ana)


async def test_a_later_rename_carries_a_label_that_a_merge_set(bench: Bench):
    saved = await bench.save("a", "One")
    made = await bench.propose(change("a", "Two", saved.hash), target="production")
    await bench.merge(made, release=True)
    await versions.rename(bench.publisher, bench.workspace, "a", "b", actor=bench.ana)
    assert await bench.live("b") == 2
    await bench.assert_rebuilds()


async def test_a_trailer_that_a_pusher_typed_counts_for_nothing(bench: Bench):
    """Even one who signs as the hub: the merge must have the revision as its second parent."""
    saved = await bench.save("a", "One")
    made = await bench.propose(change("a", "Two", saved.hash))
    tree = bench.git("rev-parse", "refs/proposals/1/1^{tree}")
    said = f"Proposal: 1\nRevision: 1\nDigest: {made.digest}\nReviewed-by: Ben <ben@example.org>"
    tip = saved.commit
    for who in ("Dev <dev@example.org>", "Prompt Hub <hub@localhost>"):
        head = f"tree {tree}\nparent {tip}\nauthor {who} 1700000000 +0000\n"
        text = f"{head}committer {who} 1700000000 +0000\n\nTwo\n\n{said}\n"
        tip = bench.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())
    bench.git("update-ref", "refs/heads/main", tip)
    assert await index.catch_up(bench.database, bench.repository, bench.workspace.id)
    assert (await bench.head("a"))[0] == 2
    assert await bench.state(1) == "open"
    async with bench.database.read() as db:
        assert not list(await db.scalars(select(Merge)))
        assert (await db.get_one(Proposal, (bench.workspace.id, 1))).merge_commit is None
