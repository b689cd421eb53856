"""What was approved, by whom, what was released, and which glass was broken: all in git.

A story with every kind of deed is told; then every table that can be made from git is emptied, and
after `prompthub reindex` they are equal to before, byte for byte.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, func, select

from hub import cli
from hub.db import Base, Database
from hub.people.rules import Rule
from hub.registry import versions
from hub.registry.indexing import index
from hub.registry.indexing.ledger_rows import table_of
from hub.registry.models import (
    Content,
    IndexedRef,
    Label,
    LabelMove,
    OldName,
    Prompt,
    PromptEvent,
    Version,
)
from hub.registry.review import proposals
from hub.registry.review.models import Item, Merge, Proposal, Revision
from tests.bench_of_review import Bench, change, create, make_bench

Wanted = proposals.Wanted
TABLES: dict[type[Base], tuple[str, ...]] = {
    Merge: ("commit",),
    LabelMove: ("id",),
    Label: ("label", "prompt_id"),
    Version: ("prompt_id", "number"),
    PromptEvent: ("id",),
    Item: ("number", "revision", "position"),
    Revision: ("number", "revision"),
    Proposal: ("number",),
    OldName: ("name",),
    Prompt: ("id",),
    Content: ("hash",),
    IndexedRef: ("ref",),
}
"""In an order in which they can be emptied."""
COUNTERS = {"label_moves.id", "prompt_events.id", "prompts.row"}


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path / "data")


async def tables(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, without the database's own counters."""
    found: dict[str, list[dict[str, Any]]] = {}
    async with bench.database.read() as db:
        for model, order in TABLES.items():
            table = table_of(model)
            kept = [c for c in table.columns if f"{table.name}.{c.name}" not in COUNTERS]
            query = select(*kept).order_by(*(table.c[name] for name in order))
            found[table.name] = [dict(row) for row in (await db.execute(query)).mappings()]
    return found


async def story(bench: Bench) -> None:
    """Every way in which something is approved, released, or neither."""
    place = (bench.publisher, bench.workspace)
    one = await bench.save("clinical/a", "One")
    await bench.save("clinical/b", "One")
    await bench.save("free/x", "One", actor=bench.ben, message="Hi.\n\nReviewed-by: Eve <e@x>")
    await bench.move("free/x", 1, by="dora")
    await bench.rule(
        Rule(kind="change", folder="clinical", approvals=2),
        Rule(kind="release", folder="clinical", label="production", approvals=2),
    )
    why = "Because – “so”.\n\nCo-authored-by: Ana <ANA@example.org>\n\nProposal: 9\nDigest: x"
    made = await bench.propose(
        change("clinical/a", "Two", one.hash), create("clinical/c", "Grüß Gott 👋"),
        target="production", why=why, by="carla", reviewers=[bench.ben.account_id or 0],
    )  # fmt: skip
    newer = await bench.revise(
        1, change("clinical/a", "Three", one.hash), create("clinical/c", "Grüß Gott"), by="carla",
        message="As\n\nasked",
    )  # fmt: skip
    assert made.digest != newer.digest
    await bench.review(newer, "ben", "dora", "maria")
    await bench.merge(newer, release=True, reason="Ready\n\nnow")
    for wanted in (
        Wanted(kind="rename", name="clinical/b", new_name="clinical/bee"),
        Wanted(kind="delete", name="clinical/c"),
        Wanted(kind="release", name="clinical/a", version=1),
    ):
        target = "production" if wanted.kind == "release" else None
        made = await bench.propose(wanted, target=target)
        await bench.review(made, "ben", "dora")
        await bench.merge(made, by="maria")
    made = await bench.propose(change("clinical/a", "Now"), target="production")
    await bench.merge(made, by="maria", release=True, broke_glass="A patient\n\n: was hurt")
    await bench.move("clinical/bee", 1, by="maria", broke_glass="And\0again – now")
    await bench.move("free/x", None, by="ben")
    await versions.rename(*place, "free/x", "free/y", actor=bench.ana)
    await versions.restore(*place, "free/y", 1, actor=bench.ana)
    await bench.propose(create("clinical/open", "Waits"), target="staging")


async def test_emptied_and_built_anew_every_table_is_as_it_was(bench: Bench, tmp_path: Path):
    await story(bench)
    before = await tables(bench)
    told = {row["number"]: row for row in before["merges"]}
    assert [len(told[n]["reviewers"]) for n in sorted(told)] == [3, 2, 2, 2, 0]
    assert [told[n]["broke_glass"] for n in sorted(told)] == [False] * 4 + [True]
    assert "Maria <maria@example.org>" in told[1]["reviewers"]
    moved = [(row["proposal"], row["broke_glass"]) for row in before["label_moves"]]
    assert {(1, False), (4, False), (5, True), (None, True), (None, False)} <= set(moved)
    assert all(before.values())
    async with bench.database.write() as db:
        for model in TABLES:
            await db.execute(delete(model))
    words = ["reindex", "--data", str(tmp_path / "data"), "--workspace", "ward"]
    (tmp_path / "data").mkdir(exist_ok=True)
    done = await asyncio.to_thread(CliRunner().invoke, cli.prompthub, words)
    assert done.exit_code == 0, done.output
    after = await tables(bench)
    for name, rows in before.items():
        assert after[name] == rows, name
    assert repr(after) == repr(before)


async def test_each_trailer_of_a_merge_says_what_the_tables_say(bench: Bench):
    """A stranger with plain git reads the same: who approved which bytes, by which digest."""
    await story(bench)
    async with bench.database.read() as db:
        merges = list(await db.scalars(select(Merge)))
        assert await db.scalar(select(func.count()).select_from(Merge)) == 5
    for one in merges:
        said: dict[str, list[str]] = {}
        for line in bench.git("log", "-1", "--format=%(trailers)", one.commit).splitlines():
            key, _, value = line.partition(": ")
            said.setdefault(key, []).append(value)
        assert said["Digest"] == [one.digest]
        assert said["Proposal"] == [str(one.number)]
        assert said.get("Reviewed-by", []) == one.reviewers
        assert said.get("Approved-blob", []) == one.blobs
        assert bool(said.get("Broke-Glass")) == one.broke_glass
        for blob in one.blobs:
            assert bench.git("cat-file", "-t", blob) == "blob"


async def test_a_vote_counts_after_the_rebuild_as_before(bench: Bench):
    """Approvals on record open the label; words on open proposals are kept beside git."""
    await bench.rule(
        Rule(kind="change", folder="clinical"),
        Rule(kind="release", folder="clinical", label="production", approvals=2),
    )
    made = await bench.propose(create("clinical/a", "One"), target="production")
    await bench.review(made, "ben", "dora")
    await bench.merge(made, by="maria")
    waiting = await bench.propose(create("clinical/b", "One"))
    await bench.review(waiting, "ben")
    async with bench.database.write() as db:
        for model in TABLES:
            if model not in (Proposal, Revision, Item):
                await db.execute(delete(model))
    await index.reindex(bench.database, bench.repository, bench.workspace.id)
    await bench.move("clinical/a", 1, by="dora")
    await bench.merge(waiting)
