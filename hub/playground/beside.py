"""The columns of a grid held against each other: a line for each, a figure for each measure. Pure.

Ten columns over thirty examples are sixty screens; which of them it should be is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from hub.playground.cells import dollars, seconds
from hub.playground.totals import Total


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`26 of 30`; empty: not known."""

    text: str
    best: bool = False
    """No other column has a better one, and some have a worse one."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One column."""

    head: dict[str, Any]
    """As it stands above the column."""
    figures: list[Figure]


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    measures: list[tuple[str, str]]
    """What each figure is, and the class of its cells."""
    lines: list[Line]
    loose: bool
    """Times were taken while calls ran at once, so none of them is the best."""
    monthly: bool
    """What a month costs is known of one of them."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    read: Callable[[Total], tuple[float, str] | None]
    """How good it is, the more the better, and as it is written."""
    timed: bool = False
    fault: bool = False
    """Only where some have it, and to have none of it is no merit."""
    wide: bool = False
    """Not on a narrow screen."""


def beside(heads: Sequence[dict[str, Any]], feet: Sequence[Total], *, solo: bool) -> Beside | None:
    """The table, with those measures that any of the columns has; None: nothing to compare."""
    if len(feet) < 2 or not any(foot.answered for foot in feet):
        return None
    read = [(one, [one.read(foot) for foot in feet]) for one in _MEASURES]
    shown = [(one, found) for one, found in read if _told(one, found)]
    columns = [
        _figures(found, ranked=not one.fault and (solo or not one.timed)) for one, found in shown
    ]
    return Beside(
        measures=[(one.name, "end wide-only" if one.wide else "end") for one, _ in shown],
        lines=[
            Line(head=head, figures=list(figures))
            for head, figures in zip(heads, zip(*columns, strict=True), strict=True)
        ],
        loose=not solo and any(one.timed for one, _ in shown),
        monthly=any(foot.month is not None for foot in feet),
    )  # fmt: skip


def _told(measure: Measure, found: list[tuple[float, str] | None]) -> bool:
    known = [one[0] for one in found if one]
    return any(known) if measure.fault else bool(known)


def _figures(found: list[tuple[float, str] | None], *, ranked: bool) -> list[Figure]:
    """Those that are written alike are as good as each other."""
    known = [one for one in found if one]
    best = max(known)[1] if ranked and len({text for _, text in known}) > 1 else None
    return [Figure(text=one[1], best=one[1] == best) if one else Figure(text="") for one in found]


def _right(foot: Total) -> tuple[float, str] | None:
    if foot.right is None:
        return None
    good, judged = foot.right
    return good / judged, f"{good} of {judged}"


def _shape(foot: Total) -> tuple[float, str] | None:
    if foot.shape is None:
        return None
    good, judged = foot.shape
    return good / judged, f"{good} of {judged}"


def _rating(foot: Total) -> tuple[float, str] | None:
    return (foot.rating, f"{foot.rating:.1f}") if foot.rating is not None else None


def _chosen(foot: Total) -> tuple[float, str] | None:
    return (foot.chosen[0], f"{foot.chosen[0]} of {foot.chosen[1]}") if foot.chosen else None


def _lacking(foot: Total) -> tuple[float, str]:
    return foot.lacking, str(foot.lacking)


def _least(
    field: str, write: Callable[[float], str]
) -> Callable[[Total], tuple[float, str] | None]:
    def read(foot: Total) -> tuple[float, str] | None:
        value = getattr(foot, field)
        return (-value, write(value)) if value is not None else None

    return read


def _month(value: float) -> str:
    return f"${value:,.2f}" if value < 1000 else f"${value:,.0f}"


_MEASURES = (
    Measure(name="As expected", read=_right),
    Measure(name="Fits its shape", read=_shape),
    Measure(name="Chosen", read=_chosen),
    Measure(name="Rated", read=_rating),
    Measure(name="No answer", read=_lacking, fault=True),
    Measure(name="First word", read=_least("first_s", seconds), timed=True),
    Measure(name="Whole answer", read=_least("whole_s", seconds), timed=True, wide=True),
    Measure(name="1,000 answers", read=_least("thousand", dollars), wide=True),
    Measure(name="A month", read=_least("month", _month)),
)
