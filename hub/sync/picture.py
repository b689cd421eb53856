"""Where the labels of one workspace stand, in memory, as of one revision.

    the log in SQL ──refresh──► places that changed ──► Picture ──► snapshots, streams

Readers on the event loop always see one revision whole: what a refresh found is put in place in one
go. What is sent is encoded when it comes in, once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from functools import partial

import msgspec
from sqlalchemy import Connection, func, select, text

from hub.db import Database
from hub.registry.indexing import feed
from hub.registry.indexing.feed import Feed, FeedChange, Place
from hub.sync import pointers
from hub.sync.filters import Filter
from hub.sync.pointers import Pointer, Row, Text

MOST_PLACES = 20_000
"""Changes kept in memory, and the most that are looked up one by one."""
MOST_LABELS = 200

State = tuple[str, int, int]
"""Epoch, revision, floor."""


class _News(msgspec.Struct):
    """What a refresh read, all of one moment."""

    state: State
    whole: bool
    """Nothing that was known holds."""
    rows: list[Row]
    fresh: dict[str, int]
    """Labels read whole, and the last revision that touched each."""
    changes: list[tuple[int, frozenset[Place]]]


class Picture:
    """See the top of the file."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self.workspace_id = workspace_id
        self.state: State = ("", 0, 0)
        self.labels: dict[str, dict[str, Pointer]] = {}
        self.touched: dict[str, int] = {}
        """The last revision that touched a label."""
        self.texts: dict[str, Text] = {}
        self.frames: dict[tuple[str, int], bytes | None] = {}
        """What streams send from a revision on, per filter; true of this revision only."""
        self.unwritten: dict[tuple[str, int], Text] = {}
        """Objects to be written down."""
        self._database = database
        self._known: dict[tuple[str, int], str] = {}
        self._written: set[tuple[str, int]] | None = None
        self._recent: deque[tuple[int, frozenset[Place]]] = deque()
        self._start = 0
        """`_recent` holds everything after this revision."""
        self._lock = asyncio.Lock()

    @property
    def epoch(self) -> str:
        return self.state[0]

    @property
    def revision(self) -> int:
        return self.state[1]

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    def at(self, place: Place) -> Pointer | None:
        return self.labels.get(place[0], {}).get(place[1])

    def changed_since(self, revision: int) -> set[Place] | None:
        """The places that changed after a revision; None: that is not in memory."""
        if revision == self.revision:
            return set()
        if revision != self._start and all(one != revision for one, _ in self._recent):
            return None
        return set[Place]().union(*(places for one, places in self._recent if one > revision))

    async def gap(self, epoch: str, revision: int, filter: Filter) -> set[Place] | None:
        """The places of the filter that changed after a revision; None: nobody can say."""
        if epoch != self.epoch or revision > self.revision:
            return None
        at = self.revision
        places = self.changed_since(revision)
        if places is None:
            read = partial(_logged, self.workspace_id, revision, filter.labels)
            places = await self._database.read_at_once(read)
            later = self.changed_since(at)
            if places is None or later is None or epoch != self.epoch:
                return None
            places |= later
        return {one for one in places if filter.wants(one)}

    def last_touched(self, filter: Filter) -> int:
        """The last revision that touched one of the filter's labels."""
        return max(self.state[2], *(self.touched.get(label, 0) for label in filter.labels))

    # ── refreshing ──────────────────────────────────────────────────────────────────────────────

    async def refresh(self, labels: Iterable[str] = ()) -> bool:
        """Read what is new, and labels not followed so far; whether the revision changed."""
        async with self._lock:
            before = self.state
            missing = set(labels) - self.labels.keys()
            news = await self._database.read_at_once(partial(self._read, missing))
            if news is None:
                await self._database.write_at_once(partial(_begin, self.workspace_id))
                news = await self._database.read_at_once(partial(self._read, missing))
            assert news is not None
            if news.whole:
                self._known.clear()
            if self._written is None or news.whole:
                read = partial(_written, self.workspace_id)
                self._written = await self._database.read_at_once(read)
            made = await pointers.texts_of(
                self._database, self.workspace_id, news.rows, self._known
            )
            self._put(news, made)
            return self.state[:2] != before[:2]

    def _read(self, missing: set[str], db: Connection) -> _News | None:
        if db.dialect.name == "postgresql":  # all of it as of one moment
            db.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        state = state_of(db, self.workspace_id)
        if state is None:
            return None
        changes = self._changes(db, state)
        places = set[Place]().union(*(places for _, places in changes or ()))
        whole = changes is None or len(places) > MOST_PLACES
        wanted = missing | self.labels.keys() if whole else missing
        if len(wanted | self.labels.keys()) > MOST_LABELS:
            whole, wanted = True, missing
        rows: list[Row] = []
        for label in wanted:
            rows += pointers.rows_under(db, self.workspace_id, label)
        if not whole:
            known = {place for place in places if place[0] in self.labels}
            rows += pointers.rows_at(db, self.workspace_id, known)
        fresh = _last_touched(db, self.workspace_id, wanted)
        return _News(state, whole, rows, fresh, changes or [])

    def _changes(self, db: Connection, state: State) -> list[tuple[int, frozenset[Place]]] | None:
        """What the log has after our revision; None: it does not reach back to it."""
        epoch, revision, floor = state
        if (epoch, revision) == self.state[:2]:
            return []
        if epoch != self.epoch or not floor <= self.revision < revision:
            return None
        query = select(FeedChange.revision, FeedChange.label, FeedChange.name).where(
            FeedChange.workspace_id == self.workspace_id, FeedChange.revision > self.revision
        )
        found: dict[int, set[Place]] = {}
        for number, label, name in db.execute(query.order_by(FeedChange.revision)):
            found.setdefault(number, set()).add((label, name))
        return [(number, frozenset(places)) for number, places in found.items()]

    def _put(self, news: _News, made: dict[tuple[str, int], Text]) -> None:
        if news.whole:
            self.labels, self.touched = {}, {}
            self.texts.clear()
            self._recent.clear()
            self._start = news.state[1]
        else:
            self._forget(news.changes)
        for label in news.fresh:
            self.labels[label] = {}
        for text_ in made.values():
            self.texts[text_.name] = text_
        self._known |= {key: text_.name for key, text_ in made.items()}
        for row in news.rows:
            self.labels[row.label][row.name] = pointers.pointer_of(row, self._known)
        self.touched |= news.fresh
        self.unwritten |= {k: text for k, text in made.items() if k not in (self._written or ())}
        if news.state != self.state:
            self.frames = {}
        self.state = news.state
        self._trim()

    def _forget(self, changes: list[tuple[int, frozenset[Place]]]) -> None:
        for revision, places in changes:
            self._recent.append((revision, places))
            for label, name in places:
                if label in self.labels:
                    self.labels[label].pop(name, None)
                    self.touched[label] = revision

    def _trim(self) -> None:
        """Bounds: changes in memory, and texts that nothing points at any more."""
        while sum(len(places) for _, places in self._recent) > MOST_PLACES:
            self._start = self._recent.popleft()[0]
        count = sum(map(len, self.labels.values()))
        if len(self.texts) > 2 * count + 1000:
            used = {
                name for under in self.labels.values() for one in under.values()
                for name in one.objects
            }  # fmt: skip
            self.texts = {name: text for name, text in self.texts.items() if name in used}
            self._known = {key: name for key, name in self._known.items() if name in used}

    async def write_down(self) -> None:
        """Keep the objects that apps were given, so that any process finds them later."""
        texts, self.unwritten = self.unwritten, {}
        if texts:
            write = partial(_publish, self.workspace_id, texts)
            await self._database.write_at_once(write)
            if self._written is not None:
                self._written |= texts.keys()


def state_of(db: Connection, workspace_id: int) -> State | None:
    query = select(Feed.epoch, Feed.revision, Feed.floor).where(Feed.workspace_id == workspace_id)
    row = db.execute(query).first()
    return (row.epoch, row.revision, row.floor) if row else None


def _begin(workspace_id: int, db: Connection) -> None:
    feed.begin(db, workspace_id)


def _written(workspace_id: int, db: Connection) -> set[tuple[str, int]]:
    return pointers.published(db, workspace_id)


def _publish(workspace_id: int, texts: dict[tuple[str, int], Text], db: Connection) -> None:
    pointers.publish(db, workspace_id, texts)


def _last_touched(db: Connection, workspace_id: int, labels: set[str]) -> dict[str, int]:
    query = (
        select(FeedChange.label, func.max(FeedChange.revision))
        .where(FeedChange.workspace_id == workspace_id, FeedChange.label.in_(labels))
        .group_by(FeedChange.label)
    )
    found = {row[0]: row[1] for row in db.execute(query)} if labels else {}
    return {label: found.get(label, 0) for label in labels}


def _logged(
    workspace_id: int, revision: int, labels: tuple[str, ...], db: Connection
) -> set[Place] | None:
    """What the log holds after a revision; None: it does not know that revision."""
    state = state_of(db, workspace_id)
    if state is None or revision < state[2]:
        return None
    log = (FeedChange.workspace_id == workspace_id,)
    known = select(FeedChange.revision).where(*log, FeedChange.revision == revision).limit(1)
    if revision != state[2] and db.scalar(known) is None:
        return None
    query = select(FeedChange.label, FeedChange.name).where(
        *log, FeedChange.revision > revision, FeedChange.label.in_(labels)
    )
    return {(label, name) for label, name in db.execute(query.distinct())}
