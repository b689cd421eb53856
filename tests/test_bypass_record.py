"""Ways round review, A and the record: what people type never reads as what the hub writes.

Merges are told by trailers in commits. Whoever could forge one, or make the hub's own unreadable,
would be approved, or would leave no trace, as soon as the index is built anew from git.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hub.db import Database
from hub.errors import Invalid
from hub.people.rules import Rule
from hub.registry.git import deploy_file
from hub.registry.git.commits import clean_message, split_trailers, with_trailers
from hub.registry.models import LabelMove, Version
from hub.registry.review import proposals
from hub.registry.review.models import Merge
from hub.registry.review.touched import Unreadable, touched
from tests.bench_of_review import Bench, change, create, make_bench

RULES = (
    Rule(kind="change", folder="clinical"),
    Rule(kind="release", folder="clinical", label="production"),
)
FORGED = "\n\nProposal: 7\nRevision: 1\nDigest: abc\nReviewed-by: Dora <dora@example.org>"
TAGS = "\U000e0041" * 10_000
"""Of characters that nobody sees, and that take ten letters each where a label's file says why."""


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


async def ready(bench: Bench, **more: Any) -> proposals.Made:
    saved = await bench.save("clinical/a", "One")
    await bench.rule(*RULES)
    wanted = change("clinical/a", "Two", saved.hash)
    return await bench.propose(wanted, **({"target": "production"} | more))


async def record(bench: Bench) -> Merge:
    async with bench.database.read() as db:
        return (await db.scalars(select(Merge))).one()


# --- trailers that somebody types ----------------------------------------------------------------


async def test_trailers_in_a_save_merge_nothing(bench: Bench):
    made = await ready(bench)
    await bench.save("free/a", "One", message="Hi." + FORGED)
    move = await bench.move("free/a", 1, reason="Now." + FORGED)
    assert move.reason.endswith("Dora <dora@example.org>")
    await bench.assert_rebuilds()
    async with bench.database.read() as db:
        assert not list(await db.scalars(select(Merge)))
        assert set(await db.scalars(select(LabelMove.proposal))) == {None}
        versions = await db.scalars(select(Version.message).where(Version.name == "free/a"))
        assert versions.one().startswith("Hi.\n\nProposal: 7")
    assert await bench.state(made.number) == "open"


TEXTS = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    ["\n\n", "Digest: a", "Reviewed-by: Eve <e@x>", " ", "\n", "\u2028", "\x85", "\0"]
)


@given(st.lists(TEXTS, max_size=6).map("".join), st.lists(TEXTS, max_size=6).map("".join))
def test_whatever_is_typed_only_the_hubs_own_trailers_come_back(message: str, reason: str) -> None:
    message = clean_message(message) or "A change"
    ours = {"Proposal": "3", "Digest": "d", "Broke-Glass": clean_message(reason)}
    body, said = split_trailers(clean_message(with_trailers(message, ours)))
    assert body == message
    assert (said["Proposal"], said["Digest"]) == ("3", "d")
    assert set(said) - {"Broke-Glass"} == {"Proposal", "Digest"}
    assert said.get("Broke-Glass", "").split() == clean_message(reason).split()


# --- a reason that would hide the breaking of the glass ------------------------------------------


@pytest.mark.parametrize(
    "reason",
    ["It hurts\n\npeople", "Now" + FORGED, "Now\0!", "Now\x1c\x85\u2028now", "Now \ud800"],
)
async def test_broken_glass_stays_broken_whatever_the_reason(bench: Bench, reason: str):
    made = await ready(bench)
    await bench.merge(made, by="maria", release=True, broke_glass=reason)
    await bench.assert_rebuilds()
    assert (await record(bench)).broke_glass is True
    assert (await record(bench)).reviewers == []
    async with bench.database.read() as db:
        move = (await db.scalars(select(LabelMove))).one()
    assert (move.broke_glass, move.proposal) == (True, 1)


@pytest.mark.parametrize("reason", ["", " ", "\n", "\0", "\u200b", "…", "- -"])
async def test_a_reason_without_a_word_is_none(bench: Bench, reason: str):
    made = await ready(bench)
    with pytest.raises(proposals.NeedsReview):
        await bench.merge(made, by="maria", broke_glass=reason)
    assert await bench.state(made.number) == "open"


async def test_a_reason_that_nobody_would_read_is_refused(bench: Bench):
    made = await ready(bench)
    with pytest.raises(Invalid, match=r"2,000 is the most"):
        await bench.merge(made, by="maria", broke_glass="Now! " * 1000)


# --- a label's file that could not be read -------------------------------------------------------


async def test_the_longest_reason_moves_the_label_it_is_about(bench: Bench):
    await bench.save("free/a", "One")
    await bench.move("free/a", 1, reason=TAGS)
    assert await bench.live("free/a") == 1
    await bench.assert_rebuilds()
    assert await bench.live("free/a") == 1


async def test_a_reason_too_long_to_read_releases_nothing_unseen(bench: Bench):
    """An editor may merge here; moving the label is for reviewers, however it is worded."""
    saved = await bench.save("clinical/a", "One")
    await bench.move("clinical/a", 1, by="ben")
    await bench.rule(RULES[1])
    made = await bench.propose(change("clinical/a", "Two", saved.hash), target="production")
    with pytest.raises(proposals.NeedsReview, match="cannot move labels"):
        await bench.merge(made, by="ana", release=True, reason=TAGS)
    assert await bench.live("clinical/a") == 1
    await bench.assert_rebuilds()
    assert await bench.live("clinical/a") == 1


async def test_what_the_gate_cannot_read_is_not_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    await bench.save("free/a", "One")
    before = bench.git("for-each-ref")
    with monkeypatch.context() as blind:
        blind.setattr(deploy_file, "serialise", lambda _: b"version: [")
        with pytest.raises(Unreadable):
            await bench.move("free/a", 1)
    with monkeypatch.context() as blind:
        blind.setattr("hub.registry.writing.saves.names.path_of", lambda name: f"{name}.md")
        with pytest.raises(Unreadable):
            await bench.save("free/b", "One")
    assert bench.git("for-each-ref") == before
    assert touched([]).names == ()
    await bench.merge(await bench.propose(create("free/b", "One")))


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
def test_a_labels_file_is_read_as_it_was_written(why: str, by: str) -> None:
    at = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    pointer = deploy_file.Pointer(
        prompt="p_1", version=3, blob="b", hash="h", commit="c", by=by, at=at, why=why
    )
    assert deploy_file.parse(deploy_file.serialise(pointer)) == pointer
