"""One person's deed on one proposal, as a transaction that no merge or revision is crossing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.outbox import announce
from hub.people import audit, rules_store
from hub.people.policy import Actor, WorkspaceRef
from hub.registry.git.commits import clean_message
from hub.registry.git.git_terms import PROPOSALS
from hub.registry.indexing.ledger import Ledger
from hub.registry.models import Intent
from hub.registry.review import rows
from hub.registry.review.follow_proposals import HeldProposal
from hub.registry.review.models import Proposal
from hub.registry.review.record import NoSuchProposal

LONGEST_BODY = 20_000
_WAITS = 60
"""Twentieths of a second that somebody waits for a merge at the same moment."""


@asynccontextmanager
async def changing(
    database: Database, workspace: WorkspaceRef, number: int, actor: Actor
) -> AsyncGenerator[tuple[AsyncSession, HeldProposal]]:
    """A transaction on one proposal that no merge or revision is crossing."""
    for _ in range(_WAITS):
        async with database.write() as db:
            await rules_store.bump(db, workspace.id)  # first: from here on no merge may begin
            if not await _being_written(db, workspace.id, number):
                yield db, await _held(db, workspace, number, actor)
                return
            await db.rollback()
        await asyncio.sleep(0.05)
    raise Conflict(f"Proposal {number} is being merged or revised just now. Look again, please.")


async def _held(
    db: AsyncSession, workspace: WorkspaceRef, number: int, actor: Actor
) -> HeldProposal:  # fmt: skip
    ledger = Ledger(workspace.id)
    await db.run_sync(lambda session: rows.load(session.connection(), ledger, {number}))
    held = ledger.proposals.get(number)
    if held is None:
        raise NoSuchProposal(number)
    if actor.kind != "operator" and actor.account_id is None:
        raise Forbidden("An app's key cannot do this; a person has to.")
    if actor.account_id is not None:
        people = await rules_store.people(db, workspace.id, {actor.account_id})
        who = people.get(actor.account_id)
        if actor.kind != "operator" and (who is None or not who.role):
            raise NotFound("There is no such page, or you may not see it.")
    return held


async def _being_written(db: AsyncSession, workspace_id: int, number: int) -> bool:
    query = select(Intent.answer).where(
        Intent.workspace_id == workspace_id, Intent.state == "open", Intent.request_id.is_(None)
    )
    return any(number in (answer or {}).get(PROPOSALS, ()) for answer in await db.scalars(query))


async def set_(
    db: AsyncSession, workspace: WorkspaceRef, held: HeldProposal, **values: Any
) -> None:
    await db.execute(
        update(Proposal).where(*here(Proposal, workspace, held.number)).values(**values)
    )


async def watch(
    db: AsyncSession, workspace: WorkspaceRef, number: int, who: set[int], *,
    requested: bool = False,
) -> None:  # fmt: skip
    key = {"workspace_id": workspace.id, "number": number}
    asked = who if requested else set[int]()
    for one in who:
        await db.run_sync(
            lambda session, one=one: rows.watch(session.connection(), key, one, asked)
        )


async def note(
    db: AsyncSession, workspace: WorkspaceRef, held: HeldProposal, actor: Actor, kind: str,
    **more: Any,
) -> None:  # fmt: skip
    """The moment of the last change, the event and the audit row."""
    await set_(db, workspace, held, updated_at=now())
    subject = f"#{held.number} {held.title}"[:255]
    announce(
        db, kind, workspace_id=workspace.id, subject=subject, number=held.number, by=actor.name,
        account_id=actor.account_id, title=held.title, **more,
    )  # fmt: skip
    audit.record(db, actor, kind, subject, workspace.id, number=held.number, **more)


def here(model: Any, workspace: WorkspaceRef, number: int) -> tuple[Any, Any]:
    return (model.workspace_id == workspace.id, model.number == number)


def wrote(held: HeldProposal, actor: Actor) -> bool:
    return actor.account_id in held.writers or actor.email.lower() in held.writer_emails


def checked_body(body: str) -> str:
    """Raises:
    Invalid: it is too long.
    """
    body = clean_message(body)
    if len(body) > LONGEST_BODY:
        raise Invalid(f"That has {len(body):,} characters; {LONGEST_BODY:,} is the most.")
    return body
