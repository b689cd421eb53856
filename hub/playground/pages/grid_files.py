"""A grid to take along: CSV, JSON, Markdown."""

from __future__ import annotations

import asyncio

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import NotFound
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import exports
from hub.playground.pages.common import playground_of
from hub.web import Ask

_KINDS = {
    "csv": ("text/csv", exports.to_csv),
    "json": ("application/json", exports.to_json),
    "md": ("text/markdown", exports.to_markdown),
}


@get("/{slug:str}/grid/{grid_id:int}/as/{kind:str}", needs=Need.READ, name="grid:export")
async def export(
    request: Ask,
    grid_id: FromPath[int],
    kind: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """The whole grid as a file."""
    if kind not in _KINDS:
        raise NotFound("A run can be had as csv, json or md.")
    media, write = _KINDS[kind]
    found = await exports.read(playground_of(request), db, workspace.id, grid_id, actor)
    text = await asyncio.to_thread(write, *found)  # hundreds of long answers take seconds
    name = f"grid-{grid_id}.{kind}"
    return Response(
        text.encode("utf-8", "replace"), media_type=media,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )  # fmt: skip


ROUTES = [export]
