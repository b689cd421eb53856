"""`GET /api/v1/stream`: open connections, each told what changed since its place.

A stream costs little while nothing happens: one task that waits for the app to go away. Whatever is
sent is sent by short tasks of its own. A reader that is slow holds one message at most; when it has
taken it, the next one leads from its place to the present.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic

from litestar.types import Message, Receive, Send

from hub.people.keys import KeyGrant
from hub.sync import events
from hub.sync.filters import Filter
from hub.sync.picture import Picture

log = logging.getLogger("hub")

STUCK = 60.0
"""Seconds that a reader may take for one message."""
_START: Message = {
    "type": "http.response.start", "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
    ],
}  # fmt: skip
_END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class Stream:
    """One connection; `revision` is its place."""

    __slots__ = (
        "announced", "begun", "epoch", "filter", "final", "grant", "main", "opening", "pending",
        "picture", "revision", "send", "task", "token",
    )  # fmt: skip

    def __init__(
        self, picture: Picture, filter: Filter, grant: KeyGrant, token: str, send: Send
    ) -> None:
        self.picture = picture
        self.filter = filter
        self.grant = grant
        self.token = token
        self.send = send
        self.epoch = picture.epoch
        self.revision = self.announced = 0
        self.opening = b""
        """Said first."""
        self.final: bytes | None = None
        """Said last; then the hub ends the stream."""
        self.pending: Callable[[], bytes] | None = None
        """To be asked once the reader has taken what is being sent."""
        self.task: asyncio.Task[None] | None = None
        """Sends something just now, since `begun`."""
        self.begun = 0.0
        self.main = asyncio.current_task()

    def push(self, work: Callable[[], bytes]) -> None:
        """Send what `work` gives when it is asked, as soon as the reader has taken the rest."""
        self.pending = work
        if self.task is None:
            self.begun = monotonic()
            self.task = asyncio.get_running_loop().create_task(self._send())

    def end(self, final: bytes) -> None:
        """Say this and no more."""
        if self.final is None:
            self.final = final
            self.push(bytes)

    async def _send(self) -> None:
        try:
            while (work := self.pending) is not None:
                self.pending = None
                data, self.opening = self.opening + work(), b""
                if data:
                    await self.send(_part(data))
                if self.final is not None:
                    await self.send(_part(self.final))
                    await self.send(_END)
                    return
        finally:
            self.task = None

    # ── what there is to say ────────────────────────────────────────────────────────────────────

    def news(self) -> bytes:
        """What leads from the stream's place to the picture; moves the place."""
        picture = self.picture
        if self.epoch == picture.epoch and self.revision == picture.revision:
            return b""
        data = None
        if self.epoch == picture.epoch:
            data = events.since(picture, self.filter, self.revision)
        if data is None:
            self.final = events.resync(picture, secrets.randbelow(2000))
            return b""
        self.revision = picture.revision
        if data:
            self.announced = self.revision
        return data

    def beat(self) -> bytes:
        """A sign of life; moves the place of a reader whom nothing concerned."""
        data = self.news()
        if data or self.announced == self.revision:
            return data or events.BEAT
        self.announced = self.revision
        return events.commit(self.epoch, self.revision)


class Streams:
    """The open streams of this process."""

    def __init__(self) -> None:
        self._open: dict[int, set[Stream]] = {}
        self._closing = False
        self.count = 0

    def of(self, workspace_id: int) -> Iterable[Stream]:
        return self._open.get(workspace_id, ())

    def workspaces(self) -> set[int]:
        return set(self._open)

    async def serve(
        self, stream: Stream, asked: str | None, receive: Receive,
        admitted: Callable[[], Awaitable[bool]],
    ) -> None:  # fmt: skip
        """The whole life of a stream; `asked`: `since` or `Last-Event-ID`.

        `admitted` is asked once the stream can be found by `close_key`: its key may have been
        revoked just before.
        """
        stream.opening = await self._first(stream, asked)
        await stream.send(_START)
        self._add(stream)
        try:
            stream.push(stream.news)  # what happened since the gap was read
            if self._closing:
                self._say_goodbye(stream)
            elif not await admitted():
                stream.end(events.goodbye(1000))
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if stream in self.of(stream.grant.workspace.id):
                raise  # else we dropped it ourselves
        finally:
            self._remove(stream)
            if stream.task is not None:
                stream.task.cancel()

    async def _first(self, stream: Stream, asked: str | None) -> bytes:
        """`hello` and the gap; sets the stream's place."""
        picture, place = stream.picture, events.position(asked)
        if place is not None and place[0] == picture.epoch and place[1] > picture.revision:
            await picture.refresh(stream.filter.labels)  # another process was quicker
        places = await picture.gap(*place, stream.filter) if place else None
        stream.epoch = picture.epoch
        stream.revision = stream.announced = picture.revision
        hello = events.hello(picture)
        if places is None or len(places) > events.MOST_PLACES:
            stream.final = events.resync(picture, 0)
            return hello
        return hello + events.batch(picture, places)

    def _add(self, stream: Stream) -> None:
        self._open.setdefault(stream.grant.workspace.id, set()).add(stream)
        self.count += 1

    def _remove(self, stream: Stream) -> None:
        there = self._open.get(stream.grant.workspace.id, set())
        if stream in there:
            self.count -= 1
            there.discard(stream)
            if not there:
                del self._open[stream.grant.workspace.id]

    # ── telling them ────────────────────────────────────────────────────────────────────────────

    def tell(self, workspace_id: int) -> None:
        """The picture of the workspace has changed."""
        for stream in self.of(workspace_id):
            stream.push(stream.news)

    def all(self) -> list[Stream]:
        return [stream for streams in self._open.values() for stream in streams]

    def close_key(self, key_id: str) -> None:
        """A key was revoked: its streams end at once."""
        for stream in self.all():
            if stream.grant.key_id == key_id:
                stream.end(events.goodbye(1000))

    def goodbye(self) -> None:
        """The process is about to end: send all away, and not all back at the same moment."""
        self._closing = True
        for stream in self.all():
            self._say_goodbye(stream)

    def _say_goodbye(self, stream: Stream) -> None:
        spread = 2000 + 5 * self.count
        wait = 500 + secrets.randbelow(spread)
        stream.end(events.goodbye(wait))

    async def beat(self) -> None:
        """Heartbeats, a fifteenth of the streams each second; until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(1)
            turn = (turn + 1) % events.HEARTBEAT
            for stream in self.all():
                if stream.task is not None and monotonic() - stream.begun > STUCK:
                    self._drop(stream)
                elif (id(stream) >> 6) % events.HEARTBEAT == turn:
                    stream.push(stream.beat)

    def _drop(self, stream: Stream) -> None:
        log.info("a stream of key %s takes nothing any more; dropped", stream.grant.name)
        self._remove(stream)
        if stream.main is not None:
            stream.main.cancel()


def _part(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}
