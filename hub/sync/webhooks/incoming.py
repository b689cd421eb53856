"""Pushes that forges tell of: `POST /api/incoming/<workspace>`, signed with the workspace's secret.

    GitHub     X-Hub-Signature-256   HMAC-SHA256 of the body       X-GitHub-Delivery
    Gitea      X-Gitea-Signature     the same, without `sha256=`   X-Gitea-Delivery
    GitLab     X-Gitlab-Token        the secret itself             X-Gitlab-Event-UUID
    any other  webhook-signature     Standard Webhooks             webhook-id

Nothing of the body is believed or kept; that it came is a reason to look at the linked repository,
no more. It is signed piece by piece as it arrives, so a large one takes no memory. Whoever cannot
sign learns nothing, not even which workspaces there are; of what its headers alone give away as
false, not a byte is read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Protocol

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import HubError, Invalid, Unknown
from hub.people import audit, guarded
from hub.people.models import Workspace
from hub.people.policy import Actor, WorkspaceRef
from hub.sealed import KeyLost, seal, unseal
from hub.settings import Secret
from hub.sync.webhooks import signing
from hub.sync.webhooks.models import Arrival, Inlet

LARGEST = 25 * 1024 * 1024
"""Bytes; GitHub sends no more."""
OVERLAP = timedelta(hours=24)
PURPOSE = "prompthub webhook inlets v1"
LOST = "The secret for incoming webhooks cannot be read any more. Make a new one."
NOT_SIGNED = (
    "This is not signed with the secret of a workspace. An administrator finds the address and the "
    "secret under Settings, Webhooks."
)
PUSHES = frozenset({"push", "create", "delete", "Push Hook", "Tag Push Hook"})
"""As the forges call what moves a branch or a tag."""
NOBODY = signing.mint()
"""What is compared with where there is no secret, so that it takes the same time; known to none."""
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)

Headers = Mapping[str, str]


class TooLarge(HubError):
    """Larger than any forge sends."""

    status = 413


class _Check(Protocol):
    def feed(self, piece: bytes) -> None: ...

    @property
    def good(self) -> bool: ...

    @property
    def hopeless(self) -> bool:
        """Whether no body can make it good: then none is read."""
        ...


class _Hex:
    """GitHub's and Gitea's: HMAC-SHA256 in hexadecimal."""

    def __init__(self, secrets: list[Secret], given: str) -> None:
        self._given = given.encode("utf-8", "replace")
        self._made = [hmac.new(one.encode(), digestmod=hashlib.sha256) for one in secrets]

    def feed(self, piece: bytes) -> None:
        for one in self._made:
            one.update(piece)

    @property
    def good(self) -> bool:
        right = False
        for made in self._made:
            right |= hmac.compare_digest(made.hexdigest().encode(), self._given)
        return right

    @property
    def hopeless(self) -> bool:
        return not _HEX.fullmatch(self._given.decode("utf-8"))


class _Token:
    """GitLab's: the secret itself."""

    def __init__(self, secrets: list[Secret], given: str) -> None:
        sent = hashlib.sha256(given.encode("utf-8", "replace")).digest()
        self.good = False
        for one in secrets:
            self.good |= hmac.compare_digest(hashlib.sha256(one.encode()).digest(), sent)

    def feed(self, piece: bytes) -> None:
        """The body is not signed."""

    @property
    def hopeless(self) -> bool:
        return not self.good


class Told:
    """A message at the door: who says it, and how it is checked. Headers by lower-case names."""

    def __init__(self, headers: Headers, secrets: list[Secret]) -> None:
        """Raises:
        Unknown: it carries no signature of any kind.
        """
        # Gitea sends GitHub's headers too, so its own come first.
        self.check: _Check
        if given := headers.get("x-gitea-signature"):
            self.source, self.check = "gitea", _Hex(secrets, given)
            names = ("x-gitea-delivery",), ("x-gitea-event",)
        elif given := headers.get("x-hub-signature-256"):
            self.source = "github"
            self.check = _Hex(secrets, given.removeprefix("sha256="))
            names = ("x-github-delivery",), ("x-github-event",)
        elif given := headers.get("x-gitlab-token"):
            self.source, self.check = "gitlab", _Token(secrets, given)
            names = ("idempotency-key", "x-gitlab-event-uuid"), ("x-gitlab-event",)
        elif headers.get(signing.SIGNATURE):
            self.source, self.check = "standard", signing.Signed(secrets, headers, now())
            names = (signing.ID,), ()
        else:
            raise Unknown(NOT_SIGNED)
        self.message_id = _first(headers, names[0], 100)
        self.event = _first(headers, names[1], 60) or ("push" if not names[1] else "")

    @property
    def pushes(self) -> bool:
        return self.event in PUSHES


def _first(headers: Headers, names: tuple[str, ...], most: int) -> str:
    return next((headers[name][:most] for name in names if headers.get(name)), "")


async def hear(
    database: Database, secret: Secret, slug: str, headers: Headers, body: AsyncIterator[bytes]
) -> tuple[WorkspaceRef, Told, bool]:
    """The workspace, what was told, and whether it is news; all of it checked and written down.

    Raises:
        Unknown: it is not signed with the workspace's secret, or there is no such workspace.
        TooLarge: it is.
    """
    workspace, secrets = await _secrets_of(database, secret, slug)
    told = Told(headers, secrets or [NOBODY])
    if told.check.hopeless:
        raise Unknown(NOT_SIGNED)
    size, digest = 0, hashlib.sha256()
    async for piece in body:
        size += len(piece)
        if size > LARGEST:
            raise TooLarge(f"That is more than {LARGEST >> 20} MiB.")
        told.check.feed(piece)
        digest.update(piece)
    if not told.check.good or workspace is None or not secrets:
        raise Unknown(NOT_SIGNED)
    if not told.message_id:
        raise Invalid("A message needs an id of its own, lest it be heard twice.")
    return workspace, told, await _remember(database, workspace.id, told, digest.hexdigest())


async def _secrets_of(
    database: Database, secret: Secret, slug: str
) -> tuple[WorkspaceRef | None, list[Secret]]:
    query = (
        select(Workspace, Inlet)
        .join(Inlet, Inlet.workspace_id == Workspace.id)
        .where(Workspace.slug == slug)
    )
    async with database.read() as db:
        row = (await db.execute(query)).one_or_none()
    if row is None:
        return None, []
    place = WorkspaceRef(row[0].id, row[0].slug, row[0].name)
    try:
        return place, secrets_of(row[1], secret)
    except KeyLost:
        return place, []


async def _remember(database: Database, workspace_id: int, told: Told, digest: str) -> bool:
    """False: it was heard before. A signed body is known by itself as well: whoever sends one
    again under another id has only copied it."""
    known = (Arrival.source == told.source) & (Arrival.message_id == told.message_id)
    if told.source in ("github", "gitea"):
        known |= Arrival.digest == digest
    row = {
        "workspace_id": workspace_id, "source": told.source, "message_id": told.message_id,
        "digest": digest, "event": told.event, "outcome": "fetch" if told.pushes else "nothing",
        "at": now(),
    }  # fmt: skip

    def write(db: Connection) -> bool:
        query = select(Arrival.id).where(Arrival.workspace_id == workspace_id, known)
        if db.scalar(query.limit(1)) is not None:
            return False
        db.execute(insert(Arrival).values(row))
        return True

    try:
        return await database.write_at_once(write)
    except IntegrityError:  # the same one came in by another door at the same moment
        return False


# ── the secret ──────────────────────────────────────────────────────────────────────────────────


def secrets_of(inlet: Inlet, secret: Secret) -> list[Secret]:
    """Those that are good now, the newest first.

    Raises:
        KeyLost: they cannot be read any more.
    """
    kept = [inlet.sealed]
    if inlet.sealed_old is not None and inlet.old_until is not None and inlet.old_until > now():
        kept.append(inlet.sealed_old)
    bound = str(inlet.workspace_id)
    return [unseal(secret, one, purpose=PURPOSE, bound=bound, lost=LOST) for one in kept]


async def renew(
    db: AsyncSession, workspace: WorkspaceRef, *, secret: Secret, actor: Actor
) -> Secret:
    """A secret for the forges, to be shown once; the one before stays good for `OVERLAP`."""
    await guarded.confirm(db, workspace.id, actor)
    made = signing.mint()
    sealed = seal(secret, made, purpose=PURPOSE, bound=str(workspace.id))
    inlet = await db.get(Inlet, workspace.id)
    if inlet is None:
        inlet = Inlet(
            workspace_id=workspace.id, sealed=sealed, sealed_old=None, old_until=None,
            created_by=actor.said, created_at=now(),
        )  # fmt: skip
        db.add(inlet)
    else:
        inlet.sealed_old, inlet.old_until = inlet.sealed, now() + OVERLAP
        inlet.sealed = sealed
        inlet.created_by, inlet.created_at = actor.said, now()
    audit.record(db, actor, "webhook.secret", "incoming pushes", workspace.id)
    return made


async def close(db: AsyncSession, workspace: WorkspaceRef, *, actor: Actor) -> None:
    """Nothing is heard any more."""
    await guarded.confirm(db, workspace.id, actor)
    inlet = await db.get(Inlet, workspace.id)
    if inlet is not None:
        await db.delete(inlet)
        audit.record(db, actor, "webhook.removed", "incoming pushes", workspace.id)


async def end_overlap(db: AsyncSession, workspace: WorkspaceRef, *, actor: Actor) -> None:
    """The secret before is good no more."""
    await guarded.confirm(db, workspace.id, actor)
    inlet = await db.get(Inlet, workspace.id)
    if inlet is not None:
        inlet.sealed_old = inlet.old_until = None
        audit.record(db, actor, "webhook.secret-ended", "incoming pushes", workspace.id)


async def latest(db: AsyncSession, workspace_id: int, limit: int = 10) -> list[Arrival]:
    """What came last, the newest first."""
    query = select(Arrival).where(Arrival.workspace_id == workspace_id)
    return list(await db.scalars(query.order_by(Arrival.id.desc()).limit(limit)))
