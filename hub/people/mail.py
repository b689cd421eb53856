"""Letters over SMTP: how one is written, and the post that carries it.

A letter holds a sentence, what somebody said and an address, never the text of a prompt: mail lies
on other people's machines. Nothing here runs inside a request.

NotSent
 ├─ NoPost      the server cannot be reached, or does not let us in: all letters wait
 └─ Refused     it does not take this letter, now (`again`) or ever
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from hashlib import sha256
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from hub.db import now
from hub.errors import Invalid
from hub.settings import Settings

PATIENCE = 20.0
"""Seconds that a mail server may take for one answer."""
LONGEST_SUBJECT = 180
UNFOLDED = SMTP.clone(max_line_length=900)
"""A long address in a header would otherwise be folded as if it were writing, which breaks it."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NotSent(Exception):
    """A letter did not go out; the message says why, for the operator."""


class NoPost(NotSent):
    """The server cannot be used at all."""


class Refused(NotSent):
    """The server refused one letter."""

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.again = again


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What one person is told."""

    name: str
    email: str
    subject: str
    text: str
    opt_out: str
    """An address: a visit offers to end these letters, a POST ends them at once (RFC 8058)."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where letters are handed in, as `smtp://user:password@host:587` or `smtps://…` says."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    """From the first byte; else STARTTLS, where the server offers it."""

    @property
    def must_encrypt(self) -> bool:
        """A password goes over no wire in the clear."""
        return self.password is not None and not self.tls and self.host not in LOOPBACK


def parse(url: str) -> Server:
    """Raises:
    Invalid: it is no address of a mail server.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid(WRONG_URL) from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/"):
        raise Invalid(WRONG_URL)
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname,
        port=port or (465 if tls else 587),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
    )


WRONG_URL = (
    "PROMPTHUB_SMTP_URL is smtp://user:password@host:587, or smtps://… for TLS from the beginning."
)
WRONG_FROM = "PROMPTHUB_MAIL_FROM is an address, such as hub@example.org or Prompt Hub <hub@…>."


def sender(mail_from: str, url: str) -> Address:
    """Who letters come from; without a setting, `prompthub` at the hub's own host.

    Raises:
        Invalid: it is no address.
    """
    if not mail_from.strip():
        host = urlsplit(url).hostname or "localhost"
        mail_from = f"Prompt Hub <prompthub@{host}>"
    name, _, rest = mail_from.rpartition("<")
    try:
        address = Address(_line(name.strip().strip('"')), addr_spec=rest.rstrip("> "))
    except (MessageError, ValueError, IndexError):
        raise Invalid(WRONG_FROM) from None
    if not address.domain or not address.username:
        raise Invalid(WRONG_FROM)
    return address


def write(letter: Letter, mail_from: Address) -> EmailMessage:
    """The message as it goes over the wire. What people typed stands in one line, whatever they
    typed: the e-mail package refuses line ends in a header, and there are none left."""
    message = EmailMessage(policy=UNFOLDED)
    message["From"] = mail_from
    message["To"] = Address(_line(letter.name), addr_spec=on_the_wire(letter.email))
    message["Subject"] = _line(letter.subject)[:LONGEST_SUBJECT]
    message["Date"] = format_datetime(now())
    message["Message-ID"] = make_msgid(domain=mail_from.domain)
    message["Auto-Submitted"] = "auto-generated"
    message["List-Unsubscribe"] = f"<{letter.opt_out}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(f"{letter.text}\n\n--\nNo more of these letters: {letter.opt_out}\n")
    return message


def on_the_wire(email: str) -> str:
    """An address with its domain as every mail server knows it.

    >>> on_the_wire("ana@klinik-süd.example")
    'ana@xn--klinik-sd-x9a.example'
    """
    user, _, domain = email.rpartition("@")
    return f"{user}@{domain.encode('idna').decode()}"


def _line(text: str) -> str:
    """One line without anything that is no writing."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class Post:
    """Hands letters in, one after the other, over one connection at a time."""

    def __init__(self, server: Server, mail_from: Address, *, patience: float = PATIENCE) -> None:
        self.server, self.mail_from = server, mail_from
        self._patience = patience

    @classmethod
    def of(cls, settings: Settings) -> Post | None:
        """As the operator has set it up; None: this hub sends no mail.

        Raises:
            Invalid: the settings cannot be used; the start says so.
        """
        if not settings.smtp_url:
            return None
        return cls(parse(settings.smtp_url), sender(settings.mail_from, settings.url))

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Counter]:
        """A connection, ready for letters.

        Raises:
            NoPost: there is none to be had.
        """
        server = self.server
        client = aiosmtplib.SMTP(
            hostname=server.host, port=server.port, use_tls=server.tls,
            start_tls=True if server.must_encrypt else (None if not server.tls else False),
            timeout=self._patience, local_hostname=self.mail_from.domain,
        )  # fmt: skip
        try:
            async with asyncio.timeout(3 * self._patience):
                await client.connect()
                if server.user is not None:
                    await client.login(server.user, server.password or "")
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise NoPost(_why(error)) from None
        try:
            yield Counter(client, self.mail_from, self._patience)
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(self._patience):
                    await client.quit()
        finally:
            client.close()  # who is stopped in the middle does not stay for a farewell


class Counter:
    """Where letters are handed in."""

    def __init__(self, client: aiosmtplib.SMTP, mail_from: Address, patience: float) -> None:
        self._client, self._from, self._patience = client, mail_from, patience

    async def send(self, letter: Letter) -> None:
        """Returns once the server has taken it.

        Raises:
            Refused: it does not want this one.
            NoPost: the connection is gone, or hangs.
        """
        try:
            message = write(letter, self._from).as_bytes()
        except (MessageError, ValueError, IndexError) as error:
            raise Refused(f"the letter cannot be written: {error}", again=False) from None
        try:
            async with asyncio.timeout(3 * self._patience):
                # Not `send_message`: it would fold the headers anew.
                await self._client.sendmail(
                    self._from.addr_spec, [on_the_wire(letter.email)], message
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [one.code for one in error.recipients]
            raise Refused(_why(error), again=any(code < 500 for code in codes)) from None
        except (aiosmtplib.SMTPServerDisconnected, OSError, TimeoutError) as error:
            raise NoPost(_why(error)) from None
        except aiosmtplib.SMTPResponseException as error:
            if error.code == 421:
                raise NoPost(_why(error)) from None
            raise Refused(_why(error), again=error.code < 500) from None
        except (aiosmtplib.SMTPException, ValueError) as error:
            # ValueError: no address that SMTP can say. The letters behind it must not wait for it.
            raise Refused(_why(error), again=False) from None


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {_line(str(error))[:300]}"


# ── ending it ───────────────────────────────────────────────────────────────────────────────────


def opt_out_token(key: str, account_id: int) -> str:
    """What a letter's link carries: the account, signed, so that nobody can make one for another.

    It opens nothing and does not expire: letters are old when people tire of them.
    """
    return f"{account_id}.{_signed(key, account_id)}"


def account_of(key: str, token: str) -> int | None:
    """Whose letters the token ends; None if we did not sign it."""
    number, _, signed = token.partition(".")
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        return None
    good = hmac.compare_digest(signed.encode(), _signed(key, int(number)).encode())
    return int(number) if good else None


def _signed(key: str, account_id: int) -> str:
    return hmac.new(bytes.fromhex(key), b"mail:%d" % account_id, sha256).hexdigest()[:40]
