"""Letters, safely written, and how a hub is set up to send them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from sqlalchemy import update

from hub.db import Database
from hub.errors import Invalid
from hub.outbox import announce
from hub.people.mail import Letter, NoPost, Post, Server, opt_out_token, parse, sender
from hub.people.mail import write as written
from hub.people.models import Account
from hub.registry.review import mail_times, mailing
from hub.registry.review.mailing import Mailer
from hub.settings import Secret, Settings
from tests.cast import Cast, make_cast
from tests.mail_server import FROM, KEY, MailServer, merged, post_to
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
        async with asyncio.timeout(60):
            while not server.taken:
                await asyncio.sleep(0.05)
    ((_, letter),) = server.taken
    assert letter["From"] == "hub@clinic.example"
