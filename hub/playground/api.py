"""Grids for programs."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Need, WorkspaceRef
from hub.playground import grid
from hub.playground.cells import as_json
from hub.playground.pages.common import playground_of
from hub.web import Ask


@get("/api/v1/grids/{grid_id:int}", needs=Need.READ, name="api:grid", include_in_schema=True)
async def one_grid(
    request: Ask,
    grid_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> dict[str, Any]:
    """A grid as it is now: its columns, its rows, and what became of each cell."""
    found = await grid.get(db, workspace.id, grid_id)
    live = playground_of(request).live.get(grid_id)
    cells = grid.cells(await grid.runs_of(db, grid_id), live)
    return {
        "id": found.id,
        "prompt": found.prompt_name,
        "state": found.state,
        "created_by": found.created_by,
        "created_at": found.created_at,
        "finished_at": found.finished_at,
        "columns": found.columns,
        "rows": found.rows,
        "runs": [
            {"row": row, "column": column, **as_json(cell)}
            for (row, column), cell in sorted(cells.items())
        ],
    }


ROUTES = [one_grid]
