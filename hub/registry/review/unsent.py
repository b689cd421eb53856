"""What somebody is typing and has not sent: kept by the form it is typed into, so that nothing is
lost by a reload, a sign-out or a crash."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Invalid
from hub.people.policy import Actor
from hub.registry.review import comments, remarks
from hub.registry.review.models import Comment, CommentDraft, Proposal
from hub.registry.review.record import NoSuchProposal

MOST = 200
"""Unsent texts of one person, in all proposals of a workspace together."""

_SLOT = re.compile(r"[\w:/.+-]{1,100}", re.ASCII)


async def keep(
    db: AsyncSession, workspace_id: int, number: int, slot: str, body: str, *, actor: Actor
) -> None:
    """Keep what is being typed into that form; an empty text is forgotten."""
    account_id = comments.speaker(actor, workspace_id)
    if await db.get(Proposal, (workspace_id, number)) is None:
        raise NoSuchProposal(number)
    if not _SLOT.fullmatch(slot):
        raise Invalid("This form is not one of this page. Reload it.")
    body = body.replace("\r\n", "\n").replace("\x00", "").encode("utf-8", "replace").decode()
    if len(body) > 2 * remarks.LONGEST:
        raise Invalid(f"A remark is at most {remarks.LONGEST:,} characters long.")
    key = {"workspace_id": workspace_id, "account_id": account_id, "place": f"{number}/{slot}"}
    await db.execute(delete(CommentDraft).filter_by(**key))
    if not body.strip() or await _just_said(db, workspace_id, number, account_id, body):
        return
    held = select(CommentDraft.place).filter_by(workspace_id=workspace_id, account_id=account_id)
    if len((await db.scalars(held)).all()) >= MOST:
        raise Conflict("You have very many unsent remarks. Send or empty some of them first.")
    await db.execute(insert(CommentDraft).values(**key, body=body, at=now()))


async def of(
    db: AsyncSession, workspace_id: int, number: int, account_id: int | None
) -> dict[str, str]:
    """What the person typed here and did not send, by the form it was typed into."""
    query = select(CommentDraft.place, CommentDraft.body).where(
        CommentDraft.workspace_id == workspace_id,
        CommentDraft.account_id == account_id,
        CommentDraft.place.startswith(f"{number}/"),
    )
    rows = await db.execute(query.order_by(CommentDraft.at))
    return {place.partition("/")[2]: body for place, body in rows}


async def drop(
    db: AsyncSession, workspace_id: int, number: int, slot: str, account_id: int | None
) -> None:
    """It was sent."""
    await db.execute(
        delete(CommentDraft).where(
            CommentDraft.workspace_id == workspace_id,
            CommentDraft.account_id == account_id,
            CommentDraft.place == f"{number}/{slot}"[:120],
        )
    )


async def _just_said(
    db: AsyncSession, workspace_id: int, number: int, account_id: int, body: str
) -> bool:
    """A text on its way to be kept may arrive after the same text was sent."""
    said = select(Comment.id).where(
        Comment.workspace_id == workspace_id,
        Comment.number == number,
        Comment.account_id == account_id,
        Comment.created_at > now() - timedelta(minutes=1),
        Comment.body == body.strip(),
    )
    return (await db.scalar(said.limit(1))) is not None
