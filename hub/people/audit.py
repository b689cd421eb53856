"""Who did what to what, when: one row per deed, in the transaction of the deed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.people import audit_chain
from hub.people.models import Account, AuditEntry
from hub.people.policy import Actor

SAID = {
    "account.created": "made the account",
    "account.invited": "invited",
    "account.password": "set a password for",
    "account.signed-in": "signed in as",
    "account.signed-out": "signed out",
    "demo.begun": "began to fill the demo workspace",
    "demo.told": "filled the demo workspace",
    "alias.added": "made the alias",
    "alias.changed": "changed the alias",
    "alias.removed": "removed the alias",
    "connection.added": "added the connection",
    "connection.changed": "changed the connection",
    "connection.removed": "removed the connection",
    "glass.broken": "broke the glass for",
    "group.deleted": "deleted the group",
    "group.made": "made the group",
    "group.member-added": "put into a group:",
    "group.member-removed": "took out of a group:",
    "group.renamed": "renamed a group to",
    "key.created": "made the key",
    "key.revoked": "revoked the key",
    "label.moved": "moved the label",
    "machine.priced": "set the price of an hour of",
    "relay.opened": "let programs run prompts in",
    "relay.closed": "stopped programs from running prompts in",
    "member.added": "added",
    "member.changed": "changed the role of",
    "member.removed": "removed",
    "history.pushed": "pushed to",
    "policy.approved": "approved",
    "policy.changed": "put in force",
    "policy.declined": "declined",
    "policy.proposed": "proposed",
    "prompt.deleted": "deleted",
    "prompt.renamed": "renamed",
    "release.cancelled": "cancelled the release of",
    "release.refused": "scheduled, and was refused, the release of",
    "release.scheduled": "scheduled the release of",
    "proposal.declined": "declined",
    "proposal.merged": "merged",
    "proposal.opened": "proposed",
    "proposal.reopened": "reopened",
    "proposal.reviewed": "reviewed",
    "proposal.revised": "revised",
    "proposal.withdrawn": "withdrew",
    "remote.changed": "changed the link to",
    "remote.decided": "decided how to go on with",
    "remote.host-confirmed": "confirmed the host keys of",
    "remote.linked": "linked",
    "remote.taken-in": "brought in",
    "remote.unlinked": "unlinked",
    "review.dismissed": "dismissed a request for a change of",
    "review.requested": "asked for a review of",
    "prompts.imported": "brought in",
    "version.released": "saved and released as",
    "version.restored": "restored a version of",
    "version.saved": "saved a version of",
    "webhook.added": "added the webhook",
    "webhook.changed": "changed the webhook",
    "webhook.left-out": "left out a message to the webhook",
    "webhook.paused": "paused the webhook",
    "webhook.removed": "removed the webhook",
    "webhook.resumed": "resumed the webhook",
    "webhook.secret": "made a new secret for the webhook",
    "webhook.secret-ended": "ended the secret before of the webhook",
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


rows = audit_chain.rows
"""As `record`, for plain connections and many rows at once."""


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it is read: people by their names, the rest in words."""

    at: datetime
    who: str
    address: str
    """The e-mail address of whoever it was, where `who` is another text."""
    did: str
    what: str
    more: list[str]


async def deeds(db: AsyncSession, rows: list[AuditEntry]) -> list[Deed]:
    """Names as they are now; the log itself keeps addresses, which do not change."""
    said = {row.actor for row in rows} | {row.subject for row in rows}
    query = select(Account.email, Account.name).where(Account.email.in_(said))
    names = {row.email: row.name for row in await db.execute(query)}
    return [
        Deed(
            at=row.at,
            who=names.get(row.actor, row.actor),
            address=row.actor if row.actor in names else "",
            did=SAID.get(row.action, row.action),
            what=names.get(row.subject) or _few(row.subject),
            more=_more(row, names),
        )
        for row in rows
    ]


def _few(subject: str) -> str:
    """An import names hundreds of prompts; three say which it was."""
    named = subject.split(", ")
    return subject if len(named) < 5 else f"{', '.join(named[:3])} and others"


_WORDS = {
    "approve": "approved", "changes": "asked for a change", "none": "took the word back",
}  # fmt: skip


def _more(row: AuditEntry, names: dict[str, str]) -> list[str]:
    detail = row.detail
    said = [row.subject] if row.subject in names and row.subject != row.actor else []
    if detail.get("before") and detail.get("after"):
        said.append(f"from {detail['before']} to {detail['after']}")
    words = {
        "role": "as {}", "by": "by {}", "key": "key {}", "scope": "may {}",
        "in_group": "the group {}", "why": "“{}”", "reason": "“{}”", "asked_by": "asked by {}",
        "broke_glass": "the rules set aside: “{}”",
    }  # fmt: skip
    said += [text.format(detail[name]) for name, text in words.items() if detail.get(name)]
    if word := _WORDS.get(str(detail.get("verdict", ""))):
        said.append(word)
    if detail.get("moved"):
        said.append("another address, so its key was forgotten")
    if commits := detail.get("commits"):
        said.append(f"kept as {', '.join(str(one)[:12] for one in commits[:3])}")
    return said


async def has(db: AsyncSession, workspace_id: int, action: str) -> bool:
    """Whether something was ever done in the workspace."""
    query = select(AuditEntry.id).where(
        AuditEntry.workspace_id == workspace_id, AuditEntry.action == action
    )
    return (await db.scalar(query.limit(1))) is not None
