"""Proposals that were merged in a linked repository before they were agreed on here."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from hub.outbox import announce
from hub.registry.review.models import Proposal


async def note(db: AsyncSession, workspace_id: int, number: int, where: str) -> None:
    """It says so on its page, and whoever has to do with it hears of it; once."""
    row = await db.get(Proposal, (workspace_id, number))
    if row is None or row.elsewhere is not None:
        return
    row.elsewhere = where[:300]
    announce(
        db, "proposal.merged-elsewhere", workspace_id=workspace_id,
        subject=f"#{number} {row.title}"[:255], number=number, title=row.title, by=where,
    )  # fmt: skip
