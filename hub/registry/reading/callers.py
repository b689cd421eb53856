"""Which programs run which prompts, as they report it themselves; in SQL alone.

A row per process (`Caller`) and one for each version that it uses under a label (`CallerUse`). The
variables it passes are those of all its reports: the code of a process does not change.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import JSON, BigInteger, Connection, ForeignKey, Index, String, and_, select
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base, now

ALIVE = timedelta(minutes=5)
"""Programs report every minute; one that was silent for so long has ended, or is cut off."""
REMEMBERED = timedelta(days=1)
"""A program that runs now and then is a caller still."""
KEPT = timedelta(days=7)

Key = tuple[str, str]
"""Prompt id and label."""


class Caller(Base):
    """A process that uses prompts."""

    __tablename__ = "callers"
    __table_args__ = (Index("ix_callers_seen", "workspace_id", "seen_at"),)

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    instance: Mapped[str] = mapped_column(String(64), primary_key=True)
    app: Mapped[str] = mapped_column(String(80))
    environment: Mapped[str] = mapped_column(String(80))
    sdk: Mapped[str] = mapped_column(String(80))
    key_id: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(12))
    epoch: Mapped[str] = mapped_column(String(32))
    revision: Mapped[int] = mapped_column(BigInteger)
    age: Mapped[float]
    """Seconds since it was in step, when it last reported."""
    since: Mapped[datetime]
    seen_at: Mapped[datetime]


class CallerUse(Base):
    """A version that a process used, by its last report of it."""

    __tablename__ = "caller_uses"
    __table_args__ = (Index("ix_caller_uses_prompt", "workspace_id", "prompt_id", "seen_at"),)

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    instance: Mapped[str] = mapped_column(String(64), primary_key=True)
    prompt_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    label: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(20))
    calls: Mapped[int] = mapped_column(BigInteger)
    errors: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]
    """The time that `calls` and `errors` are of."""
    variables: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """None: it has rendered nothing, so nobody knows what it would pass."""
    seen_at: Mapped[datetime]


class Passing(msgspec.Struct, frozen=True, kw_only=True):
    """What a process passes to a prompt."""

    app: str
    environment: str
    instance: str
    alive: bool
    seen_at: datetime
    variables: frozenset[str]
    versions: frozenset[int]
    """Those it has filled in already."""


class Running(msgspec.Struct, frozen=True):
    """A program that gets a prompt under a label from the hub now."""

    app: str
    environment: str

    @property
    def said(self) -> str:
        return f"{self.app} ({self.environment})" if self.environment else self.app


def running(db: Connection, workspace_id: int, ids: Collection[str]) -> dict[Key, list[Running]]:
    """For each label of these prompts, the programs that have read it within minutes."""
    if not ids:
        return {}
    at = now()
    query = (
        select(CallerUse.prompt_id, CallerUse.label, Caller.app, Caller.environment)
        .join(
            Caller,
            and_(
                Caller.workspace_id == CallerUse.workspace_id,
                Caller.instance == CallerUse.instance,
            ),
        )
        .where(
            CallerUse.workspace_id == workspace_id, CallerUse.prompt_id.in_(ids),
            CallerUse.seen_at > at - ALIVE, CallerUse.label != "", CallerUse.source != "default",
            Caller.seen_at > at - ALIVE, Caller.state != "closed",
        )
        .distinct()
        .order_by(Caller.app, Caller.environment)
    )  # fmt: skip
    found: dict[Key, list[Running]] = {}
    for id, label, app, environment in db.execute(query):
        found.setdefault((id, label), []).append(Running(app, environment))
    return found


def passing(db: Connection, workspace_id: int, ids: Collection[str]) -> dict[Key, list[Passing]]:
    """For each label of these prompts, the processes whose variables count: those that run, or,
    of an app that does not run just now, the one that ran last."""
    if not ids:
        return {}
    at = now()
    query = (
        select(
            CallerUse.prompt_id, CallerUse.label, CallerUse.instance, CallerUse.variables,
            CallerUse.version, Caller.app, Caller.environment, Caller.state, Caller.seen_at,
        )
        .join(
            Caller,
            and_(
                Caller.workspace_id == CallerUse.workspace_id,
                Caller.instance == CallerUse.instance,
            ),
        )
        .where(
            CallerUse.workspace_id == workspace_id, CallerUse.prompt_id.in_(ids),
            CallerUse.seen_at > at - REMEMBERED,
        )
    )  # fmt: skip
    processes: dict[tuple[Key, str], Passing] = {}
    for row in db.execute(query):
        if row.variables is None or not row.label:
            continue
        key = ((row.prompt_id, row.label), row.instance)
        before = processes.get(key)
        processes[key] = Passing(
            app=row.app, environment=row.environment, instance=row.instance, seen_at=row.seen_at,
            alive=row.seen_at > at - ALIVE and row.state != "closed",
            variables=frozenset(row.variables) | (before.variables if before else frozenset()),
            versions=frozenset({row.version}) | (before.versions if before else frozenset()),
        )  # fmt: skip
    found: dict[Key, list[Passing]] = {}
    for (key, _), one in processes.items():
        found.setdefault(key, []).append(one)
    return {key: _that_count(several) for key, several in found.items()}


def _that_count(several: list[Passing]) -> list[Passing]:
    by_app: dict[tuple[str, str], list[Passing]] = {}
    for one in several:
        by_app.setdefault((one.app, one.environment), []).append(one)
    chosen: list[Passing] = []
    for of_app in by_app.values():
        alive = [one for one in of_app if one.alive]
        chosen += alive or [max(of_app, key=lambda one: one.seen_at)]
    return sorted(chosen, key=lambda one: (one.app, one.environment, one.instance))
