"""An answer that is still to come, for threads and event loops alike.

`concurrent.futures` would do, but imports logging; `import sdk` is to cost next to nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sdk.flow import Said

if TYPE_CHECKING:
    import asyncio


class Answer:
    """Given once, by one thread; any number may wait, each as long as it likes."""

    __slots__ = ("_come", "_lock", "_then", "said")

    def __init__(self) -> None:
        self.said: Said | None = None
        self._come = threading.Event()
        self._lock = threading.Lock()
        self._then: list[Callable[[], None]] = []

    def give(self, said: Said) -> None:
        """Wake everybody who waits."""
        with self._lock:
            self.said = said
            then, self._then = self._then, []
        self._come.set()
        for wake in then:
            wake()

    def wait(self, seconds: float) -> Said | None:
        """What was said, or None if it takes longer; blocks this thread."""
        self._come.wait(max(0.0, seconds))
        return self.said

    async def arrive(self, seconds: float) -> Said | None:
        """`wait` for event loops; who is cancelled or gives up takes nothing from the others."""
        import asyncio  # loaded long since where a loop runs; 30 ms for programs without

        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            # If the loop has ended meanwhile, so has the waiter.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_release, waiter)

        with self._lock:
            if self.said is not None:
                return self.said
            self._then.append(wake)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(waiter, max(0.0, seconds))
        finally:
            with self._lock, suppress(ValueError):
                self._then.remove(wake)
        return self.said


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
