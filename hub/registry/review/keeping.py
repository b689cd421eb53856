"""Words on proposals go into git as well, so that they come back from git alone.

SQL is written first, in the transaction that a merge waits for; then the notes of that proposal
are written as SQL has them. They are a copy of a state, not a log of events: whoever writes one
writes all of it, so it does not matter who comes second, and what a crash left out is written at
the next start.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import HubError
from hub.people.policy import Actor, WorkspaceRef
from hub.registry.git.commits import (
    HUB_EMAIL,
    HUB_NAME,
    Change,
    Commit,
    Plan,
    clean_email,
    clean_name,
    stream,
)
from hub.registry.git.git_terms import REVIEWS, RefMove, RefMoved
from hub.registry.git.repository import Repository
from hub.registry.review.deed import changing
from hub.registry.review.follow_proposals import HeldProposal
from hub.registry.review.models import Proposal, Review, Revision
from hub.registry.review.notebook import Closed, Dismissed, Line, Said, note, path_of

if TYPE_CHECKING:
    from hub.registry.writing.publish import Publisher

log = logging.getLogger(__name__)
_TRIES = 12
HUB = (HUB_NAME, HUB_EMAIL)


@asynccontextmanager
async def deciding(
    publisher: Publisher, workspace: WorkspaceRef, number: int, actor: Actor
) -> AsyncGenerator[tuple[AsyncSession, HeldProposal]]:
    """As `changing`; and what was decided is in git when this ends."""
    async with changing(publisher.database, workspace, number, actor) as at_hand:
        yield at_hand
    await keep(publisher, workspace, number, actor)


async def keep(
    publisher: Publisher, workspace: WorkspaceRef, number: int, actor: Actor
) -> None:  # fmt: skip
    """Write the notes of one proposal. It never refuses: what was decided is decided."""
    repository = publisher.repository(workspace.slug)
    by = (clean_name(actor.name), clean_email(actor.email))
    try:
        for attempt in range(_TRIES):
            tip = await asyncio.to_thread(repository.tip, REVIEWS)  # before SQL is read
            read = partial(notes, workspace_id=workspace.id, number=number)
            found = await publisher.database.read_at_once(read)
            try:
                await asyncio.to_thread(write, repository, tip, found, by, f"Proposal {number}")
            except RefMoved:
                await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311
                continue
            publisher.keep_packed(workspace, repository)
            return
        log.error("words on proposal %s of %s are not in git yet", number, workspace.slug)
    except HubError:
        log.exception("words on proposal %s of %s are not in git yet", number, workspace.slug)


def write(
    repository: Repository, tip: str | None, found: Mapping[str, bytes], by: tuple[str, str],
    message: str,
) -> None:  # fmt: skip
    """These notes, by commit; an empty one goes away.

    Raises:
        RefMoved: somebody else wrote since `tip`; read SQL again.
    """
    changes = [Change(path_of(one), data=data or None) for one, data in found.items()]
    commit = Commit("", tip, *by, now(), message, changes)
    [id] = repository.write_at_once(stream(secrets.token_hex(8), [Plan(REVIEWS, tip, commit)]), 1)
    repository.move([RefMove(REVIEWS, tip, id)])


def notes(db: Connection, workspace_id: int, number: int | None = None) -> dict[str, bytes]:
    """By revisions' commits what their notes should say; of one proposal also those that are
    empty."""
    mine = [Revision.workspace_id == workspace_id]
    mine += [Revision.number == number] if number is not None else []
    said: dict[str, list[Line]] = {}
    if number is not None:
        said = {commit: [] for commit in db.scalars(select(Revision.commit).where(*mine))}
    its = and_(
        Review.workspace_id == Revision.workspace_id, Review.number == Revision.number,
        Review.revision == Revision.revision,
    )  # fmt: skip
    query = select(
        Revision.commit, Review.name, Review.email, Review.verdict, Review.digest, Review.at,
        Review.body, Review.stands, Review.dismissed_by, Review.dismissed_why, Review.dismissed_at,
    )  # fmt: skip
    for row in db.execute(query.join(Review, its).where(*mine).order_by(Review.id)):
        dismissed = None
        if row.dismissed_at is not None:
            dismissed = Dismissed(
                by=row.dismissed_by or "", why=row.dismissed_why or "", at=row.dismissed_at
            )
        said.setdefault(row.commit, []).append(
            Said(
                name=row.name, email=row.email, verdict=row.verdict, digest=row.digest, at=row.at,
                body=row.body, stands=row.stands, dismissed=dismissed,
            )
        )  # fmt: skip
    for commit, closed in _closed(db, mine):
        said.setdefault(commit, []).append(closed)
    return {commit: note(of_one) for commit, of_one in said.items()}


def _closed(db: Connection, mine: list[Any]) -> list[tuple[str, Closed]]:
    its = and_(
        Proposal.workspace_id == Revision.workspace_id, Proposal.number == Revision.number,
        Proposal.revision == Revision.revision,
    )  # fmt: skip
    query = select(
        Revision.commit, Proposal.state, Proposal.closed_by, Proposal.close_reason,
        Proposal.closed_at,
    ).join(Proposal, its).where(*mine, Proposal.state.in_(("declined", "withdrawn")))  # fmt: skip
    return [
        (
            row.commit,
            Closed(
                state=row.state, by=row.closed_by or "", why=row.close_reason or "",
                at=row.closed_at,
            ),
        )
        for row in db.execute(query)
    ]  # fmt: skip
