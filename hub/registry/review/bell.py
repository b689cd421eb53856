"""The bell: makes notices as things happen, and rings on the pages that are open.

A page has one stream, open only while it is in front. At each turn the stream looks again whether
the person is still signed in and still a member: whoever was removed hears nothing more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hub.db import Database, now
from hub.people import sign_ins
from hub.people.models import Account, Member, SignIn
from hub.registry.review import notices
from hub.registry.review.models import Notice
from hub.registry.review.notices import Reader
from hub.registry.review.queue import Queue
from hub.registry.review.telling import KINDS

log = logging.getLogger("hub.notices")

EVERY = 5.0
"""Seconds after which we look at the outbox even if nobody told us to."""
BEAT = 15.0


class Badges(msgspec.Struct, frozen=True):
    """The numbers in the frame of every page."""

    reviews: int = 0
    notices: int = 0


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Whose page it is."""

    sign_in: str
    """Hash of the session's token."""
    account_id: int
    workspace_id: int


class Bell:
    """One per process; knows every open page."""

    def __init__(self, database: Database, queue: Queue, *, mails: bool) -> None:
        self._database, self._queue = database, queue
        self._reader = Reader(database, mails=mails)
        self._poked = asyncio.Event()
        self._rung: dict[int, asyncio.Event] = {}
        self._over = False

    def on_event(self, kind: str, _: str, __: Mapping[str, Any]) -> None:
        """A listener for `hub.outbox.Watch`."""
        if kind in KINDS:
            self._poked.set()

    async def run(self) -> None:
        """Look whenever something happened, until cancelled."""
        while True:
            self._poked.clear()
            try:
                self.ring(await self._reader.look())
            except Exception:
                log.exception("notices could not be made; trying again")
            try:
                async with asyncio.timeout(EVERY):
                    await self._poked.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Make what is due now; for tests and for whoever cannot wait."""
        self.ring(await self._reader.look())

    def ring(self, whom: set[int]) -> None:
        for account_id in whom:
            if moment := self._rung.pop(account_id, None):
                moment.set()

    def close(self) -> None:
        """Every stream ends at its next turn, which is now."""
        self._over = True
        self.ring(set(self._rung))

    async def badges(self, workspace_id: int, account_id: int) -> Badges:
        """What the frame shows; in one hop, most of it remembered."""

        def read(db: Connection) -> Badges:
            waiting = self._queue.read(db, workspace_id, account_id)
            return Badges(len(waiting), notices.unseen(db, workspace_id, account_id))

        return await self._database.read_at_once(read)

    async def stream(self, listener: Listener) -> AsyncGenerator[bytes]:
        """Server-sent events: `badges` when a number changed, `notice` for each new one, `end`."""
        async with self._database.read() as db:
            last = await notices.newest(db, listener.account_id)
        shown: Badges | None = None
        while True:
            moment = self._rung.setdefault(listener.account_id, asyncio.Event())
            if self._over or not await self._may_listen(listener):
                yield _event("end", {})
                return
            # Before the numbers: what comes between the two reads is in the numbers already and
            # is told at the next turn. The other way round, a notice would come before its number.
            fresh = await self._since(listener, last)
            badges = await self.badges(listener.workspace_id, listener.account_id)
            if badges != shown:
                yield _event("badges", msgspec.to_builtins(badges))
                shown = badges
            for one in fresh:
                last = one.id
                yield _event("notice", {"text": one.text, "url": one.url, "kind": one.kind})
            try:
                async with asyncio.timeout(BEAT):
                    await moment.wait()
            except TimeoutError:
                yield b": still here\n\n"

    async def _since(self, listener: Listener, last: int) -> list[Notice]:
        async with self._database.read() as db:
            return await notices.since(db, listener.workspace_id, listener.account_id, last)

    async def _may_listen(self, listener: Listener) -> bool:
        at = now()
        query = (
            select(Member.account_id)
            .join(Account, Account.id == Member.account_id)
            .join(SignIn, SignIn.account_id == Account.id)
            .where(
                Member.workspace_id == listener.workspace_id,
                Account.id == listener.account_id,
                Account.disabled_at.is_(None),
                SignIn.token_hash == listener.sign_in,
                SignIn.expires_at > at,
                SignIn.seen_at > at - sign_ins.IDLE,
            )
        )
        async with self._database.read() as db:
            return (await db.scalar(query)) is not None


def _event(name: str, facts: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(facts))
