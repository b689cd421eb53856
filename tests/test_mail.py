"""Letters through a real mail server, whatever it does: as each wishes, and safely written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from hub.db import Database, now
from hub.errors import Invalid
from hub.front import Front
from hub.outbox import announce
from hub.people.mail import Letter, NoPost, Post, Server, account_of, opt_out_token, parse, sender
from hub.people.mail import write as written
from hub.people.models import Account, Member
from hub.registry.review import mail_times, mailing
from hub.registry.review.mailing import Mailer
from hub.registry.review.models import Notice
from hub.registry.review.notices import Reader
from hub.settings import Secret, Settings
from tests.cast import BASE, NAMES, Browser, Cast, make_cast
from tests.offers import offer, text
from tests.serving import free_port

KEY = "ab" * 32
FROM = Address("Prompt Hub", "hub", "hub.test")


class MailServer:
    """A real SMTP server on this machine that can be told to misbehave."""

    def __init__(self) -> None:
        self.port = free_port()
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.refuse: dict[str, str] = {}
        """Recipient → what to answer instead of taking the letter."""
        self.says = ""
        """What to answer to every letter's text; empty: it is taken."""
        self.hangs = False
        self.dies_after = -1
        self.connections = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> SMTP:
            self.connections += 1
            return SMTP(self, hostname="mail.test", enable_SMTPUTF8=True, loop=loop)

        self._server = await loop.create_server(protocol, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            self._server = None

    async def handle_RCPT(
        self, server: SMTP, _: Session, envelope: Envelope, address: str, __: list[str]
    ) -> str:
        if answer := self.refuse.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:
        if self.hangs:
            await asyncio.sleep(60)
        if 0 <= self.dies_after <= len(self.taken):
            assert server.transport
            server.transport.abort()
            return "250 lost"
        if self.says:
            return self.says
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        self.taken.append((envelope.rcpt_tos, message))
        return "250 Taken"

    @property
    def whom(self) -> list[str]:
        return [one for recipients, _ in self.taken for one in recipients]


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


def post_to(database: Database, server: MailServer, patience: float = 2.0) -> Mailer:
    where = Server(host="127.0.0.1", port=server.port, user=None, password=None, tls=False)
    return Mailer(database, Post(where, FROM, patience=patience), url=BASE, key=KEY)


async def merged(database: Database, cast: Cast, *numbers: int) -> None:
    """Ben merges them: Ana is told, and her letters are due at once."""
    async with database.write() as db:
        for number in numbers:
            announce(
                db, "proposal.merged", workspace_id=cast.workspace.id, subject="#", number=number,
                by=NAMES["ben"], account_id=cast.account_ids["ben"],
            )  # fmt: skip
    await Reader(database, mails=True).look()
    await due(database)


async def due(database: Database) -> None:
    """A while goes by."""
    async with database.write() as db:
        later = update(Notice).where(Notice.mail_after.is_not(None))
        await db.execute(later.values(mail_after=now() - timedelta(seconds=1)))


async def wishes(database: Database, cast: Cast, who: str, wish: str) -> None:
    async with database.write() as db:
        change = update(Account).where(Account.id == cast.account_ids[who])
        await db.execute(change.values(mail=wish))


async def notices(database: Database) -> list[Notice]:
    async with database.read() as db:
        return list(await db.scalars(select(Notice).order_by(Notice.id)))


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
    async with asyncio.timeout(30):
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
    dying = asyncio.create_task(post_to(database, server, patience=30).send_due())
    await asyncio.sleep(0.5)
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
    sending = asyncio.create_task(post_to(database, server, patience=60).send_due())
    await asyncio.sleep(0.2)
    said = await ana.post_form("/clinic/proposals/1/comments", {"body": "Hm", "slot": "whole"})
    assert said.status_code == 303
    assert not sending.done()  # it waits for a minute; the page did not
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


# ── what is written ─────────────────────────────────────────────────────────────────────────────

typed = st.text(min_size=0, max_size=300) | st.sampled_from(
    ["a\r\nBcc: eve@evil.example", "a\nSubject: b\n\nbody", "a\x00b", "x" * 5000, "é“”日本",
     "\u2028Bcc: eve@evil.example", "=?utf-8?q?x?=", '"<eve@evil.example>', "\ud800", ".\r\n."]
)  # fmt: skip


@tries(max_examples=200, deadline=None)
@given(typed, typed, typed)
def test_whatever_is_typed_no_header_is_added(name: str, subject: str, said: str):
    letter = Letter(
        name=name, email="ana@example.org", subject=subject, opt_out="https://hub.test/x",
        text=said.encode("utf-8", "replace").decode(),
    )  # fmt: skip
    raw = written(letter, FROM).as_bytes()
    head = raw.partition(b"\r\n\r\n")[0]
    message = message_from_bytes(raw, policy=policy.SMTP)
    assert sorted(message.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Unsubscribe",
         "List-Unsubscribe-Post", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
    )  # fmt: skip
    assert not re.search(rb"^(bcc|cc):", head, re.I | re.M)
    assert [one.addr_spec for one in message["To"].addresses] == ["ana@example.org"]


def test_a_long_address_in_the_foot_stays_whole():
    off = f"https://{'long-' * 30}name.example/mail/off/{opt_out_token(KEY, 1)}"
    letter = Letter(name="A", email="ana@example.org", subject="S", text="T", opt_out=off)
    assert f"List-Unsubscribe: <{off}>\r\n".encode() in written(letter, FROM).as_bytes()


async def test_a_hostile_title_and_name_reach_nobody_else(
    database: Database, people: Cast, server: MailServer, mailer: Mailer
):
    title = "Ask\r\nBcc: eve@evil.example\r\n\r\nSECOND BODY"
    await offer(database, people, 9, text("x"), title=title)
    async with database.write() as db:
        change = update(Account).where(Account.id == people.account_ids["ana"])
        await db.execute(change.values(name='Ana"\r\nCc: <eve@evil.example>'))
    await merged(database, people, 9)
    assert await mailer.send_due() == 1
    ((recipients, letter),) = server.taken
    assert recipients == ["ana@example.org"]
    assert letter["Cc"] is letter["Bcc"] is None
    assert "Bcc: eve@evil.example SECOND BODY" in letter["Subject"]


# ── how it is set up ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "means"),
    [
        ("smtp://mail.test", ("mail.test", 587, None, None, False)),
        ("smtps://u%40x:p%2Fw@mail.test", ("mail.test", 465, "u@x", "p/w", True)),
        ("smtp://u:p@mail.test:25", ("mail.test", 25, "u", "p", False)),
    ],
)
def test_the_address_of_the_server(url: str, means: tuple[Any, ...]):
    found = parse(url)
    assert (found.host, found.port, found.user, found.password, found.tls) == means
    assert found.must_encrypt == (found.password is not None and not found.tls)


@pytest.mark.parametrize("url", ["mail.test", "http://x", "smtp://", "smtp://x:y", "smtp://a/b"])
def test_an_address_that_is_none_stops_the_start(url: str):
    with pytest.raises(Invalid, match="PROMPTHUB_SMTP_URL"):
        parse(url)


def test_who_letters_come_from():
    assert str(sender("", "https://hub.example:99")) == "Prompt Hub <prompthub@hub.example>"
    assert str(sender("a@b.example", "")) == "a@b.example"
    for wrong in ("nobody", "a@b\r\nBcc: x@y", "<>", "a b@c"):
        with pytest.raises(Invalid, match="PROMPTHUB_MAIL_FROM"):
            sender(wrong, "")


def test_the_password_is_shown_nowhere(tmp_path: Any):
    given = {"PROMPTHUB_SMTP_URL": "smtp://u:hush@mail.test", "PROMPTHUB_DATA": str(tmp_path)}
    settings = Settings.from_env(given)
    assert isinstance(settings.smtp_url, Secret)
    assert "hush" not in repr(settings)


async def test_a_password_is_not_sent_in_the_clear(server: MailServer):
    """The server offers no TLS: a password for another machine stays here."""
    where = Server(host="127.0.0.1", port=server.port, user="u", password="hush", tls=False)
    far = Server(host="localhost.", port=server.port, user="u", password="hush", tls=False)
    assert not where.must_encrypt
    assert far.must_encrypt
    with pytest.raises(NoPost):
        async with Post(far, FROM, patience=2).open():
            pass


async def test_a_mailer_runs_where_a_server_is_set_up(
    settings: Settings, server: MailServer, monkeypatch: pytest.MonkeyPatch
):
    from hub.app import create_app
    from tests.cast import settings_for

    monkeypatch.setattr(mailing, "EVERY", 0.05)
    monkeypatch.setattr(mail_times, "PAUSE", timedelta(0))
    url = Secret(f"smtp://127.0.0.1:{server.port}")
    app = create_app(settings_for(settings.data, smtp_url=url, mail_from="hub@clinic.example"))
    async with app.lifespan():
        cast = await make_cast(app.state.database)
        await offer(app.state.database, cast, 1, text("One"), title="Ask first")
        async with app.state.database.write() as db:
            announce(
                db, "proposal.merged", workspace_id=cast.workspace.id, subject="#1", number=1,
                by="Ben Carter", account_id=cast.account_ids["ben"],
            )  # fmt: skip
        async with asyncio.timeout(10):
            while not server.taken:
                await asyncio.sleep(0.05)
    ((_, letter),) = server.taken
    assert letter["From"] == "hub@clinic.example"


# ── ending it ───────────────────────────────────────────────────────────────────────────────────


async def link_of(hub: Front, cast: Cast, who: str) -> str:
    key = hub.state.settings.derive("mail-opt-out")
    return f"/mail/off/{opt_out_token(key, cast.account_ids[who])}"


async def mail_of(hub: Front, cast: Cast, who: str) -> str:
    async with hub.state.database.read() as db:
        return (await db.get_one(Account, cast.account_ids[who])).mail


async def test_a_mail_program_ends_the_letters_with_one_request(
    hub: Front, cast: Cast, client: Browser
):
    link = await link_of(hub, cast, "ana")
    looked = await client.get(link)
    assert "ana@example.org then gets no more" in looked.text
    assert await mail_of(hub, cast, "ana") == "each"  # looking ends nothing
    answer = await client.post(link, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert await mail_of(hub, cast, "ana") == "off"
    assert await mail_of(hub, cast, "ben") == "each"
    assert "gets no more e-mail" in (await client.get(link)).text


@pytest.mark.parametrize(
    "spoil",
    [lambda one: one + "0", lambda one: "1" + one, lambda one: one.partition(".")[0],
     lambda one: one.replace(".", ".0", 1), lambda _: "x", lambda _: "9" * 40 + ".ab"],
)  # fmt: skip
async def test_a_link_that_is_not_ours_ends_nothing(
    hub: Front, cast: Cast, client: Browser, spoil: Callable[[str], str]
):
    link = spoil(await link_of(hub, cast, "ana"))
    link = link if link.startswith("/") else f"/mail/off/{link}"
    assert (await client.get(link)).status_code == 404
    assert (await client.post(link)).status_code == 404
    assert await mail_of(hub, cast, "ana") == "each"


async def test_on_the_account_page_everybody_chooses(hub: Front, cast: Cast, ana: Browser):
    assert "This hub sends no e-mail yet" in (await ana.get("/account")).text
    for wish in ("digest", "off", "each", "nonsense"):
        assert (await ana.post_form("/account/mail", {"mail": wish})).status_code == 303
        assert await mail_of(hub, cast, "ana") == (wish if wish != "nonsense" else "each")
