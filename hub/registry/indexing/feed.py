"""What apps have to be told: which label of which prompt changed, revision by revision.

A part of the index: written in the transaction that moves it, so no change can miss the log and
none is in it that did not happen. A row names a place (label and prompt name), not what is there:
whoever reads the log looks up what the place holds now. `hub.sync` carries it out.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.dml import ReturningUpdate

from hub.db import Base
from hub.executemany import insert_many
from hub.registry.indexing.ledger import Ledger
from hub.registry.models import Label

LATEST = "latest"
CHANNEL = "prompthub_feed"
"""Postgres tells the other processes here which workspace has changed."""
MOST_ROWS = 50_000

Place = tuple[str, str]
"""Label and prompt name."""


class Feed(Base):
    """Where the log of a workspace stands."""

    __tablename__ = "feeds"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(32))
    """Another one: nothing that was told before holds."""
    revision: Mapped[int] = mapped_column(BigInteger)
    """Only grows. Milliseconds since 1970, or one more than the last: a database put back to an
    older state does not give out the numbers that were in use before."""
    floor: Mapped[int] = mapped_column(BigInteger)
    """The log holds everything after this revision."""


class FeedChange(Base):
    """A place that changed in a revision."""

    __tablename__ = "feed_changes"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    label: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)


class Published(Base):
    """The exact bytes that apps were given for a version; they never change."""

    __tablename__ = "published"
    __table_args__ = (Index("ix_published_object", "workspace_id", "object"),)

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    prompt_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    object: Mapped[str] = mapped_column(String(64))
    """SHA-256 of `data`."""
    data: Mapped[bytes] = mapped_column(LargeBinary)


def note(db: Connection, ledger: Ledger) -> None:
    """Write what the ledger changes for apps into the log, as one revision."""
    places = _places(db, ledger)
    if not places:
        return
    revision = _next_revision(db, ledger.workspace_id)
    rows = [
        {"workspace_id": ledger.workspace_id, "revision": revision, "label": label, "name": name}
        for label, name in sorted(places)
    ]
    insert_many(db, FeedChange, rows)
    _tell(db, ledger.workspace_id)


def _places(db: Connection, ledger: Ledger) -> set[Place]:
    places = {(LATEST, known.name) for known in ledger.new_versions}
    for label, id in ledger.touched_labels:
        if held := ledger.prompts.get(id):
            places.add((label, held.name))
    moved = [one for one in ledger.events if one.kind in {"renamed", "deleted", "restored"}]
    if moved:
        labels = _labels(db, ledger.workspace_id, {one.prompt_id for one in moved})
        for one in moved:
            names = {one.old, one.new, ledger.prompts[one.prompt_id].name} - {""}
            touched = {label for label, id in ledger.touched_labels if id == one.prompt_id}
            for label in {LATEST, *labels.get(one.prompt_id, ()), *touched}:
                places |= {(label, name) for name in names}
    return places


def _labels(db: Connection, workspace_id: int, ids: set[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), 5000):
        query = select(Label.prompt_id, Label.label).where(
            Label.workspace_id == workspace_id, Label.prompt_id.in_(wanted[start : start + 5000])
        )
        for id, label in db.execute(query):
            found.setdefault(id, []).append(label)
    return found


def _next_revision(db: Connection, workspace_id: int) -> int:
    given = {"workspace": workspace_id, "least": int(time.time() * 1000)}
    counted = db.execute(_counted(db.dialect.name), given).scalar()
    if counted is not None:
        return counted
    begin(db, workspace_id)
    return db.execute(_counted(db.dialect.name), given).scalar_one()


@cache
def _counted(dialect: str) -> ReturningUpdate[int]:
    """Made once: SQLAlchemy takes longer to build it than the database to run it."""
    greater = func.max if dialect == "sqlite" else func.greatest
    counted = update(Feed).where(Feed.workspace_id == bindparam("workspace"))
    raised = greater(Feed.revision + 1, bindparam("least", type_=BigInteger))
    return counted.values(revision=raised).returning(Feed.revision)


def _insert(db: Connection) -> Any:
    return (sqlite if db.dialect.name == "sqlite" else postgresql).insert(Feed)


def _new_epoch() -> str:
    return secrets.token_hex(8)


def _tell(db: Connection, workspace_id: int) -> None:
    if db.dialect.name == "postgresql":
        told = {"channel": CHANNEL, "payload": str(workspace_id)}
        db.execute(text("SELECT pg_notify(:channel, :payload)"), told)


def begin(db: Connection, workspace_id: int) -> None:
    """Give the workspace a place in the log, if it has none yet."""
    least = int(time.time() * 1000)
    given = {"epoch": _new_epoch(), "revision": least, "floor": least}
    statement = _insert(db).values(workspace_id=workspace_id, **given)
    db.execute(statement.on_conflict_do_nothing())


def restart(db: Connection, workspace_id: int) -> None:
    """The index was built anew: a new epoch, in which nobody is owed a gap."""
    for model in (FeedChange, Published):
        db.execute(delete(model).where(model.workspace_id == workspace_id))
    revision = _next_revision(db, workspace_id)
    given = {"epoch": _new_epoch(), "revision": revision, "floor": revision}
    statement = _insert(db).values(workspace_id=workspace_id, **given)
    db.execute(statement.on_conflict_do_update(index_elements=["workspace_id"], set_=given))
    _tell(db, workspace_id)


def compact(db: Connection, most_rows: int) -> int:
    """Forget the oldest revisions of logs that have grown too long; how many rows went."""
    counted = select(FeedChange.workspace_id, func.count()).group_by(FeedChange.workspace_id)
    gone = 0
    for workspace_id, count in list(db.execute(counted)):
        if count > most_rows:
            gone += _cut(db, workspace_id, most_rows)
    return gone


def _cut(db: Connection, workspace_id: int, most_rows: int) -> int:
    mine = FeedChange.workspace_id == workspace_id
    newest = select(FeedChange.revision).where(mine).order_by(FeedChange.revision.desc())
    last = db.scalar(newest.offset(most_rows).limit(1))  # whole revisions go, or stay
    if last is None:
        return 0
    db.execute(update(Feed).where(Feed.workspace_id == workspace_id).values(floor=last))
    return db.execute(delete(FeedChange).where(mine, FeedChange.revision <= last)).rowcount


def names_of(places: Iterable[Place]) -> dict[str, list[str]]:
    """The names per label."""
    by_label: dict[str, list[str]] = {}
    for label, name in places:
        by_label.setdefault(label, []).append(name)
    return by_label
