"""Events written in the same transaction as the change they tell of.

Other processes (and, inside this one, the table that serves apps) read them in order; webhooks and
notices are sent from here, at least once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base, now


class Event(Base):
    """Something that happened: `version.saved`, `label.moved`, `key.revoked`, …"""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_workspace_id_id", "workspace_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(255))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime]


def announce(
    db: AsyncSession, kind: str, *, workspace_id: int | None, subject: str, **payload: Any
) -> None:
    """Add an event to the transaction at hand."""
    db.add(
        Event(workspace_id=workspace_id, kind=kind, subject=subject, payload=payload, at=now())
    )
