"""Whoever waits for a page goes first: of what runs behind pages, one thing is done at a time.

A page asks the database a dozen times and comes back to the event loop after each; what fifty
grids have to do meanwhile (begin hundreds of calls, draw their cells) would stand before it every
time. So they take turns, one in a round of the loop, and fewer while a page is being made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

APART = 0.005
"""Seconds from one turn to the next while somebody waits for a page: no line ever stands still."""


class Courtesy:
    """The turns of all that may wait a moment. One event loop; no locks."""

    def __init__(self) -> None:
        self._pages = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._taken = False
        """Somebody has their turn, and the next is called when they had it."""

    def page(self) -> Callable[[], None]:
        """A page begins to be made; call what comes back when it is there, more than once at will.

        >>> courtesy = Courtesy()
        >>> done = courtesy.page()
        >>> done(), done(), courtesy.waited_for
        (None, None, False)
        """
        self._pages += 1
        open_ = [True]

        def done() -> None:
            if open_:
                open_.clear()
                self._pages -= 1

        return done

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for a page now."""
        return self._pages > 0

    async def turn(self) -> None:
        """Wait for one; alone, and while nobody waits for a page, that takes no time."""
        if not self._taken and not self._pages:
            self._call_next()
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(waiter)
        if not self._taken:
            self._call_next()
        await waiter

    def _call_next(self) -> None:
        self._taken = True
        loop = asyncio.get_running_loop()
        if self._pages:
            loop.call_later(APART, self._give)
        else:
            loop.call_soon(self._give)

    def _give(self) -> None:
        self._taken = False
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():  # whoever waited may have gone
                waiter.set_result(None)
                self._call_next()
                return
