"""Where a prompt comes from when no row has it yet: memory, disk, network, what came along.

Only such reads come here. All of them together wait at most `boot_wait` seconds for a hub that
does not answer; after that they are told at once what is at hand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from sdk.answer import Answer
from sdk.bundle import Bundle
from sdk.disk import Disk
from sdk.errors import TemplateError
from sdk.feed import Feed
from sdk.flow import Failed, Fresh, Gone, Pin, Said, impossible
from sdk.keeper import Keeper, Key
from sdk.loading import NEVER
from sdk.notes import Life
from sdk.prompt import Prompt
from sdk.shelf import Shelf
from sdk.table import BadDocument, Place, prompt_of
from sdk.wire import Who

MOST_MISSES = 1000


class Wait(NamedTuple):
    """An answer that may come; `whole` if it is one to whether there is a document at all."""

    answer: Answer
    patience: float
    whole: bool


class Finding:
    """The order of the sources, and what is remembered of names that are not there."""

    def __init__(
        self, who: Who, shelf: Shelf, feed: Feed, keeper: Keeper, disk: Disk | None,
        bundle: Bundle, boot_wait: float, miss: float,
    ) -> None:  # fmt: skip
        self._who = who
        self._shelf, self._feed, self._keeper, self._bundle = shelf, feed, keeper, bundle
        self._disk = disk
        self._ask: Callable[[Key], Said | Answer | Prompt] = keeper.ask
        self._boot_wait, self._miss = boot_wait, miss
        self._patience_ends = NEVER
        self._misses: dict[Place, tuple[Gone, float]] = {}
        self._beginning = threading.Lock()
        self._begun = self._known_whole = self._offline = False
        self.expired = False
        """Whether what there is was called too old to be served."""
        self._withheld = False
        """Whether what came along is not to stand in for that."""

    def begin(self) -> None:
        """Once in a process, before its first read: the disk, then the thread."""
        if self._begun:
            return
        with self._beginning:
            if self._begun:
                return
            if not self._feed.confirmed:
                self._from_disk()
            with self._shelf.lock:
                self._feed.start()
            self._begun = True

    def stay_offline(self, ask: Callable[[Key], Said | Prompt]) -> None:
        """For tests: no disk and no thread; `ask` answers for what the document does not tell."""
        self._begun, self._offline, self._ask = True, True, ask

    def after_fork(self) -> None:
        self._beginning = threading.Lock()
        self._begun = self._offline
        self._patience_ends = NEVER

    def find(self, pin: Pin, name: str) -> Said | Wait:
        """A prompt, why there is none, or an answer to wait for; then ask again."""
        if sentence := impossible(pin, name):
            return Gone(sentence)
        self.begin()
        self._shelf.restore()
        feed = self._feed
        if not self._who.covers(pin, name) or feed.one_by_one:
            said = self._ask((pin, name))
            if isinstance(said, Prompt):
                return Fresh(said, "")
            if isinstance(said, Answer):
                return said.said or Wait(said, self._keeper.patience(), False)
            return said
        known = feed.confirmed
        try:
            prompt = self._shelf.find(pin, name)
        except (TemplateError, BadDocument) as error:
            return Failed(f"this SDK cannot use it: {error}")
        if prompt is not None:
            return Fresh(prompt, "")
        if known:
            return self._too_old() if self.expired else self._gone(str(pin), name)
        if feed.confirmed or feed.one_by_one:  # since the look
            return self.find(pin, name)
        patience = self._patience()
        first = feed.hope(self._patience_ends) if patience else feed.first
        return first.said or Wait(first, patience, True)

    def after(self, wait: Wait, said: Said | None, pin: Pin, name: str) -> Said | Wait:
        """What a reader is told who has waited."""
        if wait.whole and (self._feed.confirmed or self._feed.one_by_one):
            return self.find(pin, name)
        why = self._feed.error if wait.whole else ""
        why = why or f"the hub did not answer within {self._boot_wait:g} s"
        return said or wait.answer.said or Failed(why)

    def looked(self) -> str:
        """Where else was looked, in words."""
        if self._bundle.place is None:
            return "nothing was kept from before"
        why = self._bundle.error or "it is not in the lock file"
        return f"nothing was kept from before, {why.rstrip('.')}"

    def _patience(self) -> float:
        """Seconds that a read may wait for the first document: `boot_wait` for all together."""
        now = monotonic()
        if self._patience_ends == NEVER:
            self._patience_ends = now + self._boot_wait
        return max(0.0, self._patience_ends - now)

    def bundled(self, pin: Pin, name: str) -> Prompt | None:
        """From the lock file that came along."""
        if self._withheld and self._who.covers(pin, name):
            return None
        table = self._bundle.table()
        pointer = table.pointers.get((str(pin), name)) if isinstance(pin, str) else None
        if pointer is None:
            return None
        try:
            prompt = prompt_of(table, pointer, "bundled")
        except (TemplateError, BadDocument):
            return None
        with self._shelf.lock:
            row = self._shelf.rows.get(pin, {})
            if name not in row:
                prompt = self._shelf.note(prompt)
                self._shelf.publish({**self._shelf.rows, pin: {**row, name: prompt}})
        return prompt

    # ── keeping ─────────────────────────────────────────────────────────────────────────────────

    def _from_disk(self) -> None:
        kept = self._disk.load() if self._disk is not None else None
        if kept is None:
            return
        life = self._feed.life
        life.heard = monotonic() - kept.age
        self._feed.table = kept.table
        self._shelf.take(kept.table, self._who.labels, "snapshot", life)

    def expire(self, on_stale: str) -> None:
        """What there is has become too old: serve what came along, or nothing."""
        self.expired = True
        if on_stale == "bundled":
            table, life = self._bundle.table(), Life()
            life.stale = True
            self._shelf.take(table, self._who.labels, "bundled", life)
        else:
            self._withheld = True
            self._shelf.empty(self._who.labels)

    def one_by_one(self) -> None:
        """The hub turned out to be an old one: it is asked for everything that was read so far."""
        rows = self._shelf.rows
        self._keeper.look_after(
            [(label, name) for label in self._who.labels for name in rows.get(label, {})]
        )

    def heard(self) -> None:
        """A valid document was applied."""
        if not self._known_whole:
            self._keeper.forget(self._who.covers)
        self._known_whole = True
        self.expired = self._withheld = False
        self._misses.clear()

    # ── what is not there ───────────────────────────────────────────────────────────────────────

    def _too_old(self) -> Failed:
        return Failed("the hub has been silent for longer than `max_stale`")

    def _gone(self, label: str, name: str) -> Gone:
        """There is none: no request, and no search for similar names each time."""
        said, at = self._misses.get((label, name), (None, 0.0))
        now = monotonic()
        if said is not None and now - at < self._miss:
            return said
        if self._feed.state not in ("live", "closed") and said is not None:
            self._feed.ask_now()
        from sdk.near import near

        table = self._shelf.table
        names = [one for one_label, one in table.pointers if one_label == label]
        said = Gone(_sentence(label, name, near(name, names)))
        if len(self._misses) >= MOST_MISSES:  # names made up from what users type
            self._misses.clear()
        self._misses[label, name] = (said, now)
        return said


def _sentence(label: str, name: str, similar: list[str]) -> str:
    sentence = f"There is no prompt {name} released as {label} here."
    if similar:
        sentence += f" Did you mean {' or '.join(similar)}?"
    return sentence
