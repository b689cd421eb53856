"""What is done now and then beside keeping in step: keep the table on disk, tell the hub what is
used, and notice when what there is has become too old."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from sdk.disk import Disk
from sdk.feed import Feed
from sdk.finding import Finding
from sdk.flow import Ask, Pin, impossible
from sdk.loading import NEVER, chance
from sdk.shelf import Shelf
from sdk.states import Status, Timing
from sdk.table import EMPTY, Place, Table
from sdk.transport import Transport
from sdk.usage import Usage
from sdk.wire import Who, headers


class Upkeep:
    """Its parts run in the feed's thread and only say when they want to be called again; what
    takes time is an errand."""

    def __init__(
        self, who: Who, key: Callable[[], str], shelf: Shelf, feed: Feed, finding: Finding,
        disk: Disk | None, timing: Timing, max_stale: float | None, on_stale: str,
        status: Callable[[], Status],
    ) -> None:  # fmt: skip
        self._who, self._key, self._shelf, self._feed = who, key, shelf, feed
        self._finding, self._disk, self._timing, self._status = finding, disk, timing, status
        self._max_stale, self._on_stale = max_stale, on_stale
        self._saved: Table = EMPTY
        self.begin()

    def begin(self) -> None:
        """Everything that a forked child does for itself."""
        self._save_at = NEVER
        self._usage = Usage(self._who, self._shelf) if self._shelf.counts else None
        self._report_at = monotonic() + self._timing.report * (0.8 + 0.4 * chance())
        self._reported_at = -NEVER
        self._feed.every = [self._save, self._report]
        if self._max_stale is not None and self._on_stale != "serve":
            self._feed.every.append(self._look_at_age)

    def heard(self) -> None:
        """A document was applied."""
        if self._disk is not None and self._feed.table is not self._saved:
            self._save_at = min(self._save_at, monotonic() + self._timing.save_after)

    def changed(self, places: tuple[Place, ...]) -> None:
        """Some pointers moved; if the program uses one, people may be watching for it."""
        rows = self._shelf.rows
        if self._usage is not None and any(name in rows.get(label, ()) for label, name in places):
            soon = self._timing.report_soon
            next_allowed = max(monotonic(), self._reported_at + soon)
            self._report_at = min(self._report_at, next_allowed + soon * 0.9 * chance())

    def default(self, name: str, pin: Pin) -> None:
        if self._usage is not None and not impossible(pin, name):
            self._usage.default(name, "" if isinstance(pin, int) else pin)

    def last(self, timeout: float) -> None:
        """At the end: tell what was not told yet, if there is time."""
        if timeout > 0 and not self._feed.closed:
            if self._usage is not None and self._reaches():
                body = self._usage.report(self._status())
                self._feed.call(lambda transport: self._send(transport, body))
            if self._disk is not None and self._save_at != NEVER:
                self._save_now(self._disk)
            self._feed.errands.finish(timeout / 2)

    def _save(self) -> float:
        if self._save_at <= monotonic() and self._disk is not None:
            self._save_now(self._disk)
        return self._save_at

    def _save_now(self, disk: Disk) -> None:
        self._save_at = NEVER
        table = self._saved = self._feed.table
        self._feed.errands.add(lambda: disk.save(table))

    def _report(self) -> float:
        now = monotonic()
        if self._usage is None:
            return NEVER
        if self._report_at <= now:
            self._report_at = now + self._timing.report * (0.8 + 0.4 * chance())
            self._reported_at = now
            body = self._usage.report(self._status())
            # That a program is out of step is worth telling: some other way there may be open.
            if self._reaches() or (self._feed.confirmed and self._feed.state == "stale"):
                self._feed.call(lambda transport: self._send(transport, body))
        return self._report_at

    def _reaches(self) -> bool:
        """Whether the hub has answered of late."""
        return self._feed.confirmed and self._feed.state in ("live", "polling", "retry")

    def _send(self, transport: Transport, body: bytes) -> None:
        ask = Ask(f"{self._who.url}/api/v1/usage", headers(self._who, self._key()))
        try:
            transport.post(ask, body)
        except Exception:  # it may fail for whatever reason: nobody needs it
            return

    def _look_at_age(self) -> float:
        too_old = self._feed.life.heard + (self._max_stale or 0.0)
        if self._feed.state in ("live", "closed") or self._finding.expired:
            return NEVER if self._finding.expired else too_old
        if too_old <= monotonic() and self._shelf.table.pointers:
            self._finding.expire(self._on_stale)
            return NEVER
        return max(too_old, monotonic() + 0.05)
