"""Blind comparison: names stay hidden from a person until they have voted.

Peers leak names through the order of columns, speed, cost, errors and interfaces for programs; so
columns are shuffled for each person, and everything but the texts is kept back.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Invalid
from hub.people.policy import Actor, Need, allows
from hub.playground.models import Grid, Vote
from hub.playground.options import options_of

TIE, NONE = -1, -2
"""Equally good; none of them is any good."""
_SHOWN = -1
"""The row of the vote that says: show me the names."""


async def mine(db: AsyncSession, grid: Grid, account_id: int | None) -> dict[int, int]:
    """What this person chose, by row; in columns as the grid keeps them."""
    if not options_of(grid.options).blind or account_id is None:
        return {}
    query = select(Vote).where(Vote.grid_id == grid.id, Vote.account_id == account_id)
    return {one.row: one.choice for one in await db.scalars(query)}


def hidden(grid: Grid, votes: Mapping[int, int]) -> bool:
    """Whether the names are still kept back from whoever cast these votes."""
    if not options_of(grid.options).blind or _SHOWN in votes:
        return False
    return any(row not in votes for row in range(len(grid.rows)))


async def names_hidden(db: AsyncSession, grid: Grid, actor: Actor) -> bool:
    """The same for whoever asks; an app, and who may not vote, see the names once anybody has."""
    only_reads = actor.kind == "person" and not allows(actor, Need.DRAFT, grid.workspace_id)
    votes_too = actor.account_id is not None and not only_reads
    if votes_too or not options_of(grid.options).blind:
        return hidden(grid, await mine(db, grid, actor.account_id))
    people = await db.scalars(select(Vote.account_id).where(Vote.grid_id == grid.id).distinct())
    return all([hidden(grid, await mine(db, grid, one)) for one in list(people)])


def order(grid: Grid, account_id: int | None) -> list[int]:
    """The columns as this person sees them while the names are hidden; the same every time."""

    def shuffled(column: int) -> bytes:
        return hashlib.sha256(f"{grid.id}:{account_id}:{column}".encode()).digest()

    return sorted(range(len(grid.columns)), key=shuffled)


async def cast(db: AsyncSession, grid: Grid, account_id: int, row: int, choice: int) -> None:
    """Choose the best answer of a row, or change one's mind while the names are hidden.

    Raises:
        Invalid: there is no such row or column.
        Conflict: the names have been seen.
    """
    if not (0 <= row < len(grid.rows) and NONE <= choice < len(grid.columns)):
        raise Invalid("There is no such answer here.")
    await _put(db, grid, account_id, row, choice)


async def show(db: AsyncSession, grid: Grid, account_id: int) -> None:
    """Stop voting and see the names; what was voted counts."""
    await _put(db, grid, account_id, _SHOWN, NONE)


async def _put(db: AsyncSession, grid: Grid, account_id: int, row: int, choice: int) -> None:
    if not hidden(grid, await mine(db, grid, account_id)):
        raise Conflict("You have seen whose answers these are, so your votes stand as they are.")
    await db.merge(Vote(grid_id=grid.id, account_id=account_id, row=row, choice=choice, at=now()))


async def wins(db: AsyncSession, grid: Grid) -> Counter[int]:
    """How often each column, `TIE` and `NONE` were chosen, by everybody."""
    query = select(Vote.choice).where(Vote.grid_id == grid.id, Vote.row >= 0)
    return Counter(await db.scalars(query))
