"""Grids for programs."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import exports
from hub.playground.bodies import GridOut, grid_out
from hub.playground.pages.common import playground_of
from hub.registry.rest.api_parts import as_json
from hub.registry.rest.api_schema import READS, described
from hub.web import Ask


@get(
    "/api/v1/grids/{grid_id:int}", needs=Need.READ, name="api:grid", include_in_schema=True,
    operation_id="getGrid", summary="Get a grid", tags=["grids"],
    operation_class=described(GridOut, errors=(*READS, 409)),
)  # fmt: skip
async def one_grid(
    request: Ask,
    grid_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """As it is now, while it runs and ever after: its columns, its rows, and every call."""
    playground = playground_of(request)
    return as_json(grid_out(*await exports.read(playground, db, workspace.id, grid_id, actor)))


ROUTES = [one_grid]
