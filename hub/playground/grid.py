"""The grid: columns (version or draft × model × settings) by rows (examples), in samples.

A grid keeps the texts it was run with, so that it stays what it was when the prompt moves on, and
can be run again as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Invalid, NotFound
from hub.people.policy import Actor
from hub.playground import adopting, guards, pictures
from hub.playground.asking import Work
from hub.playground.calls import Call
from hub.playground.carried import Before, carry
from hub.playground.columns import Json
from hub.playground.guards import Guard
from hub.playground.live import LiveGrid, Place
from hub.playground.models import Example, Grid, Run
from hub.playground.options import Options
from hub.playground.room import Choice, Playground
from hub.playground.targets import target

MOST_ROWS = 30
MOST_CALLS = 600
"""In one grid: columns × rows × samples."""
READ_AT_ONCE = 40
"""Rows made into objects before others have their turn."""


def rows_of(examples: list[Example], own: Json | None) -> list[Json]:
    """The rows as a grid keeps them: the chosen examples, then the values typed in."""
    rows: list[Json] = [
        {"name": one.name, "example_id": one.id, "variables": one.variables,
         "expected": one.expected}
        for one in examples
    ]  # fmt: skip
    if own is not None:
        rows.append({"name": "Your values", "variables": own, "expected": None})
    if not rows:
        raise Invalid("Choose at least one example, or tick “Run with these values”.")
    if len(rows) > MOST_ROWS:
        raise Invalid(f"These are {len(rows)} examples; a grid runs at most {MOST_ROWS} at once.")
    return rows


async def create(
    playground: Playground, workspace_id: int, prompt: tuple[str, str], columns: list[Json],
    rows: list[Json], *, actor: Actor, options: Options, proposal: tuple[int, str] | None = None,
    before: Before | None = None,
) -> int:  # fmt: skip
    """Write the grid down and start it; every call is a row before the first one goes out.

    `before`: only what it names is asked, the others stand as they are there.

    Raises:
        Invalid: more calls than a grid makes.
    """
    calls = len(columns) * len(rows) * options.samples
    if calls > MOST_CALLS:
        raise Invalid(
            f"That would be {calls:,} calls; a grid makes at most {MOST_CALLS}. "
            "Take fewer examples, columns or samples."
        )
    columns = [adopting.with_writer(one, actor.account_id) for one in columns]
    written = {
        "workspace_id": workspace_id, "prompt_id": prompt[0], "prompt_name": prompt[1],
        "columns": columns, "rows": rows, "state": "running", "created_by": actor.name,
        "account_id": actor.account_id, "created_at": now(),
        "proposal": proposal[0] if proposal else None, "digest": proposal[1] if proposal else None,
        "options": msgspec.to_builtins(options),
    }  # fmt: skip
    async with playground.database.read() as db:
        endpoints = [
            await target(db, playground, workspace_id, _choice(one), actor.account_id)
            for one in columns
        ]
        watching = [await _guards(db, playground, workspace_id, one, actor) for one in columns]
    grid_id, runs = await playground.database.write_at_once(
        partial(_written, written, options.samples, before)
    )
    work = {
        place: Work(
            run_id=run_id, endpoint=endpoints[place[1]],
            make=_maker(playground, columns, rows, place), workspace_id=workspace_id,
            guards=watching[place[1]],
        )
        for place, run_id in runs.items()
    }  # fmt: skip
    playground.live.start(grid_id, work, options)
    return grid_id


def _written(
    grid: Json, samples: int, before: Before | None, db: Connection
) -> tuple[int, dict[Place, int]]:
    """The grid, and a row for every call, by their numbers; off the loop, they may be hundreds."""
    grid_id: int = db.execute(insert(Grid).values(**grid).returning(Grid.id)).scalar_one()
    shared = {"grid_id": grid_id, "workspace_id": grid["workspace_id"], "state": "waiting",
              "request": {}}  # fmt: skip
    runs = [
        shared | {"row": row, "column": at, "sample": sample, "model": column["model"],
                  "connection": column["where"]}
        for at, column in enumerate(grid["columns"])
        for row in range(len(grid["rows"]))
        for sample in range(samples)
        if before is None or (row, at, sample) in before.asked
    ]  # fmt: skip
    db.execute(insert(Run), runs)
    asked = select(Run.row, Run.column, Run.sample, Run.id).where(Run.grid_id == grid_id)
    places = {(row, at, sample): key for row, at, sample, key in db.execute(asked)}
    if before is not None:
        carry(db, grid_id, before)
    return grid_id, places


async def get(db: AsyncSession, workspace_id: int, grid_id: int) -> Grid:
    """A grid of this workspace."""
    found = await db.get(Grid, grid_id)
    if found is None or found.workspace_id != workspace_id:
        raise NotFound("There is no such run here, or it belongs to another workspace.")
    return found


async def runs_of(db: AsyncSession, grid_id: int) -> dict[Place, Run]:
    """The cells as they are written down."""
    query = select(Run).where(Run.grid_id == grid_id).execution_options(yield_per=READ_AT_ONCE)
    found = await db.stream_scalars(query)
    return {(run.row, run.column, run.sample): run async for run in found}


def cells(runs: dict[Place, Run], live: LiveGrid | None) -> dict[Place, Run | Call]:
    """The cells as they are now: what runs in this process is ahead of what is written down."""
    now_running: Mapping[Place, Call] = live.calls if live else {}
    return {place: now_running.get(place, run) for place, run in runs.items()}


async def recent(
    db: AsyncSession, workspace_id: int, *, before: int | None = None, limit: int = 30
) -> list[Grid]:
    """The newest grids, or those older than `before`."""
    query = select(Grid).where(Grid.workspace_id == workspace_id)
    if before is not None:
        query = query.where(Grid.id < before)
    return list(await db.scalars(query.order_by(Grid.id.desc()).limit(limit)))


async def failures(db: AsyncSession, grid_ids: list[int]) -> dict[int, int]:
    """How many cells of each grid have failed."""
    query = (
        select(Run.grid_id, func.count())
        .where(Run.grid_id.in_(grid_ids), Run.state == "failed")
        .group_by(Run.grid_id)
    )
    return {row[0]: row[1] for row in await db.execute(query)}


def _maker(playground: Playground, columns: list[Json], rows: list[Json], place: Place) -> Any:
    row, column = rows[place[0]], columns[place[1]]

    async def make() -> Json:
        filled = await playground.renderer.request(
            column["document"], column["snippets"], pictures.by_address(row["variables"])
        )
        made = filled | column["settings"]
        if place[2] and isinstance(made.get("seed"), int):
            # One seed for all samples would ask for the same answer again and again.
            made["seed"] = (made["seed"] + place[2]) % 2**31
        return made

    return make


async def _guards(
    db: AsyncSession, playground: Playground, workspace_id: int, column: Json, actor: Actor
) -> dict[str, Guard]:
    return {
        which: Guard(
            await target(db, playground, workspace_id, _choice(one), actor.account_id),
            _judging(playground, one),
        )
        for which, one in column.get("guards", {}).items()
    }


def _judging(playground: Playground, guard: Json) -> Any:
    async def make(text: str) -> Json:
        given = guards.values(guard["document"], text)
        return await playground.renderer.request(guard["document"], guard["snippets"], given)

    return make


def _choice(column: Json) -> Choice:
    return Choice(column["choice"], column["model"], column["where"])


async def tried_two_models(db: AsyncSession, workspace_id: int, account_id: int) -> bool:
    """Whether the person has lately held two models side by side."""
    query = select(Grid.columns).where(
        Grid.workspace_id == workspace_id, Grid.account_id == account_id
    )
    recent = await db.scalars(query.order_by(Grid.id.desc()).limit(50))
    return any(len({(one["where"], one["model"]) for one in columns}) > 1 for columns in recent)
