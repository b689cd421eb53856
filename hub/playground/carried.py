"""Answers that a grid takes over from the one before, while others are asked again."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, case, insert, literal, select, true, tuple_

from hub.playground.live import Place
from hub.playground.models import Run

_FROM = "kept from #"


class Before(msgspec.Struct, frozen=True):
    """The grid that ran before, and what is not taken over of it."""

    grid_id: int
    asked: frozenset[Place]


def carry(db: Connection, grid_id: int, before: Before) -> None:
    """Write down what the others have answered, with figures and ratings, as this grid's.

    They count as not asked (`cached`), and say where they come from.
    """
    own: dict[str, ColumnElement[Any]] = {
        "grid_id": literal(grid_id), "cached": true(), "note": _note(before.grid_id),
    }  # fmt: skip
    kept = [one for one in Run.__table__.columns if one.name != "id"]
    names = [one.name for one in kept]
    taken = select(*[own.get(one.name, one).label(one.name) for one in kept]).where(
        Run.grid_id == before.grid_id,
        tuple_(Run.row, Run.column, Run.sample).not_in(before.asked),
    )
    db.execute(insert(Run).from_select(names, taken))


def _note(grid_id: int) -> ColumnElement[str]:
    """One that was taken over before names the grid that did ask."""
    here = literal(f"{_FROM}{grid_id}")
    return case(
        (Run.note.like(f"{_FROM}%"), Run.note),
        (Run.note == "", here),
        else_=here + literal(" · ") + Run.note,
    )
