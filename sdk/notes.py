"""What is noted beside a prompt: how its source is doing, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from time import monotonic

MOST_NAMES = 200


class Life:
    """How the source of a prompt is doing; one for each source, looked at by its prompts."""

    __slots__ = ("heard", "stale")

    def __init__(self) -> None:
        self.heard = monotonic()
        self.stale = False


class Counter:
    """Counts calls of `add`, which is C and so is interrupted by no other thread."""

    __slots__ = ("_last", "add")

    def __init__(self) -> None:
        self.add: Callable[[], int] = count().__next__
        self._last = -1

    def since(self) -> int:
        """Calls since the last time this was asked; to be asked by one thread only."""
        now = self.add()
        calls, self._last = now - self._last - 1, now
        return calls


class Notes:
    """What is counted of a prompt in use.

    Attributes:
        names: what it uses, if that is all it takes to fill it in.
        whole: whether all of these were passed at once.
        passed: other names of variables that were passed.
    """

    __slots__ = ("errors", "names", "passed", "reads", "renders", "whole")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.reads, self.renders, self.errors = Counter(), Counter(), Counter()
        self.names = names
        self.whole = False
        self.passed: dict[str, None] = {}

    def rendered(self, given: Mapping[str, object]) -> None:
        self.renders.add()
        for name in given:
            if name not in self.passed and len(self.passed) < MOST_NAMES:
                self.passed = {**self.passed, name: None}

    def variables(self) -> list[str]:
        """Every name that was passed."""
        return list(dict.fromkeys((*self.passed, *(self.names if self.whole else ()))))
