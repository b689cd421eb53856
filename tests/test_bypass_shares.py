"""Ways round review, D: an unapproved version as one share of a label, or for another reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.db import now
from hub.people.rules import Rule
from hub.registry.git import deploy_file
from hub.registry.git.git_terms import DEPLOY
from hub.registry.labels.due import Due
from tests.bench_of_review import change
from tests.over_doors import over
from tests.rest_door import Api, Refused, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = "clinical/a"
TWO = Rule(kind="release", folder="clinical", label="production", approvals=2)
LACKS = "one more approval"


async def three(bench: Api) -> None:
    """Version 1 is live, 2 was approved for production, 3 for nothing."""
    await bench.save(NAME, "One")
    await bench.move(NAME, 1)
    await bench.rule(Rule(kind="change", folder="clinical"), TWO)
    for text, target in (("Two", "production"), ("Three", None)):
        made = await bench.propose(change(NAME, text), target=target)
        await bench.review(made, "dora")
        await bench.merge(made)


async def give(bench: Api, version: int, share: int, **more: Any) -> None:
    """`share` of a hundred get this version, the others what they get now."""
    if bench.door == "form":
        expected = str(await bench.live(NAME, "production") or "")
        fields = {"version": str(version), "expected": expected, "reason": "Because"} | more
        await bench.form("ben", f"release/production/{NAME}", share=str(share), **fields)
    else:
        one = {"label": "production", "name": NAME, "version": version, "share": share}
        body = {"moves": [one], "reason": "Because"} | more
        await bench.ask("ben", "PUT", "releases", body)


def shares(bench: Api) -> dict[int, int]:
    """What git says: of 10,000, so many get this version."""
    where = f"{DEPLOY}:{deploy_file.path_of('production', NAME)}"
    pointer = deploy_file.parse(bench.repository.run("cat-file", "blob", where))
    assert pointer
    other = pointer.beside
    few = {other.version: other.share} if other else {}
    return {pointer.version: deploy_file.ALL - sum(few.values())} | few


@over("form", "api")
async def test_a_share_needs_what_all_of_it_needs(bench: Api):
    await three(bench)
    for share in (1, 10, 50, 90, 100):
        await refused(give(bench, 3, share), LACKS)
    assert shares(bench) == {1: 10_000}
    await give(bench, 2, 10)
    assert shares(bench) == {1: 9_000, 2: 1_000}
    await refused(give(bench, 3, 10), "step by step")
    await refused(give(bench, 3, 100), LACKS)
    await give(bench, 2, 100)
    await refused(give(bench, 3, 10), LACKS)
    assert shares(bench) == {2: 10_000}


@over("api")
async def test_several_shares_in_one_step_are_judged_each(bench: Api):
    await three(bench)
    one = {"label": "production", "name": NAME, "share": 10}
    body = {"moves": [one | {"version": 2}, one | {"version": 3}], "reason": "Both"}
    with pytest.raises(Refused):
        await bench.ask("ben", "PUT", "releases", body)
    assert shares(bench) == {1: 10_000}


@over("api")
async def test_nor_later(bench: Api):
    await three(bench)
    one = {"label": "production", "name": NAME, "version": 3, "share": 10}
    due = (now() + timedelta(hours=1)).isoformat()
    await bench.ask("ben", "POST", "scheduled", {"moves": [one], "due": due, "reason": "Later"})
    assert await Due(bench.database, bench.publisher).look(now() + timedelta(hours=2)) == 1
    assert shares(bench) == {1: 10_000}


@over("form", "api")
async def test_a_reason_against_programs_is_none_against_the_rules(bench: Api):
    await three(bench)
    despite = "despite" if bench.door == "form" else "despite_programs"
    await refused(give(bench, 3, 100, **{despite: "All programs are changed"}), LACKS)
    made = await bench.propose(change(NAME, "Four"), target="production")
    body = {"digest": made.digest, "release": True, "despite_programs": "They are changed"}
    await refused(bench.ask("ben", "POST", f"proposals/{made.number}/merge", body), "approval")
    assert shares(bench) == {1: 10_000}
