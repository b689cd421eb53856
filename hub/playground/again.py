"""A grid once more: all of it, or one column while the answers of the others stay."""

from __future__ import annotations

import secrets

from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict, Invalid
from hub.people.policy import Actor
from hub.playground import grid, votes
from hub.playground.adopting import with_writer
from hub.playground.carried import Before
from hub.playground.columns import Json
from hub.playground.models import Grid
from hub.playground.options import options_of
from hub.playground.room import Playground

STILL_RUNS = "This still runs. Stop it or wait for its end, then run one column of it again."


async def again(
    playground: Playground, workspace_id: int, grid_id: int, *, actor: Actor,
    new_seeds: bool = False, shown: str = "",
) -> int:  # fmt: skip
    """Run a grid once more: the same texts, values and settings; the same seeds or new ones.

    `shown`: the one column that is asked again, as its page counts it from 0; empty: all of them.
    What the others have answered stands beside it as it was, with its figures.

    Raises:
        Conflict: one column of a grid that still runs.
        Invalid: there is no such column.
    """
    async with playground.database.read() as db:
        old = await grid.get(db, workspace_id, grid_id)
        only = await _column(db, old, actor, shown) if shown else None
    if only is not None and old.state == "running":
        raise Conflict(STILL_RUNS)
    columns = [with_writer(one, old.account_id) for one in old.columns]
    tried = (old.proposal, old.digest) if old.proposal and old.digest else None
    return await grid.create(
        playground, workspace_id, (old.prompt_id, old.prompt_name),
        [_reseeded(one) for one in columns] if new_seeds else columns, old.rows,
        actor=actor, options=options_of(old.options), proposal=tried,
        before=None if only is None else Before(old.id, only),
    )  # fmt: skip


async def _column(db: AsyncSession, old: Grid, actor: Actor, shown: str) -> int:
    at = int(shown) if shown.isdecimal() and len(shown) < 3 else len(old.columns)
    if at >= len(old.columns):
        raise Invalid("There is no such column here.")
    if await votes.names_hidden(db, old, actor):
        return votes.order(old, actor.account_id)[at]
    return at


def _reseeded(column: Json) -> Json:
    return column | {"settings": column["settings"] | {"seed": secrets.randbelow(2**31)}}
