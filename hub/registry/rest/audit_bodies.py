"""What the REST interface gives of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from hub.people.models import AuditEntry


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to what, when."""

    id: int
    workspace_id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    hash: str | None
    """Of this row and all before it; null on rows from before there were any."""


class AuditPage(msgspec.Struct, frozen=True):
    """The newest first; `next` is to be sent as `before`, null at the end."""

    items: list[AuditRow]
    next: int | None


def audit_out(row: AuditEntry) -> AuditRow:
    return AuditRow(
        id=row.id, workspace_id=row.workspace_id or 0, at=row.at, actor=row.actor,
        action=row.action, subject=row.subject, detail=row.detail, hash=row.hash,
    )  # fmt: skip
