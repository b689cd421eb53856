"""Tables of the webhooks: whom to tell, what was told, and what forges told us; in SQL alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Webhook(Base):
    """An address that is told what happens in a workspace, in order."""

    __tablename__ = "webhooks"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str] = mapped_column(String(80))
    form: Mapped[str] = mapped_column(String(10))
    """standard, github or slack; never changes: what waits was written for it."""
    address: Mapped[str] = mapped_column(String(500))
    """As it is shown. Of Slack's form only the host: the rest of the address is the secret."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    """The signing secret, GitHub's token or Slack's address."""
    sealed_old: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The signing secret before the last change of it; good until `old_until`."""
    old_until: Mapped[datetime | None]
    events: Mapped[list[str]] = mapped_column(JSON)
    """Kinds to tell of; empty: every one, also those of later versions of the hub."""
    since_id: Mapped[int]
    """The last event before it was made; it is told of none of those."""
    state: Mapped[str] = mapped_column(String(10))
    """active or paused. What happens meanwhile waits."""
    good: Mapped[bool | None]
    """Whether the last message was taken; None: there was none yet."""
    said: Mapped[str] = mapped_column(Text)
    """What became of it, or why it is paused; one sentence."""
    tries: Mapped[int]
    """How often the message at the head was sent in vain."""
    next_at: Mapped[datetime | None]
    """No message goes out before."""
    leased_until: Mapped[datetime | None]
    """A process is at it: messages of one webhook go out one after the other."""
    last_at: Mapped[datetime | None]
    created_by: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]


class Delivery(Base):
    """One message to one webhook. Sent again, it carries the same id and the same text."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_webhook_deliveries_state", "webhook_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id"))
    event_id: Mapped[int | None]
    """The outbox row it tells of; None: a test."""
    message_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(40))
    said: Mapped[str] = mapped_column(Text)
    """What happened, in a sentence, for the page."""
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    """waiting, taken, missed (a test that failed) or left (out, by somebody)."""
    tries: Mapped[int]
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """The latest ones, as `hub.sync.webhooks.sending.Attempt` has them."""
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class Inlet(Base):
    """What forges sign with when they tell a workspace of a push."""

    __tablename__ = "webhook_inlets"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_old: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_until: Mapped[datetime | None]
    created_by: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]


class Arrival(Base):
    """A message of a forge whose signature was right; the same one is not heard twice."""

    __tablename__ = "webhook_arrivals"
    __table_args__ = (
        UniqueConstraint("workspace_id", "source", "message_id"),
        Index("ix_webhook_arrivals_digest", "workspace_id", "digest"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    source: Mapped[str] = mapped_column(String(10))
    """github, gitlab, gitea or standard."""
    message_id: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the body."""
    event: Mapped[str] = mapped_column(String(60))
    outcome: Mapped[str] = mapped_column(String(10))
    """fetch (the linked repository is looked at) or nothing (no push)."""
    at: Mapped[datetime]
