"""A mail server that can be told to misbehave, and letters that are due."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select, update

from hub.db import Database, now
from hub.outbox import announce
from hub.people.mail import Post, Server
from hub.people.models import Account
from hub.registry.review.mailing import Mailer
from hub.registry.review.models import Notice
from hub.registry.review.notices import Reader
from tests.cast import BASE, NAMES, Cast
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
        self.held = asyncio.Event()
        """A letter is in its hands, and it hangs."""
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
            self.held.set()
            await asyncio.sleep(3600)
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
