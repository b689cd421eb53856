"""Places at one endpoint: so many calls at once, taken in turn by everybody who waits.

Somebody who starts two hundred cells does not keep the next person waiting for all of them: free
places go round, one to each. An endpoint that asked to wait is left alone by everybody until then.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

SAY_AGAIN = 1.0
"""Seconds after which somebody in line is told their place again; the further back, the later."""
PLACES = 20
"""So many places further back is a second later: a page draws anew what is told."""
Waiter = asyncio.Future[None]


class Turns:
    """The places of one endpoint; `size` may be changed while calls go on."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._lines: OrderedDict[object, deque[Waiter]] = OrderedDict()
        self._held_until = 0.0

    @asynccontextmanager
    async def one(self, owner: object, tell: Callable[[int], None]) -> AsyncGenerator[None]:
        """A place for `owner`; `tell` hears the place in line while there is none."""
        await self._take(owner, tell)
        try:
            yield
        finally:
            self.taken -= 1
            self._give()

    def hold(self, seconds: float) -> None:
        """The endpoint asked everybody to wait."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    @property
    def held(self) -> float:
        """Seconds for which it wants to be left alone."""
        return max(0.0, self._held_until - time.monotonic())

    async def _take(self, owner: object, tell: Callable[[int], None]) -> None:
        if self.taken < self.size and not self._lines:
            self.taken += 1
            return
        waiter: Waiter = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(owner, deque())
        line.append(waiter)
        self._give()
        try:
            while not waiter.done():
                place = self._place(owner, waiter)
                tell(place)
                await asyncio.wait((waiter,), timeout=SAY_AGAIN + place / PLACES)
        except asyncio.CancelledError:
            if waiter.done():  # the place came at the same moment: hand it on
                self.taken -= 1
                self._give()
            else:
                self._forget(owner, waiter)
            raise

    def _give(self) -> None:
        while self.taken < self.size and self._lines:
            owner, line = next(iter(self._lines.items()))
            waiter = line.popleft()
            self._lines.move_to_end(owner)
            if not line:
                del self._lines[owner]
            self.taken += 1
            waiter.set_result(None)

    def _forget(self, owner: object, waiter: Waiter) -> None:
        line = self._lines[owner]
        line.remove(waiter)
        if not line:
            del self._lines[owner]

    def _place(self, owner: object, waiter: Waiter) -> int:
        """Counted from 1: how many calls begin before this one, and it."""
        mine = self._lines[owner].index(waiter)
        place, ahead = mine + 1, True
        for other, line in self._lines.items():
            if other == owner:
                ahead = False
            else:
                place += min(len(line), mine + ahead)
        return place
