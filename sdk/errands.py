"""Things to be done behind everybody's back, one after the other: by a thread that is there only
while there is something to do."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

MOST = 1000


class Errands:
    """Whatever an errand does, raise or hang, it holds up the next errands and nothing else."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._todo: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, errand: Callable[[], object]) -> None:
        """Have it done soon; where a thousand wait, it is dropped."""
        with self._lock:
            if len(self._todo) >= MOST:
                return
            self._todo.append(errand)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no threads left, or the program is ending
                    self._todo.clear()
                    return
                self._thread = thread

    def finish(self, timeout: float) -> None:
        """Wait until all is done, but no longer than that."""
        ends = monotonic() + timeout
        while (thread := self._thread) is not None and thread is not threading.current_thread():
            left = ends - monotonic()
            if left <= 0:
                return
            thread.join(left)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._todo:
                    self._thread = None
                    return
                errand = self._todo.popleft()
            try:
                errand()
            except Exception as error:
                warn_once(f"a listener or a background task failed ({type(error).__name__})")


_said: set[str] = set()


def warn_once(sentence: str) -> None:
    """Once in the life of the program; after a thousand different ones no more are said."""
    if sentence not in _said and len(_said) < MOST:
        _said.add(sentence)
        warn(sentence)


def warn(sentence: str) -> None:
    """A line in the log of the program."""
    import logging

    logging.getLogger("prompthub").warning("Prompt Hub: %s", sentence)
