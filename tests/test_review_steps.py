"""A crash at any step of revising, bringing up to date, releasing, and of the form that proposes.

Beside `test_review_recovery`, which has proposing and merging; what comes after a start is right
without help, and the text that somebody typed is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.people.rules import Rule
from hub.registry import drafts, versions
from hub.registry.models import LabelMove
from hub.registry.review import offering, proposals
from hub.registry.review.models import Item, Merge, Revision
from tests.bench_of_review import Bench, change, make_bench
from tests.shelf import saying
from tests.test_bypass_who import LIVE, two
from tests.test_review_recovery import RULES, STEPS, Killed, die, rise

Step = tuple[Any, str, bool]
EACH = pytest.mark.parametrize("step", STEPS, ids=lambda one: f"{one[1]}-{one[2]}")


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path / "data")


async def killed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: Step, doing: Any
) -> None:  # fmt: skip
    """Do it, die at that step, and start again."""
    place, name, after = step
    die(monkeypatch, place, name, after=after)
    with pytest.raises(Killed):
        await doing
    await rise(bench, monkeypatch)


async def revisions(bench: Bench) -> list[Revision]:
    async with bench.database.read() as db:
        return list(await db.scalars(select(Revision).order_by(Revision.revision)))


@EACH
async def test_revising_dies_at_any_step(bench: Bench, monkeypatch: pytest.MonkeyPatch, step: Step):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(*RULES)
    made = await bench.propose(change("clinical/a", "Two", saved.hash))
    await bench.review(made, "dora")
    revised = bench.revise(1, change("clinical/a", "Three"), expected_revision=1)
    await killed(bench, monkeypatch, step, revised)
    if len(await revisions(bench)) == 1:  # it had not come about: the first stands, approved
        await bench.merge(made)
        assert (await bench.head("clinical/a"))[0] == 2
    else:  # it had: nobody approved it, and the old approval merges nothing
        with pytest.raises(proposals.StaleReview):
            await bench.merge(made)
        newer = proposals.Made(number=1, revision=2, digest=(await revisions(bench))[-1].digest)
        with pytest.raises(proposals.NeedsReview):
            await bench.merge(newer)
        await bench.review(newer, "dora")
        await bench.merge(newer)
    await bench.assert_rebuilds()


async def side_by_side(bench: Bench) -> proposals.Made:
    """Ana's open proposal changes the one message, and Ben has saved the other meanwhile."""
    place = (bench.publisher, bench.workspace, "clinical/a")
    first, theirs = two("One", "Two"), two("One", "Theirs")
    saved = await versions.save(*place, first, base=None, message="", actor=bench.ana)
    await bench.rule(LIVE)
    mine = two("First", "Two")
    wanted = proposals.Wanted(kind="change", name="clinical/a", document=mine, base=saved.hash)
    made = await bench.propose(wanted, target="production")
    await versions.save(*place, theirs, base=saved.hash, message="", actor=bench.ben)
    return made


@EACH
async def test_bringing_up_to_date_dies_at_any_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: Step
):
    """The merge finds that main has moved, makes a revision, and dies doing so."""
    await bench.rule()
    made = await side_by_side(bench)
    await bench.review(made, "dora")
    await killed(bench, monkeypatch, step, bench.merge(made, by="dora", release=True))
    assert await bench.state(1) == "open"
    assert await bench.live("clinical/a") is None
    assert len(await revisions(bench)) in (1, 2)
    with pytest.raises((proposals.BroughtTogether, proposals.StaleReview)):
        await bench.merge(made, by="dora", release=True)
    latest = (await revisions(bench))[-1]
    assert (latest.revision, latest.co_authors) == (2, ["ben@example.org"])
    newer = proposals.Made(number=1, revision=2, digest=latest.digest)
    await bench.review(newer, "dora")
    await bench.merge(newer, by="maria", release=True)
    assert await bench.live("clinical/a") == 3
    await bench.assert_rebuilds()


@EACH
async def test_releasing_under_a_rule_dies_at_any_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: Step
):
    await bench.save("clinical/a", "One")
    await bench.rule(*RULES)
    again: dict[str, Any] = {"request_id": "k", "broke_glass": "It hurts\n\npeople"}
    moving = bench.move("clinical/a", 1, by="maria", **again)
    await killed(bench, monkeypatch, step, moving)
    if await bench.live("clinical/a") is None:
        assert step[1:] != ("move", True)
    await bench.move("clinical/a", 1, by="maria", **again)
    async with bench.database.read() as db:
        moves = list(await db.scalars(select(LabelMove)))
    assert [(one.old, one.new) for one in moves] == [(None, 1)]
    await bench.assert_rebuilds()


@EACH
async def test_a_release_that_was_proposed_dies_at_any_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: Step
):
    """Several prompts and their label, all or none, and every approval on record."""
    for name in ("clinical/a", "clinical/b"):
        await bench.save(name, "One")
    await bench.rule(Rule(kind="release", folder="clinical", approvals=2))
    wanted = [proposals.Wanted(kind="release", name=f"clinical/{x}", version=1) for x in "ab"]
    made = await bench.propose(*wanted, target="production")
    await bench.review(made, "ben", "dora")
    await killed(bench, monkeypatch, step, bench.merge(made))
    there = [await bench.live(f"clinical/{x}") for x in "ab"]
    assert there in ([None, None], [1, 1])
    if await bench.state(1) == "open":
        assert there == [None, None]
        await bench.merge(made)
    assert [await bench.live(f"clinical/{x}") for x in "ab"] == [1, 1]
    async with bench.database.read() as db:
        record = (await db.scalars(select(Merge))).one()
        proposed = set(await db.scalars(select(LabelMove.proposal)))
    assert record.reviewers == ["Ben <ben@example.org>", "Dora <dora@example.org>"]
    assert proposed == {1}
    await bench.assert_rebuilds()


@EACH
async def test_no_text_is_lost_when_the_form_that_proposes_dies(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: Step
):
    """The draft goes only once its proposal is there."""
    saved = await bench.save("clinical/a", "One")
    await bench.rule(*RULES)
    account = bench.ana.account_id or 0
    async with bench.database.write() as db:
        draft = await drafts.put(
            db, bench.workspace.id, account, saved.id, {"messages": []}, name="clinical/a",
            base=saved.hash, base_version=1,
        )  # fmt: skip
    wanted = change("clinical/a", "Typed for an hour", saved.hash)
    offered = offering.Offered(title="Better", why="It was unclear.")
    given: dict[str, Any] = {"actor": bench.ana, "offered": offered, "used": [draft]}
    place = (bench.publisher, bench.database, bench.workspace)
    await killed(bench, monkeypatch, step, offering.offer(*place, wanted=[wanted], **given))
    async with bench.database.read() as db:
        kept = await drafts.get(db, bench.workspace.id, account, saved.id)
        texts = [data for data in await db.scalars(select(Item.data)) if data]
    assert kept is not None
    assert all(b"Typed for an hour" in data for data in texts)
    reached = step[1] == "write_down" or step[1:] == ("move", True)
    assert len(texts) == (1 if reached else 0)


async def test_a_direct_save_that_dies_under_a_rule_came_through_or_did_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    """A rule that came into force between death and start forbids what had not come about."""
    await bench.save("free/b", "One")
    for step in STEPS:
        await bench.rule()
        name = f"clinical/{step[1].replace('_', '-')}-{str(step[2]).lower()}"
        await killed(bench, monkeypatch, step, bench.save(name, "One", request_id=name))
        await bench.rule(*RULES)
        listed = bench.git("ls-tree", "-r", "--name-only", "main").split()
        if f"{name}.prompt.yml" in listed:
            assert (await bench.save(name, "One", request_id=name)).version == 1
        else:
            with pytest.raises(proposals.NeedsReview):
                await bench.save(name, "One", request_id=name)
    await versions.save(
        bench.publisher, bench.workspace, "free/a", saying("One"), base=None, actor=bench.ana,
        message="",
    )  # fmt: skip
    await bench.assert_rebuilds()
