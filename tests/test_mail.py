"""Letters through a real mail server, whatever it does: as each wishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from hub.db import Database, now
from hub.front import Front
from hub.outbox import announce
from hub.people.mail import account_of
from hub.people.models import Account, Member
from hub.registry.review import mail_times
from hub.registry.review.mailing import Mailer
from hub.registry.review.models import Notice
from tests.cast import NAMES, Browser, Cast, make_cast
from tests.mail_server import KEY, MailServer, due, merged, notices, post_to, wishes
from tests.offers import offer, text


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
    await offer(database, cast, 2, text("Other"), title="Shorter greeting")
    return cast


@pytest.fixture
def mailer(database: Database, server: MailServer) -> Mailer:
    return post_to(database, server)


# ── what is sent ────────────────────────────────────────────────────────────────────────────────


async def test_a_letter_says_what_happened_and_where_and_nothing_of_the_prompt(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    await merged(database, people, 1)
    assert await mailer.send_due() == 1
    ((recipients, letter),) = server.taken
    assert recipients == ["ana@example.org"]
    assert letter["Subject"] == "[Clinic] Proposal 1: Ask first"
    assert letter["To"] == "Ana Oliveira <ana@example.org>"
    assert letter["From"] == "Prompt Hub <hub@hub.test>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"].endswith("@hub.test>")
    assert letter.get_content_type() == "text/plain"
    body = letter.get_content().replace("\r\n", "\n")
    assert "Ben Carter merged “Ask first”.\nhttps://hub.test/clinic/proposals/1" in body
    assert "SECRET" not in letter.as_string()
    off = letter["List-Unsubscribe"].strip("<>")
    assert off.startswith("https://hub.test/mail/off/")
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert off in body
    assert account_of(KEY, off.rpartition("/")[2]) == people.account_ids["ana"]


async def test_each_is_sent_once_and_one_proposal_is_one_letter(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    await merged(database, people, 1, 1, 2)
    assert await mailer.send_due() == 2
    assert await mailer.send_due() == 0
    await due(database)
    assert await mailer.send_due() == 0
    subjects = [letter["Subject"] for _, letter in server.taken]
    assert subjects == ["[Clinic] Proposal 1: Ask first", "[Clinic] Proposal 2: Shorter greeting"]
    assert all(one.mailed_at for one in await notices(database))
    assert server.connections == 1


async def test_two_processes_send_it_once(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    await merged(database, people, 1, 2)
    sent = await asyncio.gather(*(post_to(database, server).send_due() for _ in range(4)))
    assert sum(sent) == len(server.taken) == 2


async def test_what_was_seen_in_time_is_not_sent(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    await merged(database, people, 1)
    async with database.write() as db:
        await db.execute(update(Notice).values(seen_at=now()))
    assert await mailer.send_due() == 0
    assert (await notices(database))[0].mail_after is None


@pytest.mark.parametrize("gone", ["removed", "disabled", "off"])
async def test_nothing_goes_to_somebody_who_left_or_wants_none(
    database: Database, people: Cast, server: MailServer, mailer: Mailer, gone: str
):
    await merged(database, people, 1)
    ana = people.account_ids["ana"]
    async with database.write() as db:
        if gone == "removed":
            await db.execute(delete(Member).where(Member.account_id == ana))
        elif gone == "disabled":
            await db.execute(update(Account).where(Account.id == ana).values(disabled_at=now()))
        else:
            await db.execute(update(Account).where(Account.id == ana).values(mail="off"))
    assert await mailer.send_due() == 0
    assert server.connections == 0


async def test_a_digest_is_one_letter(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    await wishes(database, people, "ana", "digest")
    await merged(database, people, 1, 2)
    assert await mailer.send_due() == 1
    ((_, letter),) = server.taken
    assert letter["Subject"] == "[Clinic] 2 notices since yesterday"
    assert "Ask first" in letter.get_content()
    assert "Shorter greeting" in letter.get_content()


async def test_who_wants_none_has_none_waiting_for_when_they_change_their_mind(
    database: Database, people: Cast
):
    await wishes(database, people, "ana", "off")
    await merged(database, people, 1)
    assert (await notices(database))[0].mail_after is None


def test_when_a_letter_is_due():
    noon = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
    assert mail_times.after("each", noon) == noon + timedelta(minutes=1)
    assert mail_times.after("digest", noon) == datetime(2026, 5, 4, 6, 30, tzinfo=UTC)
    early = datetime(2026, 5, 3, 5, 0, tzinfo=UTC)
    assert mail_times.after("digest", early) == datetime(2026, 5, 3, 6, 30, tzinfo=UTC)
    assert mail_times.after("off", noon) is None
    pauses = [mail_times.again(count, noon) for count in range(1, 11)]
    minutes = [(one - noon).total_seconds() / 60 for one in pauses if one]
    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert pauses[-1] is None


# ── a server that refuses, hangs, dies or is not there ──────────────────────────────────────────


async def test_one_address_that_is_refused_for_good_does_not_stop_the_others(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    async with database.write() as db:
        announce(
            db, "glass.broken", workspace_id=people.workspace.id, subject="x", number=None,
            by=NAMES["maria"], account_id=people.account_ids["maria"], reason="!",
        )  # fmt: skip
    await merged(database, people, 1)
    server.refuse["ana@example.org"] = "550 no such box"
    assert await mailer.send_due() == 1
    assert server.whom == ["ben@example.org"]
    (anas,) = [o for o in await notices(database) if o.account_id == people.account_ids["ana"]]
    assert (anas.mailed_at, anas.mail_after) == (None, None)  # given up


@pytest.mark.parametrize(
    ("address", "reached"),
    [("ana@klinik-süd.example", "ana@xn--klinik-sd-x9a.example"), ("ána@x.org", ""),
     (f"ana@{'ö' * 70}.org", "")],
)  # fmt: skip
async def test_an_address_beyond_ascii_does_not_hold_up_the_others(
    database: Database, people: Cast, server: MailServer, mailer: Mailer, address: str, reached: str
):
    async with database.write() as db:
        announce(
            db, "glass.broken", workspace_id=people.workspace.id, subject="x", number=None,
            by=NAMES["maria"], account_id=people.account_ids["maria"], reason="!",
        )  # fmt: skip
        anas = update(Account).where(Account.id == people.account_ids["ana"])
        await db.execute(anas.values(email=address))
    await merged(database, people, 1)
    await mailer.send_due()
    assert set(server.whom) == {"ben@example.org", *([reached] if reached else [])}
    assert all(one.mail_after is None for one in await notices(database)), "nothing waits"


@pytest.mark.parametrize("answer", ["451 later", "452 full"])
async def test_a_server_that_says_later_is_asked_again_after_a_while(
    database: Database, people: Cast, server: MailServer, mailer: Mailer, answer: str
):
    await merged(database, people, 1)
    server.says = answer
    assert await mailer.send_due() == 0
    (one,) = await notices(database)
    assert one.mail_tries == 1
    assert one.mail_after
    assert timedelta(seconds=40) < one.mail_after - now() < timedelta(seconds=61)
    server.says = ""
    assert await mailer.send_due() == 0  # not yet
    await due(database)
    assert await mailer.send_due() == 1


async def test_a_server_that_is_not_there_loses_nothing(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    await server.stop()
    await merged(database, people, 1, 2)
    assert await mailer.send_due() == 0
    assert [one.mail_tries for one in await notices(database)] == [1, 1]
    await server.start()
    await due(database)
    assert await mailer.send_due() == 2


async def test_a_server_that_dies_in_the_middle_gets_the_rest_later(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    await merged(database, people, 1, 2)
    server.dies_after = 1
    assert await mailer.send_due() == 1
    server.dies_after = -1
    await due(database)
    assert await mailer.send_due() == 1
    assert sorted(one["Subject"][9:19] for _, one in server.taken) == ["Proposal 1", "Proposal 2"]


async def test_a_server_that_hangs_is_left(database: Database, people: Cast, server: MailServer):
    await merged(database, people, 1)
    server.hangs = True
    async with asyncio.timeout(60):
        assert await post_to(database, server, patience=0.3).send_due() == 0
    assert (await notices(database))[0].mail_tries == 1


async def test_it_is_given_up_in_the_end(database: Database, people: Cast, server: MailServer):
    await server.stop()
    await merged(database, people, 1)
    mailer = post_to(database, server)
    for _ in range(mail_times.GIVE_UP):
        await mailer.send_due()
        await due(database)
    (one,) = await notices(database)
    assert (one.mail_tries, one.mail_after) == (mail_times.GIVE_UP, None)


async def test_a_process_that_dies_with_a_letter_in_hand_leaves_it_to_the_next(
    database: Database, people: Cast, server: MailServer, monkeypatch: pytest.MonkeyPatch
):
    await merged(database, people, 1)
    server.hangs = True
    dying = asyncio.create_task(post_to(database, server, patience=600).send_due())
    await asyncio.wait_for(server.held.wait(), 60)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    server.hangs = False
    mailer = post_to(database, server)
    assert await mailer.send_due() == 0  # leased
    await due(database)  # the lease is over
    assert await mailer.send_due() == 1


async def test_pages_do_not_wait_for_a_server_that_hangs(
    hub: Front, cast: Cast, ana: Browser, server: MailServer
):
    database: Database = hub.state.database
    await offer(database, cast, 1, text("One"))
    await merged(database, cast, 1)
    server.hangs = True
    sending = asyncio.create_task(post_to(database, server, patience=600).send_due())
    await asyncio.wait_for(server.held.wait(), 60)
    said = await ana.post_form("/clinic/proposals/1/comments", {"body": "Hm", "slot": "whole"})
    assert said.status_code == 303
    assert not sending.done()  # it waits for minutes; the page did not
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
