"""Grids for programs."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Need, WorkspaceRef
from hub.playground import grid
from hub.playground.bodies import GridOut, grid_out, run_out
from hub.playground.pages.common import playground_of
from hub.registry.api_parts import as_json
from hub.registry.api_schema import READS, described
from hub.web import Ask


@get(
    "/api/v1/grids/{grid_id:int}", needs=Need.READ, name="api:grid", include_in_schema=True,
    operation_id="getGrid", summary="Get a grid", tags=["grids"],
    operation_class=described(GridOut, errors=READS),
)  # fmt: skip
async def one_grid(
    request: Ask,
    grid_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """As it is now, while it runs and ever after: its columns, its rows, and every cell."""
    found = await grid.get(db, workspace.id, grid_id)
    live = playground_of(request).live.get(grid_id)
    cells = grid.cells(await grid.runs_of(db, grid_id), live)
    runs = [run_out(row, column, cell) for (row, column), cell in sorted(cells.items())]
    return as_json(grid_out(found, runs))


ROUTES = [one_grid]
