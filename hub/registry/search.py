"""The full-text table: what is in it. (How it is asked: `hub.registry.catalog`.)"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_PUT_SQLITE = text(
    "INSERT OR REPLACE INTO prompt_search (rowid, name, title, description, tags, text) "
    "VALUES (:row, :name, :title, :description, :tags, :text)"
)
_PUT_POSTGRES = text(
    "INSERT INTO prompt_search (row, workspace_id, words) VALUES (:row, :workspace_id, "
    "setweight(to_tsvector('simple', :name), 'A') || setweight(to_tsvector('simple', :title), 'A')"
    " || setweight(to_tsvector('simple', :tags), 'B')"
    " || setweight(to_tsvector('simple', :description), 'B')"
    " || setweight(to_tsvector('simple', left(:text, 200000)), 'C')) "
    "ON CONFLICT (row) DO UPDATE SET words = excluded.words"
)


class SearchRow(msgspec.Struct, frozen=True):
    """What can be found of one prompt; `row` is `prompts.row`."""

    row: int
    workspace_id: int
    name: str
    title: str
    description: str
    tags: str
    text: str


async def put(db: AsyncSession, rows: list[SearchRow]) -> None:
    """Make the prompts findable as they are now."""
    if rows:
        values: list[dict[str, Any]] = [msgspec.structs.asdict(row) for row in rows]
        await db.execute(_PUT_SQLITE if _sqlite(db) else _PUT_POSTGRES, values)


async def remove(db: AsyncSession, rows: list[int]) -> None:
    """Make the prompts unfindable."""
    if rows:
        which = "rowid" if _sqlite(db) else "row"
        delete = text(f"DELETE FROM prompt_search WHERE {which} = :row")  # noqa: S608
        await db.execute(delete, [{"row": row} for row in rows])


async def clear(db: AsyncSession, workspace_id: int) -> None:
    """Forget the workspace; to be called while its prompts still have their rows."""
    which = "rowid" if _sqlite(db) else "row"
    await db.execute(
        text(
            f"DELETE FROM prompt_search WHERE {which} IN "  # noqa: S608
            "(SELECT row FROM prompts WHERE workspace_id = :workspace_id)"
        ),
        {"workspace_id": workspace_id},
    )


def _sqlite(db: AsyncSession) -> bool:
    return db.get_bind().dialect.name == "sqlite"
