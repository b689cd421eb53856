"""Who did what to what, when: one row per deed, in the transaction of the deed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.people.models import AuditEntry
from hub.people.policy import Actor

PAGE = 100

SAID = {
    "account.created": "made the account",
    "account.invited": "invited",
    "account.password": "set a password for",
    "account.signed-in": "signed in as",
    "account.signed-out": "signed out",
    "demo.told": "filled the demo workspace",
    "connection.added": "added the connection",
    "connection.changed": "changed the connection",
    "connection.removed": "removed the connection",
    "key.created": "made the key",
    "key.revoked": "revoked the key",
    "label.moved": "moved the label",
    "member.added": "added",
    "member.changed": "changed the role of",
    "member.removed": "removed",
    "prompt.deleted": "deleted",
    "prompt.renamed": "renamed",
    "release.cancelled": "cancelled the release of",
    "release.refused": "scheduled, and was refused, the release of",
    "release.scheduled": "scheduled the release of",
    "version.restored": "restored a version of",
    "version.saved": "saved a version of",
    "workspace.created": "made the workspace",
}
"""How an action reads between the person and the subject; an unknown one is shown as it is."""


def record(
    db: AsyncSession,
    actor: Actor,
    action: str,
    subject: str,
    workspace_id: int | None,
    **detail: Any,
) -> None:
    """Add a row to the transaction at hand: undone with the deed, never apart from it."""
    db.add(
        AuditEntry(
            workspace_id=workspace_id, at=now(), actor=actor.said, action=action,
            subject=subject[:255], detail=detail,
        )
    )  # fmt: skip


async def entries(
    db: AsyncSession, workspace_id: int, *, before: int | None = None
) -> list[AuditEntry]:
    """The newest rows of a workspace, or those older than the row `before`."""
    query = select(AuditEntry).where(AuditEntry.workspace_id == workspace_id)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return list(await db.scalars(query.order_by(AuditEntry.id.desc()).limit(PAGE)))


async def has(db: AsyncSession, workspace_id: int, action: str) -> bool:
    """Whether something was ever done in the workspace."""
    query = select(AuditEntry.id).where(
        AuditEntry.workspace_id == workspace_id, AuditEntry.action == action
    )
    return (await db.scalar(query.limit(1))) is not None
