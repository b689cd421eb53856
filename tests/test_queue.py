"""Whose word is awaited: the queue, its count in the frame, and a person's home."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from hub.db import Database, now
from hub.front import Front
from hub.outbox import announce
from hub.people import rules_store
from hub.people.models import ApiKey, Member
from hub.people.rules import Rule
from hub.playground.models import Grid
from hub.registry import drafts
from hub.registry.models import LabelMove, Prompt
from hub.registry.review.models import Proposal, Watcher
from hub.registry.review.queue import Queue, awaited
from tests.cast import Browser, Cast, title
from tests.counting import statements
from tests.offers import agree_on, ask_for_review, give_word, offer, offer_in, text


@pytest.fixture
async def db(hub: Front, cast: Cast) -> Database:
    return hub.state.database


async def waits(db: Database, cast: Cast, who: str) -> list[int]:
    """What is awaited of them, read afresh."""
    place, account = cast.workspace.id, cast.account_ids[who]
    return sorted(await db.read_at_once(lambda one: awaited(one, place, account)))


# ── who is waited for ───────────────────────────────────────────────────────────────────────────


async def test_where_no_rule_asks_only_those_who_were_asked_are_waited_for(
    db: Database, cast: Cast
):
    await offer(db, cast, 1, text("One"))
    await offer(db, cast, 2, text("Two"))
    await ask_for_review(db, cast, 2, "ben")
    assert await waits(db, cast, "ben") == [2]
    assert await waits(db, cast, "maria") == []


async def test_a_rule_waits_for_everybody_it_counts_but_never_for_the_author(
    db: Database, cast: Cast
):
    await agree_on(db, cast, Rule(kind="change", folder="clinical"))
    await offer(db, cast, 1, text("One"), by="ana")
    await offer(db, cast, 2, text("Two"), by="ben")
    await offer(db, cast, 3, text("Three"), name="support/hello")
    assert await waits(db, cast, "ben") == [1]
    assert await waits(db, cast, "maria") == [1, 2]
    assert await waits(db, cast, "ana") == []
    assert await waits(db, cast, "carla") == []


async def test_whoever_wrote_any_revision_is_not_waited_for(db: Database, cast: Cast):
    await agree_on(db, cast, Rule(kind="change"))
    await offer(db, cast, 1, text("One"), by="ana")
    await offer(db, cast, 1, text("One, better"), by="ben", revision=2)
    await offer(db, cast, 1, text("One, best"), by="ana", revision=3)
    assert await waits(db, cast, "ben") == []
    assert await waits(db, cast, "maria") == [1]


async def test_a_person_and_a_group_can_be_counted(db: Database, cast: Cast):
    carla = f"person:{cast.account_ids['carla']}"
    await agree_on(db, cast, Rule(kind="change", folder="legal", who=(carla,)))
    await offer(db, cast, 1, text("One"), name="legal/letter")
    assert await waits(db, cast, "carla") == [1]
    assert await waits(db, cast, "ben") == []


async def test_the_rule_about_the_label_it_is_for_counts_too(db: Database, cast: Cast):
    rule = Rule(kind="release", label="production")
    await agree_on(db, cast, rule)
    await offer(db, cast, 1, text("One"), target="production")
    await offer(db, cast, 2, text("Two"), target="staging")
    assert await waits(db, cast, "ben") == [1]


@pytest.mark.parametrize("verdict", ["approve", "changes"])
async def test_a_word_on_what_it_is_now_ends_the_waiting_until_it_changes(
    db: Database, cast: Cast, verdict: str
):
    await agree_on(db, cast, Rule(kind="change", approvals=2))
    await offer(db, cast, 1, text("One"))
    await give_word(db, cast, 1, "ben", verdict)
    assert await waits(db, cast, "ben") == []
    await offer(db, cast, 1, text("One, better"), revision=2)
    assert await waits(db, cast, "ben") == [1]
    await give_word(db, cast, 1, "ben", verdict, revision=2)
    await give_word(db, cast, 1, "ben", "none", revision=2)  # taken back
    assert await waits(db, cast, "ben") == [1]


async def test_what_has_all_it_needs_waits_for_nobody_else(db: Database, cast: Cast):
    await agree_on(db, cast, Rule(kind="change"))
    await offer(db, cast, 1, text("One"))
    await give_word(db, cast, 1, "ben", "approve")
    assert await waits(db, cast, "maria") == []
    await ask_for_review(db, cast, 1, "maria")
    assert await waits(db, cast, "maria") == [1]


async def test_muted_closed_and_lost_memberships_do_not_wait(db: Database, cast: Cast):
    for number in (1, 2, 3):
        await offer(db, cast, number, text(f"No. {number}"))
        await ask_for_review(db, cast, number, "ben")
    async with db.write() as session:
        await session.execute(update(Watcher).where(Watcher.number == 1).values(muted=True))
        await session.execute(
            update(Proposal).where(Proposal.number == 2).values(state="declined")
        )  # fmt: skip
    assert await waits(db, cast, "ben") == [3]
    async with db.write() as session:
        member = await session.get_one(Member, (cast.workspace.id, cast.account_ids["ben"]))
        await session.delete(member)
    assert await waits(db, cast, "ben") == []
    assert await waits(db, cast, "mallory") == []


async def test_what_is_remembered_is_read_again_when_something_happens(db: Database, cast: Cast):
    queue, place = Queue(db), cast.workspace.id
    ben = cast.account_ids["ben"]
    assert await queue.waiting(place, ben) == []
    await offer(db, cast, 1, text("One"))
    await ask_for_review(db, cast, 1, "ben")
    assert await queue.waiting(place, ben) == []  # nothing said so yet
    async with db.write() as session:
        announce(session, "review.requested", workspace_id=place, subject="#1", number=1)
    assert await queue.waiting(place, ben) == [1]
    await give_word(db, cast, 1, "ben", "approve")
    async with db.write() as session:
        await rules_store.bump(session, place)
    assert await queue.waiting(place, ben) == []


# ── the page ────────────────────────────────────────────────────────────────────────────────────


async def test_each_tab_shows_its_own(db: Database, cast: Cast, ben: Browser, ana: Browser):
    await offer(db, cast, 1, text("One"), title="Ask for the birthday")
    await offer(db, cast, 2, text("Two"), title="Shorter greeting", by="ben")
    await offer(db, cast, 3, text("Three"), title="Old idea", state="declined")
    await ask_for_review(db, cast, 1, "ben")
    page = (await ben.get("/clinic/proposals")).text  # something waits: that comes first
    assert "Ask for the birthday" in page
    assert "Shorter greeting" not in page
    shown = {
        state: re.findall(r'class="open" href="/clinic/proposals/(\d+)"', page.text)
        for state in ("waiting", "mine", "open", "closed")
        if (page := await ben.get(f"/clinic/proposals?state={state}"))
    }
    assert shown == {"waiting": ["1"], "mine": ["2"], "open": ["2", "1"], "closed": ["3"]}
    assert "Old idea" not in (await ben.get("/clinic/proposals?state=closed&mine=1")).text
    assert "Old idea" in (await ana.get("/clinic/proposals?state=closed&mine=1")).text
    assert "Ask for the birthday" in (await ana.get("/clinic/proposals")).text  # all open ones


async def test_it_can_be_searched_and_paged(db: Database, cast: Cast, ben: Browser):
    async with db.write() as session:
        for number in range(1, 121):
            moment = now() - timedelta(minutes=number)
            await offer_in(
                session, cast, number, text(f"No. {number}"), title=f"T{number}",
                name=f"clinical/p{number}", at=moment,
            )  # fmt: skip
    await agree_on(db, cast, Rule(kind="change"))
    for state in ("open", "waiting"):
        url, seen = f"/clinic/proposals?state={state}", []
        while url:
            page = (await ben.get(url)).text
            seen += re.findall(r'class="open" href="/clinic/proposals/(\d+)"', page)
            more = re.search(r'href="([^"]+)" class="button[^"]*" rel="next"', page)
            url = more[1].replace("&amp;", "&") if more else ""
        assert seen == [str(number) for number in range(1, 121)]
        found = (await ben.get(f"/clinic/proposals?state={state}&q=p77")).text
        assert re.findall(r'class="open" href="/clinic/proposals/(\d+)"', found) == ["77"]
    nothing = (await ben.get("/clinic/proposals?state=open&q=<b>zebra")).text
    assert "has “&lt;b&gt;zebra” in its title" in nothing


async def test_the_frame_shows_how_many_wait(db: Database, cast: Cast, ben: Browser, ana: Browser):
    await offer(db, cast, 1, text("One"))
    await ask_for_review(db, cast, 1, "ben")
    badge = r'data-badge="reviews"( hidden)?>(\d+)'
    for who, shown in ((ben, ("", "1")), (ana, (" hidden", "0"))):
        page = (await who.get("/clinic/prompts")).text
        assert re.search(badge, page).groups("") == shown


async def test_hundreds_of_open_proposals_are_listed_in_few_statements(
    db: Database, cast: Cast, ben: Browser
):
    """How long 2,000 of them take is measured in bench/review.py."""
    await agree_on(db, cast, Rule(kind="change", folder="clinical"))
    for numbers in (range(1, 121), range(121, 601)):
        async with db.write() as session:
            for number in numbers:
                await offer_in(
                    session, cast, number, text(f"No. {number}"), title=f"T{number}",
                    name=f"{('clinical', 'support')[number % 2]}/p{number}",
                )  # fmt: skip
        assert len(await waits(db, cast, "ben")) == numbers[-1] // 2
        for state in ("waiting", "open", "mine"):
            assert 5 < await _asked(ben, state) < 45  # fewer than the rows of a page


async def _asked(who: Browser, state: str) -> int:
    """Statements of that tab, not the first time."""
    url = f"/clinic/proposals?state={state}"
    await who.get(url)
    with statements() as said:
        assert (await who.get(url)).status_code == 200
    return len(said)


# ── home ────────────────────────────────────────────────────────────────────────────────────────


async def test_home_says_what_wants_me(db: Database, cast: Cast, ben: Browser, client: Browser):
    await offer(db, cast, 1, text("One"), title="Ask for the birthday")
    await offer(db, cast, 2, text("Two"), title="Shorter greeting", by="ben")
    await ask_for_review(db, cast, 1, "ben")
    async with db.write() as session:
        session.add(
            Prompt(
                workspace_id=cast.workspace.id, id="p1", name="support/hello", folder="support",
                title="Hello", description="", tags=[], head=2, hash="0" * 64, blob="0" * 40,
                created_at=now(), changed_at=now(), changed_by="Ana", change="x",
            )
        )  # fmt: skip
        await drafts.put(
            session, cast.workspace.id, cast.account_ids["ben"], "p1", {"name": "Hello"},
            name="support/hello", base=None, base_version=1,
        )  # fmt: skip
        for commit, glass, reason in (("a" * 40, False, "Kinder"), ("b" * 40, True, "It burns")):
            session.add(
                LabelMove(
                    workspace_id=cast.workspace.id, prompt_id="p1", label="production", old=1,
                    new=2, commit=commit, author="Maria Santos", reason=reason, at=now(),
                    proposal=None, broke_glass=glass,
                )
            )  # fmt: skip
    assert (await ben.get("/")).headers["location"] == "/clinic"
    page = await ben.get("/clinic")
    assert title(page) == "1 proposal waits for you"
    parts = re.split(r"<h2[^>]*>", page.text)[1:]
    told = {part.split("<")[0]: part for part in parts}
    assert "Ask for the birthday" in told["Waiting for my review"]
    assert "Shorter greeting" in told["My open proposals"]
    assert "/clinic/prompts/support/hello" in told["Drafts I left"]
    assert "Maria Santos: Kinder" in told["Released lately"]
    assert re.search(r'<li class="glass">.*It burns.*Glass broken', page.text, re.S)
    assert (await client.get("/clinic")).headers["location"].startswith("/sign-in")


async def test_a_newcomers_cards_go_away_when_done(db: Database, cast: Cast, maria: Browser):
    def cards(page: str) -> list[str]:
        return re.findall(r'class="step".*?<strong>(.*?)</strong>', page, re.S)

    first = ["Make the first prompt", "Try it on two models", "Connect an app"]
    assert cards((await maria.get("/clinic")).text) == first
    me = cast.account_ids["maria"]
    async with db.write() as session:
        await offer_in(session, cast, 1, text("One"), by="maria", name="a/b")
    assert cards((await maria.get("/clinic")).text) == first[1:]
    async with db.write() as session:
        column = {"where": "here", "model": "tiny"}
        for columns in ([column, column], [column, {"where": "here", "model": "big"}]):
            await session.execute(
                insert(Grid).values(
                    workspace_id=cast.workspace.id, prompt_id="p", prompt_name="a/b", rows=[],
                    columns=columns, state="done", created_by="Maria", account_id=me,
                    created_at=now(),
                )
            )  # fmt: skip
    assert cards((await maria.get("/clinic")).text) == first[2:]
    async with db.write() as session:
        await session.execute(update(ApiKey).values(used_at=now()))
    assert cards((await maria.get("/clinic")).text) == []


async def test_somebody_who_has_long_been_here_sees_no_cards_and_a_reader_only_theirs(
    db: Database, cast: Cast, carla: Browser, maria: Browser
):
    assert (await carla.get("/clinic")).text.count('class="step"') == 1
    async with db.write() as session:
        await session.execute(update(Member).values(created_at=now() - timedelta(days=31)))
    assert 'class="step"' not in (await maria.get("/clinic")).text
    assert "Nothing wants you just now" in (await maria.get("/clinic")).text
