"""What the REST interface says of grids and their runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from hub.playground.calls import Call
from hub.playground.models import Grid, Run


class RunOut(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: one call of a model, and what became of it."""

    row: int
    column: int
    state: str
    """waiting, running, done, failed or stopped."""
    output: str
    error: str | None
    finish_reason: str | None
    first_token_s: float | None
    total_s: float | None
    tokens_per_s: float | None
    tokens_in: int | None
    tokens_out: int | None
    estimated: bool
    """The endpoint did not say how many tokens; these are our estimate."""
    cost_usd: float | None
    request: dict[str, Any]
    """What the model was sent."""


class GridOut(msgspec.Struct, frozen=True, kw_only=True):
    """A grid as it is now: versions and models in columns, examples in rows, a run where they
    meet; both count from 0."""

    id: int
    prompt: str
    state: str
    """running, done or stopped."""
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    columns: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    runs: list[RunOut]


def run_out(row: int, column: int, run: Call | Run) -> RunOut:
    """A call that goes on and one that was written down are told alike."""
    names = [name for name in RunOut.__struct_fields__ if name not in ("row", "column")]
    return RunOut(row=row, column=column, **{name: getattr(run, name) for name in names})


def grid_out(found: Grid, runs: list[RunOut]) -> GridOut:
    return GridOut(
        id=found.id, prompt=found.prompt_name, state=found.state, created_by=found.created_by,
        created_at=found.created_at, finished_at=found.finished_at, columns=found.columns,
        rows=found.rows, runs=runs,
    )  # fmt: skip
