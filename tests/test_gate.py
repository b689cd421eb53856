"""The one gate: nothing comes onto main or under a label that the rules do not allow."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from hub.db import Database, now
from hub.errors import Forbidden, HubError
from hub.outbox import Event
from hub.people import accounts, keys, rules_store
from hub.people.models import AuditEntry, Member
from hub.people.policy import Actor
from hub.people.rules import Rule
from hub.registry import batch, releases, versions
from hub.registry.models import LabelMove
from hub.registry.review import proposals
from hub.registry.review.models import Check, Merge, Revision
from tests.bench_of_review import Bench, change, create, make_bench
from tests.cast import on_both_engines
from tests.shelf import all_of, saying

Wanted = proposals.Wanted
ROUNDS = int(os.environ.get("REVIEW_RACES", "30"))
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


async def test_no_author_approves_their_own_work(bench: Bench):
    made = await proposed(bench, by="ben")
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(made, "ben")
    await refused(bench.merge(made, by="ben"))
    newer = await bench.revise(1, change("clinical/a", "Three"), by="dora")
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(newer, "ben")  # of an earlier revision
    await bench.review(newer, "maria")
    await bench.merge(newer, by="ben")


async def test_a_co_author_does_not_count_whatever_the_case_of_the_address(bench: Bench):
    made = await proposed(bench, why="Together.\n\nCo-Authored-By: Ben <BEN@Example.org>")
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(made, "ben")
    newer = await bench.revise(1, change("clinical/a", "Three"), why="Mine alone.")
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(newer, "ben")  # taking the line out makes nobody less of an author
    await bench.review(newer, "dora")
    await bench.merge(newer)


async def test_what_an_app_proposes_its_keys_maker_cannot_approve(bench: Bench):
    async with bench.database.write() as db:
        key = await keys.create(db, bench.workspace, "ci", "write", actor=bench.ben)
    bot = Actor(
        kind="key", name="key ci", email="", key_id=key.id, workspace_id=bench.workspace.id,
        role="key:write",
    )  # fmt: skip
    bench.people["bot"] = bot
    made = await proposed(bench, by="bot")
    async with bench.database.read() as db:
        revision = (await db.scalars(select(Revision))).one()
    assert revision.account_id == bench.ben.account_id
    with pytest.raises(Forbidden, match="somebody else"):
        await bench.review(made, "ben")
    with pytest.raises(Forbidden):
        await bench.review(made, "bot")
    await bench.review(made, "dora")
    await bench.merge(made, by="bot")


async def test_only_those_the_rule_names_count(bench: Bench):
    leads = await bench.group("Clinical Leads", "ana", "dora")
    saved = await bench.save("clinical/a", "One")
    await bench.rule(Rule(kind="change", folder="clinical", who=(f"group:{leads}",)))
    made = await bench.propose(change("clinical/a", "Two", saved.hash), by="carla")
    await bench.review(made, "ben", "maria")
    await refused(bench.merge(made), "Clinical Leads")
    await bench.review(made, "ana")
    await bench.merge(made)


async def test_somebody_who_left_or_was_demoted_does_not_count(bench: Bench):
    made = await proposed(bench)
    await bench.review(made, "ben")
    await bench.set_role("ben", "editor")
    await refused(bench.merge(made, by="dora"))
    await bench.set_role("ben", "reviewer")
    async with bench.database.write() as db:
        gone = Member.account_id == bench.ben.account_id
        await db.execute(delete(Member).where(gone))
        await rules_store.bump(db, bench.workspace.id)
    await refused(bench.merge(made, by="dora"))
    await refused(bench.merge(made, by="ben"))
    with pytest.raises(HubError):
        await bench.review(made, "ben")


async def test_an_open_request_for_a_change_blocks_until_taken_back(bench: Bench):
    made = await proposed(bench)
    await bench.review(made, "ben")
    await bench.review(made, "dora", verdict="changes", body="Be kinder.")
    await refused(bench.merge(made), "Dora asked for a change")
    await bench.review(made, "dora", verdict="none")
    await bench.merge(made)


async def test_one_person_approves_once(bench: Bench):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(Rule(kind="change", folder="clinical", approvals=2))
    made = await bench.propose(change("clinical/a", "Two", saved.hash))
    await bench.review(made, "ben", "ben")
    await refused(bench.merge(made), "one more")
    await bench.review(made, "dora")
    await bench.merge(made)


# --- what was approved ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Two.", {}),
        ("Two ", {}),
        ("Two\u200b", {}),
        ("Two", {"description": "More"}),
        ("Two", {"parameters": {"temperature": 2.0}}),
    ],
)
async def test_any_edit_after_the_approval_voids_it(bench: Bench, text: str, more: dict[str, Any]):
    made = await proposed(bench)
    await bench.review(made, "ben")
    newer = await bench.revise(1, change("clinical/a", text, **more))
    with pytest.raises(proposals.StaleReview):
        await bench.merge(made)
    await refused(bench.merge(newer))


async def test_another_target_voids_the_approval(bench: Bench):
    made = await proposed(bench, target="staging")
    await bench.review(made, "ben")
    newer = await bench.revise(1, change("clinical/a", "Two"), target="production")
    await refused(bench.merge(newer))


async def test_other_words_about_it_keep_the_approval(bench: Bench):
    made = await proposed(bench)
    await bench.review(made, "ben")
    newer = await bench.revise(1, change("clinical/a", "Two"), title="Better said")
    await bench.merge(newer)


async def test_hidden_characters_are_approved_knowingly(bench: Bench):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(CLINICAL)
    made = await bench.propose(change("clinical/a", "Two\u202e\u200b", saved.hash))
    with pytest.raises(proposals.HiddenCharacters, match="2 hidden characters"):
        await bench.review(made, "ben")
    await bench.review(made, "dora", verdict="changes")
    await bench.review(made, "ben", "dora", saw_hidden=True)
    await bench.merge(made)


async def test_a_required_check_blocks_until_it_passes(bench: Bench):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(Rule(kind="change", folder="clinical", approvals=0, checks=("ci",)))
    made = await bench.propose(change("clinical/a", "Two", saved.hash))
    await refused(bench.merge(made), "has not reported")
    await post_check(bench, made.digest, "fail")
    await refused(bench.merge(made), "failed")
    await post_check(bench, "0" * 64, "pass")
    await refused(bench.merge(made), "failed")
    await post_check(bench, made.digest, "pass")
    await bench.merge(made)


async def post_check(bench: Bench, digest: str, state: str) -> None:
    async with bench.database.write() as db:
        await db.execute(delete(Check).where(Check.digest == digest))
        db.add(
            Check(
                workspace_id=bench.workspace.id, number=1, digest=digest, name="ci", state=state,
                summary="", link="", posted_by="ci", at=now(),
            )
        )  # fmt: skip
        await rules_store.bump(db, bench.workspace.id)


# --- labels --------------------------------------------------------------------------------------


async def test_moving_a_label_needs_somebody_who_did_not_write_it(bench: Bench):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(LIVE)
    await refused(bench.move("clinical/a", 1, by="ben"), "one approval")
    with pytest.raises(Forbidden):
        await bench.move("clinical/a", 1, by="ana")
    await bench.move("clinical/a", 1, by="dora")
    await bench.move("clinical/a", 1, by="ben", label="staging")


async def test_what_was_approved_for_one_label_is_not_approved_for_another(bench: Bench):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(
        CLINICAL, Rule(kind="release", folder="clinical", label="production", approvals=2)
    )
    made = await bench.propose(change("clinical/a", "Two", saved.hash), target="staging")
    await bench.review(made, "ben", "dora")
    await bench.merge(made)
    await refused(bench.move("clinical/a", 2, by="maria"), "one more approval")


async def test_an_approval_on_record_lets_the_label_move_later(bench: Bench):
    saved = await bench.save("clinical/a", "One")
    await bench.rule(
        CLINICAL, Rule(kind="release", folder="clinical", label="production", approvals=2)
    )
    made = await bench.propose(change("clinical/a", "Two", saved.hash), target="production")
    await bench.review(made, "ben", "dora")
    await bench.merge(made)
    assert await bench.live("clinical/a") is None
    await bench.assert_rebuilds()
    await bench.move("clinical/a", 2, by="ben")


async def test_a_version_restored_by_its_releaser_is_theirs(bench: Bench):
    one = await bench.save("clinical/a", "One")
    await bench.save("clinical/a", "Two", base=one.hash)
    await versions.restore(bench.publisher, bench.workspace, "clinical/a", 1, actor=bench.ben)
    await bench.rule(LIVE)
    await refused(bench.move("clinical/a", 3, by="ben"))
    await refused(bench.move("clinical/a", 1, by="ben"))


async def test_what_a_key_saved_its_maker_cannot_release(bench: Bench):
    async with bench.database.write() as db:
        key = await keys.create(db, bench.workspace, "ci", "write", actor=bench.ben)
    bot = Actor(
        kind="key", name="key ci", email="", key_id=key.id, workspace_id=bench.workspace.id,
        role="key:write",
    )  # fmt: skip
    bench.people["bot"] = bot
    await bench.save("clinical/a", "One", actor=bot)
    await bench.rule(LIVE)
    await refused(bench.move("clinical/a", 1, by="bot"))
    await refused(bench.move("clinical/a", 1, by="ben"))
    await bench.move("clinical/a", 1, by="dora")


async def test_going_back_to_what_was_live_needs_no_approval_again(bench: Bench):
    one = await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.move("clinical/a", 1, by="dora")
    await bench.save("clinical/a", "Two", base=one.hash, actor=bench.ben)
    await bench.move("clinical/a", 2, by="dora")
    await bench.rule(LIVE)
    with pytest.raises(Forbidden):
        await bench.move("clinical/a", 1, by="ana")
    await bench.move("clinical/a", 1, by="ben")  # undo: his own text, but it was live before
    await bench.move("clinical/a", 2, by="ben")


async def test_going_back_to_what_broke_the_glass_is_no_undo(bench: Bench):
    one = await bench.save("clinical/a", "One", actor=bench.people["maria"])
    await bench.rule(LIVE)
    await bench.move("clinical/a", 1, by="maria", broke_glass="The old text was dangerous")
    await bench.save("clinical/a", "Two", base=one.hash)
    await bench.move("clinical/a", 2, by="maria")
    await refused(bench.move("clinical/a", 1, by="maria"))


async def test_a_rename_does_not_carry_a_live_prompt_past_the_rule(bench: Bench):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.move("clinical/a", 1, by="dora")
    await bench.rule(LIVE)
    for by in ("ana", "ben"):
        await refused(
            versions.rename(
                bench.publisher, bench.workspace, "clinical/a", "free/a", actor=bench.people[by]
            )
        )
    await bench.save("free/b", "Evil", actor=bench.ben)
    await bench.move("free/b", 1, by="ben")
    await refused(
        versions.rename(bench.publisher, bench.workspace, "free/b", "clinical/b", actor=bench.ben)
    )


async def test_several_labels_at_once_are_judged_each(bench: Bench):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.save("free/b", "One", actor=bench.ben)
    await bench.rule(LIVE)
    moves = (releases.Move("production", "free/b", 1), releases.Move("production", "clinical/a", 1))
    ask = releases.Release(actor=bench.ben, message="Both", moves=moves)
    await refused(bench.publisher.publish(bench.workspace, ask))
    assert await bench.live("free/b") is None


async def test_deleting_and_making_anew_is_no_way_round(bench: Bench):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.move("clinical/a", 1, by="dora")
    await bench.rule(LIVE)
    place = (bench.publisher, bench.workspace)
    await versions.delete(*place, "clinical/a", actor=bench.ben)  # taking off: ben may
    await bench.save("clinical/a", "Evil", actor=bench.ben)
    await refused(bench.move("clinical/a", 1, by="ben"))


async def test_only_those_named_may_release(bench: Bench):
    leads = await bench.group("Leads", "dora")
    await bench.save("clinical/a", "One")
    await bench.rule(
        Rule(kind="release", folder="clinical", approvals=0, may_release=(f"group:{leads}",))
    )
    await refused(bench.move("clinical/a", 1, by="ben"), "Only Leads")
    await bench.move("clinical/a", 1, by="dora")


# --- break glass ---------------------------------------------------------------------------------


async def test_breaking_the_glass_works_at_once_and_shows_for_ever(bench: Bench):
    made = await proposed(bench, target="production")
    await refused(bench.merge(made, by="ben", broke_glass="Now!"), "administrator")
    merged = await bench.merge(made, by="maria", release=True, broke_glass="It hurts\npeople")
    assert merged.moves[0].new == 2
    for ref in ("main", "deploy"):
        assert "Broke-Glass: It hurts" in bench.git("log", "-1", "--format=%b", ref)
    async with bench.database.read() as db:
        assert (await db.scalars(select(Merge.broke_glass))).one() is True
        assert (await db.scalars(select(LabelMove.broke_glass))).one() is True
        detail = (
            await db.scalars(
                select(AuditEntry.detail).where(AuditEntry.action == "proposal.merged")
            )
        ).one()
        assert detail["broke_glass"] == "It hurts\npeople"
        broken = (await db.scalars(select(Event).where(Event.kind == "glass.broken"))).one()
    assert broken.payload["by"] == "Maria"
    assert broken.payload["reason"].split() == ["It", "hurts", "people"]
    await bench.assert_rebuilds()


async def test_glass_that_need_not_be_broken_stays_whole(bench: Bench):
    made = await proposed(bench)
    await bench.review(made, "ben")
    await bench.merge(made, by="maria", broke_glass="Just in case")
    async with bench.database.read() as db:
        assert (await db.scalars(select(Merge.broke_glass))).one() is False


async def test_no_reason_breaks_nothing(bench: Bench):
    made = await proposed(bench)
    await refused(bench.merge(made, by="maria", broke_glass="   "))


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
        bench.database, bench.workspace, 1, actor=bench.people["maria"], reason="No"
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


async def jitter(doing: Awaitable[Any]) -> Any:
    await asyncio.sleep(random.uniform(0, 0.02))
    return await doing


@pytest.mark.timeout(30 + ROUNDS * 3)
@pytest.mark.parametrize("race", ["revise", "decline", "double", "take back", "demote"])
async def test_races(bench: Bench, race: str):
    """Whatever wins, what is on main was approved as it is, by somebody who counted."""
    await bench.rule(CLINICAL)
    for turn in range(1, ROUNDS + 1):
        name = f"clinical/p{turn}"
        made = await bench.propose(create(name, "One"))
        await bench.review(made, "ben")
        merging = jitter(bench.merge(made, by="dora"))
        if race == "revise":
            other = jitter(bench.revise(turn, create(name, "Evil")))
        elif race == "decline":
            other = jitter(
                proposals.decline(
                    bench.database, bench.workspace, turn, actor=bench.people["maria"], reason="No"
                )
            )
        elif race == "double":
            other = jitter(bench.merge(made, by="ben"))
        elif race == "take back":
            other = jitter(bench.review(made, "ben", verdict="none"))
        else:
            other = jitter(bench.set_role("ben", "editor"))
        merged, second = await all_of(merging, other)
        await _assert_sound(bench, race, turn, made, merged, second)
        await bench.set_role("ben", "reviewer")
    await bench.assert_rebuilds()


async def _assert_sound(
    bench: Bench, race: str, turn: int, made: proposals.Made, merged: Any, second: Any
) -> None:
    for one in (merged, second):
        assert one is None or not isinstance(one, Exception) or isinstance(one, HubError), one
    won = isinstance(merged, proposals.Merged)
    state = await bench.state(turn)
    async with bench.database.read() as db:
        query = select(Merge).where(Merge.number == turn)
        records = list(await db.scalars(query))
    if race == "double":
        assert won != isinstance(second, proposals.Merged)
        won = True
    assert (state == "merged") == won == bool(records)
    if won:
        assert len(records) == 1
        assert records[0].digest == made.digest
        assert records[0].reviewers == ["Ben <ben@example.org>"]
        assert "Evil" not in bench.git("show", f"main:clinical/p{turn}.prompt.yml")
    if race == "decline":
        assert won == isinstance(second, proposals.Closed)
        assert state == ("merged" if won else "declined")
    if race == "revise":
        assert won == isinstance(second, proposals.Closed)


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
