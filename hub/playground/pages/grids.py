"""A grid: its page, its one event stream, stopping and running again; and what ran lately."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import grid
from hub.playground.calls import Call
from hub.playground.cells import cell_of, summary
from hub.playground.live import LiveGrid, Place
from hub.playground.models import Grid, Run
from hub.playground.pages.common import may_run, playground_of, plural
from hub.playground.stream import once, partial, watch
from hub.playground.values import dicts, show
from hub.web import Ask, go, is_part, page

PAGE = 30
Cells = dict[Place, Run | Call]


@get("/{slug:str}/playground", needs=Need.READ, name="playground")
async def recent_page(
    request: Ask,
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
            "columns": [f"{column['title']} · {column['model']}" for column in one.columns],
            "size": _size(one),
            "failed": failed.get(one.id, 0),
        }
        for one in found
    ]
    older = f"/{workspace.slug}/playground?before={found[-1].id}" if len(found) == PAGE else None
    return page(
        request, "playground/recent.html", section="playground",
        grids=lines, next_url=older, first=before is not None,
    )  # fmt: skip


@get("/{slug:str}/grid/{grid_id:int}", needs=Need.READ, name="grid")
async def grid_page(
    request: Ask,
    grid_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """The grid as it is now: finished, or with a stream that goes on from here."""
    found = await grid.get(db, workspace.id, grid_id)
    live = playground_of(request).live.get(grid_id)
    cells = grid.cells(await grid.runs_of(db, grid_id), live)
    return page(
        request, "playground/grid.html", section="playground", **_shown(request, found, cells, live)
    )


@get("/{slug:str}/grid/{grid_id:int}/events", needs=Need.READ, name="grid:events")
async def grid_events(
    request: Ask,
    grid_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Stream:
    """The one stream of the page; a grid that is over says so at once."""
    async with database.read() as db:
        found = await grid.get(db, workspace.id, grid_id)
        runs = await grid.runs_of(db, grid_id)
    live = playground_of(request).live.get(grid_id)
    context = _frame(request, found)
    templates = request.app.template_engine
    assert templates

    def cell(place: Place, call: Call | Run) -> str:
        row, column = place
        shown = cell_of(call)
        return templates.get_template("playground/_cell.html").render(
            cell=shown, row=row, column=column, may_run=context["may_run"]
        )

    def end() -> str:
        feet = _feet(found, grid.cells(runs, live))
        foot = templates.get_template("playground/_foot.html").render(feet=feet)
        parts = [partial("#foot", "outerHTML", foot)]
        if context["may_run"]:
            actions = templates.get_template("playground/_actions.html").render(
                **context, running=False
            )
            parts.append(partial("#grid-actions", "outerHTML", actions))
        return "".join(parts)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = watch(live, cell, end) if live else once(runs, cell, end)
    return Stream(stream, media_type="text/event-stream", headers=headers)


@post("/{slug:str}/grid/{grid_id:int}/stop", needs=Need.DRAFT, name="grid:stop", status_code=303)
async def stop(
    request: Ask,
    grid_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect | Response[None]:
    """Stop one cell, or all of them."""
    await grid.get(db, workspace.id, grid_id)
    cell = str((await request.form()).get("cell") or "")
    playground_of(request).live.stop(grid_id, _place(cell))
    if is_part(request):
        # The stream shows what became of it; there is nothing to swap.
        return Response(None, status_code=204)
    return go(f"/{workspace.slug}/grid/{grid_id}")


@post("/{slug:str}/grid/{grid_id:int}/again", needs=Need.DRAFT, name="grid:again")
async def again(
    request: Ask,
    grid_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Redirect:
    """The same texts, values, settings and seeds once more, as a grid of its own."""
    made = await grid.again(playground_of(request), workspace.id, grid_id, actor=actor)
    return go(f"/{workspace.slug}/grid/{made}")


def _frame(request: Ask, found: Grid) -> dict[str, Any]:
    """What page and stream both need."""
    workspace, actor = request.state.workspace, request.state.actor
    return {
        "may_run": may_run(actor, workspace),
        "change_url": f"/{workspace.slug}/try/{found.prompt_name}?again={found.id}",
    }


def _shown(request: Ask, found: Grid, cells: Cells, live: LiveGrid | None) -> dict[str, Any]:
    columns = [
        {
            "title": one["title"],
            "model": one["model"],
            "note": grid.note(one),
            "messages": [
                {"role": str(said.get("role")), "content": str(said.get("content") or "")}
                for said in dicts(one["document"].get("messages"))
            ],
        }
        for one in found.columns
    ]
    rows = [
        {
            "name": row["name"],
            "given": [(name, show(value)) for name, value in row["variables"].items()],
            "expected": row.get("expected"),
            "cells": [cell_of(cells[at, i]) for i in range(len(columns))],
        }
        for at, row in enumerate(found.rows)
    ]
    return {
        **_frame(request, found),
        "grid": found,
        "title": f"{found.prompt_name} #{found.id}",
        "size": _size(found),
        "columns": columns,
        "rows": rows,
        "picker": [(i + 1, f"{one['title']} · {one['model']}") for i, one in enumerate(columns)],
        "running": live is not None,
        "feet": [] if live else _feet(found, cells),
    }


def _feet(found: Grid, cells: Cells) -> list[str]:
    return [
        summary([cells[row, at] for row in range(len(found.rows))])
        for at in range(len(found.columns))
    ]


def _size(found: Grid) -> str:
    return f"{plural(len(found.columns), 'column')}, {plural(len(found.rows), 'example')}"


def _place(text: str) -> Place | None:
    row, dash, column = text.partition("-")
    if not dash or not row.isdecimal() or not column.isdecimal() or len(text) > 9:
        return None
    return int(row), int(column)


ROUTES = [recent_page, grid_page, grid_events, stop, again]
