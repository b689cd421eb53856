"""Tables of the relay: whether it is open, what each key has used of a day, and its calls."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Relay(Base):
    """Whether programs may run prompts through the hub; no row: they may not."""

    __tablename__ = "relays"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    open: Mapped[bool]
    tokens_a_day: Mapped[int | None] = mapped_column(BigInteger)
    """For each key, from midnight to midnight UTC; None: no limit of this kind."""
    usd_a_day: Mapped[float | None]


class RelayDay(Base):
    """What a key has used of one day."""

    __tablename__ = "relay_days"

    key_id: Mapped[str] = mapped_column(String(12), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    """`2026-11-21`, UTC."""
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    calls: Mapped[int]
    """Those that are over."""
    tokens: Mapped[int] = mapped_column(BigInteger)
    usd: Mapped[float]
    held_tokens: Mapped[int] = mapped_column(BigInteger)
    held_usd: Mapped[float]
    """Set aside for calls that have begun. A call that ended with its process stays here: what it
    cost nobody knows, and it was no more than this."""


class RelayCall(Base):
    """One call, whatever became of it. The texts are the program's and are not kept."""

    __tablename__ = "relay_calls"
    __table_args__ = (Index("ix_relay_calls_workspace", "workspace_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    key_id: Mapped[str] = mapped_column(String(12))
    prompt_id: Mapped[str] = mapped_column(String(40))
    prompt_name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    model: Mapped[str] = mapped_column(String(200))
    connection: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(10))
    """done, failed or stopped (the program left); running: also, the hub died in it."""
    error: Mapped[str | None] = mapped_column(Text)
    finish_reason: Mapped[str | None] = mapped_column(String(40))
    tokens_in: Mapped[int | None]
    tokens_out: Mapped[int | None]
    estimated: Mapped[bool]
    cost_usd: Mapped[float | None]
    first_token_s: Mapped[float | None]
    total_s: Mapped[float | None]
    at: Mapped[datetime]
