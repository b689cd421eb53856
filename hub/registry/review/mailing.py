"""Notices by e-mail: one letter per proposal, or one a day, as each person wishes.

At least once: a letter in hand is leased for a while, so that two processes do not both send it,
and one that dies in between leaves it to the next. The mail server may refuse, hang or be away:
everything waits, and nothing here is ever waited for by a page.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from hub.db import Database, now
from hub.people.mail import Letter, NoPost, Post, Refused, opt_out_token
from hub.people.models import Account, Member, Workspace
from hub.registry.review import mail_times, mail_words
from hub.registry.review.models import Notice, Proposal

log = logging.getLogger("hub.mail")

EVERY = 20.0
LEASE = timedelta(minutes=10)
AT_ONCE = 500
MOST_IN_DIGEST = 100


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that is due, and whom it is for."""

    id: int
    account_id: int
    name: str
    email: str
    wish: str
    workspace: str
    number: int | None
    title: str | None
    text: str
    url: str
    at: datetime
    tries: int
    event_id: int
    said: str = ""
    """What somebody said, quoted."""


class Mailer:
    """Sends what is due."""

    def __init__(self, database: Database, post: Post, *, url: str, key: str) -> None:
        """`url`: the hub's own address. `key`: what the opt-out links are signed with."""
        self._database, self._post = database, post
        self._url, self._key = url, key

    async def run(self) -> None:
        """Send, wait, send again, until cancelled."""
        while not _cancelled():
            await asyncio.sleep(EVERY)
            try:
                await self.send_due()
            except Exception:
                log.exception("letters could not be sent; trying again")

    async def send_due(self) -> int:
        """One round; returns how many letters went out."""
        lines = await self._database.write_at_once(_take)
        bundles = _bundles(lines)
        sent = 0
        if not bundles:
            return 0
        try:
            async with self._post.open() as counter:
                while bundles and not _cancelled():
                    try:
                        await counter.send(self.letter(bundles[0]))
                    except Refused as refused:
                        await self._refused(bundles.pop(0), refused)
                        continue
                    await self._note(bundles.pop(0), mailed_at=now(), mail_after=None)
                    sent += 1
        except NoPost as nobody:
            log.warning("mail waits: %s", nobody)
            for bundle in bundles:
                await self._later(bundle)
        return sent

    def letter(self, bundle: list[Line]) -> Letter:
        """The sentences, what people said, and where to read on; never a word of a prompt."""
        first = bundle[0]
        lines = [
            "\n".join(filter(None, (one.text, one.said, f"{self._url}{one.url}")))
            for one in bundle[:MOST_IN_DIGEST]
        ]
        if len(bundle) > len(lines):
            lines.append(f"And {len(bundle) - len(lines)} more: {self._url}/")
        token = opt_out_token(self._key, first.account_id)
        return Letter(
            name=first.name, email=first.email, subject=_subject(bundle),
            text="\n\n".join(lines), opt_out=f"{self._url}/mail/off/{token}",
        )  # fmt: skip

    async def _refused(self, bundle: list[Line], refused: Refused) -> None:
        log.warning("a letter to account %s was refused: %s", bundle[0].account_id, refused)
        if refused.again:
            await self._later(bundle)
        else:
            await self._note(bundle, mail_after=None)

    async def _later(self, bundle: list[Line]) -> None:
        tries = max(one.tries for one in bundle) + 1
        await self._note(bundle, mail_tries=tries, mail_after=mail_times.again(tries, now()))

    async def _note(self, bundle: list[Line], **values: Any) -> None:
        ids = [one.id for one in bundle]
        change = update(Notice).where(Notice.id.in_(ids)).values(**values)
        await self._database.write_at_once(lambda db: db.execute(change) and None)


def _cancelled() -> bool:
    """Python 3.11's `wait_for`, which the SMTP client leans on, swallows a cancellation that comes
    in the moment of an answer; the task still knows of it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _subject(bundle: list[Line]) -> str:
    first = bundle[0]
    if first.wish == "digest":
        many = f"{len(bundle)} notices" if len(bundle) > 1 else "one notice"
        return f"[{first.workspace}] {many} since yesterday"
    if first.number is None:
        return f"[{first.workspace}] {first.text}"
    return f"[{first.workspace}] Proposal {first.number}: {first.title or first.text}"


def _take(db: Connection) -> list[Line]:
    """What is due, leased; what nobody is to get (any more) is let go."""
    at = now()
    due = (
        select(Notice.id)
        .where(Notice.mail_after <= at, Notice.mailed_at.is_(None))
        .order_by(Notice.mail_after)
        .limit(AT_ONCE)
    )
    if db.dialect.name == "postgresql":
        due = due.with_for_update(skip_locked=True)
    ids = list(db.scalars(due))
    if not ids:
        return []
    lines = _wanted(db, ids)
    let_go = set(ids) - {one.id for one in lines}
    for some, when in ((let_go, None), ({one.id for one in lines}, at + LEASE)):
        if some:
            db.execute(update(Notice).where(Notice.id.in_(some)).values(mail_after=when))
    return lines


def _wanted(db: Connection, ids: list[int]) -> list[Line]:
    """Of those, what is unseen and goes to somebody who is still a member and wants letters."""
    member = (Member.account_id == Notice.account_id) & (Member.workspace_id == Notice.workspace_id)
    proposal = (Proposal.workspace_id == Notice.workspace_id) & (Proposal.number == Notice.number)
    query = (
        select(
            Notice.id, Notice.account_id, Account.name, Account.email, Account.mail.label("wish"),
            Workspace.name.label("workspace"), Notice.number, Proposal.title, Notice.text,
            Notice.url, Notice.at, Notice.mail_tries.label("tries"), Notice.event_id,
        )
        .join(Account, Account.id == Notice.account_id)
        .join(Member, member)
        .join(Workspace, Workspace.id == Notice.workspace_id)
        .outerjoin(Proposal, proposal)
        .where(
            Notice.id.in_(ids), Notice.seen_at.is_(None), Account.disabled_at.is_(None),
            Account.mail != "off",
        )
        .order_by(Notice.id)
    )  # fmt: skip
    lines = [Line(**row) for row in db.execute(query).mappings()]
    said = mail_words.words_of(db, [one.event_id for one in lines])
    return [
        msgspec.structs.replace(one, said=mail_words.quoted(said.get(one.event_id, "")))
        for one in lines
    ]


def _bundles(lines: list[Line]) -> list[list[Line]]:
    """What goes into one letter: of one proposal, or of the day; workspaces apart."""
    found: defaultdict[tuple[Any, ...], list[Line]] = defaultdict(list)
    for one in lines:
        about = None if one.wish == "digest" else (one.number or f"notice {one.id}")
        found[one.account_id, one.workspace, about].append(one)
    return [*found.values()]
