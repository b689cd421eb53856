"""A request for a change is dismissed: by an administrator who wrote nothing of it, saying why.

Whoever asked may be ill, have left, or be no reviewer any more; what they asked for stands all the
same. It is put aside by a deed with a name and a reason, which the proposal shows for good.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.people import guarded
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.people.rules import folded
from hub.registry.review.deed import checked_body, here, note, watch
from hub.registry.review.follow_proposals import HeldProposal
from hub.registry.review.keeping import deciding
from hub.registry.review.models import Review
from hub.registry.review.propose import Closed
from hub.registry.writing.publish import Publisher


async def dismiss(
    publisher: Publisher, workspace: WorkspaceRef, number: int, review_id: int, *, actor: Actor,
    reason: str,
) -> None:  # fmt: skip
    """Put somebody's request for a change aside.

    Raises:
        Invalid: no reason is given, or it is one's own.
        Forbidden: no administrator, or an author of the proposal.
        Conflict: they have said something else since, or it was dismissed already.
    """
    require(actor, Need.ADMIN, workspace.id)
    if not (reason := checked_body(reason)):
        raise Invalid("Say why you dismiss it; it stands here for good.")
    async with deciding(publisher, workspace, number, actor) as (db, held):
        await guarded.confirm(db, workspace.id, actor)
        if held.state != "open":
            raise Closed(number, held.state)
        said = await _request(db, workspace, number, review_id)
        _check_may_dismiss(held, said, actor)
        said.dismissed_at, said.dismissed_by, said.dismissed_why = now(), actor.name, reason
        await watch(db, workspace, number, {actor.account_id or 0})
        await note(
            db, workspace, held, actor, "review.dismissed", review=said.id, asked_by=said.name,
            revision=said.revision, reason=reason,
        )  # fmt: skip


def _check_may_dismiss(held: HeldProposal, said: Review, actor: Actor) -> None:
    if said.account_id == actor.account_id is not None:
        raise Invalid("You asked for this change yourself: take your word back instead.")
    if actor.account_id in held.writers or folded(actor.email) in map(folded, held.writer_emails):
        raise Forbidden(
            f"You helped to write this proposal, so another administrator has to dismiss what "
            f"{said.name} asked for."
        )


async def _request(
    db: AsyncSession, workspace: WorkspaceRef, number: int, review_id: int
) -> Review:  # fmt: skip
    said = await db.get(Review, review_id, populate_existing=True)
    if said is None or (said.workspace_id, said.number) != (workspace.id, number):
        raise NotFound("There is no such request for a change on this proposal.")
    theirs = Review.account_id == said.account_id
    if said.account_id is None:
        theirs = func.lower(Review.email) == said.email.lower()
    latest = select(Review.id).where(*here(Review, workspace, number), theirs)
    newest = await db.scalar(latest.order_by(Review.id.desc()).limit(1))
    if said.verdict != "changes" or newest != said.id:
        raise Conflict(f"{said.name} has said something else since. Look again, please.")
    if said.dismissed_at is not None:
        raise Conflict(f"{said.dismissed_by} dismissed it already.")
    return said
