"""The last remarks on a proposal, for the side of its page."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.registry.review.models import Comment

MOST = 4


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """A remark nobody has resolved yet."""

    id: int
    account_id: int
    author: str
    quote: str
    body: str
    at: datetime


async def lately(db: AsyncSession, workspace_id: int, number: int) -> list[Lately]:
    """The latest open threads, the newest last."""
    query = (
        select(
            Comment.id, Comment.account_id, Comment.author, Comment.quote, Comment.body,
            Comment.created_at,
        )
        .where(
            Comment.workspace_id == workspace_id, Comment.number == number,
            Comment.parent_id.is_(None), Comment.resolved_at.is_(None),
        )
        .order_by(Comment.id.desc())
        .limit(MOST)
    )  # fmt: skip
    rows = (await db.execute(query)).all()
    return [
        Lately(
            id=row.id, account_id=row.account_id, author=row.author, quote=row.quote,
            body=row.body, at=row.created_at,
        )
        for row in reversed(rows)
    ]  # fmt: skip
