"""Tables of the people: they live in SQL alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.db import Base


class Account(Base):
    """A person, known by e-mail address (kept in lower case)."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    theme: Mapped[str] = mapped_column(String(8), default="auto")
    mail: Mapped[str] = mapped_column(String(8), default="each", server_default="each")
    """How notices reach them by e-mail: each, digest or off."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class SignIn(Base):
    """One signed-in browser; the cookie holds the token, we hold its SHA-256."""

    __tablename__ = "sign_ins"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    agent: Mapped[str] = mapped_column(String(200), default="")


class SignInLink(Base):
    """A link that signs in once: the first administrator, an invitation, a lost password."""

    __tablename__ = "sign_in_links"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    made_by: Mapped[int | None]
    """The administrator's account; None: the operator made it."""
    key_id: Mapped[str | None] = mapped_column(String(20))
    """Of the key they made it with, if they did."""
    workspace_id: Mapped[int | None]
    """Where they did."""


class Workspace(Base):
    """A tenant: people, prompts, keys, one git repository."""

    __tablename__ = "workspaces"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]
    epoch: Mapped[int] = mapped_column(default=0, server_default="0")
    """Counts every change of roles, groups, rules, reviews and checks: a merge or a release that
    was judged at one count is judged again when it has grown before git was moved."""


class Member(Base):
    """A person's role in a workspace: viewer, editor, reviewer or admin."""

    __tablename__ = "members"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]

    account: Mapped[Account] = relationship(lazy="raise")
    workspace: Mapped[Workspace] = relationship(lazy="raise")


class ApiKey(Base):
    """An app's key, `ph_<id>_<secret>`; only the SHA-256 of the whole is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    scope: Mapped[str] = mapped_column(String(10))
    secret_hash: Mapped[str] = mapped_column(String(64))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    """Whose personal key it is: it acts as that person, with their role of the moment."""
    maker_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    """Who made it: what the key writes, they may not approve."""
    created_by: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEntry(Base):
    """Who did what to what, when; written in the transaction of the deed."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_workspace_id_id", "workspace_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int | None]
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(255))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    hash: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 over this row and the hash of the row before it; see `hub.people.audit`."""


class Group(Base):
    """People who count together in a rule, such as “Clinical Leads”."""

    __tablename__ = "groups"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime]


class GroupMember(Base):
    """Somebody in a group; only while they are a member of the workspace do they count."""

    __tablename__ = "group_members"

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, index=True)


class PolicyChange(Base):
    """One state of a workspace's rules, and how it came about; the latest accepted one is in force.

    A change that needs approval waits here (`accepted_at` None) until enough people agreed.
    """

    __tablename__ = "policy_changes"
    __table_args__ = (Index("ix_policy_changes_workspace", "workspace_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    base_id: Mapped[int | None]
    """The state it was made from; a change whose base is no longer in force cannot be accepted."""
    policy: Mapped[dict[str, Any]] = mapped_column(JSON)
    """`hub.people.rules.Policy`, as plain values."""
    why: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(254))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    at: Mapped[datetime]
    approvals: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """`[{account_id, name, at}, …]`."""
    accepted_at: Mapped[datetime | None]
    declined_at: Mapped[datetime | None]
