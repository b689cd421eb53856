"""What is typed and not sent is kept; and a long talk."""

from __future__ import annotations

import re

import httpx
import pytest

from hub.db import Database
from hub.front import Front
from hub.registry.review.models import Comment, Proposal
from tests.cast import Browser, Cast
from tests.counting import statements
from tests.offers import offer, text
from tests.test_talk import HERE, PROMPT, TRIAGE, say, talk


@pytest.fixture
async def db(hub: Front, cast: Cast) -> Database:
    """The hub's database, with proposal 7 of Ana's in it."""
    database: Database = hub.state.database
    await offer(database, cast, 7, text(TRIAGE), old=text("Decide at once."), title="Ask first")
    return database


async def keep(who: Browser, slot: str, body: str) -> httpx.Response:
    return await who.send_form("PUT", f"{HERE}/comments/draft", {"slot": slot, "body": body})


async def test_what_was_typed_is_there_after_a_reload_and_gone_when_sent(
    db: Database, ben: Browser, ana: Browser
):
    assert (await keep(ben, "whole", "I wonder whe")).status_code == 204
    assert (await keep(ben, "whole", "I wonder whether")).status_code == 204
    assert "I wonder whether</textarea>" in (await ben.get(f"{HERE}/talk")).text
    assert "I wonder" not in (await ana.get(f"{HERE}/talk")).text
    await ben.post_form(f"{HERE}/comments", {"body": "I wonder whether.", "slot": "whole"})
    assert "I wonder whether</textarea>" not in (await ben.get(f"{HERE}/talk")).text


async def test_a_late_autosave_does_not_bring_back_what_was_sent(db: Database, ben: Browser):
    await ben.post_form(f"{HERE}/comments", {"body": "I wonder", "slot": "whole"})
    await keep(ben, "whole", "I wonder")
    page = (await ben.get(f"{HERE}/talk")).text
    assert "I wonder" in page
    assert "I wonder</textarea>" not in page


async def test_a_remark_on_words_that_was_begun_is_there_with_its_words(
    db: Database, cast: Cast, ben: Browser
):
    slot = f"on:{PROMPT}:messages/0:{TRIAGE.index('date')}:13:1"
    await keep(ben, slot, "Front desk")
    await offer(db, cast, 7, text("Be brief."), old=text("Decide at once."), revision=2)
    page = (await ben.get(f"{HERE}/talk")).text
    assert "Front desk</textarea>" in page
    assert "<mark data-quote-shown>date of birth</mark>" in page
    sent = {"body": "Front desk?", "slot": slot, "prompt_id": PROMPT, "place": "messages/0"}
    sent |= {"start": str(TRIAGE.index("date")), "quote": "date of birth", "revision": "1"}
    assert (await ben.post_form(f"{HERE}/comments", sent)).status_code == 303
    (thread,) = (await talk(db, cast)).on_words
    assert thread.words
    assert (thread.words.state, thread.words.gone_since) == ("gone", 2)


async def test_nonsense_is_not_kept(db: Database, ben: Browser, mallory: Browser):
    assert (await keep(ben, "a slot\n", "x")).status_code == 422
    assert (await keep(ben, "x" * 101, "x")).status_code == 422
    assert (await keep(ben, "whole", "x" * 30_000)).status_code == 422
    assert (await keep(mallory, "whole", "x")).status_code == 404
    assert (await ben.send_form("PUT", "/clinic/proposals/99/comments/draft",
                                {"slot": "whole", "body": "x"})).status_code == 404  # fmt: skip


async def test_two_hundred_remarks_are_read_at_once(db: Database, cast: Cast, ben: Browser):
    """Each is there at its words, and many cost no more statements than one."""
    await say(db, cast, "ben", "The first")
    await ben.get(f"{HERE}/talk")  # what is noted on a first visit
    with statements() as for_one:
        await ben.get(f"{HERE}/talk")
    words = " ".join(f"Rule {at}: ask the caller about number {at}." for at in range(600))
    await offer(db, cast, 7, text(words), old=text("Decide at once."), revision=2)
    async with db.write() as session:
        for at in range(200):
            quote = f"about number {at}"
            start = words.index(quote)
            session.add(
                Comment(
                    workspace_id=cast.workspace.id, number=7, revision=2, body=f"Remark {at} @ana",
                    account_id=cast.account_ids["ben"], author="Ben Carter", prompt_id=PROMPT,
                    place="messages/0", quote=quote, before=words[start - 60 : start],
                    after=words[start + len(quote) :][:60], start=start + at % 3,
                    created_at=(await session.get_one(Proposal, (cast.workspace.id, 7))).updated_at,
                )
            )  # fmt: skip
    await ben.get(f"{HERE}/talk")
    with statements() as for_many:
        page = (await ben.get(f"{HERE}/talk")).text
    assert len(for_one) > 5
    assert len(for_many) < len(for_one) + 5, for_many
    starts = [int(at) for at in re.findall(r'data-thread="\d+"[^>]*data-start="(\d+)"', page)]
    assert starts == [words.index(f"about number {at}") for at in range(200)]
    assert all(f"Remark {at} <strong" in page for at in range(200))
    assert page.count("<mark>about number ") == 200
