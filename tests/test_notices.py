"""Who hears of what, once; the inbox, and the bell of an open page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, func, select, update

from hub.db import Database, now
from hub.front import Front
from hub.outbox import Event, Position, announce
from hub.people import sign_ins
from hub.people.models import Account, Member
from hub.people.rules import Rule
from hub.registry.review import bell as bells
from hub.registry.review import comments, notices
from hub.registry.review.bell import Bell, Listener
from hub.registry.review.models import Notice, Watcher
from hub.registry.review.notices import Reader
from hub.registry.review.queue import Queue
from tests.cast import NAMES, Browser, Cast, on_both_engines
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
    await happen(db, people, "release.refused", "ben", sentence="It needs one approval.")
    await happen(db, people, "policy.changed", "maria")
    await happen(db, people, "policy.proposed", "ben")
    assert await told(db, people) == {
        "ben": ["The release of #None was not made: It needs one approval."],
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


@pytest.fixture
async def shown(hub: Front, cast: Cast) -> Bell:
    """A hub in which Ana has been told two things."""
    await offer(hub.state.database, cast, 1, text("One"), title="Ask <first>")
    await happen(hub.state.database, cast, "proposal.merged", "ben", number=1)
    await happen(hub.state.database, cast, "proposal.declined", "ben", number=1)
    await hub.state.bell.look()
    return hub.state.bell


def badge(page: str) -> str:
    found = re.search(r'data-badge="notices"( hidden)?>(\d+)', page)
    assert found
    return "hidden" if found[1] else found[2]


async def test_the_inbox_shows_them_and_opening_one_leads_there(
    shown: Bell, ana: Browser, ben: Browser, hub: Front
):
    page = (await ana.get("/clinic/notices")).text
    assert "Ben Carter merged “Ask &lt;first&gt;”." in page
    assert badge(page) == "2"
    assert page.count("notice-new") == 2
    first = re.findall(r'action="(/clinic/notices/\d+)"', page)[1]
    assert (await ben.post_form(first)).status_code == 404
    answer = await ana.post_form(first)
    assert (answer.status_code, answer.headers["location"]) == (303, "/clinic/proposals/1")
    page = (await ana.get("/clinic/notices")).text
    assert (badge(page), page.count("notice-new")) == ("1", 1)
    await ana.post_form("/clinic/notices/seen")
    assert badge((await ana.get("/clinic/notices")).text) == "hidden"
    assert "Ask" not in (await ben.get("/clinic/notices")).text


async def test_long_inboxes_have_pages(shown: Bell, cast: Cast, ana: Browser, hub: Front):
    for _ in range(notices.PAGE):
        await happen(hub.state.database, cast, "proposal.merged", "ben", number=1)
    await shown.look()
    page = (await ana.get("/clinic/notices")).text
    assert page.count('class="notice ') == notices.PAGE
    older = re.search(r'href="(/clinic/notices\?before=\d+)"', page)
    assert older
    assert (await ana.get(older[1])).text.count('class="notice ') == 2
    assert badge(page) == "52"


# ── the bell ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def ana_listens(hub: Front, cast: Cast) -> Listener:
    token = sign_ins.hashed(cast.cookies["ana"])
    return Listener(
        sign_in=token, account_id=cast.account_ids["ana"], workspace_id=cast.workspace.id
    )


async def next_of(stream: AsyncIterator[bytes]) -> tuple[str, Any]:
    async with asyncio.timeout(5):
        raw = (await anext(stream)).decode()
    if raw.startswith(":"):
        return "beat", None
    name, data = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", raw).groups()  # type: ignore[union-attr]
    return name, msgspec.json.decode(data)


async def test_an_open_page_hears_it_at_once(
    hub: Front, cast: Cast, ana_listens: Listener, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bells, "BEAT", 0.2)
    await offer(hub.state.database, cast, 1, text("One"), title="Ask first")
    stream = hub.state.bell.stream(ana_listens)
    assert await next_of(stream) == ("badges", {"reviews": 0, "notices": 0})
    assert (await next_of(stream))[0] == "beat"
    await happen(hub.state.database, cast, "proposal.merged", "ben", number=1)
    while (heard := await next_of(stream))[0] == "beat":
        pass  # the hub notices within half a second, by itself
    assert heard == ("badges", {"reviews": 0, "notices": 1})
    assert await next_of(stream) == (
        "notice",
        {"text": "Ben Carter merged “Ask first”.", "url": "/clinic/proposals/1",
         "kind": "proposal.merged"},
    )  # fmt: skip
    await stream.aclose()


@pytest.mark.parametrize("end", ["removed", "signed out", "disabled"])
async def test_the_stream_of_somebody_who_left_ends(
    hub: Front, cast: Cast, ana_listens: Listener, monkeypatch: pytest.MonkeyPatch, end: str
):
    monkeypatch.setattr(bells, "BEAT", 0.05)
    stream = hub.state.bell.stream(ana_listens)
    await next_of(stream)
    ana = cast.account_ids["ana"]
    async with hub.state.database.write() as session:
        if end == "removed":
            await session.execute(delete(Member).where(Member.account_id == ana))
        elif end == "signed out":
            await sign_ins.end_all(session, ana)
        else:
            shut = update(Account).where(Account.id == ana)
            await session.execute(shut.values(disabled_at=now()))
    while (heard := await next_of(stream))[0] == "beat":
        pass
    assert heard == ("end", {})
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_the_hub_ends_with_streams_open(hub: Front, cast: Cast, ana_listens: Listener):
    own = Bell(hub.state.database, Queue(hub.state.database), mails=False)
    stream = own.stream(ana_listens)
    await next_of(stream)
    waiting = asyncio.create_task(next_of(stream))
    await asyncio.sleep(0.05)
    own.close()
    assert await waiting == ("end", {})


async def test_the_stream_is_for_members(hub: Front, mallory: Browser, client: Browser):
    assert (await mallory.get("/clinic/notices/stream")).status_code == 404
    assert (await client.get("/clinic/notices/stream")).headers["location"].startswith("/sign-in")
