"""A grid to take along: CSV, JSON, Markdown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import NotFound
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import exports
from hub.playground.look import read_look
from hub.playground.pages.common import playground_of
from hub.web import Ask

_KINDS = {"csv": "text/csv", "json": "application/json", "md": "text/markdown"}


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
    found = await exports.read(playground_of(request), db, workspace.id, grid_id, actor)
    write = _writer(request, kind, f"/{workspace.slug}/grid/{grid_id}")
    text = await asyncio.to_thread(write, *found)  # hundreds of long answers take seconds
    name = f"grid-{grid_id}.{kind}"
    return Response(
        text.encode("utf-8", "replace"), media_type=_KINDS[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )  # fmt: skip


def _writer(request: Ask, kind: str, here: str) -> Callable[..., str]:
    """The report says a month at the volume that was looked at, which its address keeps."""
    if kind != "md":
        return exports.to_csv if kind == "csv" else exports.to_json
    asked = read_look(request.query_params, [], hidden=False)
    address = f"{request.app.state.settings.url}{here}{asked.query}"
    return partial(exports.to_markdown, volume=asked.volume, address=address)


ROUTES = [export]
