"""The linked repository over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import RawBody
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.rest import bodies
from hub.registry.rest.api_parts import as_json
from hub.registry.rest.api_schema import READS, WRITES, described
from hub.sync.remotes import linking
from hub.sync.remotes.pages import room_of
from hub.sync.remotes.view import view
from hub.web import Ask

PATH = "/api/v1/remote"
Db = NamedDependency[AsyncSession]
Base = NamedDependency[Database]
Place = NamedDependency[WorkspaceRef]
Who = NamedDependency[Actor]


class WayOn(msgspec.Struct, frozen=True):
    """One way to go on after sync stopped."""

    do: str
    text: str
    means: str


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """The linked repository, and how it stands."""

    url: str
    state: str
    """`in step`, `on its way`, `waiting`, `stopped`, `trouble`, `first look` or `setting up`."""
    sentence: str
    note: str
    ahead: int
    """Commits that are not there yet."""
    behind: int
    """Commits that are not here yet."""
    main: str
    deploy: str
    takes_releases: bool
    mirror: bool
    proposals: list[int]
    """Those that must be decided before it goes on."""
    choices: list[WayOn]
    tip: str
    """What the choices are about."""
    synced_at: datetime | None
    next_at: datetime
    looking: bool
    """Whether a round is due or was asked for and has not ended; all this is of the last one."""
    public_key: str
    """Of the deploy key, where SSH is spoken."""
    fingerprints: list[str]
    confirmed: bool
    """Whether somebody confirmed the fingerprints."""


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A repository to be linked."""

    url: str
    token: str = ""
    user: str = ""
    deploy: bool = True
    """Whether releases go there, too."""
    takes_releases: bool = False
    """Whether releases that are committed there count here, where the rules allow it."""
    mirror: bool = False
    """Whether open proposals stand there as branches."""


class Choose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to go on: one of the `choices`, about the `tip` that was shown with them."""

    do: str
    tip: str


class SyncNow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


class Confirm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fingerprints of the SSH host, compared by a person."""

    fingerprints: list[str]


@get(
    PATH, needs=Need.READ, name="api:remote", include_in_schema=True, operation_id="getRemote",
    summary="How the linked repository stands", tags=["sync"],
    operation_class=described(Linked, errors=READS),
)  # fmt: skip
async def get_remote(db: Db, workspace: Place) -> Response[bytes]:
    """Whether both sides hold the same, and if not, why and what to do. 404: none is linked."""
    return await _answer(db, workspace)


@put(
    PATH, needs=Need.ADMIN, name="api:remote:link", include_in_schema=True,
    operation_id="linkRemote", summary="Link a repository", tags=["sync"],
    operation_class=described(Linked, body=Link, errors=WRITES),
)  # fmt: skip
async def link(request: Ask, body: RawBody, actor: Who, workspace: Place, database: Base) -> Any:
    """An administrator's own key is needed. With an SSH address, `public_key` has to be added over
    there, and `fingerprints` to be confirmed."""
    given = bodies.decode(body, Link)
    fields = linking.Fields(
        url=given.url, token=given.token, user=given.user, deploy="yes" * given.deploy,
        takes_releases="yes" * given.takes_releases, mirror="yes" * given.mirror,
    )  # fmt: skip
    await linking.link(room_of(request), workspace, fields, actor)
    async with database.read() as db:
        return await _answer(db, workspace)


@post(
    f"{PATH}/sync", needs=Need.SAVE, name="api:remote:sync", include_in_schema=True,
    operation_id="syncRemote", summary="Sync now", tags=["sync"], status_code=202,
    operation_class=described(
        None, body=SyncNow, status=202, errors=WRITES, said="A round begins."
    ),
)  # fmt: skip
async def sync(body: RawBody, actor: Who, workspace: Place, database: Base) -> None:
    """Begin a round at once instead of when it is due."""
    bodies.decode(body or b"{}", SyncNow)
    await linking.fetch_soon(database, workspace.id, (actor, Need.SAVE))


@post(
    f"{PATH}/choice", needs=Need.ADMIN, name="api:remote:choose", include_in_schema=True,
    operation_id="chooseForRemote", summary="Say how to go on", tags=["sync"], status_code=200,
    operation_class=described(Linked, body=Choose, errors=WRITES),
)  # fmt: skip
async def choose(body: RawBody, actor: Who, workspace: Place, database: Base) -> Response[bytes]:
    """After sync stopped. 409: it stands otherwise by now."""
    given = bodies.decode(body, Choose)
    await linking.choose(database, workspace, given.do, given.tip, actor)
    async with database.read() as db:
        return await _answer(db, workspace)


@post(
    f"{PATH}/host", needs=Need.ADMIN, name="api:remote:confirm", include_in_schema=True,
    operation_id="confirmHost", summary="Confirm the SSH host", tags=["sync"], status_code=200,
    operation_class=described(Linked, body=Confirm, errors=WRITES),
)  # fmt: skip
async def confirm(request: Ask, body: RawBody, actor: Who, workspace: Place, database: Base) -> Any:
    """From then on only a host with these keys is spoken to. 409: it shows others by now."""
    given = bodies.decode(body, Confirm)
    prints = " ".join(given.fingerprints)
    await linking.confirm_keys(room_of(request), workspace, prints, actor)
    async with database.read() as db:
        return await _answer(db, workspace)


@delete(
    PATH, needs=Need.ADMIN, name="api:remote:unlink", include_in_schema=True, status_code=204,
    operation_id="unlinkRemote", summary="Unlink the repository", tags=["sync"],
    operation_class=described(None, status=204, errors=READS),
)  # fmt: skip
async def unlink(actor: Who, workspace: Place, database: Base) -> None:
    """Both sides keep what they have; the hub forgets the token or key."""
    await linking.unlink(database, workspace, actor)


async def _answer(db: AsyncSession, workspace: WorkspaceRef) -> Response[bytes]:
    one = view(await linking.get(db, workspace.id))
    return as_json(
        Linked(
            url=one.url, state=one.state, sentence=one.sentence, note=one.note, ahead=one.ahead,
            behind=one.behind, main=one.main, deploy=one.deploy, mirror=one.mirror,
            takes_releases=one.takes_releases,
            proposals=one.proposals, tip=one.tip, synced_at=one.synced_at, next_at=one.next_at,
            looking=one.confirmed and one.next_at <= now(),
            choices=[WayOn(way.do, way.text, way.means) for way in one.choices],
            public_key=one.public_key, fingerprints=[print for _, print in one.prints],
            confirmed=one.confirmed and not one.changed,
        )
    )  # fmt: skip


ROUTES: list[Any] = [get_remote, link, sync, choose, confirm, unlink]
