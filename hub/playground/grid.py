"""The grid: columns (version or draft × model × settings) by rows (examples).

A grid keeps the texts it was run with, so that it stays what it was when the prompt moves on, and
can be run again as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Invalid, NotFound
from hub.people.policy import Actor
from hub.playground.calls import Call
from hub.playground.live import LiveGrid, Place, Work
from hub.playground.models import Example, Grid, Run
from hub.playground.room import THIS_MACHINE, Choice, Playground
from hub.playground.sources import Source
from hub.playground.targets import target

MOST_COLUMNS = 6
MOST_ROWS = 30
Json = dict[str, Any]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the form, as typed; empty settings mean: as the prompt says."""

    source: str = ""
    """`draft` or `v7`."""
    model: str = ""
    """`local:prompthub/tiny`, `3:gpt-5-mini` or `alias:fast`."""
    temperature: str = ""
    max_tokens: str = ""
    seed: str = ""


class Wrong(Invalid):
    """A column cannot be used; `column` counts from 0."""

    def __init__(self, column: int, sentence: str) -> None:
        super().__init__(sentence, column=column)
        self.column = column


def plan(columns: list[Column], sources: Mapping[str, Source], choices: list[Choice]) -> list[Json]:
    """The columns as a grid keeps them.

    Raises:
        Wrong: a setting is no number, a version or a model is not there (any more).
    """
    if not 1 <= len(columns) <= MOST_COLUMNS:
        raise Invalid(f"A grid has from 1 to {MOST_COLUMNS} columns.")
    known = {choice.value: choice for choice in choices}
    return [
        _plan_one(at, column, sources, known.get(column.model)) for at, column in enumerate(columns)
    ]


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
    rows: list[Json], *, actor: Actor, proposal: tuple[int, str] | None = None,
) -> int:  # fmt: skip
    """Write the grid down and start it; every cell is a row before the first call goes out."""
    async with playground.database.write() as db:
        grid = Grid(
            workspace_id=workspace_id, prompt_id=prompt[0], prompt_name=prompt[1],
            columns=columns, rows=rows, state="running", created_by=actor.name,
            account_id=actor.account_id, created_at=now(), finished_at=None,
            proposal=proposal[0] if proposal else None, digest=proposal[1] if proposal else None,
        )  # fmt: skip
        db.add(grid)
        await db.flush()
        runs = {
            (row, column): Run(
                grid_id=grid.id, workspace_id=workspace_id, row=row, column=column,
                state="waiting", request={}, model=columns[column]["model"],
                connection=columns[column]["where"],
            )
            for row in range(len(rows))
            for column in range(len(columns))
        }  # fmt: skip
        db.add_all(runs.values())
        await db.flush()
        endpoints = [
            await target(db, playground, workspace_id, _choice(one), actor.account_id)
            for one in columns
        ]
    work = {
        place: Work(run.id, endpoints[place[1]], _maker(playground, columns, rows, place))
        for place, run in runs.items()
    }
    playground.live.start(grid.id, work)
    return grid.id


async def again(playground: Playground, workspace_id: int, grid_id: int, *, actor: Actor) -> int:
    """Run a grid once more, with the same texts, values, settings and seeds."""
    async with playground.database.read() as db:
        old = await get(db, workspace_id, grid_id)
    prompt = old.prompt_id, old.prompt_name
    tried = (old.proposal, old.digest) if old.proposal and old.digest else None
    return await create(
        playground, workspace_id, prompt, old.columns, old.rows, actor=actor, proposal=tried
    )


async def get(db: AsyncSession, workspace_id: int, grid_id: int) -> Grid:
    """A grid of this workspace."""
    found = await db.get(Grid, grid_id)
    if found is None or found.workspace_id != workspace_id:
        raise NotFound("There is no such run here, or it belongs to another workspace.")
    return found


async def runs_of(db: AsyncSession, grid_id: int) -> dict[Place, Run]:
    """The cells as they are written down."""
    found = await db.scalars(select(Run).where(Run.grid_id == grid_id))
    return {(run.row, run.column): run for run in found}


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


def _plan_one(
    at: int, column: Column, sources: Mapping[str, Source], choice: Choice | None
) -> Json:
    source = sources.get(column.source)
    if source is None:
        raise Wrong(at, f"Column {at + 1}: choose a version; this one is not there any more.")
    if choice is None:
        raise Wrong(at, f"Column {at + 1}: choose a model; this one is not there any more.")
    settings = {
        "temperature": _number(at, "temperature", column.temperature, 0, 2),
        "max_tokens": _whole(at, "the longest answer", column.max_tokens, 1, 1_000_000),
        "seed": _whole(at, "the seed", column.seed, 0, 2**31 - 1),
    }
    return {
        "source": source.value,
        "version": source.version,
        "title": source.title,
        "choice": choice.value,
        "model": choice.model,
        "where": choice.where,
        "settings": {key: value for key, value in settings.items() if value is not None},
        "document": source.document,
        "snippets": source.snippets,
    }


def note(column: Json) -> str:
    """The second line of a column's head: "this machine · temperature 0.2"."""
    saved = column["document"].get("modelParameters")
    known = cast("Json", saved) if isinstance(saved, dict) else {}
    said = {key: known[key] for key in ("temperature", "seed") if key in known} | column["settings"]
    shown = [f"{key.replace('_', ' ')} {value}" for key, value in said.items()]
    where = "this machine" if column["where"] == THIS_MACHINE else column["where"]
    return " · ".join([where, *shown])


def _maker(playground: Playground, columns: list[Json], rows: list[Json], place: Place) -> Any:
    row, column = rows[place[0]], columns[place[1]]

    async def make() -> Json:
        filled = await playground.renderer.request(
            column["document"], column["snippets"], row["variables"]
        )
        return filled | column["settings"]

    return make


def _choice(column: Json) -> Choice:
    return Choice(column["choice"], column["model"], column["where"])


def _number(at: int, what: str, text: str, least: float, most: float) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise Wrong(at, f"Column {at + 1}: {what} has to be a number from {least:g} to {most:g}.")
    return int(number) if number == int(number) else number


def _whole(at: int, what: str, text: str, least: int, most: int) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or len(text) > 20 or not least <= int(text) <= most:
        raise Wrong(
            at, f"Column {at + 1}: {what} has to be a whole number from {least} to {most:,}."
        )
    return int(text)


async def tried_two_models(db: AsyncSession, workspace_id: int, account_id: int) -> bool:
    """Whether the person has lately held two models side by side."""
    query = select(Grid.columns).where(
        Grid.workspace_id == workspace_id, Grid.account_id == account_id
    )
    recent = await db.scalars(query.order_by(Grid.id.desc()).limit(50))
    return any(len({(one["where"], one["model"]) for one in columns}) > 1 for columns in recent)
