"""What people think of an answer, and what they make of it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict, Invalid, NotFound
from hub.people.policy import Actor
from hub.playground import examples
from hub.playground.models import Example, Grid, Run
from hub.registry.reading import catalog

LONGEST_REMARK = 2000


async def get(db: AsyncSession, grid: Grid, run_id: int) -> Run:
    """An answer of this grid."""
    found = await db.get(Run, run_id)
    if found is None or found.grid_id != grid.id:
        raise NotFound("There is no such answer in this run.")
    return found


async def expectable(db: AsyncSession, grid: Grid) -> bool:
    """Whether the prompt is there, so that somebody can see its examples."""
    try:
        about = await catalog.get_by_id(db, grid.workspace_id, grid.prompt_id)
    except NotFound:
        return False
    return about.deleted_at is None


def rate(run: Run, rating: str, remark: str, *, actor: Actor) -> None:
    """Put down a rating from 1 to 5 (empty: none) and a note.

    Raises:
        Invalid: another rating, or a note that is too long.
    """
    if rating and rating not in ("1", "2", "3", "4", "5"):
        raise Invalid("A rating is a number from 1 to 5.")
    if len(remark) > LONGEST_REMARK:
        raise Invalid(f"A note has at most {LONGEST_REMARK:,} characters.")
    run.rating = int(rating) if rating else None
    run.remark, run.rated_by = remark.strip(), actor.name


async def expect(db: AsyncSession, grid: Grid, run: Run, *, actor: Actor) -> Example:
    """Make the answer what is expected of its example; values typed in become an example.

    The grid it was given in is judged by it from now on, too.

    Raises:
        Conflict: there is no whole answer, or the prompt is deleted.
        NotFound: the example was removed.
    """
    if not await expectable(db, grid):
        raise Conflict(
            f"{grid.prompt_name} was deleted, and its examples with it. Restore it, then choose "
            "what is expected."
        )
    if run.state != "done" or not run.output.strip():
        raise Conflict("Only a whole answer can be what is expected.")
    row, answer = grid.rows[run.row], run.output.strip()
    if row.get("example_id") is None:
        kept = await examples.add(
            db, grid.workspace_id, grid.prompt_id, name="", variables=row["variables"],
            expected=answer, actor=actor,
        )  # fmt: skip
    else:
        kept = await examples.get(db, grid.workspace_id, grid.prompt_id, row["example_id"])
        kept.expected = answer
    await db.flush()
    judged = row | {"example_id": kept.id, "expected": answer}
    # A list of its own: that one within it changed would not be seen.
    grid.rows = [judged if at == run.row else one for at, one in enumerate(grid.rows)]
    return kept
