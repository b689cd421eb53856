"""API keys: `ph_<id>_<secret and checksum>`; only a SHA-256 is kept.

An app's key is nobody: it has a scope in place of a role. A personal key (`hub.people.own_keys`)
acts as the person who made it, with their role of that moment; its scope can only narrow that:
`write` is all but an administrator's deeds, which take `admin`.
"""

from __future__ import annotations

import base64
import re
import secrets
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from time import time
from typing import Any, Literal

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Conflict, Invalid, NotFound
from hub.outbox import announce
from hub.people import audit, rules_store
from hub.people.models import Account, ApiKey, Member, Workspace
from hub.people.policy import Actor, WorkspaceRef

Scope = Literal["read", "write", "checks", "run", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "write", "checks", "run", "admin")
OF_PEOPLE: tuple[Scope, ...] = ("read", "write", "admin")
"""Of a personal key."""
REVOKED = "key.revoked"
TOKEN = re.compile(r"ph_([a-z2-7]{10})_([a-z2-7]{32})([0-9a-f]{8})")
KEPT = 10_000
"""Grants held in memory; beyond it the table starts afresh."""


class Owner(msgspec.Struct, frozen=True):
    """The person a personal key acts as, as of now."""

    account_id: int
    name: str
    email: str
    role: str


class KeyGrant(msgspec.Struct, frozen=True):
    """What a presented key may do, and where."""

    key_id: str
    name: str
    scope: Scope
    workspace: WorkspaceRef
    owner: Owner | None = None

    @property
    def actor(self) -> Actor:
        if self.owner is not None:
            return Actor(
                kind="person", name=self.owner.name, email=self.owner.email,
                account_id=self.owner.account_id, key_id=self.key_id,
                workspace_id=self.workspace.id,
                role=_role(self.scope, self.owner.role),
            )  # fmt: skip
        return Actor(
            kind="key",
            name=f"key {self.name}",
            email="",
            key_id=self.key_id,
            workspace_id=self.workspace.id,
            role=f"key:{self.scope}",
        )


def _role(scope: Scope, role: str) -> str:
    """What a personal key makes of its owner's role of this moment."""
    if scope == "write" and role == "admin":
        return "key:own"
    return role if scope in ("write", "admin") else "key:read"


class NewKey(msgspec.Struct, frozen=True):
    """A key just made: the only moment at which the whole of it is known."""

    id: str
    name: str
    token: str


async def create(
    db: AsyncSession, workspace: WorkspaceRef, name: str, scope: str, *, actor: Actor
) -> NewKey:
    """Make a key for an app.

    Raises:
        Invalid: no name, or a scope that does not exist.
        Conflict: the workspace has a working key of that name.
    """
    if scope == "admin":
        raise Invalid(
            "An app does not administer: an administrator makes such a key for themselves, on "
            "their account page."
        )
    return await issue(db, workspace, clean_name(name, 80), scope, actor=actor)


async def issue(
    db: AsyncSession, workspace: WorkspaceRef, name: str, scope: str, *, actor: Actor,
    account_id: int | None = None,
) -> NewKey:  # fmt: skip
    """Make a key; `account_id`: whom it acts as, which the caller has checked."""
    if scope not in SCOPES:
        raise Invalid(
            "A key's scope is read, write (which may also save and release), checks or run; a "
            "person's own may also be admin."
        )
    await _free_the_name(db, workspace, name)
    key_id, token = _mint()
    db.add(
        ApiKey(
            id=key_id, workspace_id=workspace.id, name=name, scope=scope,
            secret_hash=digest(token).hex(), account_id=account_id,
            maker_id=account_id or actor.account_id, created_by=actor.said, created_at=now(),
        )
    )  # fmt: skip
    more = {"account": account_id} if account_id is not None else {}
    audit.record(db, actor, "key.created", name, workspace.id, key=key_id, scope=scope, **more)
    return NewKey(key_id, name, token)


def clean_name(name: str, most: int) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= most:
        raise Invalid(
            f"Give the key a name of 1 to {most} characters, such as the app that will use it."
        )
    return name


async def _free_the_name(db: AsyncSession, workspace: WorkspaceRef, name: str) -> None:
    """A revoked key gives its name up (the audit log goes on knowing it)."""
    same = select(ApiKey).where(ApiKey.workspace_id == workspace.id, ApiKey.name == name)
    if (old := await db.scalar(same)) is None:
        return
    if old.revoked_at is None:
        raise Conflict(f"There is already a key called “{name}” here. Choose another name.")
    old.name = f"{name[:64]} ({old.id})"
    await db.flush()


async def revoke(db: AsyncSession, workspace_id: int, key_id: str, *, actor: Actor) -> str:
    """Stop a key for good; every process learns it from the outbox. Returns its name."""
    key = await db.get(ApiKey, key_id)
    if key is None or key.workspace_id != workspace_id:
        raise NotFound("There is no such key here.")
    await stop(db, key, actor)
    return key.name


async def stop(db: AsyncSession, key: ApiKey, actor: Actor) -> None:
    """Stop a key, whoever asks; every process learns it from the outbox."""
    if key.revoked_at is not None:
        return
    key.revoked_at = now()
    announce(db, REVOKED, workspace_id=key.workspace_id, subject=key.id)
    audit.record(db, actor, REVOKED, key.name, key.workspace_id, key=key.id)
    if key.account_id is not None:
        await rules_store.bump(db, key.workspace_id)


async def listed(db: AsyncSession, workspace_id: int) -> list[ApiKey]:
    """The workspace's keys: working ones first, then the newest."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id)
    return list(
        await db.scalars(query.order_by(ApiKey.revoked_at.isnot(None), ApiKey.created_at.desc()))
    )


class KeyTable:
    """The keys this process has met, by the SHA-256 of what was presented.

    `peek` does no I/O, so the raw fast path for apps may ask it; `find` goes to the database for
    a key it does not know. A revoked key is forgotten at once by the process that revoked it,
    by the others when the outbox tells them (`on_event`). Personal keys are read each time: their
    role is that of the moment.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._grants: dict[bytes, KeyGrant] = {}
        self._used: dict[str, float] = {}
        self._forgotten = 0
        """How often a key was forgotten: what was read before that must not be kept after it."""

    def peek(self, token: str) -> KeyGrant | None:
        """The grant of a key met before; None says nothing."""
        grant = self._grants.get(digest(token))
        if grant is not None:
            self._used[grant.key_id] = time()
        return grant

    async def find(self, token: str) -> KeyGrant | None:
        """The grant of a key, or None when it is unknown, malformed or revoked."""
        if (grant := self.peek(token)) is not None:
            return grant
        if (key_id := id_of(token)) is None:
            return None
        forgotten = self._forgotten
        async with self._database.read() as db:
            grant = await _read(db, key_id, digest(token))
        if grant is not None:
            self._used[key_id] = time()
            if grant.owner is None and forgotten == self._forgotten:
                if len(self._grants) >= KEPT:
                    self._grants.clear()
                self._grants[digest(token)] = grant
        return grant

    def forget(self, key_id: str) -> None:
        """Ask the database again when this key is next presented."""
        self._forgotten += 1
        for known in [d for d, grant in self._grants.items() if grant.key_id == key_id]:
            del self._grants[known]

    def on_event(self, kind: str, subject: str, _: Mapping[str, Any]) -> None:
        """A listener for `hub.outbox.Watch`."""
        if kind == REVOKED:
            self.forget(subject)

    async def note_use(self) -> None:
        """Write down when keys were last used; called now and then, and at the end."""
        used, self._used = self._used, {}
        if not used:
            return
        async with self._database.write() as db:
            for key_id, at in used.items():
                await db.execute(
                    update(ApiKey)
                    .where(ApiKey.id == key_id)
                    .values(used_at=datetime.fromtimestamp(at, UTC))
                )


async def _read(db: AsyncSession, key_id: str, presented: bytes) -> KeyGrant | None:
    mine = (Member.account_id == ApiKey.account_id) & (Member.workspace_id == ApiKey.workspace_id)
    query = (
        select(ApiKey, Workspace, Account, Member.role)
        .join(Workspace, Workspace.id == ApiKey.workspace_id)
        .outerjoin(Account, Account.id == ApiKey.account_id)
        .outerjoin(Member, mine)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
    )
    row = (await db.execute(query)).one_or_none()
    if row is None:
        return None
    key, workspace, account, role = row
    if not secrets.compare_digest(bytes.fromhex(key.secret_hash), presented):
        return None
    owner = None
    if key.account_id is not None:
        if account.disabled_at is not None or not role:  # whoever left: the key is nobody's
            return None
        owner = Owner(account.id, account.name, account.email, role)
    scope: Scope = key.scope if key.scope in SCOPES else "read"
    place = WorkspaceRef(workspace.id, workspace.slug, workspace.name)
    return KeyGrant(key.id, key.name, scope, place, owner)


def digest(token: str) -> bytes:
    """What is kept of a key. It is random and long, so a fast hash is enough."""
    return sha256(token.encode()).digest()


def id_of(token: str) -> str | None:
    """The id inside a well-formed key. A mistyped one is refused without asking the database."""
    match = TOKEN.fullmatch(token)
    if match is None or match[3] != _checksum(match[1] + match[2]):
        return None
    return match[1]


def _mint() -> tuple[str, str]:
    key_id = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(10))
    secret = base64.b32encode(secrets.token_bytes(20)).decode().lower()
    return key_id, f"ph_{key_id}_{secret}{_checksum(key_id + secret)}"


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
