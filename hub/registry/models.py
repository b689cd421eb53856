"""Tables of the registry.

Index (rebuilt from git by `prompthub reindex`): Prompt, OldName, Content, Version, PromptEvent,
Label, LabelMove, IndexedRef. People's work in progress (in SQL alone): Draft. Bookkeeping: Intent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Prompt(Base):
    """A prompt as it stands on `main`; a deleted one stays as a tombstone."""

    __tablename__ = "prompts"
    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        Index("ix_prompts_listing", "workspace_id", "deleted_at", "name"),
        Index("ix_prompts_folder", "workspace_id", "folder", "name", "deleted_at"),
    )

    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    id: Mapped[str] = mapped_column(String(40))
    """Stable through renames; kept in the file as `id`."""
    name: Mapped[str] = mapped_column(String(200))
    folder: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(JSON)
    head: Mapped[int]
    """Number of the latest version."""
    hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the latest version's file."""
    blob: Mapped[str] = mapped_column(String(40))
    """Git's id of the file on main's tip; not the latest good version's if there is a `problem`."""
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(120))
    change: Mapped[str] = mapped_column(Text)
    """Why it was changed last."""
    deleted_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the file on main cannot be used (broken by a push); the last good version is served."""


class OldName(Base):
    """A name a prompt once had; it redirects."""

    __tablename__ = "old_names"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    prompt_id: Mapped[str] = mapped_column(String(40))


class Content(Base):
    """The bytes of a prompt file, by SHA-256, and the same as JSON, ready to be served."""

    __tablename__ = "contents"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    document: Mapped[bytes] = mapped_column(LargeBinary)
    """`document.to_json`, encoded."""


class Version(Base):
    """One immutable, numbered content of a prompt; one commit on `main`."""

    __tablename__ = "versions"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "hash"], ["contents.workspace_id", "contents.hash"]),
        ForeignKeyConstraint(["workspace_id", "prompt_id"], ["prompts.workspace_id", "prompts.id"]),
        Index("ix_versions_hash", "workspace_id", "hash"),
        Index("ix_versions_commit", "workspace_id", "commit"),
    )

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    prompt_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    blob: Mapped[str] = mapped_column(String(40))
    commit: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(200))
    """The prompt's name at that time."""
    author: Mapped[str] = mapped_column(String(120))
    author_email: Mapped[str] = mapped_column(String(254))
    message: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class PushedCommit(Base):
    """Who brought a commit. Git's author and committer are claims of whoever made it; this is whom
    the hub knew. With an address, they answer for it in place of whoever it names; `others` do so
    beside them."""

    __tablename__ = "pushed_commits"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    commit: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    email: Mapped[str] = mapped_column(String(254))
    others: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Addresses."""
    at: Mapped[datetime]
    """By the hub's clock."""


class PromptEvent(Base):
    """What happened to a prompt besides versions: renamed, deleted, restored, broken, mended."""

    __tablename__ = "prompt_events"
    __table_args__ = (Index("ix_prompt_events_prompt", "workspace_id", "prompt_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    prompt_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(12))
    old: Mapped[str] = mapped_column(String(200))
    new: Mapped[str] = mapped_column(String(200))
    commit: Mapped[str] = mapped_column(String(40))
    author: Mapped[str] = mapped_column(String(120))
    message: Mapped[str] = mapped_column(Text)
    despite: Mapped[str] = mapped_column(Text, default="", server_default="")
    """As `LabelMove.despite`."""
    at: Mapped[datetime]


class Label(Base):
    """Where a label points now."""

    __tablename__ = "labels"
    __table_args__ = (Index("ix_labels_prompt", "workspace_id", "prompt_id"),)

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    label: Mapped[str] = mapped_column(String(36), primary_key=True)
    prompt_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
    moved_at: Mapped[datetime]
    moved_by: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)
    beside: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """In a gradual release, the version of the smaller share: `ledger.Aside` as JSON."""


class LabelMove(Base):
    """One release, roll-back or removal; the answer to "what was live at 14:00 on 3 May"."""

    __tablename__ = "label_moves"
    __table_args__ = (
        Index("ix_label_moves_prompt", "workspace_id", "prompt_id", "id"),
        Index("ix_label_moves_label", "workspace_id", "label", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    prompt_id: Mapped[str] = mapped_column(String(40))
    label: Mapped[str] = mapped_column(String(36))
    old: Mapped[int | None]
    new: Mapped[int | None]
    """None: the label was taken off."""
    commit: Mapped[str] = mapped_column(String(40))
    author: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    proposal: Mapped[int | None]
    """The proposal that released it, if one did."""
    broke_glass: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Somebody set the rules aside for it; shown in red for ever."""
    despite: Mapped[str] = mapped_column(Text, default="", server_default="")
    """Why it was done although programs that ran then could not go on."""
    beside: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """As `Label.beside`, from this move on."""


class IndexedRef(Base):
    """How far the index has followed a ref."""

    __tablename__ = "indexed_refs"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    ref: Mapped[str] = mapped_column(String(120), primary_key=True)
    tip: Mapped[str] = mapped_column(String(40))


class Intent(Base):
    """A ref move we are about to make; settled by asking git after a crash."""

    __tablename__ = "intents"
    __table_args__ = (
        UniqueConstraint("workspace_id", "request_id"),
        Index("ix_intents_open", "workspace_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    batch: Mapped[str] = mapped_column(String(32))
    request_id: Mapped[str | None] = mapped_column(String(120))
    """The caller's `Idempotency-Key`, if one came."""
    request_hash: Mapped[str | None] = mapped_column(String(64))
    refs: Mapped[list[list[str]]] = mapped_column(JSON)
    """`[[ref, old, new], …]`, of the whole batch."""
    commits: Mapped[list[str]] = mapped_column(JSON)
    """This request's own commits."""
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10))
    """open, done or cancelled."""
    at: Mapped[datetime]


class Draft(Base):
    """One person's unsaved work on one prompt, autosaved.

    `prompt_id` is the prompt's id or, for a prompt that does not exist yet, `new:<random>`.
    """

    __tablename__ = "drafts"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    prompt_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    base: Mapped[str | None] = mapped_column(String(64))
    """Hash of the version it started from; None for a new prompt."""
    base_version: Mapped[int | None]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """As typed, in the document's JSON form; it may not be valid yet."""
    revision: Mapped[int] = mapped_column(default=1)
    """Counts autosaves, so that a late one of another tab does not overwrite a newer."""
    created_at: Mapped[datetime]
    saved_at: Mapped[datetime]
