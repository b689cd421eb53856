"""Places that two people changed differently, and what a person decides for them. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

import msgspec

T = TypeVar("T")
Keep = Literal["mine", "theirs", "both", "edit"]

_TEXT = re.compile(r"message \d+ \(\w+\)|the title|the description")


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """One place that both changed; None where the thing does not exist on that side."""

    where: str
    base: object = None
    mine: object = None
    theirs: object = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided for one place; `both` and `edit` are for texts."""

    keep: Keep
    text: str = ""
    """What stands there instead, with `edit`."""


def is_text(where: str) -> bool:
    """Whether words stand there, so that both can be kept or others written."""
    return _TEXT.fullmatch(where) is not None


def is_list(where: str) -> bool:
    """Whether both sides' additions can stand one after the other."""
    return where.startswith("new messages ")


class Clashes:
    """Collects what could not be merged; mine stands in for it until a person has chosen."""

    def __init__(self, choices: Mapping[str, Choice] | None = None) -> None:
        self.found: list[Clash] = []
        self._choices = choices or {}

    def chosen(self, where: str) -> Choice | None:
        """What was decided for the place."""
        return self._choices.get(where)

    def add(self, where: str, base: object, mine: T, theirs: Any, both: str | None = None) -> T:
        """The value that stands there: what was decided, else mine, noted down.

        `both`: what that means here; None: one text below the other.
        """
        choice = self.chosen(where)
        if choice is None:
            self.found.append(Clash(where=where, base=base, mine=mine, theirs=theirs))
            return mine
        if choice.keep == "theirs":
            return theirs
        if choice.keep == "mine" or not is_text(where):
            return mine
        if choice.keep == "edit":
            return cast("T", choice.text)
        if both is not None:
            return cast("T", both)
        return cast("T", "\n\n".join(str(one) for one in (mine, theirs) if one))
