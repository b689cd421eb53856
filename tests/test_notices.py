"""Who hears of what, once; the inbox, and the bell of an open page."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from hub.db import Database, now
from hub.outbox import Event, Position, announce
from hub.people.models import Account, Member
from hub.people.rules import Rule
from hub.registry.review import comments
from hub.registry.review.models import Notice, Watcher
from hub.registry.review.notices import Reader
from tests.cast import NAMES, Cast, on_both_engines
from tests.offers import agree_on, ask_for_review, give_word, offer, person, text


@pytest.fixture
async def db(database: Database) -> Database:
    """A hub's database, without a hub that would make notices by itself."""
    return database


@pytest.fixture
async def people(db: Database) -> Cast:
    from tests.cast import make_cast

    return await make_cast(db)


async def happen(db: Database, cast: Cast, kind: str, by: str | None = "ana", **more: Any) -> None:
    """Something happened, as the deed itself would announce it."""
    said = {"by": NAMES[by], "account_id": cast.account_ids[by]} if by else {}
    async with db.write() as session:
        announce(
            session, kind, workspace_id=cast.workspace.id, subject=f"#{more.get('number')}",
            **(said | more),
        )  # fmt: skip


async def told(db: Database, cast: Cast) -> dict[str, list[str]]:
    """What everybody has been told, after the outbox was read."""
    await Reader(db, mails=False).look()
    names = {number: who for who, number in cast.account_ids.items()}
    async with db.read() as session:
        rows = list(await session.scalars(select(Notice).order_by(Notice.id)))
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(names[row.account_id], []).append(row.text)
    return found


# ── who ─────────────────────────────────────────────────────────────────────────────────────────


@on_both_engines
async def test_a_new_proposal_is_told_to_those_the_rules_count(db: Database, people: Cast):
    await agree_on(db, people, Rule(kind="change", folder="clinical"))
    await offer(db, people, 1, text("One"), title="Ask first")
    await happen(db, people, "proposal.opened", number=1)
    said = ["Ana Oliveira proposes “Ask first”."]
    assert await told(db, people) == {"maria": said, "ben": said}


async def test_who_is_asked_hears_it_once(db: Database, people: Cast):
    await agree_on(db, people, Rule(kind="change", folder="clinical"))
    await offer(db, people, 1, text("One"), title="Ask first")
    await ask_for_review(db, people, 1, "ben")
    await happen(db, people, "proposal.opened", number=1)
    await happen(
        db, people, "review.requested", number=1, reviewers=[people.account_ids["ben"]]
    )  # fmt: skip
    assert await told(db, people) == {
        "maria": ["Ana Oliveira proposes “Ask first”."],
        "ben": ["Ana Oliveira asks you to review “Ask first”."],
    }


@pytest.mark.parametrize(
    ("kind", "by", "more", "said"),
    [
        ("proposal.reviewed", "ben", {"verdict": "approve"}, "Ben Carter approved “Ask first”."),
        ("proposal.reviewed", "ben", {"verdict": "changes"},
         "Ben Carter asked for a change of “Ask first”."),
        ("proposal.reviewed", "ben", {"verdict": "none"},
         "Ben Carter took back their word on “Ask first”."),
        ("proposal.merged", "maria", {}, "Maria Santos merged “Ask first”."),
        ("proposal.declined", "ben", {"reason": "No"}, "Ben Carter declined “Ask first”."),
        ("proposal.reopened", "ben", {}, "Ben Carter reopened “Ask first”."),
        ("check.posted", None, {"name": "ward", "state": "fail"},
         "The check “ward” of “Ask first” failed."),
    ],
)  # fmt: skip
async def test_the_author_hears_what_becomes_of_it(
    db: Database, people: Cast, kind: str, by: str | None, more: dict[str, Any], said: str
):
    await offer(db, people, 1, text("One"), title="Ask first")
    await happen(db, people, kind, by, number=1, **more)
    assert await told(db, people) == {"ana": [said]}


async def test_a_check_that_passes_is_nobodys_business(db: Database, people: Cast):
    await offer(db, people, 1, text("One"))
    await happen(db, people, "check.posted", None, number=1, name="ward", state="pass")
    await happen(db, people, "version.saved", number=1)
    await happen(db, people, "proposal.revised", number=77)
    assert await told(db, people) == {}


async def test_watchers_and_reviewers_hear_of_a_revision_and_the_muted_do_not(
    db: Database, people: Cast
):
    await offer(db, people, 1, text("One"), title="Ask first")
    await give_word(db, people, 1, "maria", "changes")
    for who in ("ben", "carla"):
        await ask_for_review(db, people, 1, who)
    async with db.write() as session:
        mute = update(Watcher).where(Watcher.account_id == people.account_ids["carla"])
        await session.execute(mute.values(muted=True))
    await happen(db, people, "proposal.revised", number=1, revision=2)
    said = ["Ana Oliveira changed “Ask first”: revision 2."]
    assert await told(db, people) == {"maria": said, "ben": said}


async def test_whoever_is_called_hears_that_and_not_the_other(db: Database, people: Cast):
    await offer(db, people, 1, text("One"), title="Ask first")
    async with db.write() as session:
        first = await comments.add(
            session, people.workspace.id, 1, actor=person(people, "ben"), body="@carla @ana look"
        )
    assert await told(db, people) == {
        "ana": ["Ben Carter called you in the talk about “Ask first”."],
        "carla": ["Ben Carter called you in the talk about “Ask first”."],
    }
    async with db.write() as session:
        await comments.edit(
            session, people.workspace.id, 1, first, actor=person(people, "ben"),
            body="@carla @ana @maria look",
        )  # fmt: skip
    found = await told(db, people)
    assert found["maria"] == ["Ben Carter called you in the talk about “Ask first”."]
    assert len(found["carla"]) == 1  # a remark that was changed calls only who is new in it
    async with db.read() as session:
        url = await session.scalar(select(Notice.url).limit(1))
    assert url == f"/clinic/proposals/1/talk#remark-{first}"


async def test_broken_glass_is_told_to_everybody_who_reviews_even_if_muted(
    db: Database, people: Cast
):
    await offer(db, people, 1, text("One"), title="Ask first")
    async with db.write() as session:
        session.add(
            Watcher(workspace_id=people.workspace.id, number=1, muted=True, requested=False,
                    account_id=people.account_ids["ben"], seen_revision=0)
        )  # fmt: skip
    async with db.write() as session:
        announce(
            session, "glass.broken", workspace_id=people.workspace.id, subject="Ask first",
            number=1, by="Maria Santos", email="maria@example.org", reason="The ward is waiting",
        )  # fmt: skip
    said = ["Maria Santos broke glass for “Ask first”: The ward is waiting"]
    assert await told(db, people) == {"ana": said, "ben": said}


async def test_who_is_no_member_any_more_or_elsewhere_hears_nothing(db: Database, people: Cast):
    await agree_on(db, people, Rule(kind="change"))
    await offer(db, people, 1, text("One"))
    async with db.write() as session:
        gone = people.account_ids["ben"]
        await session.execute(delete(Member).where(Member.account_id == gone))
        shut = update(Account).where(Account.id == people.account_ids["maria"])
        await session.execute(shut.values(disabled_at=now()))
    everybody = list(people.account_ids.values())
    await happen(db, people, "proposal.opened", number=1)
    await happen(db, people, "proposal.commented", "carla", number=1, mentioned=everybody)
    assert await told(db, people) == {
        "ana": ["Carla Rossi called you in the talk about “Proposal 1”."]
    }


async def test_a_release_that_was_refused_is_told_to_who_asked_for_it(db: Database, people: Cast):
    await happen(db, people, "release.refused", "ben", sentence="Version 2 needs `city`.")
    await happen(db, people, "policy.changed", "maria")
    await happen(db, people, "policy.proposed", "ben")
    assert await told(db, people) == {
        "ben": ["The release of #None was not made: Version 2 needs “city”."],
        "maria": ["Ben Carter proposes to change the rules."],
    }


# ── once ────────────────────────────────────────────────────────────────────────────────────────


@on_both_engines
async def test_reading_the_outbox_again_tells_nothing_twice(db: Database, people: Cast):
    await offer(db, people, 1, text("One"))
    await happen(db, people, "proposal.merged", "ben", number=1)
    first, second = Reader(db, mails=False), Reader(db, mails=False)
    assert await first.look() == {people.account_ids["ana"]}
    assert await first.look() == set()
    await asyncio.gather(second.look(), Reader(db, mails=False).look())
    async with db.read() as session:
        assert await session.scalar(select(func.count(Notice.id))) == 1


async def test_after_a_restart_it_goes_on_where_it_was(db: Database, people: Cast):
    await offer(db, people, 1, text("One"))
    for at in range(5):
        await happen(db, people, "proposal.merged", "ben", number=1)
        if at == 2:
            async with db.write() as session:
                old = now() - timedelta(minutes=5)
                await session.execute(update(Event).values(at=old))
            await Reader(db, mails=False).look()
    async with db.read() as session:
        kept = await session.scalar(select(Position.event_id))
        third = (await session.scalars(select(Event.id).order_by(Event.id))).all()[2]
    assert kept == third
    async with db.write() as session:  # proof that what lies before is not read again
        await session.execute(delete(Notice))
    assert len((await told(db, people))["ana"]) == 2


async def test_an_event_that_makes_no_sense_does_not_stop_the_rest(
    db: Database, people: Cast, caplog: pytest.LogCaptureFixture
):
    await offer(db, people, 1, text("One"))
    await happen(db, people, "review.requested", number=1, reviewers=7)
    await happen(db, people, "proposal.merged", "ben", number=1)
    assert await told(db, people) == {"ana": ["Ben Carter merged “Proposal 1”."]}
    assert "nobody is told of event" in caplog.text


# ── the inbox ───────────────────────────────────────────────────────────────────────────────────


# ── the bell ────────────────────────────────────────────────────────────────────────────────────
