"""Keeps what apps are served in step with the tables, in this process.

SQLite is asked every few milliseconds whether anybody has committed (5 us); Postgres tells us
(`LISTEN`), and the outbox is read twice a second beside it, should the line be cut. Whoever got an
answer to a write from this process reads what they wrote.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Any

from litestar.types import Receive

from hub.db import Database
from hub.people.keys import REVOKED, KeyGrant, KeyTable
from hub.registry.indexing import feed
from hub.sync import pointers, usage
from hub.sync.delivery import Served
from hub.sync.filters import Filter
from hub.sync.picture import Picture
from hub.sync.readers import Readers
from hub.sync.snapshot import Snapshots
from hub.sync.stream import Stream, Streams
from hub.sync.usage import Inbox

log = logging.getLogger("hub")

QUICK, SLOW = 0.005, 0.25
"""Seconds between two looks at SQLite, while apps listen and while none does."""
TIDY_EVERY = 3600.0
KEYS_EVERY = 60.0
MOST_QUERIES, LONGEST_QUERY = 10_000, 2_000
_CHANGES = ("version.", "prompt.", "label.", "index.")


class Carrier:
    """See the top of the file."""

    def __init__(self, database: Database, keys: KeyTable, served: Served) -> None:
        self.snapshots = Snapshots()
        self.streams = Streams()
        self.inbox = Inbox(database)
        self.readers = Readers(self.inbox)
        self._database = database
        self._keys = keys
        self._served = served
        self._pictures: dict[int, Picture] = {}
        self._doubts: dict[int, int] = {}
        """How often something may have changed, per workspace."""
        self._sure: dict[int, int] = {}
        """How many of these doubts the picture has settled."""
        self._news = asyncio.Event()
        self._writing = asyncio.Event()
        self._queries: dict[tuple[int, bytes], Filter] = {}
        served.listeners.append(self.on_event)

    # ── what the routes ask ─────────────────────────────────────────────────────────────────────

    async def picture(self, workspace_id: int, labels: Iterable[str]) -> Picture:
        """Where these labels stand, not older than the last write answered here."""
        self._served.catch_up()
        picture = self._pictures.get(workspace_id)
        if picture is None:
            picture = self._pictures[workspace_id] = Picture(self._database, workspace_id)
        if self._unsure(workspace_id) or not picture.labels.keys() >= set(labels):
            await self._refresh(picture, labels)
        return picture

    async def serve(self, stream: Stream, asked: str | None, receive: Receive) -> None:
        """A stream, until it ends; a key that was revoked while it opened is sent away, too."""

        async def admitted() -> bool:
            return await self._keys.find(stream.token) is not None

        await self.streams.serve(stream, asked, receive, admitted)

    def remember(self, grant: KeyGrant, query: bytes, filter: Filter) -> None:
        """What a query string means, for `at_hand`."""
        if len(query) > LONGEST_QUERY:
            return
        if len(self._queries) >= MOST_QUERIES:
            self._queries.clear()
        self._queries[grant.workspace.id, query] = filter

    def at_hand(self, grant: KeyGrant, query: bytes) -> Any:
        """The snapshot for a query met before, if it is known to hold; does no I/O to speak of."""
        workspace_id = grant.workspace.id
        filter = self._queries.get((workspace_id, query))
        picture = self._pictures.get(workspace_id)
        if filter is None or picture is None:
            return None
        self._served.catch_up()
        if self._unsure(workspace_id) or not picture.labels.keys() >= set(filter.labels):
            return None
        return self.snapshots.entry(picture, filter)

    async def object(self, workspace_id: int, name: str) -> bytes | None:
        """The bytes of an object that apps of the workspace were told of."""
        picture = self._pictures.get(workspace_id)
        if picture is not None and name in picture.texts:
            return picture.texts[name].data
        find = partial(_find, workspace_id, name)
        if (data := await self._database.read_at_once(find)) is not None:
            return data
        if picture is not None:
            await self._refresh(picture)  # told of by another process, just now
            if name in picture.texts:
                return picture.texts[name].data
        return None

    # ── staying in step ─────────────────────────────────────────────────────────────────────────

    def on_event(self, kind: str, subject: str, _: Mapping[str, Any]) -> None:
        """What the outbox says."""
        if kind == REVOKED:
            self.streams.close_key(subject)
        elif kind.startswith(_CHANGES):
            self._doubt(self._pictures)

    def _doubt(self, workspaces: Iterable[int]) -> None:
        for one in workspaces:
            self._doubts[one] = self._doubts.get(one, 0) + 1
        self._news.set()

    def _unsure(self, workspace_id: int) -> bool:
        """Whether the picture may be older than what somebody was told already."""
        return self._sure.get(workspace_id) != self._doubts.get(workspace_id, 0)

    async def _refresh(self, picture: Picture, labels: Iterable[str] = ()) -> None:
        workspace_id = picture.workspace_id
        settles = self._doubts.get(workspace_id, 0)  # those that come meanwhile are not settled
        changed = await picture.refresh(labels)
        self._sure[workspace_id] = max(settles, self._sure.get(workspace_id, 0))
        if changed:
            self.streams.tell(picture.workspace_id)
        if picture.unwritten:
            self._writing.set()

    async def _follow(self) -> None:
        """Refresh what streams show, as soon as something may have changed."""
        while True:
            await self._news.wait()
            self._news.clear()
            concerned = [one for one in self.streams.workspaces() if self._unsure(one)]
            try:
                await asyncio.gather(*(self._refresh_streamed(one) for one in concerned))
            except Exception:
                log.exception("what apps are told could not be read; trying again")
                await asyncio.sleep(0.5)
                self._news.set()

    async def _refresh_streamed(self, workspace_id: int) -> None:
        labels = {label for one in self.streams.of(workspace_id) for label in one.filter.labels}
        await self._refresh(self._pictures[workspace_id], labels)

    async def _look(self) -> None:
        """SQLite: look whether anybody has committed."""
        while True:
            await asyncio.sleep(QUICK if self.streams.count else SLOW)
            try:
                self._served.catch_up()
            except Exception:
                log.exception("the outbox could not be read; trying again")
                await asyncio.sleep(0.5)

    async def _listen(self) -> None:
        """Postgres: hear of commits, in whichever process."""
        while True:
            try:
                async with self._database.engine.connect() as connection:
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    raw: Any = (await connection.get_raw_connection()).driver_connection
                    cut = asyncio.Event()
                    raw.add_termination_listener(partial(_set, cut))
                    await raw.add_listener(feed.CHANNEL, self._heard)
                    self._doubt(self._pictures)
                    await cut.wait()
            except Exception:
                log.exception("no line to Postgres for changes; the outbox is read instead")
            await asyncio.sleep(2)

    def _heard(self, *heard: Any) -> None:
        workspace_id = int(heard[-1])
        if workspace_id in self._pictures:
            self._doubt([workspace_id])

    async def _write_down(self) -> None:
        """Keep published objects in the tables, behind everybody's back."""
        while True:
            await self._writing.wait()
            self._writing.clear()
            for picture in list(self._pictures.values()):
                try:
                    await picture.write_down()
                except Exception:
                    log.exception("published objects could not be written down; trying later")

    async def _tidy(self) -> None:
        """Logs cut, reports of last week forgotten, personal keys looked at again."""
        next_tidy = monotonic()
        while True:
            await asyncio.sleep(KEYS_EVERY)
            try:
                await self._check_people()
                if monotonic() >= next_tidy:
                    next_tidy = monotonic() + TIDY_EVERY
                    await self.tidy()
            except Exception:
                log.exception("tidying up failed; trying again in a minute")

    async def tidy(self) -> None:
        await self._database.write_at_once(lambda db: feed.compact(db, feed.MOST_ROWS))
        await self._database.write_at_once(usage.forget_old)
        self._doubt(self._pictures)

    async def _check_people(self) -> None:
        """A personal key ends with its owner's membership."""
        for stream in self.streams.all():
            if stream.grant.owner is not None and await self._keys.find(stream.token) is None:
                self.streams.close_key(stream.grant.key_id)

    # ── opening and closing ─────────────────────────────────────────────────────────────────────

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the app."""
        watch = self._look() if self._database.sqlite else self._listen()
        return [
            watch, self._follow(), self._write_down(), self._tidy(), self.streams.beat(),
            self.inbox.run(), self.readers.run(),
        ]  # fmt: skip

    @asynccontextmanager
    async def leaving(self, *others: Callable[[], object]) -> AsyncGenerator[None]:
        """Streams are told of the end when it is asked for: servers wait for open connections
        before they close the app, and an app with open streams would keep them waiting.
        `others`: what ends streams that are not ours."""
        loop = asyncio.get_running_loop()

        def tell() -> None:
            for goodbye in (self.streams.goodbye, *others):
                loop.call_soon_threadsafe(goodbye)

        restore = _before_signals(tell)
        try:
            yield
        finally:
            restore()
            self.streams.goodbye()
            self.readers.hand_on()
            await self.inbox.write()


def _set(event: asyncio.Event, *_: Any) -> None:
    event.set()


def _find(workspace_id: int, name: str, db: Any) -> bytes | None:
    return pointers.find_object(db, workspace_id, name)


def _before_signals(tell: Callable[[], object]) -> Callable[[], None]:
    """Call `tell` when the process is asked to end, before whoever handles that; how to undo it."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    ours: dict[int, tuple[Any, Any]] = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        theirs = signal.getsignal(number)
        if callable(theirs):

            def handle(number: int, frame: Any, theirs: Any = theirs) -> None:
                tell()
                theirs(number, frame)

            ours[number] = (signal.signal(number, handle), handle)

    def restore() -> None:
        for number, (theirs, handle) in ours.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, theirs)

    return restore
