"""Settings, Git: the repository elsewhere that this workspace is kept in step with."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Forbidden, HubError, WrongField
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.sync.remotes import linking
from hub.sync.remotes.linking import Fields, Room
from hub.sync.remotes.troubles import Trouble
from hub.sync.remotes.view import view
from hub.web import Ask, Form, go, page

HOME = "/{slug:str}/settings/git"


def room_of(request: Ask) -> Room:
    return request.app.state.remotes


@get(HOME, needs=Need.ADMIN, name="settings:git")
async def git_page(
    request: Ask, workspace: NamedDependency[WorkspaceRef], db: NamedDependency[AsyncSession]
) -> Template:
    """How it stands; before that, the form to link one."""
    return await _page(request, db, workspace)


@post(HOME, needs=Need.ADMIN, name="settings:git:link", status_code=200)
async def link(
    request: Ask, data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Link a repository; a look at it comes first."""
    try:
        row = await linking.link(room_of(request), workspace, _fields(data), actor)
    except HubError as refusal:
        async with database.read() as db:
            return await _page(request, db, workspace, typed=data, refusal=refusal)
    said = "It is linked; the hub is having its first look."
    return _back(workspace, said if linking.ready(row) else "Two steps are left.")


@post(HOME + "/change", needs=Need.ADMIN, name="settings:git:change", status_code=200)
async def change(
    request: Ask, data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Another token, or another wish about what goes there."""
    try:
        await linking.renew(room_of(request), workspace, _fields(data), actor)
    except HubError as refusal:
        async with database.read() as db:
            return await _page(request, db, workspace, typed=data, refusal=refusal)
    return _back(workspace, "Kept. The hub looks again at once.")


@post(HOME + "/host", needs=Need.ADMIN, name="settings:git:host")
async def look_at_host(
    request: Ask, actor: NamedDependency[Actor], workspace: NamedDependency[WorkspaceRef]
) -> Redirect:
    """Ask the SSH host for its keys anew."""
    try:
        await linking.ask_for_keys(room_of(request), workspace, actor)
    except HubError as refusal:
        return _back(workspace, refusal.sentence, kind="error")
    return _back(workspace, "This is what the host shows now.")


@post(HOME + "/confirm", needs=Need.ADMIN, name="settings:git:confirm")
async def confirm(
    request: Ask, data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Redirect:  # fmt: skip
    """These are the host's keys: a person has compared them."""
    try:
        await linking.confirm_keys(room_of(request), workspace, data.get("prints", ""), actor)
    except HubError as refusal:
        return _back(workspace, refusal.sentence, kind="error")
    return _back(workspace, "Confirmed. From now on only this host is spoken to.")


@post(HOME + "/choose", needs=Need.ADMIN, name="settings:git:choose")
async def choose(
    data: Form, actor: NamedDependency[Actor], workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Redirect:  # fmt: skip
    """How to go on after it stopped."""
    try:
        await linking.choose(
            database, workspace, data.get("do", ""), data.get("tip", ""), actor
        )  # fmt: skip
    except HubError as refusal:
        return _back(workspace, refusal.sentence, kind="error")
    return _back(workspace, "Done as you say, in a moment.")


@post(HOME + "/now", needs=Need.ADMIN, name="settings:git:now")
async def now(
    actor: NamedDependency[Actor], workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Redirect:  # fmt: skip
    await linking.fetch_soon(database, workspace.id, (actor, Need.ADMIN))
    return _back(workspace, "The hub looks at it now.")


@post(HOME + "/unlink", needs=Need.ADMIN, name="settings:git:unlink")
async def unlink(
    actor: NamedDependency[Actor], workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Redirect:  # fmt: skip
    try:
        name = await linking.unlink(database, workspace, actor)
    except HubError as refusal:
        return _back(workspace, refusal.sentence, kind="error")
    return _back(workspace, f"{name} is unlinked. Both sides keep what they have.")


async def _page(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, *,
    typed: dict[str, str] | None = None, refusal: HubError | None = None,
) -> Template:  # fmt: skip
    if isinstance(refusal, Forbidden):  # they are no administrator any more
        raise refusal
    row = await linking.find(db, workspace.id)
    field = refusal.field if isinstance(refusal, WrongField) else "url"
    if isinstance(refusal, Trouble) and refusal.kind == "auth":
        field = "token"
    more: dict[str, Any] = {
        "remote": view(row) if row else None, "typed": typed,
        "errors": {field: refusal.sentence} if refusal else {},
        "url": request.app.state.settings.url,
    }  # fmt: skip
    status = refusal.status if refusal else 200
    return page(request, "sync/git.html", section="settings", status=status, **more)


def _fields(data: dict[str, str]) -> Fields:
    return Fields(**{one: data[one] for one in Fields.__struct_fields__ if one in data})


def _back(workspace: WorkspaceRef, said: str, *, kind: str = "done") -> Redirect:
    return go(f"/{workspace.slug}/settings/git", said, kind=kind)


ROUTES: list[Any] = [git_page, link, change, look_at_host, confirm, choose, now, unlink]
