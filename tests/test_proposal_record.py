"""What the hub tells of proposals: how they stand, whom they wait for, whether they still fit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from hub.db import now
from hub.errors import Invalid, NotFound
from hub.front import Front
from hub.people import rules
from hub.people.models import Account
from hub.people.policy import Actor
from hub.registry import versions
from hub.registry.review import record
from hub.registry.review.models import Item, Proposal, Revision
from hub.registry.review.views import View
from hub.registry.versions import Saved
from tests.cast import Cast, on_both_engines
from tests.counting import statements
from tests.offered import Piece, offer, say, set_rules, text

OLD = "Ask for the name.\n\nThen ask for the day of birth.\n\nBe kind."
NEW = OLD.replace("the name", "the name in any case")
RULE = rules.Rule(kind="change", folder="clinical")


async def save(hub: Front, cast: Cast, content: str = OLD, base: str | None = None) -> Saved:
    async with hub.state.database.read() as db:
        ana = await db.get_one(Account, cast.account_ids["ana"])
    actor = Actor(
        kind="person", name=ana.name, email=ana.email, account_id=ana.id,
        workspace_id=cast.workspace.id, role="editor",
    )  # fmt: skip
    return await versions.save(
        hub.state.publisher, cast.workspace, "clinical/triage", text(content), base=base,
        actor=actor, message="Shorter",
    )  # fmt: skip


async def change(hub: Front, cast: Cast, made: Saved, **more: Any) -> str:
    piece = Piece(
        name=made.name, prompt_id=made.id, base_hash=made.hash, base_version=made.version,
        document=text(NEW, id=made.id),
    )  # fmt: skip
    ana = cast.account_ids["ana"]
    return await offer(hub.state.database, cast.workspace.id, ana, piece, **more)


async def seen(hub: Front, cast: Cast, number: int = 1) -> View:
    async with hub.state.database.read() as db:
        return await record.get(db, cast.workspace.id, number)


@on_both_engines
async def test_it_waits_for_those_the_rules_name_and_then_is_approved(hub: Front, cast: Cast):
    made = await save(hub, cast)
    await set_rules(hub.state.database, cast.workspace.id, RULE)
    ben = cast.account_ids["ben"]
    digest = await change(hub, cast, made, asked=(ben,))
    view = await seen(hub, cast)
    assert (view.state, view.state_now, view.mergeable) == ("open", "open", "clean")
    assert view.sentence == "Waiting for one approval from reviewers."
    assert [(one.name, one.said) for one in view.words] == [("Ben Carter", "not yet")]
    texts = [one and one.messages[0].content for one in (view.items[0].old, view.items[0].new)]
    assert texts == [OLD, NEW]

    await say(hub.state.database, cast.workspace.id, ben, digest, "approve")
    view = await seen(hub, cast)
    assert (view.state, view.state_now) == ("open", "approved")
    assert view.sentence == "Approved by Ben Carter."
    assert view.words[0].counts
    assert view.words[0].said == "approved"


async def test_a_new_revision_voids_the_approval_and_says_so(hub: Front, cast: Cast):
    made = await save(hub, cast)
    await set_rules(hub.state.database, cast.workspace.id, RULE)
    digest = await change(hub, cast, made)
    ben = cast.account_ids["ben"]
    await say(hub.state.database, cast.workspace.id, ben, digest, "approve")
    await change(hub, cast, made, revision=2, message="As Ben asked")
    view = await seen(hub, cast)
    assert (view.revision, view.state_now) == (2, "open")
    assert view.words[0].said == "approved revision 1"
    assert not view.words[0].counts
    async with hub.state.database.read() as db:
        told = await record.revisions(db, cast.workspace.id, 1)
        first = await record.items_of(db, cast.workspace.id, 1, 1)
        with pytest.raises(NotFound):
            await record.items_of(db, cast.workspace.id, 1, 3)
    assert [(one.revision, [word.name for word in one.words]) for one in told] == [
        (2, []), (1, ["Ben Carter"]),
    ]  # fmt: skip
    assert first[0].new == view.items[0].new


async def test_who_asks_for_a_change_is_named_and_the_author_never_counts(hub: Front, cast: Cast):
    made = await save(hub, cast)
    await set_rules(hub.state.database, cast.workspace.id, RULE)
    digest = await change(hub, cast, made)
    for who, verdict in (("ben", "changes"), ("ana", "approve"), ("carla", "approve")):
        await say(
            hub.state.database, cast.workspace.id, cast.account_ids[who], digest, verdict
        )  # fmt: skip
    view = await seen(hub, cast)
    assert view.sentence.startswith("Ben Carter asked for a change.")
    assert not any(one.counts for one in view.words)


async def test_a_folder_without_rules_can_be_merged_at_once(hub: Front, cast: Cast):
    digest = await change(hub, cast, await save(hub, cast))
    view = await seen(hub, cast)
    assert view.state_now == "open"
    assert "No rule asks for review" in view.sentence
    await say(hub.state.database, cast.workspace.id, cast.account_ids["ben"], digest, "approve")
    assert (await seen(hub, cast)).state_now == "approved"


@pytest.mark.parametrize(
    ("meanwhile", "expected"),
    [(OLD.replace("Be kind", "Be very kind"), "moved"),
     (OLD.replace("the name", "the full name"), "clash")],
)  # fmt: skip
async def test_what_was_saved_meanwhile_is_told(
    hub: Front, cast: Cast, meanwhile: str, expected: str
):
    made = await save(hub, cast)
    await change(hub, cast, made)
    await save(hub, cast, meanwhile, base=made.hash)
    view = await seen(hub, cast)
    assert view.mergeable == expected
    assert view.moved == ["clinical/triage is at version 2 now, by Ana Oliveira."]


async def test_lists_by_state_author_reviewer_and_words(hub: Front, cast: Cast):
    made = await save(hub, cast)
    ben, ana = cast.account_ids["ben"], cast.account_ids["ana"]
    began = now() - timedelta(hours=1)
    for number in range(1, 6):
        await change(
            hub, cast, made, number=number, title=f"Change {number}", asked=(ben,) * (number == 2),
            state="declined" if number == 5 else "open", at=began + timedelta(minutes=number),
        )  # fmt: skip
    async with hub.state.database.read() as db:
        workspace = cast.workspace.id

        async def numbers(**asked: Any) -> list[int]:
            return [one.number for one in (await record.listed(db, workspace, **asked)).items]

        assert await numbers() == [4, 3, 2, 1]
        assert await numbers(state="declined") == await numbers(state="closed") == [5]
        assert await numbers(mine=ana, state="all") == [5, 4, 3, 2, 1]
        assert await numbers(waiting_for=ben) == [2]
        assert await numbers(waiting_for=ana) == await numbers(mine=ben) == []
        assert await numbers(q="change 3") == await numbers(q="#3") == [3]
        assert await numbers(q="triage") == [4, 3, 2, 1]
        first = await record.listed(db, workspace, limit=3)
        rest = await record.listed(db, workspace, limit=3, cursor=first.next)
        assert ([one.number for one in rest.items], rest.next, first.total) == ([1], None, 4)
        on_prompt = await record.open_for_prompt(db, workspace, made.id)
        assert [one.number for one in on_prompt] == [4, 3, 2, 1]
        assert (await record.listed(db, cast.rival.id)).items == []
        for wrong in ({"state": "odd"}, {"cursor": "x"}, {"limit": 0}):
            with pytest.raises(Invalid):
                await record.listed(db, workspace, **wrong)  # pyright: ignore[reportArgumentType]


async def test_a_list_of_two_thousand_is_read_in_few_statements(hub: Front, cast: Cast):
    """50 rows with words, checks and the rules' answer; bench/review.py measures the time."""
    made = await save(hub, cast)
    await set_rules(hub.state.database, cast.workspace.id, RULE)
    await change(hub, cast, made)
    async with hub.state.database.write() as db:
        for model in (Proposal, Revision, Item):
            columns = model.__table__.columns
            row = dict((await db.execute(model.__table__.select())).mappings().one())
            assert row.keys() == {one.name for one in columns}
            copies = [row | {"number": number} for number in range(2, 2001)]
            await db.execute(insert(model), copies)
    async with hub.state.database.read() as db:
        found = await record.listed(db, cast.workspace.id)
        with statements() as said:
            searched = await record.listed(db, cast.workspace.id, q="lower case")
    assert (len(found.items), found.total) == (50, 2000)
    assert len(searched.items) == 50
    assert 0 < len(said) <= 10, said
