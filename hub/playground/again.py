"""A grid once more: all of it, or a part while the answers of the others stay."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict, Invalid
from hub.people.policy import Actor
from hub.playground import examples, grid, votes
from hub.playground.adopting import with_writer
from hub.playground.carried import Before
from hub.playground.columns import Json
from hub.playground.live import Place
from hub.playground.models import Example, Grid, Run
from hub.playground.options import options_of
from hub.playground.room import Playground

STILL_RUNS = "This still runs. Stop it or wait for its end, then ask a part of it again."
LACKING = ("failed", "stopped")
"""States of what came to its end without a whole answer."""
NOTHING_LACKS = "Nothing there is without an answer, so nothing was asked."


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Which places of a grid are asked again, as its page counts rows and columns from 0."""

    row: int | None = None
    column: int | None = None
    """None: every one."""
    failed: bool = False
    """Only what has no whole answer: it failed, or was stopped."""


async def again(
    playground: Playground, workspace_id: int, grid_id: int, *, actor: Actor,
    new_seeds: bool = False, part: Part | None = None,
) -> int:  # fmt: skip
    """Run a grid once more: the same texts, values and settings; the same seeds or new ones. What
    is expected of the answers is what the examples say now.

    `part`: what is asked; None: all of it. What the others have answered stands beside it as it
    was, with its figures.

    Raises:
        Conflict: a part of a grid that still runs.
        Invalid: there is no such place, or nothing in it is without an answer.
    """
    async with playground.database.read() as db:
        old = await grid.get(db, workspace_id, grid_id)
        if part is not None and old.state == "running":
            raise Conflict(STILL_RUNS)
        before = Before(old.id, await _asked(db, old, actor, part)) if part is not None else None
        rows = await _judged_as_now(db, old)
    columns = [with_writer(one, old.account_id) for one in old.columns]
    tried = (old.proposal, old.digest) if old.proposal and old.digest else None
    return await grid.create(
        playground, workspace_id, (old.prompt_id, old.prompt_name),
        [_reseeded(one) for one in columns] if new_seeds else columns, rows,
        actor=actor, options=options_of(old.options), proposal=tried, before=before,
    )  # fmt: skip


async def _judged_as_now(db: AsyncSession, old: Grid) -> list[Json]:
    """An example that asks something else by now, or is gone, says nothing about these values."""
    kept = await examples.listing(db, old.workspace_id, old.prompt_id)
    now: dict[Any, Example] = {one.id: one for one in kept}
    return [
        row | {"expected": found.expected}
        if (found := now.get(row.get("example_id"))) and found.variables == row["variables"]
        else row
        for row in old.rows
    ]


async def _asked(db: AsyncSession, old: Grid, actor: Actor, part: Part) -> frozenset[Place]:
    column = await _column(db, old, actor, part.column)
    query = select(Run.row, Run.column, Run.sample).where(Run.grid_id == old.id)
    if part.row is not None:
        query = query.where(Run.row == part.row)
    if column is not None:
        query = query.where(Run.column == column)
    if part.failed:
        query = query.where(Run.state.in_(LACKING))
    places = frozenset((row, at, sample) for row, at, sample in await db.execute(query))
    if not places:
        raise Invalid(NOTHING_LACKS)
    return places


async def _column(db: AsyncSession, old: Grid, actor: Actor, shown: int | None) -> int | None:
    if shown is None:
        return None
    if shown >= len(old.columns):
        raise Invalid("There is no such column here.")
    if await votes.names_hidden(db, old, actor):
        return votes.order(old, actor.account_id)[shown]
    return shown


def _reseeded(column: Json) -> Json:
    return column | {"settings": column["settings"] | {"seed": secrets.randbelow(2**31)}}
