"""What is noted beside a prompt: how its source is doing, and what is done with it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from time import monotonic

MOST_NAMES = 200


class Life:
    """How the source of a prompt is doing; one for each source, looked at by its prompts."""

    __slots__ = ("heard", "stale")

    def __init__(self) -> None:
        self.heard = monotonic()
        self.stale = False


class Notes:
    """What is counted of a prompt in use, by `next(notes.reads)`: that is C, and so is interrupted
    by no other thread.

    Attributes:
        names: what it uses, if that is all it takes to fill it in.
        whole: whether all of these were passed at once.
        passed: other names of variables that were passed.
    """

    __slots__ = ("_told", "errors", "names", "passed", "reads", "renders", "whole")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.reads, self.renders, self.errors = count(), count(), count()
        self._told = (-1, -1, -1)
        self.names = names
        self.whole = False
        self.passed: tuple[str, ...] = ()

    def rendered(self, given: Mapping[str, object]) -> tuple[str, ...]:
        """Count it; returns the names that nobody has passed before."""
        next(self.renders)
        new = tuple(name for name in given if name not in self.passed)[:MOST_NAMES]
        if new and len(self.passed) < MOST_NAMES:
            self.passed = (*self.passed, *new)
            return new
        return ()

    def since(self) -> tuple[int, int, int]:
        """Reads, renderings and errors since the last time; to be asked by one thread only."""
        now = next(self.reads), next(self.renders), next(self.errors)
        was, self._told = self._told, now
        return now[0] - was[0] - 1, now[1] - was[1] - 1, now[2] - was[2] - 1

    def variables(self) -> list[str]:
        """Every name that was passed."""
        return list(dict.fromkeys((*self.passed, *(self.names if self.whole else ()))))
