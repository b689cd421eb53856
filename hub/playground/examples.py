"""Sets of variables for a prompt and, if wanted, the answer that is expected."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Invalid, NotFound
from hub.people.policy import Actor
from hub.playground.models import Example

MOST = 1000
LONGEST_NAME = 120
_EXPECTED = ("expected", "expectedOutput", "expected_output", "answer", "output", "ideal")
_NAMES = ("name", "title", "description", "id")


async def listing(db: AsyncSession, workspace_id: int, prompt_id: str) -> list[Example]:
    """The prompt's examples, in their order; those taken away are left out."""
    query = select(Example).where(_of(workspace_id, prompt_id), Example.position > 0)
    return list(await db.scalars(query.order_by(Example.position, Example.id)))


async def get(db: AsyncSession, workspace_id: int, prompt_id: str, example_id: int) -> Example:
    """One example of this prompt, also one that was taken away."""
    query = select(Example).where(_of(workspace_id, prompt_id), Example.id == example_id)
    found = await db.scalar(query)
    if found is None:
        raise NotFound("There is no such example; somebody may have removed it.")
    return found


async def add(
    db: AsyncSession, workspace_id: int, prompt_id: str, *,
    name: str, variables: dict[str, Any], expected: str | None, actor: Actor,
) -> Example:  # fmt: skip
    """Put an example at the end."""
    last = await db.scalar(select(func.max(Example.position)).where(_of(workspace_id, prompt_id)))
    count = await db.scalar(
        select(func.count()).where(_of(workspace_id, prompt_id), Example.position > 0)
    )
    if (count or 0) >= MOST:
        raise Invalid(f"A prompt can have {MOST:,} examples. Remove some that teach nothing new.")
    example = Example(
        workspace_id=workspace_id, prompt_id=prompt_id, position=max(last or 0, 0) + 1,
        name=_named(name, variables, (count or 0) + 1), variables=variables,
        expected=expected or None, created_by=actor.name, created_at=now(),
    )  # fmt: skip
    db.add(example)
    await db.flush()
    return example


async def change(
    db: AsyncSession, workspace_id: int, prompt_id: str, example_id: int, *,
    name: str, variables: dict[str, Any], expected: str | None,
) -> Example:  # fmt: skip
    """Give an example other values."""
    example = await get(db, workspace_id, prompt_id, example_id)
    example.name = _named(name, variables, example.position)
    example.variables, example.expected = variables, expected or None
    return example


async def take_away(
    db: AsyncSession, workspace_id: int, prompt_id: str, example_id: int
) -> Example:
    """Remove an example; `put_back` undoes it."""
    example = await get(db, workspace_id, prompt_id, example_id)
    example.position = -abs(example.position)
    return example


async def put_back(db: AsyncSession, workspace_id: int, prompt_id: str, example_id: int) -> Example:
    """Undo `take_away`, at the same place."""
    example = await get(db, workspace_id, prompt_id, example_id)
    example.position = abs(example.position)
    return example


async def bring_in(
    db: AsyncSession, workspace_id: int, prompt_id: str, test_data: object, *, actor: Actor
) -> int:
    """Make examples of the `testData` in a prompt's file; skips what is here already."""
    fresh = new_in(test_data, await listing(db, workspace_id, prompt_id))
    for row in fresh:
        await add(db, workspace_id, prompt_id, actor=actor, **row)
    return len(fresh)


def new_in(test_data: object, kept: list[Example]) -> list[dict[str, Any]]:
    """What `testData` holds that is not an example yet. Pure."""
    here = {_key(one.variables) for one in kept}
    fresh: list[dict[str, Any]] = []
    for row in in_test_data(test_data):
        if _key(row["variables"]) not in here:
            here.add(_key(row["variables"]))
            fresh.append(row)
    return fresh


def in_test_data(test_data: object) -> list[dict[str, Any]]:
    """`[{name, variables, expected}]` from what other tools keep beside a prompt. Pure."""
    found: list[dict[str, Any]] = []
    for row in cast("list[Any]", test_data) if isinstance(test_data, list) else []:
        if not isinstance(row, dict) or not row:
            continue
        cells = dict(cast("dict[str, Any]", row))
        nested = cells.get("variables") or cells.get("inputs")
        expected = next((cells.pop(key) for key in _EXPECTED if key in cells), None)
        if isinstance(nested, dict):
            name = next((str(cells[key]) for key in _NAMES if cells.get(key)), "")
            variables = cast("dict[str, Any]", nested)
        else:
            name, variables = "", cells
        text = expected if isinstance(expected, str) or expected is None else str(expected)
        found.append({"name": name, "variables": variables, "expected": text})
    return found


def _of(workspace_id: int, prompt_id: str) -> Any:
    return (Example.workspace_id == workspace_id) & (Example.prompt_id == prompt_id)


def _named(name: str, variables: dict[str, Any], number: int) -> str:
    """The name given, else the beginning of the first text, else a number."""
    given = " ".join(name.split())
    if not given:
        texts = (value for value in variables.values() if isinstance(value, str) and value.strip())
        given = " ".join(next(texts, f"Example {number}").split())
        given = given if len(given) <= 60 else given[:59] + "…"
    return given[:LONGEST_NAME]


def _key(variables: dict[str, Any]) -> str:
    return repr(sorted(variables.items(), key=lambda item: item[0]))
