"""How far somebody has read a proposal: kept for those it concerns, told by what they do."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.registry.review.models import Watcher


async def last(db: AsyncSession, workspace_id: int, number: int, account_id: int) -> int | None:
    """The latest revision they read, 0 if none; None: the proposal does not concern them."""
    return await db.scalar(
        select(Watcher.seen_revision).where(*_row(workspace_id, number, account_id))
    )


async def watching(
    db: AsyncSession, workspace_id: int, number: int, account_id: int | None
) -> Watcher | None:
    """Their row, if the proposal concerns them."""
    return await db.get(Watcher, (workspace_id, number, account_id)) if account_id else None


async def mark(
    database: Database, workspace_id: int, number: int, account_id: int, revision: int
) -> None:
    """They have read that revision; never goes back."""
    async with database.write() as db:
        await db.execute(
            update(Watcher)
            .where(*_row(workspace_id, number, account_id), Watcher.seen_revision < revision)
            .values(seen_revision=revision, seen_at=now())
        )


def _row(workspace_id: int, number: int, account_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        Watcher.workspace_id == workspace_id,
        Watcher.number == number,
        Watcher.account_id == account_id,
    )
