"""A grid as it is looked at: stacks of answers, equal ones together. No markup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.playground.calls import Call
from hub.playground.cells import Cell, cell_of
from hub.playground.expected import judged
from hub.playground.live import Place
from hub.playground.look import Look
from hub.playground.models import Grid, Run
from hub.registry.prompt.segments import Segment, segments

LONGEST_COMPARED = 100_000
"""Characters of two answers together; of longer ones it is only said that they differ."""
Cells = Mapping[Place, Run | Call]
Runs = Mapping[Place, Run]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, or several that are the same."""

    key: str
    """`row-column-sample` as they are shown, from 0."""
    cell: Cell
    count: int
    run_id: int
    rating: int | None
    remark: str
    words: tuple[Segment, ...]
    """The change against the answer of the column it is compared with; empty: not compared."""
    differs: bool
    right: bool | None
    """What its example expects; None: nothing is expected, or it is not to be told."""
    other_words: bool
    """Than those of a long expected answer, which are not there to be met one by one."""


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """What one column answers to one example."""

    key: str
    """`row-column` as they are shown."""
    answers: list[Answer]
    of: int
    """How many samples there are."""


def stack(
    cells: Cells, runs: Runs, look: Look, row: int, column: int, samples: int,
    expected: str | None = None,
) -> Stack:  # fmt: skip
    """The samples of one place: those that are over and equal are one, with their number."""
    base = cells.get((row, look.base, 0)) if look.base not in (None, column) else None
    groups: dict[tuple[str, str, str], list[int]] = {}
    for sample in range(samples):
        groups.setdefault(_alike(cells[row, column, sample], sample), []).append(sample)
    shown = f"{row}-{look.at(column)}"
    answers = [
        _answer(
            f"{shown}-{same[0]}", cells[row, column, same[0]], runs[row, column, same[0]],
            base, count=len(same), hidden=look.hidden, expected=expected,
        )
        for same in groups.values()
    ]  # fmt: skip
    return Stack(key=shown, answers=answers, of=samples)


def _alike(cell: Run | Call, sample: int) -> tuple[str, str, str]:
    """What makes two samples the same; one that goes on is like no other."""
    if cell.state in ("waiting", "running"):
        return (cell.state, str(sample), "")
    return (cell.state, cell.output.strip(), cell.error or "")


def _answer(
    key: str, cell: Run | Call, run: Run, base: Run | Call | None, *, count: int, hidden: bool,
    expected: str | None,
) -> Answer:  # fmt: skip
    compared = base is not None and base.state == "done" and cell.state == "done"
    differs = bool(base and compared and base.output.strip() != cell.output.strip())
    near = len(cell.output) + len(base.output if base else "") <= LONGEST_COMPARED
    read, right = cell_of(cell), judged(expected, cell.state, cell.output)
    return Answer(
        key=key, cell=_kept_back(read) if hidden else read,
        count=count, run_id=run.id, rating=run.rating, remark=run.remark, differs=differs,
        words=segments(base.output, cell.output) if base and differs and near else (),
        right=None if hidden else right,
        other_words=bool(expected) and right is None and cell.state == "done" and not hidden,
    )  # fmt: skip


def _kept_back(cell: Cell) -> Cell:
    """Without what gives away whose answer it is."""
    return msgspec.structs.replace(
        cell, figures=[], alarms=[], reasoning="", why="", error="It failed." if cell.error else "",
        wait="Waiting…" if cell.wait and cell.state in ("waiting", "writing") else cell.wait,
    )  # fmt: skip


def title_of(found: Grid, options_title: str) -> str:
    """The question, or the prompt and a number."""
    return options_title or f"{found.prompt_name} #{found.id}"


def heads(found: Grid, look: Look, notes: list[str]) -> list[dict[str, Any]]:
    """The columns' heads, in the order they are shown; letters while the names are hidden."""
    made: list[dict[str, Any]] = []
    for at, column in enumerate(look.order):
        one = found.columns[column]
        letter = chr(ord("A") + at)
        made.append(
            {
                "number": at + 1 if not look.alone else None,
                "at": column,
                "title": letter if look.hidden else f"{one['title']} · {one['model']}",
                "note": "names are hidden" if look.hidden else notes[column],
                "base": look.base == column,
            }
        )
    return made
