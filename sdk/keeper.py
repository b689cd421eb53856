"""Keeps prompts fresh that are asked for one by one: versions by number, labels that nobody
follows, and everything of a hub too old to tell what it has.

    ask(key) ──► under way: one request per prompt, however many wait ──► workers ──► hub
    updater ───► asks again for every prompt that was read by label, each `refresh` seconds
    keep ──────► replaces the table whole; a failure changes nothing in it

All waiting for the network is done by daemon threads. What was not found is asked for again only
when somebody reads it; what could not be fetched, by the updater until it can.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from time import monotonic

from sdk.answer import Answer
from sdk.asking import asked, asked_again, dice
from sdk.flow import Failed, Fresh, Gone, Pin, Said, Same, question
from sdk.notes import Life
from sdk.prompt import Prompt
from sdk.shelf import Rows, Shelf
from sdk.transport import Transport

Key = tuple[Pin, str]

WORKERS = 8
MOST_MISSES = 1000
MISS_KNOWN_S, MISS_SERVED_S = 5.0, 60.0
"""So long a "there is none" is believed; so long it is answered while it is asked again."""
RETRY_S, LONGEST_RETRY_S = 0.5, 30.0
STALE_AFTER = 2
"""Rounds without any answer after which prompts say `stale`."""


class Keeper:
    """The threads that keep what was asked for one by one; it stands on the shelf."""

    def __init__(
        self, url: str, key: Callable[[], str], refresh: float, boot_wait: float, shelf: Shelf
    ) -> None:
        self.boot_wait = boot_wait
        self._url, self._key, self._refresh, self._shelf = url, key, refresh, shelf
        self._life = Life()
        self._etags: dict[Key, str] = {}
        self._misses: dict[Key, tuple[Said, float]] = {}
        self._failures = 0
        self._patience_ends = float("-inf")
        self._closed = False
        self.begin()

    @property
    def rows(self) -> Rows:
        """What readers look into."""
        return self._shelf.rows

    def ask(self, key: Key) -> Answer | Said:
        """For a prompt that is not in the table: what is known, or the answer to come."""
        with self._lock:
            self._start()
            if prompt := self.rows.get(key[0], {}).get(key[1]):
                return Fresh(prompt, "")
            if self._closed:
                known, _ = self._misses.get(key, (None, 0.0))
                return known or Failed("this connection to the hub was closed")
            if said := self._remembered(key):
                return said
            now = monotonic()
            if now > self._patience_ends + self._pause():
                self._patience_ends = now + self.boot_wait
            return self._send(key)

    def patience(self) -> float:
        """Seconds that a first read may wait now: `boot_wait` in all, not for each prompt.

        When it is over without a word from the hub, reads fail at once until it is time to try
        again; any answer at all gives the next reader all of it.
        """
        return max(0.0, self._patience_ends - monotonic())

    def close(self, timeout: float) -> None:
        """Stop; waits up to `timeout` for requests under way."""
        self._closed = True
        self._wake.set()
        for _ in self._workers:
            self._jobs.put(None)
        ends = monotonic() + timeout
        for thread in [self._updater, *self._workers]:
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, ends - monotonic()))

    # ── threads ─────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Everything that a forked child cannot share with its parent."""
        self._wake = threading.Event()
        self._jobs: SimpleQueue[tuple[Key, Answer] | None] = SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._at_work = 0
        self._updater: threading.Thread | None = None
        self._next = 0.0
        self._not_before = 0.0
        self._under_way: dict[Key, Answer] = {}
        self._asked: list[Answer] = []
        self._transport = Transport(self._url)

    @property
    def _lock(self) -> threading.Lock:
        return self._shelf.lock

    def forget(self, covers: Callable[[Pin, str], bool]) -> None:
        """The hub tells of these by itself now; stop asking for them."""
        with self._lock:
            for key in [one for one in (*self._etags, *self._misses) if covers(*one)]:
                self._etags.pop(key, None)
                self._misses.pop(key, None)

    def look_after(self, keys: Iterable[Key]) -> None:
        """Ask for these from now on, whatever is in the table."""
        with self._lock:
            self._start()
            for key in keys:
                self._send(key)

    def _start(self) -> None:
        if self._updater is None and not self._closed:
            self._next = monotonic() + self._pause()
            self._updater = self._thread(self._update, "prompthub-updater")

    def _thread(self, target: Callable[[], None], name: str) -> threading.Thread | None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no threads left, or the program is ending
            return None
        return thread

    def _send(self, key: Key) -> Answer:
        """Hand the question to a worker; the lock is held."""
        if key in self._under_way:
            return self._under_way[key]
        answer = self._under_way[key] = Answer()
        if len(self._workers) < min(WORKERS, len(self._under_way)) and (
            thread := self._thread(self._work, "prompthub-worker")
        ):
            self._workers.append(thread)
            self._at_work += 1
        if self._workers:
            self._jobs.put((key, answer))
        else:
            del self._under_way[key]
            answer.give(Failed("no thread could be started to ask the hub"))
        return answer

    def _work(self) -> None:
        jobs, transport = self._jobs, self._transport
        while (job := jobs.get()) is not None:
            key, answer = job
            said = self._fetch(key, transport)
            with self._lock:
                said = self._keep(key, said)
                self._under_way.pop(key, None)
            answer.give(said)
        with self._lock:
            self._at_work -= 1
            last = self._at_work == 0
        if last:
            transport.close()

    def _fetch(self, key: Key, transport: Transport) -> Said:
        def ask() -> Said:
            if self._closed:
                return Failed("this connection to the hub was closed")
            etag = self._etags.get(key, "")
            return asked(lambda: transport.get(question(self._url, self._key(), *key, etag)), key)

        def waits(pause: float) -> bool:
            """Whether a reader who has nothing will still be waiting then."""
            waiting = monotonic() + pause < self._patience_ends
            return waiting and key[1] not in self.rows.get(key[0], {})

        return asked_again(ask, waits)

    # ── what answers change; the lock is held ───────────────────────────────────────────────────

    def _keep(self, key: Key, said: Said) -> Said:
        if isinstance(said, Same) and key[1] not in self.rows.get(key[0], {}):
            said = Failed("the hub says that nothing changed, to a first question")
        if not isinstance(said, Failed) or not (said.silent or said.passing):
            self._patience_ends = float("-inf")
        if isinstance(said, Failed):
            self._not_before = max(self._not_before, monotonic() + said.wait)
            if key[1] not in self.rows.get(key[0], {}):
                self._miss(key, said)
                if not self._failures:
                    self._sooner(RETRY_S)
            return said
        self._heard()
        if isinstance(said, Fresh):
            self._etags[key] = said.etag
            self._misses.pop(key, None)
            self._put(key, said.prompt.with_source("cache", self._life))
        elif isinstance(said, Gone):
            self._etags.pop(key, None)
            self._put(key, None)
            self._miss(key, said)
        return said

    def _put(self, key: Key, prompt: Prompt | None) -> None:
        """Replace the row whole: a reader sees the old one or the new one."""
        pin, name = key
        row = {other: one for other, one in self.rows.get(pin, {}).items() if other != name}
        if prompt is not None:
            row[name] = self._shelf.note(prompt)
        self._shelf.publish({**self.rows, pin: row})

    def _miss(self, key: Key, said: Said) -> None:
        self._misses.pop(key, None)
        self._misses[key] = (said, monotonic())
        if len(self._misses) > MOST_MISSES:  # names made up from what users type
            del self._misses[next(iter(self._misses))]

    def _remembered(self, key: Key) -> Said | None:
        """What we were told before, so that no loop over a wrong name loads the hub."""
        said, at = self._misses.get(key, (None, 0.0))
        if said is None or isinstance(said, Failed):
            return said
        age = monotonic() - at
        if age > MISS_SERVED_S:
            return None
        if age > MISS_KNOWN_S:
            self._send(key)
        return said

    def _heard(self) -> None:
        """The hub is there."""
        self._life.heard = monotonic()
        if self._failures:
            self._count(0)
            self._sooner(0)

    def _count(self, failures: int) -> None:
        """Note how often nothing was answered, and have prompts say so."""
        was, self._failures = self._failures, failures
        if (was >= STALE_AFTER) == (failures >= STALE_AFTER):
            return
        source = "stale" if failures >= STALE_AFTER else "cache"
        self._shelf.publish(
            {
                pin: {
                    name: prompt.with_source(source) if (pin, name) in self._etags else prompt
                    for name, prompt in row.items()
                }
                if isinstance(pin, str)
                else row
                for pin, row in self.rows.items()
            }
        )

    # ── the updater ─────────────────────────────────────────────────────────────────────────────

    def _update(self) -> None:
        wake = self._wake
        while not self._closed:
            left = self._next - monotonic()
            if left > 0:
                wake.wait(left)
                wake.clear()
                continue
            with self._lock:
                self._round()

    def _round(self) -> None:
        """Note how the last round went, ask again. Nobody waits: one slow prompt is only slow."""
        if self._asked and all(isinstance(one.said, Failed | None) for one in self._asked):
            self._count(self._failures + 1)
        # A version is immutable; only labels can move.
        keys = [key for key in self._etags if isinstance(key[0], str)]
        keys += [key for key, (said, _) in self._misses.items() if isinstance(said, Failed)]
        if self._failures and len(keys) > WORKERS:  # while the hub is away, a few ask for all
            at = self._failures * WORKERS % len(keys)
            keys = (keys + keys)[at : at + WORKERS]
        self._asked = [self._send(key) for key in keys]
        self._next = max(monotonic() + self._pause(), self._not_before)

    def _sooner(self, seconds: float) -> None:
        soon = max(monotonic() + seconds, self._not_before)
        if soon < self._next:
            self._next = soon
            self._wake.set()

    def _pause(self) -> float:
        """Seconds until the next look, longer while the hub is away, never the same for two."""
        wait = self._refresh
        if self._failures:
            retry = min(RETRY_S, self._refresh) * 2 ** min(self._failures, 10)
            wait = min(retry, max(LONGEST_RETRY_S, self._refresh))
        return wait * (0.8 + 0.4 * dice())
