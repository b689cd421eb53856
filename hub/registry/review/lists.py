"""Which proposals a list asks for, as SQL; and where its next page begins."""

from __future__ import annotations

import base64
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, String, and_, cast, exists, func, or_, select

from hub.errors import Invalid
from hub.registry.review.models import Item, Proposal, Review, Watcher

STATES = ("open", "approved", "merged", "declined", "withdrawn", "closed", "all")


def where(
    workspace_id: int, state: str, mine: int | None, waiting_for: int | None, q: str
) -> list[ColumnElement[bool]]:
    """The conditions; `approved` is asked of the rules afterwards, among the open ones.

    Raises:
        Invalid: there is no such state.
    """
    if state not in STATES:
        raise Invalid(f"`state` is one of {', '.join(STATES)}.")
    found: list[ColumnElement[bool]] = [Proposal.workspace_id == workspace_id]
    if state in ("open", "approved"):
        found.append(Proposal.state == "open")
    elif state == "closed":
        found.append(Proposal.state != "open")
    elif state != "all":
        found.append(Proposal.state == state)
    if mine is not None:
        found.append(Proposal.account_id == mine)
    if waiting_for is not None:
        found.append(_awaited(waiting_for))
    if asked := " ".join(q.split()).replace("\0", ""):
        found.append(_mentions(asked))
    return found


def _awaited(account_id: int) -> ColumnElement[bool]:
    """Asked to review, and silent on the latest revision."""
    asked = exists().where(
        Watcher.account_id == account_id, Watcher.workspace_id == Proposal.workspace_id,
        Watcher.number == Proposal.number, Watcher.requested.is_(True), Watcher.muted.is_(False),
    )  # fmt: skip
    last = (
        select(func.max(Review.id))
        .where(
            Review.workspace_id == Proposal.workspace_id, Review.number == Proposal.number,
            Review.account_id == account_id,
        )
        .correlate(Proposal)
        .scalar_subquery()
    )  # fmt: skip
    spoken = exists().where(
        Review.id == last, Review.revision == Proposal.revision, Review.verdict != "none"
    )
    return and_(
        Proposal.state == "open",
        asked,
        ~spoken,
        or_(Proposal.account_id.is_(None), Proposal.account_id != account_id),
    )


def _mentions(asked: str) -> ColumnElement[bool]:
    """Title, why, author, number, or the name of a prompt."""
    named = exists().where(
        Item.workspace_id == Proposal.workspace_id, Item.number == Proposal.number,
        Item.revision == Proposal.revision, Item.name.icontains(asked, autoescape=True),
    )  # fmt: skip
    return or_(
        Proposal.title.icontains(asked, autoescape=True),
        Proposal.why.icontains(asked, autoescape=True),
        Proposal.author.icontains(asked, autoescape=True),
        cast(Proposal.number, String) == asked.removeprefix("#"),
        named,
    )


def touching(prompt_id: str) -> ColumnElement[bool]:
    """Whose latest revision does something to that prompt."""
    return exists().where(
        Item.workspace_id == Proposal.workspace_id, Item.number == Proposal.number,
        Item.revision == Proposal.revision, Item.prompt_id == prompt_id,
    )  # fmt: skip


def after(at: datetime, number: int) -> ColumnElement[bool]:
    """Behind that proposal, when what changed last stands first."""
    return or_(
        Proposal.updated_at < at,
        and_(Proposal.updated_at == at, Proposal.number < number),
    )


def cursor(at: datetime, number: int) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((at, number))).decode().rstrip("=")


def decoded(given: str) -> tuple[datetime, int]:
    try:
        raw = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        return msgspec.json.decode(raw, type=tuple[datetime, int])
    except (ValueError, msgspec.MsgspecError):
        raise Invalid(
            "This `cursor` did not come from this list. Leave it out to start again."
        ) from None
