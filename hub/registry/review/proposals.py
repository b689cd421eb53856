"""Proposals: put a change up for review, revise it, bring it up to date, merge it. Each function is
one deed, durable when it returns. What people say of one is in `reviewing`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select

from hub.db import Database
from hub.errors import Invalid, Unavailable
from hub.people.models import Account, Member
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.prompt.includes import includes
from hub.registry.reading.aside import aside, size_of
from hub.registry.review.drawing import Wanted
from hub.registry.review.guard import NeedsReview
from hub.registry.review.landing import BroughtTogether, ItemClash, NeedsResolving
from hub.registry.review.merging import Merge, Moved, Rebase, StaleReview
from hub.registry.review.propose import Closed, Made, Offer, RevisionMoved
from hub.registry.review.record import NoSuchProposal
from hub.registry.review.reviewing import (
    HiddenCharacters,
    decline,
    mute,
    reopen,
    request_reviewers,
    review,
    subscribe,
    withdraw,
)
from hub.registry.writing.publish import Publisher

__all__ = [
    "BroughtTogether", "Closed", "HiddenCharacters", "ItemClash", "Made", "Merged",
    "NeedsResolving", "NeedsReview", "NoSuchProposal", "RevisionMoved", "StaleReview", "Wanted",
    "decline", "merge", "mute", "propose", "rebase", "reopen", "request_reviewers", "review",
    "revise", "subscribe", "withdraw",
]  # fmt: skip


_TRIES = 5


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version that a merge made."""

    name: str
    id: str
    version: int
    hash: str


class NewMove(msgspec.Struct, frozen=True, kw_only=True):
    """A label that moved with a merge."""

    label: str
    name: str
    id: str
    old: int | None
    new: int | None


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge came to."""

    number: int
    revision: int = 0
    commit: str
    versions: tuple[NewVersion, ...] = ()
    moves: tuple[NewMove, ...] = ()


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
        actor=actor, message="", at=at, request_id=request_id, wanted=await _checked(items),
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
        actor=actor, message=message, at=at, request_id=request_id, wanted=await _checked(items),
        number=number, expected=expected_revision, title=title, why=why, target=target,
        asked=await addresses(database, workspace, reviewers),
    )  # fmt: skip
    return Made(**await publisher.publish(workspace, ask))


async def merge(
    publisher: Publisher, workspace: WorkspaceRef, number: int, *, actor: Actor, digest: str,
    release: bool = False, reason: str = "", broke_glass: str = "",
    despite: str = "", request_id: str | None = None, at: datetime | None = None,
) -> Merged:  # fmt: skip
    """Put what `digest` names on main; with `release`, its label moves in the same moment.

    Raises:
        NeedsReview: the rules ask for something that is not there.
        BreaksPrograms: programs that run now could not fill it in.
        StaleReview: the proposal is not what was on the screen any more.
        BroughtTogether: main has moved; there is a new revision to look at.
        NeedsResolving: main has moved and a person must choose between two texts.
        Closed, NotFound, Conflict: it cannot be merged; the sentence says why.
    """
    require(actor, Need.SAVE, workspace.id)
    for _ in range(_TRIES):
        ask = Merge(
            actor=actor, message=reason, at=at, request_id=request_id, proposal=number,
            digest=digest, release=release, broke_glass=broke_glass.strip(),
            despite=despite.strip(),
        )  # fmt: skip
        try:
            answer = await publisher.publish(workspace, ask)
        except Moved:
            made = await _rebase(publisher, workspace, number, actor, at)
            if made["created"]:
                raise BroughtTogether(
                    number, made["revision"], made["digest"], made["news"]
                ) from None
        else:
            return msgspec.convert({"number": number} | answer, Merged)
    raise Unavailable("Main keeps moving just now, so nothing was merged. Try again in a moment.")


async def rebase(
    publisher: Publisher, workspace: WorkspaceRef, number: int, *, actor: Actor
) -> Made:
    """Bring in what main has since: a new revision, or the latest one if it still fits as it is.

    Raises:
        NeedsResolving: a person must choose between two texts; `items` holds them.
    """
    require(actor, Need.PROPOSE, workspace.id)
    made = await _rebase(publisher, workspace, number, actor, at=None)
    made.pop("news")
    return Made(**made)


async def _rebase(
    publisher: Publisher, workspace: WorkspaceRef, number: int, actor: Actor, at: datetime | None
) -> dict[str, Any]:
    ask = Rebase(actor=actor, message="", at=at, proposal=number)
    return dict(await publisher.publish(workspace, ask))


async def _checked(items: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """The wishes with what their texts include.

    Raises:
        Invalid: a text is not one that we could render.
    """
    size = sum(size_of(one.document) for one in items if one.document)
    return await aside(size, lambda: tuple(_with_includes(one) for one in items))


def _with_includes(one: Wanted) -> Wanted:
    if one.document is None:
        return one
    return msgspec.structs.replace(one, includes=includes(one.document))


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
