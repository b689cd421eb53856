"""Under the columns of a grid: how good, how fast and how dear each of them is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import msgspec

from hub.playground.cells import fits
from hub.playground.expected import judgeable, judged
from hub.playground.models import Grid
from hub.playground.totals import Total, Volume, total
from hub.playground.view import Cells, Runs


def feet(
    found: Grid, cells: Cells, runs: Runs, order: Sequence[int], volume: Volume
) -> list[Total]:
    """A total for each column, in that order."""
    made: list[Total] = []
    for column in order:
        mine = {place: cell for place, cell in cells.items() if place[1] == column}
        foot = total(list(mine.values()), volume)
        made.append(_with_good(foot, found, mine, runs))
    return made


def _with_good(foot: Total, found: Grid, mine: Cells, runs: Runs) -> Total:
    """Answers as their examples expect them, those that failed among the others; and ratings."""
    found_so = [
        judged(expected, cell.state, cell.output)
        for (row, _, _), cell in mine.items()
        if judgeable(expected := found.rows[row].get("expected"))
    ]
    right = (sum(map(bool, found_so)), len(found_so)) if found_so else None
    lines = [f"{right[0]} of {right[1]} as expected"] if right else []
    shaped = [fit for cell in mine.values() if (fit := fits(cell)) is not None]
    shape = (sum(shaped), len(shaped)) if shaped else None
    lines += [f"{shape[0]} of {shape[1]} fit their shape"] if shape else []
    ratings = [rating for place in mine if (rating := runs[place].rating)]
    if ratings:
        each = f" on average, {len(ratings)} answers" if len(ratings) > 1 else ""
        lines.append(f"rated {fmean(ratings):.1f} of 5{each}")
    return msgspec.structs.replace(
        foot, lines=(*lines, *foot.lines), right=right, shape=shape,
        rating=fmean(ratings) if ratings else None,
    )  # fmt: skip
