"""Under the columns of a grid: how good, how fast and how dear each of them is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import msgspec

from hub.playground.expected import judged
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
        good = _good(found, mine, runs)
        made.append(msgspec.structs.replace(foot, lines=(*good, *foot.lines)))
    return made


def _good(found: Grid, mine: Cells, runs: Runs) -> list[str]:
    """Answers as their examples expect them, those that failed among the others; and ratings."""
    found_so = [
        judged(expected, cell.state, cell.output)
        for (row, _, _), cell in mine.items()
        if (expected := found.rows[row].get("expected"))
    ]
    lines: list[str] = []
    if found_so:
        lines.append(f"{sum(map(bool, found_so))} of {len(found_so)} as expected")
    ratings = [rating for place in mine if (rating := runs[place].rating)]
    if ratings:
        each = f" on average, {len(ratings)} answers" if len(ratings) > 1 else ""
        lines.append(f"rated {fmean(ratings):.1f} of 5{each}")
    return lines
