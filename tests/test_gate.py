"""The one gate, below the doors: nothing comes onto main or under a label that the rules do not
allow. What is tried over the doors is in `test_bypass_….py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from hub.db import Database, now
from hub.errors import Forbidden
from hub.people import accounts
from hub.people.models import Member
from hub.people.policy import Actor
from hub.people.rules import Rule
from hub.registry import versions
from hub.registry.review import proposals
from hub.registry.review.models import Revision
from hub.registry.writing import batch, releases
from tests.bench_of_review import Bench, change, make_bench
from tests.cast import on_both_engines
from tests.shelf import all_of, saying

CLINICAL = Rule(kind="change", folder="clinical")
LIVE = Rule(kind="release", folder="clinical", label="production")


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


async def refused(doing: Awaitable[Any], match: str | None = None) -> None:
    with pytest.raises(proposals.NeedsReview, match=match):
        await doing


# --- directly ------------------------------------------------------------------------------------


@on_both_engines
async def test_every_direct_door_to_a_ruled_folder_is_shut(bench: Bench):
    one = await bench.save("clinical/a", "One")
    await bench.save("clinical/a", "Two", base=one.hash)
    await bench.save("clinical/gone", "One")
    await bench.save("free/b", "One")
    given: dict[str, Any] = {"actor": bench.people["maria"]}
    place = (bench.publisher, bench.workspace)
    await versions.delete(*place, "clinical/gone", **given)
    await bench.rule(CLINICAL)
    before = bench.git("for-each-ref")
    said = "Changes under clinical/ need review by reviewers. Propose it instead."
    documents = [("free/new", saying("Hi")), ("clinical/new", saying("Hi"))]
    for door in (
        bench.save("clinical/new", "Hi"),
        bench.save("clinical/a", "Three", base=(await bench.head("clinical/a"))[1], **given),
        versions.save_many(*place, documents, message="", **given),
        versions.rename(*place, "clinical/a", "free/a", **given),
        versions.rename(*place, "free/b", "clinical/b", **given),
        versions.delete(*place, "clinical/a", **given),
        versions.restore(*place, "clinical/a", 1, **given),
        versions.restore(*place, "clinical/gone", 1, **given),
    ):
        await refused(door, said)
    assert bench.git("for-each-ref") == before
    await bench.save("free/c", "One")
    await versions.rename(*place, "free/b", "free/d", **given)


async def test_a_key_and_the_operator_meet_the_same_rules(bench: Bench):
    await bench.rule(CLINICAL)
    operator = Actor(kind="operator", name="Operator", email="")
    key = Actor(
        kind="key", name="key ci", email="", key_id="k", workspace_id=bench.workspace.id,
        role="key:write",
    )  # fmt: skip
    for actor in (operator, key):
        await refused(bench.save("clinical/a", "One", actor=actor))


async def test_one_refused_request_leaves_the_others_of_the_batch_alone(bench: Bench):
    await bench.rule(CLINICAL)
    done = await all_of(
        bench.save("free/a", "One"), bench.save("clinical/a", "One"), bench.save("free/b", "One")
    )
    assert [type(one).__name__ for one in done] == ["Saved", "NeedsReview", "Saved"]


async def test_the_role_of_this_moment_counts_for_a_save_under_a_rule(bench: Bench):
    await bench.rule(Rule(kind="change", folder="clinical", approvals=0))
    await bench.save("clinical/a", "One")
    await bench.set_role("ana", "viewer")
    await refused(bench.save("clinical/b", "One"), "save versions")


# --- who counts ----------------------------------------------------------------------------------


async def proposed(bench: Bench, by: str = "ana", **more: Any) -> proposals.Made:
    """A change of clinical/a, which has one version, with the rule in force."""
    saved = await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL, LIVE)
    return await bench.propose(change("clinical/a", "Two", saved.hash), by=by, **more)


# --- labels --------------------------------------------------------------------------------------


async def test_several_labels_at_once_are_judged_each(bench: Bench):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.save("free/b", "One", actor=bench.ben)
    await bench.rule(LIVE)
    moves = (releases.Move("production", "free/b", 1), releases.Move("production", "clinical/a", 1))
    ask = releases.Release(actor=bench.ben, message="Both", moves=moves)
    await refused(bench.publisher.publish(bench.workspace, ask))
    assert await bench.live("free/b") is None


# --- at the same moment --------------------------------------------------------------------------

Deed = Callable[[Bench, proposals.Made], Awaitable[Any]]


async def _demote(bench: Bench, _: proposals.Made) -> None:
    await bench.set_role("ben", "editor")


async def _demote_merger(bench: Bench, _: proposals.Made) -> None:
    await bench.set_role("dora", "viewer")


async def _tighten(bench: Bench, _: proposals.Made) -> None:
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))


async def _take_back(bench: Bench, made: proposals.Made) -> None:
    await bench.review(made, "ben", verdict="none")


async def _object(bench: Bench, made: proposals.Made) -> None:
    await bench.review(made, "maria", verdict="changes")


async def _decline(bench: Bench, _: proposals.Made) -> None:
    await proposals.decline(
        bench.publisher, bench.workspace, 1, actor=bench.people["maria"], reason="No"
    )


@pytest.mark.parametrize("deed", [_demote, _demote_merger, _tighten, _take_back, _object, _decline])
@on_both_engines
async def test_what_changes_before_git_moves_is_judged_again(
    bench: Bench, deed: Deed, monkeypatch: pytest.MonkeyPatch
):
    made = await proposed(bench)
    await bench.review(made, "ben")
    write, done = batch.write_intents, []

    async def late(*args: Any) -> None:
        if not done:
            done.append(await deed(bench, made))
        await write(*args)

    monkeypatch.setattr(batch, "write_intents", late)
    with pytest.raises((proposals.NeedsReview, proposals.Closed)):
        await bench.merge(made, by="dora")
    assert (await bench.head("clinical/a"))[0] == 1
    assert bench.git("log", "--format=%s", "main") == "Say it better"


async def test_a_rule_that_comes_in_the_middle_of_a_save_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    write, done = batch.write_intents, []

    async def late(*args: Any) -> None:
        if not done:
            done.append(await bench.rule(CLINICAL))
        await write(*args)

    monkeypatch.setattr(batch, "write_intents", late)
    await refused(bench.save("clinical/a", "One"))


@on_both_engines
async def test_who_declines_while_git_moves_is_told_that_it_is_merged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    made = await proposed(bench)
    await bench.review(made, "ben")
    write = batch.write_intents
    declining: list[asyncio.Task[None]] = []

    async def early(*args: Any) -> None:
        await write(*args)
        if not declining:
            declining.append(asyncio.ensure_future(_decline(bench, made)))
            await asyncio.sleep(0.12)

    monkeypatch.setattr(batch, "write_intents", early)
    await bench.merge(made)
    with pytest.raises(proposals.Closed, match="merged"):
        await declining[0]
    assert await bench.state(1) == "merged"


async def test_an_account_made_anew_with_the_same_address_is_the_same_author(bench: Bench):
    made = await proposed(bench)
    async with bench.database.write() as db:
        await db.execute(update(Revision).values(account_id=None))
        twin = await accounts.create(db, "ana2@example.org", "Ana")
        twin.password_hash = "unset"
        await db.execute(update(Revision).values(author_email="ANA2@example.org"))
        db.add(
            Member(
                workspace_id=bench.workspace.id, account_id=twin.id, role="reviewer",
                created_at=now() - timedelta(days=1),
            )
        )  # fmt: skip
        bench.people["twin"] = Actor(
            kind="person", name="Ana", email="ana2@example.org", account_id=twin.id,
            workspace_id=bench.workspace.id, role="reviewer",
        )  # fmt: skip
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(made, "twin")
