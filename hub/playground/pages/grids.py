"""A grid: its page and its one event stream; and what ran lately."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import grid, votes
from hub.playground.options import options_of
from hub.playground.pages import grid_parts
from hub.playground.pages.common import playground_of
from hub.playground.pages.crowd import in_turn
from hub.playground.pages.grid_parts import Seen
from hub.playground.stream import DONE, Pieces, event, once, watch
from hub.playground.view import title_of
from hub.web import Ask, page

PAGE = 30


@get("/{slug:str}/playground", needs=Need.READ, name="playground")
async def recent_page(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    before: FromQuery[int | None] = None,
) -> Template:
    """What was run lately."""
    found = await grid.recent(db, workspace.id, before=before, limit=PAGE)
    failed = await grid.failures(db, [one.id for one in found])
    lines = [
        {
            "grid": one,
            "title": title_of(one, options_of(one.options).title),
            "columns": [f"{column['title']} · {column['model']}" for column in one.columns],
            "hidden": await votes.names_hidden(db, one, actor),
            "size": grid_parts.size(one, options_of(one.options).samples),
            "failed": failed.get(one.id, 0),
        }
        for one in found
    ]
    older = f"/{workspace.slug}/playground?before={found[-1].id}" if len(found) == PAGE else None
    return page(
        request, "playground/recent.html", section="playground",
        grids=lines, next_url=older, first=before is not None,
    )  # fmt: skip


@get("/{slug:str}/grid/{grid_id:int}", needs=Need.READ, name="grid", middleware=[in_turn])
async def grid_page(
    request: Ask, grid_id: FromPath[int], db: NamedDependency[AsyncSession]
) -> Template:
    """The grid as it is now: finished, or with a stream that goes on from here."""
    seen = await grid_parts.see(request, db, grid_id)
    stacks = await grid_parts.drawn(request, seen)
    shown = grid_parts.shown(request, seen, stacks)
    return page(request, "playground/grid.html", section="playground", **shown)


@get(
    "/{slug:str}/grid/{grid_id:int}/events", needs=Need.READ, name="grid:events",
    middleware=[in_turn],
)  # fmt: skip
async def grid_events(
    request: Ask, grid_id: FromPath[int], database: NamedDependency[Database]
) -> Stream:
    """The one stream of the page; a grid that is over says so at once."""
    async with database.read() as db:
        seen = await grid_parts.see(request, db, grid_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(_pieces(request, seen), media_type="text/event-stream", headers=headers)


async def _pieces(request: Ask, seen: Seen) -> Pieces:
    """What is new until it is over; then, where answers are compared, all of them once more."""
    draw, playground = grid_parts.drawer(request, seen), playground_of(request)
    turn, thoughts = playground.courtesy.turn, not seen.look.hidden
    if seen.live is not None:
        with playground.live.watching(seen.live):
            async for piece in watch(seen.live, draw, seen.name, thoughts=thoughts, turn=turn):
                yield piece
    if seen.live is None or seen.look.base is not None:
        async for piece in once(seen.runs, draw, seen.name, turn):
            yield piece
    yield event(grid_parts.ending(request, seen))
    yield DONE


ROUTES = [recent_page, grid_page, grid_events]
