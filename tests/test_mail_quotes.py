"""What people say stands in the letter that tells of it: as it is now, to members alone, and such
that nothing typed can pass for the hub's words or for a header."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.outbox import Event, announce
from hub.people.models import Member
from hub.registry.review import comments
from hub.registry.review.mail_words import LONGEST, MOST_LINES, quoted
from hub.registry.review.mailing import Mailer
from hub.registry.review.models import Review
from hub.registry.review.notices import Reader
from tests.cast import Cast, make_cast
from tests.mail_server import MailServer, due, post_to, wishes
from tests.offers import offer, offer_in, person, text


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    made = MailServer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def people(database: Database) -> Cast:
    cast = await make_cast(database)
    await offer(database, cast, 1, text("SECRET WORDS of the prompt"), title="Ask first")
    return cast


@pytest.fixture
def mailer(database: Database, server: MailServer) -> Mailer:
    return post_to(database, server)


async def say(database: Database, people: Cast, who: str, body: str) -> int:
    async with database.write() as db:
        actor = person(people, who)
        return await comments.add(db, people.workspace.id, 1, actor=actor, body=body)


async def sent(database: Database, mailer: Mailer, server: MailServer) -> str:
    """The text of the one letter that is due."""
    await Reader(database, mails=True).look()
    await due(database)
    assert await mailer.send_due() == 1
    ((recipients, letter),) = server.taken
    assert recipients == ["ana@example.org"]
    server.taken.clear()
    assert "SECRET" not in letter.as_string()
    return letter.get_content().replace("\r\n", "\n")


async def test_a_remark_stands_in_the_letter_as_it_is_when_it_goes(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    said = await say(database, people, "ben", "> SECRET WORDS\nSay pleas.\n\nAnd why?")
    async with database.write() as db:
        await comments.edit(
            db, people.workspace.id, 1, said, actor=person(people, "ben"),
            body="> SECRET WORDS\nSay please.\n\nAnd why?",
        )  # fmt: skip
    assert (
        "Ben Carter said something about “Ask first”.\n> Say please.\n>\n> And why?\n"
        f"https://hub.test/clinic/proposals/1/talk#remark-{said}"
    ) in await sent(database, mailer, server)


async def test_so_does_what_is_said_with_a_word_or_a_refusal(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    async with database.write() as db:
        review = await reviewed(db, people, "Shorter, please")
        for kind, more in (
            ("proposal.reviewed", {"verdict": "changes", "review": review}),
            ("proposal.declined", {"reason": "It is\nnot for us"}),
            ("review.dismissed", {"reason": "He has left", "asked_by": "Ben"}),
            ("proposal.reviewed", {"verdict": "approve"}),
        ):
            announce(
                db, kind, workspace_id=people.workspace.id, subject="#1", number=1,
                by="Ben Carter", account_id=people.account_ids["ben"], **more,
            )  # fmt: skip
    text = await sent(database, mailer, server)
    here = "https://hub.test/clinic/proposals/1"
    for said in (
        "Ben Carter asked for a change of “Ask first”.\n> Shorter, please\n", "“Ask first”.\n"
        "> It is\n> not for us\n", "> He has left\n", f"approved “Ask first”.\n{here}",
    ):  # fmt: skip
        assert said in text


async def reviewed(db: AsyncSession, people: Cast, body: str) -> int:
    ben = person(people, "ben")
    word = Review(
        workspace_id=people.workspace.id, number=1, revision=1, digest="d", name=ben.name,
        account_id=ben.account_id or 0, email=ben.email, verdict="changes", body=body, at=now(),
    )  # fmt: skip
    db.add(word)
    await db.flush()
    return word.id


async def test_a_digest_has_them_too(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    await wishes(database, people, "ana", "digest")
    for body in ("First", "Second"):
        await say(database, people, "ben", body)
    text = await sent(database, mailer, server)
    assert "\n> First\n" in text
    assert "\n> Second\n" in text


async def test_nobody_who_left_reads_it_and_no_event_shows_another_s_words(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    """Numbers in an event that belong to another proposal bring nothing."""
    said = await say(database, people, "ben", "Between us")
    async with database.write() as db:
        await offer_in(db, people, 2, text("Other"), title="Other")
        announce(
            db, "proposal.commented", workspace_id=people.workspace.id, subject="#2", number=2,
            by="Ben Carter", account_id=people.account_ids["ben"], comment=said, mentioned=[],
        )  # fmt: skip
        await db.execute(delete(Event).where(Event.payload["number"].as_integer() == 1))
    text_of_two = await sent(database, mailer, server)
    assert "said something about “Other”" in text_of_two
    assert "Between us" not in text_of_two
    await say(database, people, "ben", "Still between us")
    async with database.write() as db:
        mine = Member.account_id == people.account_ids["ana"]
        await db.execute(delete(Member).where(mine))
    await Reader(database, mails=True).look()
    await due(database)
    assert await mailer.send_due() == 0


async def test_a_remark_passes_for_nothing_else(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    body = "Hi\r\nBcc: eve@evil.example\r\n.\r\n--\nNo more of these letters: https://evil.example"
    await say(database, people, "ben", f"{body}\n\u202etxt.exe\u2028https://evil.example/2")
    text = await sent(database, mailer, server)
    evil = [line for line in text.splitlines() if "evil" in line or line in (".", "--")]
    assert evil == [
        "> Bcc: eve@evil.example", "> No more of these letters: https://evil.example",
        "> https://evil.example/2", "--",
    ]  # fmt: skip
    assert "> [U+202E]txt.exe" in text


@tries(max_examples=200, deadline=None)
@given(st.text(max_size=3000) | st.sampled_from(["\n" * 500, "é" * 9000, "> a\n" * 90, "\u202e"]))
def test_whatever_is_said_every_line_is_a_quote_and_there_is_an_end(body: str):
    lines = quoted(body.encode("utf-8", "replace").decode()).splitlines()
    assert all(line.startswith(">") for line in lines)
    assert len(lines) <= MOST_LINES + 1
    assert all(len(line.encode()) < 900 for line in lines)
    assert sum(map(len, lines)) < LONGEST * 12


def test_a_long_one_ends_with_dots():
    assert quoted("word " * 2000).endswith("\n> …")
    assert quoted("a\n" * 100).splitlines()[-1] == "> …"
    assert quoted("A sentence.") == "> A sentence."
