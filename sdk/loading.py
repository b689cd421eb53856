"""Asks the hub for its whole document, judges the answers, and serves what is valid."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import monotonic

from sdk.answer import Answer
from sdk.breath import breathe
from sdk.flow import Failed, Reply, Same, no_answer, passing, refusal, soon, waiting
from sdk.notes import Life
from sdk.shelf import Shelf, differing
from sdk.states import Event, State, Timing
from sdk.table import EMPTY, BadDocument, Place, Table, checked
from sdk.transport import Transport
from sdk.wire import Who, document, object_question, snapshot_question

NEVER = float("inf")
LARGEST = 512 * 1024 * 1024
SNAPSHOT_S = 60.0
OBJECT_S = 2.0
"""No longer: other changes wait meanwhile, and the document has the text too."""
OLDER_TIMES = 3
"""So often a hub must say that it is at an older revision before it is believed: one of several
nodes may only be behind."""


class Loader(ABC):
    """The document, its state and when to ask again; `Feed` runs it in a thread."""

    def __init__(
        self, who: Who, key: Callable[[], str], shelf: Shelf, *, refresh: float, streams: bool,
        timing: Timing, heard: Callable[[], None],
        tell: Callable[[Event], None],
    ) -> None:  # fmt: skip
        """`heard` is told of every document that was applied, `tell` of events."""
        self.table = EMPTY
        self.confirmed = False
        """Whether the hub itself has sent a document, in this process."""
        self.one_by_one = False
        self.error = ""
        self.state: State = "boot"
        self.life = Life()
        self.closed = False
        self._who, self._key, self._shelf = who, key, shelf
        self._refresh, self._streams, self._timing = refresh, streams, timing
        self._heard, self._tell = heard, tell
        self.begin()

    def begin(self) -> None:
        """Everything that a forked child cannot share with its parent."""
        if self.state not in ("boot", "closed"):
            self.state = "polling"
        self.first = Answer()
        self._transport = Transport(self._who.url)
        self._etag = ""
        self._key_used: int | None = None
        self._polls_failed = self._refusals = self._older = 0
        self._failing_since = NEVER
        self._poll_at = self._stream_at = 0.0
        self._accept_older = False
        self._asked: list[Answer] = []
        self._hoping = threading.Lock()
        self._hopes_until = float("-inf")
        self._tries = 0

    @abstractmethod
    def ask_now(self) -> Answer:
        """Look for news at once; the answer says how that went."""

    def hope(self, until: float) -> Answer:
        """Whether there is a document, for a reader who has nothing and waits until then.

        What may be over in a moment is tried again soon, and answered only when it is too late for
        another try; a refused key, and a hub that asks to be left alone, are answered at once.
        """
        with self._hoping:
            if until != self._hopes_until:
                self._hopes_until, self._tries = until, 0
            said = self.first.said
            if isinstance(said, Failed) and said.passing and monotonic() + said.wait < until:
                self.first = Answer()
                self.ask_now()
            return self.first

    def _tries_again(self, said: Failed) -> bool:
        """Whether somebody waits for whom there will be another try in time; it is due soon."""
        at = monotonic() + max(soon(self._tries, chance()), said.wait)
        if self.confirmed or not said.passing or at >= self._hopes_until:
            return False
        self._tries += 1
        self._polls_failed -= 1  # what comes after is not to wait the longer for it
        self._poll_at = at
        return True

    @abstractmethod
    def _stop_listening(self) -> None:
        """The stream is of no use now."""

    def _change(self, state: State) -> None:
        if state == self.state:
            return
        self.state = state
        self.life.stale = state in ("stale", "refused")
        self._tell(Event("state", state, ()))

    def _poll(self) -> None:
        asked, self._asked = self._asked, []
        with self._hoping:
            if self.first.said is not None and not self.confirmed:
                self.first = Answer()
        if self.state == "retry":
            self._change("polling")
        key = self._key()
        self._key_used = hash(key)
        try:
            question = snapshot_question(self._who, key, self._etag)
            reply = self._transport.get(question, LARGEST, SNAPSHOT_S)
        except Exception as error:
            said = self._failed(no_answer(error))
        else:
            said = self._answered(reply)
        for answer in asked:
            answer.give(said)
        with self._hoping:
            if not (isinstance(said, Failed) and self._tries_again(said)):
                self.first.give(said)

    def _answered(self, reply: Reply) -> Same | Failed:
        if reply.status == 304 and self._etag:
            self._loaded(self.table, "")
            return Same()
        if reply.status in (401, 403, 404):
            return self._refused(reply)
        if reply.status != 200:
            return self._failed(refusal(reply), waiting(reply), passing(reply.status))
        breathe()
        try:
            table = document(reply.body, gently=self.confirmed)
        except BadDocument as error:
            return self._failed(f"the hub's answer could not be used: {error}")
        behind = table.epoch == self.table.epoch and table.revision < self.table.revision
        if behind and not self._accept_older and self._older < OLDER_TIMES:
            self._older += 1
            self._loaded(self.table, "")
            self._poll_at = min(self._poll_at, monotonic() + self._refresh)
            return Same()
        self._loaded(table, reply.headers.get("etag", ""))
        return Same()

    def _loaded(self, table: Table, etag: str) -> None:
        """The hub has said what there is."""
        if table is not self.table or etag:
            self._etag, self._older, self._accept_older = etag, 0, False
        self.error, self.one_by_one = "", False
        self._polls_failed = self._refusals = 0
        self._failing_since = NEVER
        self.life.heard = monotonic()
        self.life.stale = False
        places = None if table is self.table else differing(self.table, table)
        self._serve(table, "stream" if self.state == "live" else "poll", places)
        if self.state == "live":
            self._poll_at = NEVER
        else:
            if self.state in ("refused", "stale"):
                self._stream_at = monotonic()
            self._change("polling")
            self._poll_at = monotonic() + self._refresh * (0.8 + 0.4 * chance())

    def _serve(self, table: Table, source: str, places: list[Place] | None) -> None:
        self.table = table
        failed = self._shelf.take(table, self._who.labels, source, self.life)
        self.confirmed = True  # only now: whoever reads this finds the rows that it speaks of
        for sentence in failed:
            self.error = f"kept the version of before: {sentence}"
        self._heard()
        if places:
            self._tell(Event("changed", self.state, tuple(places)))

    def _failed(self, sentence: str, wait: float = 0.0, passing: bool = True) -> Failed:
        self.error = sentence
        self._polls_failed += 1
        now = monotonic()
        self._failing_since = min(self._failing_since, now)
        pause = self._backoff(self._polls_failed)
        if self.confirmed:
            pause = max(pause, self._refresh * (0.8 + 0.4 * chance()))
        self._poll_at = now + max(pause, wait * (1 + 0.2 * chance()))
        return Failed(sentence, wait, passing=passing)

    def _refused(self, reply: Reply) -> Same | Failed:
        """The key is refused, or there is no such route: asked again for ever, but rarely."""
        if reply.status == 404 and not self.confirmed:
            self.one_by_one = True
        self.error = refusal(reply)
        self._refusals += 1
        timing = self._timing
        pause = min(timing.refused * 2 ** min(self._refusals - 1, 8), timing.longest_refused)
        pause *= 0.8 + 0.4 * chance()
        self._poll_at = monotonic() + max(pause, waiting(reply))
        self._stop_listening()
        self._stream_at = self._poll_at
        self._change("refused")
        return Failed(self.error)

    def _new_key(self) -> bool:
        return self.state == "refused" and self._key_used is not None and (
            hash(self._key()) != self._key_used
        )  # fmt: skip

    def _object(self, digest: str) -> str:
        """A text that was too large to come along."""
        try:
            question = object_question(self._who, self._key(), digest)
            reply = self._transport.get(question, LARGEST, wait=OBJECT_S)
        except Exception as error:
            raise BadDocument(no_answer(error)) from None
        if reply.status != 200:
            raise BadDocument(refusal(reply))
        return checked(digest, reply.body.decode("utf-8", "replace"))

    def _backoff(self, failures: int) -> float:
        """Full jitter."""
        longest = self._timing.longest_retry
        return chance() * min(longest, self._timing.first_retry * 2 ** min(failures - 1, 10))


def chance() -> float:
    """A number from 0 to 1; `random` takes 5 ms to import."""
    return int.from_bytes(os.urandom(4), "big") / 2**32
