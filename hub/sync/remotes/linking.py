"""A workspace's other repository: linked, looked at, decided about, unlinked. The work itself is
done round by round (`rounds`), by the one who watches them all (`watch`). Whoever changes it must
be an administrator at the moment of writing, not only when they came in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Conflict, Invalid, NotFound, WrongField
from hub.outbound import Outbound
from hub.people import audit, guarded
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.writing.publish import Publisher
from hub.sealed import seal, unseal
from hub.settings import Secret
from hub.sync.remotes import addresses, advert, alarms, hubs, ssh
from hub.sync.remotes.addresses import Address
from hub.sync.remotes.advert import Way
from hub.sync.remotes.models import Remote
from hub.sync.remotes.wire import Heads, opened

PURPOSE = "prompthub remote secrets v1"
KEY_LOST = (
    "The secret of the linked repository cannot be read any more; the hub's own has changed. "
    "An administrator can enter it again under Settings, Git."
)
_USERS = {"github.com": "x-access-token", "gitlab.com": "oauth2"}
_NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", re.ASCII)
CHOICES = {
    "rewritten": ("together", "ours"), "unrelated": ("together", "ours"), "emptied": ("fill",),
    "renamed": ("follow", "fill"), "refused": (),
}  # fmt: skip


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What the form says, as typed."""

    url: str = ""
    user: str = ""
    token: str = ""
    deploy: str = ""
    """Set: releases go there, too."""
    takes_releases: str = ""
    """Set: releases that are made there count here."""
    mirror: str = ""
    """Set: open proposals stand there as branches."""


@dataclass(frozen=True)
class Room:
    """What rounds lean on."""

    database: Database
    publisher: Publisher
    outbound: Outbound
    folder: Path
    """For what must be in a file while git runs."""
    secret: Secret

    def way(self, row: Remote) -> Way:
        """How to get in.

        Raises:
            KeyLost: the secret cannot be read any more.
        """
        address = addresses.read(row.url)
        secret = Secret("")
        if row.sealed is not None:
            bound = _bound(row.workspace_id, address)
            secret = unseal(self.secret, row.sealed, purpose=PURPOSE, bound=bound, lost=KEY_LOST)
        user = row.user or _USERS.get(address.host, "git")
        return Way(address=address, user=user, secret=secret, host_keys=row.host_keys)


async def find(db: AsyncSession, workspace_id: int) -> Remote | None:
    return await db.get(Remote, workspace_id)


async def get(db: AsyncSession, workspace_id: int) -> Remote:
    """Raises:
    NotFound: no repository is linked.
    """
    if (row := await find(db, workspace_id)) is None:
        raise NotFound("No repository is linked to this workspace.")
    return row


def ready(row: Remote) -> bool:
    """Whether rounds may begin: of an SSH host, a person has confirmed the keys."""
    return not row.url.startswith("ssh://") or bool(row.host_keys)


async def link(room: Room, workspace: WorkspaceRef, fields: Fields, actor: Actor) -> Remote:
    """Keep where it is and how to get in; of https, after a look whether that works.

    Raises:
        WrongField: a field cannot be used.
        Conflict: one is linked already.
        Trouble, Unavailable: it does not answer, or not to us.
    """
    try:
        address = addresses.read(fields.url)
        ips = await addresses.checked(room.outbound, address)
    except Invalid as refused:
        raise WrongField("url", refused.sentence) from None
    token, user = _way_in(fields)
    row = _fresh(workspace, address, user, actor)
    _wish(row, fields)
    secret = Secret(token)
    if address.scheme == "ssh":
        private, row.public_key = ssh.make(f"prompthub-{workspace.slug}")
        secret = Secret(private)
        row.offered_keys = await ssh.of_host(ips[0], address.port)
    if secret:
        bound = _bound(workspace.id, address)
        row.sealed = seal(room.secret, secret, purpose=PURPOSE, bound=bound)
    if address.scheme != "ssh":
        row.main = (await look(room, row)).default or "main"
        await advert.check(room.outbound, room.way(row))
        row.one_way = await hubs.answers(room.outbound, room.way(row))
        _wish(row, fields)
    await _keep(room.database, workspace, row, actor)
    return row


def _way_in(fields: Fields) -> tuple[str, str]:
    """Token and user name as they can be sent; either may be empty.

    Raises:
        WrongField: one of them cannot be one.
    """
    token, user = fields.token.strip(), fields.user.strip()
    if not token.isascii() or not token.isprintable() or len(token) > 1000 or " " in token:
        raise WrongField(
            "token", "This does not look like a token: it holds signs that tokens do not."
        )
    if user and not _NAMED.fullmatch(user):
        raise WrongField("user", "Leave this empty, or enter the user name that the token is for.")
    return token, user


async def look(room: Room, row: Remote) -> Heads:
    """Which branches are there.

    Raises:
        Trouble, Unavailable: it does not answer, or not to us.
    """
    async with opened(room.outbound, room.folder, room.way(row)) as wire:
        return await wire.heads()


def _fresh(workspace: WorkspaceRef, address: Address, user: str, actor: Actor) -> Remote:
    return Remote(
        workspace_id=workspace.id, url=address.url, user=user, sealed=None, public_key="",
        host_keys="", offered_keys="", main="main", deploy="deploy", takes_releases=False,
        mirror=False, one_way=False, told="", agreed={}, waiting=None, stopped=None, chosen=None,
        trouble="", note="", failures=0, ahead=0, behind=0, seen="", synced_at=None, tried_at=None,
        answers=[actor.account_id] if actor.account_id else [], due_at=now(),
        created_by=actor.said[:120], created_at=now(),
    )  # fmt: skip


def _wish(row: Remote, fields: Fields) -> None:
    """What shall go there, and what comes from there."""
    goes = not row.one_way
    row.deploy = "deploy" if fields.deploy and goes else ""
    row.mirror = bool(fields.mirror and goes)
    row.takes_releases = bool(row.deploy and fields.takes_releases)


async def _keep(database: Database, workspace: WorkspaceRef, row: Remote, actor: Actor) -> None:
    async with database.write() as db:
        await guarded.confirm(db, workspace.id, actor)  # the look at it took its time
        if await find(db, workspace.id) is not None:
            raise Conflict("A repository is linked to this workspace already. Unlink it first.")
        db.add(row)
        name = addresses.read(row.url).name
        audit.record(db, actor, "remote.linked", name, workspace.id)


async def renew(room: Room, workspace: WorkspaceRef, fields: Fields, actor: Actor) -> None:
    """Another token, or another wish about what goes there; the address stays.

    Raises:
        WrongField: a field cannot be used.
    """
    token, user = _way_in(fields)
    async with room.database.write() as db:
        await guarded.confirm(db, workspace.id, actor)
        row = await get(db, workspace.id)
        address = addresses.read(row.url)
        if token and address.scheme != "ssh":
            bound = _bound(workspace.id, address)
            row.sealed = seal(room.secret, token, purpose=PURPOSE, bound=bound)
            row.answers = sorted({*row.answers, actor.account_id or 0} - {0})
        row.user = user
        _wish(row, fields)
        row.due_at, row.failures = now(), 0
        audit.record(db, actor, "remote.changed", address.name, workspace.id)


async def ask_for_keys(room: Room, workspace: WorkspaceRef, actor: Actor) -> None:
    """What the SSH host shows now, for a person to compare.

    Raises:
        Unavailable: nothing answers.
    """
    async with room.database.read() as db:
        address = addresses.read((await get(db, workspace.id)).url)
    ips = await addresses.checked(room.outbound, address)
    keys = await ssh.of_host(ips[0], address.port)
    async with room.database.write() as db:
        await guarded.confirm(db, workspace.id, actor)
        (await get(db, workspace.id)).offered_keys = keys


async def confirm_keys(room: Room, workspace: WorkspaceRef, prints: str, actor: Actor) -> None:
    """Pin the host's keys, if they are those whose fingerprints were on the screen.

    Raises:
        Conflict: they are others by now.
    """
    async with room.database.write() as db:
        await guarded.confirm(db, workspace.id, actor)
        row = await get(db, workspace.id)
        if not row.offered_keys or shown(row.offered_keys) != prints.split():
            raise Conflict("The host shows other keys by now. Look at them, then confirm again.")
        row.host_keys, row.due_at, row.failures, row.trouble = row.offered_keys, now(), 0, ""
        name = addresses.read(row.url).name
        audit.record(db, actor, "remote.host-confirmed", name, workspace.id, prints=prints.split())


def shown(keys: str) -> list[str]:
    """The fingerprints alone."""
    return [one for _, one in ssh.prints(keys)]


async def choose(
    database: Database, workspace: WorkspaceRef, do: str, tip: str, actor: Actor
) -> None:
    """What shall be done about what stopped the sync; it holds for the state that was shown.

    Raises:
        Conflict: it is not stopped, or about something else by now.
    """
    async with database.write() as db:
        await guarded.confirm(db, workspace.id, actor)
        row = await get(db, workspace.id)
        stopped = row.stopped
        if not stopped or stopped.get("tip", "") != tip or do not in CHOICES[stopped["why"]]:
            raise Conflict("This is not the question any more. Look again, then choose.")
        row.chosen, row.due_at, row.failures = {"do": do, "tip": tip}, now(), 0
        name = addresses.read(row.url).name
        audit.record(db, actor, "remote.decided", name, workspace.id, do=do, tip=tip)


async def unlink(database: Database, workspace: WorkspaceRef, actor: Actor) -> str:
    """Forget it, and its secret; nothing is taken away on either side. Its name."""
    async with database.write() as db:
        await guarded.confirm(db, workspace.id, actor)
        row = await get(db, workspace.id)
        name = addresses.read(row.url).name
        await alarms.clear(db, row)
        await db.execute(delete(Remote).where(Remote.workspace_id == workspace.id))
        audit.record(db, actor, "remote.unlinked", name, workspace.id)
    return name


async def fetch_soon(
    database: Database, workspace_id: int, by: tuple[Actor, Need] | None = None
) -> bool:
    """Have the next round begin at once, wherever one watches, for whoever hears that something is
    new there, or for somebody (`by`) who may do so still; whether one is linked."""
    async with database.write() as db:
        if by is not None:
            await guarded.still(db, workspace_id, *by)
        wanted: Any = update(Remote).where(Remote.workspace_id == workspace_id)
        done = await db.execute(wanted.values(due_at=now()).returning(Remote.workspace_id))
        return done.first() is not None


async def linked(db: AsyncSession) -> list[Remote]:
    """All of them, of every workspace."""
    return list(await db.scalars(select(Remote).order_by(Remote.due_at)))


def _bound(workspace_id: int, address: Address) -> str:
    return f"{workspace_id}\n{address.url}"
