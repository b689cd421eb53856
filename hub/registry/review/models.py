"""Tables of review.

Index (rebuilt from git by `prompthub reindex`): Merge. Rebuilt from `refs/proposals/*` where it is
missing: Proposal, Revision, Item; from `refs/notes/reviews`: Review, and whether a proposal was
closed. People's work in progress (in SQL alone): all the others.
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


class Proposal(Base):
    """A change offered for review; numbered per workspace, a number is never used twice."""

    __tablename__ = "proposals"
    __table_args__ = (Index("ix_proposals_state", "workspace_id", "state", "updated_at"),)

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    why: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    """open, merged, declined or withdrawn; whether an open one is approved, the policy says."""
    target: Mapped[str | None] = mapped_column(String(36))
    """The label that moves with the merge, if one shall."""
    revision: Mapped[int]
    """The latest."""
    author: Mapped[str] = mapped_column(String(120))
    author_email: Mapped[str] = mapped_column(String(254))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    """Of the last revision, review, comment or change of state."""
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(String(120))
    close_reason: Mapped[str | None] = mapped_column(Text)
    merge_commit: Mapped[str | None] = mapped_column(String(40))
    elsewhere: Mapped[str | None] = mapped_column(String(300))
    """Where it was merged before it could be here, and by whom: `Dana at github.com/acme/x`."""


class Revision(Base):
    """One immutable state of a proposal: a commit kept under `refs/proposals/<n>/<revision>`."""

    __tablename__ = "proposal_revisions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "number"], ["proposals.workspace_id", "proposals.number"]
        ),
    )

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    commit: Mapped[str] = mapped_column(String(40))
    base: Mapped[str | None] = mapped_column(String(40))
    """Main's tip it was written upon; None: main was empty."""
    digest: Mapped[str] = mapped_column(String(64))
    """What an approval names: the contents, their bases and the target, hashed together."""
    author: Mapped[str] = mapped_column(String(120))
    author_email: Mapped[str] = mapped_column(String(254))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    """The person behind it; of a key, who made the key."""
    message: Mapped[str] = mapped_column(Text)
    """What this revision changes against the one before; empty for the first."""
    co_authors: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Addresses that its words name as co-authors, in small letters."""
    at: Mapped[datetime]


class Item(Base):
    """What a revision does to one prompt."""

    __tablename__ = "proposal_items"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "number", "revision"],
            [
                "proposal_revisions.workspace_id", "proposal_revisions.number",
                "proposal_revisions.revision",
            ],
        ),
        Index("ix_proposal_items_prompt", "workspace_id", "prompt_id"),
    )  # fmt: skip

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    prompt_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(String(8))
    """create, change, rename, delete or release (no new text: a version for the target label)."""
    name: Mapped[str] = mapped_column(String(200))
    new_name: Mapped[str | None] = mapped_column(String(200))
    base_hash: Mapped[str | None] = mapped_column(String(64))
    """What was edited; of a release, what the target label points at. None: nothing yet."""
    base_version: Mapped[int | None]
    hash: Mapped[str | None] = mapped_column(String(64))
    """The content that would land; None for a delete."""
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The file that would land."""
    version: Mapped[int | None]
    """Of a release: which."""


class Review(Base):
    """One person's word on one revision; a person's latest word counts."""

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_proposal", "workspace_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    number: Mapped[int]
    revision: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    """None: it came back from git, and nobody here has that address (yet)."""
    name: Mapped[str] = mapped_column(String(120))
    email: Mapped[str] = mapped_column(String(254))
    verdict: Mapped[str] = mapped_column(String(8))
    """approve, changes (asks for a change) or none (took the word back)."""
    body: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    stands: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Of `changes`: the rules counted whoever asked, so it stands whatever becomes of them."""
    dismissed_at: Mapped[datetime | None]
    dismissed_by: Mapped[str | None] = mapped_column(String(120))
    dismissed_why: Mapped[str | None] = mapped_column(Text)


class Comment(Base):
    """A remark: on the whole proposal, on words of a text, or an answer to another."""

    __tablename__ = "comments"
    __table_args__ = (Index("ix_comments_proposal", "workspace_id", "number", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    number: Mapped[int]
    revision: Mapped[int]
    """The one that was on the screen."""
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("comments.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    author: Mapped[str] = mapped_column(String(120))
    prompt_id: Mapped[str | None] = mapped_column(String(40))
    place: Mapped[str | None] = mapped_column(String(80))
    """Where in the document: `messages/0`, `description`, …; None: the whole prompt or proposal."""
    quote: Mapped[str] = mapped_column(Text, default="")
    """The words it is about; `before` and `after` are what stood around them."""
    before: Mapped[str] = mapped_column(Text, default="")
    after: Mapped[str] = mapped_column(Text, default="")
    start: Mapped[int | None]
    """Where the quote began, in characters of that place's text."""
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None] = mapped_column(String(120))


class CommentDraft(Base):
    """What somebody is typing and has not sent, by place of the form."""

    __tablename__ = "comment_drafts"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    place: Mapped[str] = mapped_column(String(120), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Check(Base):
    """A machine's verdict on one revision's digest; posting again replaces it."""

    __tablename__ = "checks"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    state: Mapped[str] = mapped_column(String(8))
    """pass, warn, fail or running."""
    summary: Mapped[str] = mapped_column(Text)
    link: Mapped[str] = mapped_column(Text, default="")
    posted_by: Mapped[str] = mapped_column(String(254))
    at: Mapped[datetime]


class Watcher(Base):
    """Somebody a proposal concerns, and how far they have read it."""

    __tablename__ = "watchers"
    __table_args__ = (Index("ix_watchers_account", "account_id", "workspace_id"),)

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    requested: Mapped[bool] = mapped_column(default=False)
    """Asked to review."""
    muted: Mapped[bool] = mapped_column(default=False)
    seen_revision: Mapped[int] = mapped_column(default=0)
    seen_at: Mapped[datetime | None]


class Merge(Base):
    """The record of a merged proposal, as its commits tell it: who approved which contents."""

    __tablename__ = "merges"
    __table_args__ = (Index("ix_merges_number", "workspace_id", "number"),)

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    commit: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int]
    revision: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    target: Mapped[str | None] = mapped_column(String(36))
    blobs: Mapped[list[str]] = mapped_column(JSON)
    """Git's ids of the files that were approved."""
    reviewers: Mapped[list[str]] = mapped_column(JSON)
    """`Name <address>`, as in the trailers."""
    merged_by: Mapped[str] = mapped_column(String(120))
    merged_email: Mapped[str] = mapped_column(String(254))
    broke_glass: Mapped[bool]
    at: Mapped[datetime]


class Scheduled(Base):
    """Label moves that shall happen at a moment to come."""

    __tablename__ = "scheduled_releases"
    __table_args__ = (Index("ix_scheduled_releases_due", "state", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    moves: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """`[{label, name, version, expected, id}, …]`, all or none."""
    due_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    """Who asked for it; their rights are read again when it is due."""
    state: Mapped[str] = mapped_column(String(10))
    """waiting, running, done, refused or cancelled."""
    outcome: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class Notice(Base):
    """Something a person should hear of."""

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("event_id", "account_id"),
        Index("ix_notices_account", "account_id", "seen_at", "id"),
        Index("ix_notices_mail", "mail_after"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    event_id: Mapped[int]
    """The outbox row it tells of; one notice per row and person."""
    kind: Mapped[str] = mapped_column(String(40))
    number: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(String(400))
    at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    mailed_at: Mapped[datetime | None]
    mail_after: Mapped[datetime | None]
    """When it is to be mailed, or tried again; None: it is not to be mailed (any more)."""
    mail_tries: Mapped[int] = mapped_column(default=0, server_default="0")
