"""Whom a pushed commit names, and what time it claims, give and take no rights."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.db import Database
from hub.people.rules import Rule
from hub.registry.review import proposals
from tests.bench_of_review import Bench, make_bench
from tests.pushing import BLOB, COMMIT, NONE, TREE, Scratch, command, commit, id_of, pack, receive
from tests.pushing import tree as tree_of
from tests.test_git_push import prompt

REF = "refs/heads/main"


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path / "data")


@pytest.fixture
def scratch(bench: Bench, tmp_path: Path) -> Scratch:
    return Scratch(bench.repository.path, tmp_path / "scratch.git")


async def push(bench: Bench, scratch: Scratch, who: str, new: str, *, ok: bool = True) -> str:
    old = bench.repository.tip(REF) or NONE
    said = await receive(bench, bench.people[who], scratch.body(old, new))
    assert (f"ok {REF}" in said) == ok, said
    return said


async def test_the_first_commit_of_all_can_be_pushed(bench: Bench):
    text = prompt("First.").encode()
    root = tree_of(("100644", "first.prompt.yml", id_of(BLOB, text)))
    made = commit(id_of(TREE, root))
    body = command(id_of(COMMIT, made)) + pack((BLOB, text), (TREE, root), (COMMIT, made))
    assert f"ok {REF}" in await receive(bench, bench.people["ana"], body)
    assert (await bench.head("first"))[0] == 1
    assert (await bench.save("second", "Second")).version == 1
    await bench.assert_rebuilds()


async def test_a_name_on_a_commit_bars_nobody_and_hides_nobody(bench: Bench, scratch: Scratch):
    """Maria's text in Dora's name, with Ben as a co-author: both may release it, Maria not."""
    await bench.save("clinical/a", "One")
    await bench.move("clinical/a", 1)
    text = bench.git("show", "main:clinical/a.prompt.yml").replace("One", "Hers")
    made = scratch.commit(
        bench.repository.tip(REF) or "", {"clinical/a.prompt.yml": f"{text}\n"},
        "Not mine\n\nCo-authored-by: Ben <ben@example.org>",
        GIT_AUTHOR_NAME="Dora", GIT_AUTHOR_EMAIL="dora@example.org",
    )  # fmt: skip
    await push(bench, scratch, "maria", made)
    await bench.rule(Rule(kind="release", folder="clinical", label="production"))
    for rebuilt in (False, True):
        if rebuilt:  # git alone knows it, too
            await bench.assert_rebuilds()
        with pytest.raises(proposals.NeedsReview):
            await bench.move("clinical/a", 2, by="maria")
    await bench.move("clinical/a", 2, by="dora")
    await bench.move("clinical/a", 1, by="dora")
    await bench.move("clinical/a", 2, by="ben")


async def test_the_time_that_a_commit_claims_makes_no_roll_back(bench: Bench, scratch: Scratch):
    """Live where no rule was, then renamed by a push that says it was long before: going back to
    it under a rule is no mere roll-back."""
    first = await bench.save("free/a", "One")
    await bench.move("free/a", 1)
    text = bench.git("show", "main:free/a.prompt.yml")
    files = {"free/a.prompt.yml": None, "clinical/a.prompt.yml": f"{text}\n"}
    long_ago = {f"GIT_{who}_DATE": "@86400 +0000" for who in ("AUTHOR", "COMMITTER")}
    made = scratch.commit(bench.repository.tip(REF) or "", files, **long_ago)
    await push(bench, scratch, "ana", made)
    await bench.save("clinical/a", "Two", first.hash)
    await bench.move("clinical/a", 2)
    await bench.rule(Rule(kind="release", folder="clinical", label="production", approvals=2))
    for rebuilt in (False, True):
        if rebuilt:
            await bench.assert_rebuilds()
        with pytest.raises(proposals.NeedsReview):
            await bench.move("clinical/a", 1)
