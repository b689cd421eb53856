"""API keys of apps: `ph_<id>_<secret and checksum>`; only a SHA-256 is kept."""

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
from hub.people import audit
from hub.people.models import ApiKey, Workspace
from hub.people.policy import Actor, WorkspaceRef

Scope = Literal["read", "write"]
SCOPES: tuple[Scope, ...] = ("read", "write")
REVOKED = "key.revoked"
TOKEN = re.compile(r"ph_([a-z2-7]{10})_([a-z2-7]{32})([0-9a-f]{8})")
KEPT = 10_000
"""Grants held in memory; beyond it the table starts afresh."""


class KeyGrant(msgspec.Struct, frozen=True):
    """What a presented key may do, and where."""

    key_id: str
    name: str
    scope: Scope
    workspace: WorkspaceRef

    @property
    def actor(self) -> Actor:
        return Actor(
            kind="key",
            name=f"key {self.name}",
            email="",
            key_id=self.key_id,
            workspace_id=self.workspace.id,
            role=f"key:{self.scope}",
        )


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
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise Invalid(
            "Give the key a name of 1 to 80 characters, such as the app that will use it."
        )
    if scope not in SCOPES:
        raise Invalid("A key's scope is either read, or write (which may also save and release).")
    await _free_the_name(db, workspace, name)
    key_id, token = _mint()
    db.add(
        ApiKey(
            id=key_id, workspace_id=workspace.id, name=name, scope=scope,
            secret_hash=digest(token).hex(), created_by=actor.said, created_at=now(),
        )
    )  # fmt: skip
    audit.record(db, actor, "key.created", name, workspace.id, key=key_id, scope=scope)
    return NewKey(key_id, name, token)


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
    if key.revoked_at is None:
        key.revoked_at = now()
        announce(db, REVOKED, workspace_id=workspace_id, subject=key_id)
        audit.record(db, actor, REVOKED, key.name, workspace_id, key=key_id)
    return key.name


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
    by the others when the outbox tells them (`on_event`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._grants: dict[bytes, KeyGrant] = {}
        self._used: dict[str, float] = {}

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
        async with self._database.read() as db:
            grant = await _read(db, key_id, digest(token))
        if grant is not None:
            if len(self._grants) >= KEPT:
                self._grants.clear()
            self._grants[digest(token)] = grant
            self._used[key_id] = time()
        return grant

    def forget(self, key_id: str) -> None:
        """Ask the database again when this key is next presented."""
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
    query = (
        select(ApiKey, Workspace)
        .join(Workspace, Workspace.id == ApiKey.workspace_id)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
    )
    row = (await db.execute(query)).one_or_none()
    if row is None:
        return None
    key, workspace = row
    if not secrets.compare_digest(bytes.fromhex(key.secret_hash), presented):
        return None
    scope: Scope = "write" if key.scope == "write" else "read"
    place = WorkspaceRef(workspace.id, workspace.slug, workspace.name)
    return KeyGrant(key.id, key.name, scope, place)


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
