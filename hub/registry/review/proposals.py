"""Proposals: put a change up for review, revise it. Each function is one deed, durable when it
returns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select

from hub.db import Database
from hub.errors import Invalid
from hub.people.models import Account, Member
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.includes import includes
from hub.registry.publish import Publisher
from hub.registry.review.drawing import Wanted
from hub.registry.review.propose import Made, NoSuchProposal, Offer, RevisionMoved

__all__ = ["Made", "NoSuchProposal", "RevisionMoved", "Wanted", "propose", "revise"]


async def propose(
    publisher: Publisher, database: Database, workspace: WorkspaceRef, *, actor: Actor, title: str,
    why: str, items: Sequence[Wanted], target: str | None = None, reviewers: Collection[int] = (),
    request_id: str | None = None, at: datetime | None = None,
) -> Made:  # fmt: skip
    """Put a change up for review; whoever may read may suggest one.

    Raises:
        Invalid: a text cannot be a version, or nothing would change; the sentence says which.
        Conflict, NotFound: a prompt is not there, or its name is taken.
    """
    require(actor, Need.PROPOSE, workspace.id)
    ask = Offer(
        actor=actor, message="", at=at, request_id=request_id, wanted=_checked(items),
        title=title, why=why, target=target,
        asked=await addresses(database, workspace, reviewers),
    )  # fmt: skip
    return Made(**await publisher.publish(workspace, ask))


async def revise(
    publisher: Publisher, database: Database, workspace: WorkspaceRef, number: int, *,
    actor: Actor, items: Sequence[Wanted], message: str, expected_revision: int | None,
    title: str | None = None, why: str | None = None, target: str | UnsetType | None = UNSET,
    reviewers: Collection[int] = (), request_id: str | None = None, at: datetime | None = None,
) -> Made:  # fmt: skip
    """Another revision of an open proposal; approvals of the one before do not count for it.

    Raises:
        RevisionMoved: the latest revision is not `expected_revision` any more.
        Closed: it is merged, declined or withdrawn.
    """
    require(actor, Need.PROPOSE, workspace.id)
    ask = Offer(
        actor=actor, message=message, at=at, request_id=request_id, wanted=_checked(items),
        number=number, expected=expected_revision, title=title, why=why, target=target,
        asked=await addresses(database, workspace, reviewers),
    )  # fmt: skip
    return Made(**await publisher.publish(workspace, ask))


def _checked(items: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """The wishes with what their texts include.

    Raises:
        Invalid: a text is not one that we could render.
    """
    return tuple(
        msgspec.structs.replace(one, includes=includes(one.document)) if one.document else one
        for one in items
    )


async def addresses(
    database: Database, workspace: WorkspaceRef, account_ids: Collection[int]
) -> tuple[str, ...]:
    """Where members can be written to.

    Raises:
        Invalid: one of them is no member.
    """
    if not account_ids:
        return ()
    query = (
        select(Account.email)
        .join(Member, Member.account_id == Account.id)
        .where(Member.workspace_id == workspace.id, Account.id.in_(account_ids))
        .order_by(Account.email)
    )
    async with database.read() as db:
        found = tuple(await db.scalars(query))
    if len(found) < len(set(account_ids)):
        raise Invalid("One of the people you asked to review is not a member here any more.")
    return found
