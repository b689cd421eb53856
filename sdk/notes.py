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


class Notes:
    """What is counted of a prompt in use; counters of C, which no thread can interrupt.

    `reads` is once for each read, `renders` once for each rendering.
    """

    __slots__ = ("errors", "passed", "reads", "renders", "whole")

    def __init__(self) -> None:
        self.reads: Callable[[], int] = count().__next__
        self.renders: Callable[[], int] = count().__next__
        self.errors: Callable[[], int] = count().__next__
        self.passed: dict[str, None] = {}
        """Names of variables that were passed, as far as they had to be looked at."""
        self.whole = False
        """Whether all that it uses was passed at once."""

    def rendered(self, given: Mapping[str, object]) -> None:
        self.renders()
        for name in given:
            if name not in self.passed and len(self.passed) < MOST_NAMES:
                self.passed = {**self.passed, name: None}
