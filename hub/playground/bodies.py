"""What the REST interface says of grids and their runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from hub.playground.calls import Call
from hub.playground.expected import judged
from hub.playground.live import Place
from hub.playground.models import Grid, Run
from hub.playground.options import options_of


class RunOut(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: one call of a model, and what became of it."""

    row: int
    column: int
    sample: int
    """From 0: the same question may be asked several times."""
    state: str
    """waiting, running, done, failed or stopped."""
    model: str
    connection: str
    """Who was asked; of an alias, who answered."""
    output: str
    reasoning: str
    """What the model thought before it answered, where it says so."""
    tool_calls: list[dict[str, str]] | None
    """`id`, `name` and `arguments`, which are JSON as the model wrote it."""
    error: str | None
    finish_reason: str | None
    queued_s: float | None
    load_s: float | None
    first_token_s: float | None
    """From the moment it was its turn; standing in line and loading are told apart."""
    total_s: float | None
    tokens_per_s: float | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    """Of those in, read from the provider's cache."""
    tokens_written: int | None
    """Of those in, written to it."""
    tokens_reasoning: int | None
    """Of those out."""
    estimated: bool
    """The endpoint did not say how many tokens; these are our estimate."""
    cost_usd: float | None
    cost_from: str | None
    """Whose figure the cost is: the list of a day, the provider's own, or the workspace's."""
    guards_s: float | None
    guards_usd: float | None
    """What its guards added to it; of guards without a price only the time is known."""
    device: str | None
    """cpu or gpu, for a model of the hub's machine."""
    request: dict[str, Any]
    """What the model was sent."""
    note: str
    """What was done differently, or found out: `ignored: seed · fits its shape`."""
    cached: bool
    """Not asked: the kept answer to the same request."""
    as_expected: bool | None
    """Whether the whole answer is what its example expects: whatever the capitals, the space and
    a full stop at the end, and JSON by what it holds. Null: nothing is expected, or it did not
    come."""
    rating: int | None
    """1 to 5, by a person."""
    remark: str


class GridOut(msgspec.Struct, frozen=True, kw_only=True):
    """A grid as it is now: versions and models in columns, examples in rows, a run where they
    meet; both count from 0."""

    id: int
    prompt: str
    title: str
    """The question it shall answer, if somebody put one."""
    state: str
    """running, done or stopped."""
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    columns: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    runs: list[RunOut]


def run_out(place: Place, run: Call | Run, kept: Run, expected: str | None) -> RunOut:
    """A call that goes on and one that was written down are told alike.

    `kept`: its row, for what people say of it.
    """
    row, column, sample = place
    own = {"row": row, "column": column, "sample": sample}
    said = {"cached": kept.cached, "rating": kept.rating, "remark": kept.remark}
    said["as_expected"] = judged(expected, run.state, run.output)
    names = [name for name in RunOut.__struct_fields__ if name not in own | said]
    return RunOut(**own, **said, **{name: getattr(run, name) for name in names})


def grid_out(found: Grid, cells: Mapping[Place, Run | Call], runs: Mapping[Place, Run]) -> GridOut:
    """A grid as it is now, what became of each call, and how it is written down."""
    return GridOut(
        id=found.id, prompt=found.prompt_name, title=options_of(found.options).title,
        state=found.state, created_by=found.created_by, created_at=found.created_at,
        finished_at=found.finished_at, columns=found.columns, rows=found.rows,
        runs=[
            run_out(place, cell, runs[place], found.rows[place[0]].get("expected"))
            for place, cell in sorted(cells.items())
        ],
    )  # fmt: skip
