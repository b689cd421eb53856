"""Slows down guessing: after a few failures a name or an address has to wait, longer each time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import msgspec

from hub.errors import HubError

REMEMBERED = 24 * 3600.0
KEPT = 50_000
SHARED = 6
"""An address may stand for a whole ward: it gets so many times the free failures of a person."""


class TooMany(HubError):
    """Too many attempts; says when to come back."""

    status = 429


class _Failures(msgspec.Struct):
    count: int = 0
    last: float = 0.0


class Backoff:
    """`free` failures cost nothing; after them the wait doubles from one second to `longest`."""

    def __init__(
        self, *, free: int = 5, longest: float = 900.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._free = free
        self._longest = longest
        self._clock = clock
        self._failures: dict[str, _Failures] = {}

    def attempt(self, *names: str) -> None:
        """Count an attempt as failed before it is made, so that many at once gain nothing.

        Raises:
            TooMany: one of the names still has to wait; the same sentence whoever asks.
        """
        wait = max((self._wait(name) for name in names), default=0.0)
        if wait > 0:
            seconds = int(wait) + 1
            said = f"{seconds} seconds" if seconds < 120 else f"{seconds // 60 + 1} minutes"
            raise TooMany(f"Too many attempts. Try again in {said}.", retry_after=seconds)
        if len(self._failures) > KEPT:
            self._forget_old()
        for name in names:
            failures = self._failures.setdefault(name, _Failures())
            failures.count += 1
            failures.last = self._clock()

    def succeeded(self, name: str, *shared: str) -> None:
        """Forget the failures of `name`; of what others share (an address) just this attempt."""
        self._failures.pop(name, None)
        for one in shared:
            if failures := self._failures.get(one):
                failures.count -= 1

    def _wait(self, name: str) -> float:
        failures = self._failures.get(name)
        free = self._free * (SHARED if name.startswith("address ") else 1)
        if failures is None or failures.count < free:
            return 0.0
        since = self._clock() - failures.last
        if since > REMEMBERED:
            del self._failures[name]
            return 0.0
        return min(2.0 ** (failures.count - free), self._longest) - since

    def _forget_old(self) -> None:
        """Drop the oldest half: an attacker with many names must not fill the memory."""
        by_age = sorted(self._failures.items(), key=lambda item: item[1].last)
        self._failures = dict(by_age[len(by_age) // 2 :])
