"""Keeps the table in step with the hub: one thread that loads, listens and gives up on nothing.

    BOOT ─► POLLING ─► LIVE ─► RETRY ─► POLLING ─► STALE       any valid document leads back
              refused: REFUSED, asked again every few minutes

    Line (a thread that reads the stream) ──► letter box ──► Shelf (what readers look into)
                                                  │
                    this thread: polls, time-outs, and letters that the other had to leave

Whatever comes from the network is applied under one lock. The line's thread applies its letters
itself if the lock is free, so that a release does not wait for another thread to be woken; else it
leaves them to whoever holds it. Nothing but a whole, valid document changes what readers get.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from sdk.answer import Answer
from sdk.breath import breathe
from sdk.errands import Errands
from sdk.events import Event
from sdk.flow import Failed
from sdk.line import Ended, Line
from sdk.loading import NEVER, Loader, chance
from sdk.table import SCHEMA, BadDocument
from sdk.transport import Transport
from sdk.wire import Batch, place_of, stream_question

Letter = tuple[Line, Event | Ended]


class Feed(Loader):
    """The hub's document, and the thread that keeps it; `shelf` is what readers see of it."""

    def begin(self) -> None:
        """Everything that a forked child cannot share with its parent."""
        super().begin()
        self.errands = Errands("prompthub-errands")
        self.listeners = Errands("prompthub-listeners")
        self._inbox: deque[Letter] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._work = threading.Lock()
        self._listens = Transport(self._who.url)
        self._line: Line | None = None
        self._thread: threading.Thread | None = None
        self._batch = Batch()
        self._failures = 0
        self._live_since = NEVER
        self.every: list[Callable[[], float]] = []
        """What else is to be done now and then: each says when it is due next."""

    # ── from other threads ──────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start the thread, if it does not run; the hub's lock is held."""
        if self._thread is None and not self.closed:
            thread = threading.Thread(target=self._run, name="prompthub-feed", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no threads left, or the program is ending
                self.first.give(Failed("no thread could be started to ask the hub"))
                return
            self._thread = thread

    def ask_now(self) -> Answer:
        """Look for news at once; the answer says how that went."""
        answer = Answer()
        if self.closed:
            answer.give(Failed("this connection to the hub was closed"))
            return answer
        self._asked.append(answer)
        self._bell.put(None)
        return answer

    def receive(self, line: Line, letters: Iterable[Event | Ended]) -> None:
        """What a line has read, in its own thread: applied at once if nobody is at work."""
        for one in letters:
            self._inbox.append((line, one))
        if self._work.acquire(blocking=False):
            try:
                self._read_letters()
            finally:
                self._work.release()
        self._bell.put(None)  # something may be due sooner now, or these letters still lie there

    def close(self, timeout: float) -> None:
        self.closed = True
        self._bell.put(None)
        line, ends = self._line, monotonic() + timeout
        if line is not None:
            line.cut()
        self._transport.cut()
        self.first.give(Failed("this connection to the hub was closed"))
        for thread in (self._thread, line.thread if line else None):
            # One that is only being started cannot be joined; it sees that it is closed.
            if thread is not None and thread.is_alive() and thread != threading.current_thread():
                thread.join(max(0.0, ends - monotonic()))
        self.errands.finish(max(0.0, ends - monotonic()))

    def call(self, work: Callable[[Transport], object]) -> None:
        """Talk to the hub about something that nobody waits for."""
        self.errands.add(lambda: work(self._transport))

    # ── the thread ──────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while not self.closed:
            with self._work:
                wait = self._turn()
            with suppress(Empty):
                self._bell.get(timeout=wait)
        with self._work:
            self._change("closed")
        self._transport.close()
        self._listens.close()

    def _turn(self) -> float:
        """Read what lies there and do what is due; returns the seconds until something is."""
        self._read_letters()
        try:
            return self._due()
        except Exception as error:
            self._broke(error)
            return 0.001

    def _broke(self, error: Exception) -> None:
        """Whatever it is: a feed that dies serves the past for ever."""
        self._lost(f"something went wrong in the SDK ({type(error).__name__})")
        self._poll_at = monotonic() + 1 + 4 * chance()

    def _due(self) -> float:
        now, timing = monotonic(), self._timing
        due = [one() for one in self.every]
        line = self._line
        if line is not None:
            due.append(line.heard + (timing.silence if line.greeted else timing.greeting))
            if due[-1] <= now:
                self._lost("the stream fell silent")
        if self._asked or now >= self._poll_at or self._new_key():
            self._poll()
        if self._line is None and self._streams and self.confirmed:
            if self._stream_at <= monotonic():
                self._connect()
            else:
                due.append(self._stream_at)
        if self.state == "refused":
            due.append(now + timing.look_at_key)
        if self._failing_since != NEVER and self.state not in ("stale", "refused"):
            due.append(self._failing_since + timing.stale_after)
            if due[-1] <= now:
                self._change("stale")
        wait = min([self._poll_at, *due]) - monotonic()
        return min(max(wait, 0.001), 3600.0)

    # ── listening ───────────────────────────────────────────────────────────────────────────────

    def _connect(self) -> None:
        breathe()
        ask = stream_question(self._who, self._key(), self.table)
        self._batch = Batch()
        self._line = Line(ask, self._listens, self.receive, self._timing.silence)
        try:
            self._line.thread.start()
        except RuntimeError:
            self._lost("no thread could be started to listen to the hub")

    def _read_letters(self) -> None:
        """What came from the line there is now; the lock is held."""
        while self._inbox and not self.closed:
            line, letter = self._inbox.popleft()
            if line is not self._line:
                continue
            try:
                if isinstance(letter, Ended):
                    self._ended(letter)
                else:
                    self._event(letter)
            except BadDocument as error:
                self._reload(f"the stream could not be used: {error}")
            except Exception as error:
                self._broke(error)

    def _event(self, event: Event) -> None:
        if event.kind in ("put", "delete"):
            self._batch.take(event)
        elif event.kind == "hello" and event.data.get("schema") != SCHEMA:
            raise BadDocument(f"its schema is {event.data.get('schema')!r:.20}")
        elif event.kind == "commit":
            self._commit(*place_of(event.data))
        elif event.kind in ("resync", "goodbye"):
            wait = _seconds(event.data.get("retry_ms"))
            self._stop_listening()
            if event.kind == "resync":
                self._reload("", wait)
            else:
                self._gone(monotonic() + wait)

    def _commit(self, epoch: str, revision: int) -> None:
        batch, self._batch = self._batch, Batch()
        if epoch != self.table.epoch:
            self._reload("")
            return
        if revision > self.table.revision:
            for digest in batch.missing(self.table.objects):
                batch.objects[digest] = self._object(digest)
            table = self.table.apply(revision, batch.changes, batch.objects)
            self._etag = ""
        else:
            table, batch = self.table, Batch()
        if self.state != "live":
            self._live()
        if revision < table.revision:
            self._doubt()
        self.life.heard = monotonic()
        self._serve(table, "stream", batch.places)

    def _doubt(self) -> None:
        """The stream is behind what we have. It may only lag behind what we asked for; or the hub
        never was where we think it is, and then nothing it says from here on would be applied."""
        self._etag = ""
        self._poll_at = min(self._poll_at, monotonic() + self._refresh)

    def _live(self) -> None:
        self._live_since, self._poll_at = monotonic(), NEVER
        self._failing_since, self._polls_failed, self.error = NEVER, 0, ""
        if self._line is not None:
            self._line.live = self.life
        self._change("live")

    def _ended(self, ended: Ended) -> None:
        if ended.malformed:
            self._reload(ended.sentence)
            return
        self._lost(ended.sentence, ended.wait)
        if ended.status in (401, 403):  # the document says whether it is the key
            self._poll_at = min(self._poll_at, monotonic())
        if ended.status == 404:  # a hub, or a proxy, without streams
            self._stream_at = monotonic() + self._timing.refused * (0.8 + 0.4 * chance())

    def _lost(self, sentence: str, wait: float = 0.0) -> None:
        """The stream is gone: connect again, soon at first, then ever more rarely."""
        self.error = sentence
        if monotonic() - self._live_since > self._timing.healthy:
            self._failures = 0
        self._failures += 1
        self._stop_listening()
        pause = self._backoff(self._failures)
        self._gone(monotonic() + max(pause, wait * (1 + 0.2 * chance())))

    def _gone(self, again: float) -> None:
        self._stream_at, self._live_since = again, NEVER
        if self.state == "live":
            self._poll_at = monotonic() + self._timing.polls_after
            self._change("retry")
        if self.state == "retry" and self._failures >= 3:
            self._poll_at = min(self._poll_at, monotonic())

    def _reload(self, sentence: str, wait: float = 0.0) -> None:
        """Load the document, and listen from there."""
        self._stop_listening()
        now = monotonic()
        self._live_since = NEVER
        if sentence:
            self.error = sentence
            self._failures += 1
            wait = max(wait, self._backoff(self._failures))
        self._etag, self._accept_older = "", True
        self._change("retry")
        self._poll_at, self._stream_at = now + wait, now + wait

    def _stop_listening(self) -> None:
        line, self._line = self._line, None
        self._batch = Batch()
        if line is not None:
            line.cut()


def _seconds(milliseconds: Any) -> float:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return 0.0
    return min(max(float(milliseconds), 0.0), 600_000.0) / 1000
