"""A grid as a file: for a spreadsheet, for a program, for a report."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict
from hub.people.policy import Actor
from hub.playground import columns, grid, votes
from hub.playground.bodies import grid_out
from hub.playground.calls import Call
from hub.playground.expected import judged
from hub.playground.feet import feet
from hub.playground.live import Place
from hub.playground.models import Grid, Run
from hub.playground.options import options_of
from hub.playground.room import Playground
from hub.playground.totals import Total, Volume
from hub.playground.values import show
from hub.playground.view import title_of

_FIGURES = (
    "state", "output", "error", "finish_reason", "queued_s", "load_s", "first_token_s", "total_s",
    "tokens_per_s", "tokens_in", "tokens_cached", "tokens_out", "tokens_reasoning", "cost_usd",
    "guards_s", "guards_usd",
    "cost_from",
)  # fmt: skip
_WORDS = {True: "yes", False: "no", None: ""}
HIDDEN = "Whose answers these are is hidden until you have voted; then they can be taken along."
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Some spreadsheets pass over white space, and take the wide signs for the narrow ones."""

Cells = Mapping[Place, Run | Call]


async def read(
    playground: Playground, db: AsyncSession, workspace_id: int, grid_id: int, actor: Actor
) -> tuple[Grid, Cells, Mapping[Place, Run]]:
    """A grid as it is now, what became of each call, and how it is written down.

    Raises:
        Conflict: the names are hidden from whoever asks.
        NotFound: there is no such grid here.
    """
    found = await grid.get(db, workspace_id, grid_id)
    if await votes.names_hidden(db, found, actor):
        raise Conflict(HIDDEN)
    runs = await grid.runs_of(db, grid_id)
    return found, grid.cells(runs, playground.live.get(grid_id)), runs


def to_json(found: Grid, cells: Cells, runs: Mapping[Place, Run]) -> str:
    return msgspec.json.format(msgspec.json.encode(grid_out(found, cells, runs)), indent=2).decode()


def to_csv(found: Grid, cells: Cells, runs: Mapping[Place, Run]) -> str:
    """A line for each answer; a cell that a spreadsheet would take for a formula is quoted."""
    names = list(dict.fromkeys(name for row in found.rows for name in row["variables"]))
    out = io.StringIO()
    writer = csv.writer(out)
    head = ["example", *names, "expected", "version", "model", "where", "settings", "sample"]
    ends = ("as_expected", "rating", "note", "thoughts", "remarks")
    writer.writerow([*map(_tame, head), *_FIGURES, *ends])
    for (row, column, sample), cell in sorted(cells.items()):
        asked, how, run = found.rows[row], found.columns[column], runs[row, column, sample]
        line = [
            asked["name"], *(show(asked["variables"].get(name, "")) for name in names),
            asked.get("expected") or "", how["title"], how["model"], how["where"],
            ", ".join(columns.settings(how)), sample + 1,
            *(getattr(cell, name) for name in _FIGURES),
            _WORDS[judged(asked.get("expected"), cell.state, cell.output)],
            run.rating or "", run.remark, cell.reasoning, cell.note,
        ]  # fmt: skip
        writer.writerow([_tame(one) if isinstance(one, str) else one for one in line])
    return out.getvalue()


def to_markdown(
    found: Grid, cells: Cells, runs: Mapping[Place, Run], *, volume: Volume, address: str
) -> str:
    """A report: how the columns did, then example by example the answers below each other."""
    parts = [f"# {title_of(found, options_of(found.options).title)}"]
    when = f"{found.created_at:%Y-%m-%d %H:%M} UTC"
    parts.append(f"Prompt `{found.prompt_name}`, run by {found.created_by} on {when}: <{address}>")
    parts += ["## In all", _in_all(found, feet(found, cells, runs, _every(found), volume))]
    for at, row in enumerate(found.rows):
        parts.append(f"## {row['name']}")
        parts += [f"- {name}: {show(value)}" for name, value in row["variables"].items()]
        if row.get("expected"):
            parts.append(f"- expected: {row['expected']}")
        for (line, column, sample), cell in sorted(cells.items()):
            if line == at:
                how = found.columns[column]
                again = f", sample {sample + 1}" if sample else ""
                told = f"### {how['title']} · {how['model']} · {columns.note(how)}"
                parts.append(told + again)
                parts += _said(cell)
    return "\n\n".join(parts) + "\n"


def _every(found: Grid) -> range:
    return range(len(found.columns))


def _in_all(found: Grid, totals: list[Total]) -> str:
    """A table with a line for each column, as under the columns of the page."""
    lines = [("Column", "In all", "A month of it"), ("---", "---", "---")]
    for how, foot in zip(found.columns, totals, strict=True):
        name = f"{how['title']} · {how['model']} · {columns.note(how)}"
        month = (
            f"**${foot.month:,.2f}**: {foot.formula}" if foot.month is not None else foot.formula
        )
        lines.append((name, "; ".join(foot.lines), month))
    cells = ([one.replace("|", "\\|") for one in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _said(cell: Call | Run) -> list[str]:
    """The answer; behind it what it thought before, and what was done differently."""
    parts = [_fenced(cell.output or cell.error or cell.state)]
    parts += ["What it thought first:", _fenced(cell.reasoning)] if cell.reasoning else []
    return parts + ([f"_{cell.note}_"] if cell.note else [])


def _fenced(text: str) -> str:
    """In a fence that is longer than any in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def _tame(text: str) -> str:
    return f"'{text}" if text.startswith(_RISKY) else text
