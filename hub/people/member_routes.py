"""People of a workspace and their roles."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people import accounts, appointing, workspaces
from hub.people.policy import ROLES, Actor, Need, WorkspaceRef
from hub.web import Ask, Form, go, page

AGREED = "another administrator agrees on the page Rules"
ABOUT_ROLES = {
    "viewer": "reads prompts, versions and runs; may propose a change, comment and review",
    "editor": "also writes drafts, runs models, and saves and merges where the rules let them",
    "reviewer": "also moves labels, so decides what is live",
    "admin": "also manages people, keys and connections",
}


@get("/{slug:str}/settings", needs=Need.READ, name="settings")
async def people_page(
    request: Ask, workspace: NamedDependency[WorkspaceRef], db: NamedDependency[AsyncSession]
) -> Template:
    return await _people_page(request, db, workspace)


@post("/{slug:str}/settings/people", needs=Need.ADMIN, name="settings:people:add")
async def add_person(
    request: Ask,
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template:
    """Add somebody; who has no password yet gets a link, shown this once."""
    try:
        async with database.write() as db:
            one = await appointing.invite(
                db, workspace, data.get("email", ""), data.get("name", ""), data.get("role", ""),
                actor=actor,
            )  # fmt: skip
    except HubError as refusal:
        async with database.read() as db:
            more: dict[str, Any] = {
                "typed": data,
                "wrong": refusal.sentence,
                "status": refusal.status,
            }
            return await _people_page(request, db, workspace, **more)
    async with database.read() as db:
        shown: dict[str, Any] = {"added": one.account, "link": _link(request, one.token)}
        return await _people_page(request, db, workspace, waits=not one.made.accepted, **shown)


@post("/{slug:str}/settings/people/{account_id:int}/role", needs=Need.ADMIN, name="settings:role")
async def change_role(
    request: Ask,
    account_id: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template | Redirect:
    """One's own role is changed only when said twice: these settings may be out of reach then."""
    role = data.get("role", "")
    if account_id == actor.account_id and role != actor.role and "sure" not in data:
        return await _people_page(request, db, workspace, own_role=role, status=422)
    name, made = await appointing.change_role(db, workspace.id, account_id, role, actor=actor)
    said = f"{name}: {role}." if made.accepted else f"{name}: {role}, once {AGREED}."
    return go(f"/{workspace.slug}/settings", said)


@post(
    "/{slug:str}/settings/people/{account_id:int}/remove",
    needs=Need.ADMIN,
    name="settings:remove",
)
async def remove_person(
    account_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    name = await workspaces.remove(db, workspace.id, account_id, actor=actor)
    here = f"/{workspace.slug}/settings"
    undo = f"{here}/people/{account_id}/back"
    return go(here, f"{name} was removed; what they saved stays.", undo=undo)


@post("/{slug:str}/settings/people/{account_id:int}/back", needs=Need.ADMIN, name="settings:back")
async def put_back(
    account_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    name = await workspaces.put_back(db, workspace.id, account_id, actor=actor)
    return go(f"/{workspace.slug}/settings", f"{name} is back, with the same role.")


@post("/{slug:str}/settings/people/{account_id:int}/link", needs=Need.ADMIN, name="settings:link")
async def make_link(
    request: Ask,
    account_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """A new sign-in link for a member, shown this once."""
    token = await appointing.link(db, workspace.id, account_id, actor=actor)
    account = await workspaces.account_of(db, workspace.id, account_id)
    return await _people_page(request, db, workspace, added=account, link=_link(request, token))


async def _people_page(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, *, status: int = 200, **more: Any
) -> Template:
    found = await workspaces.people(db, workspace.id)
    shown: dict[str, Any] = {
        "typed": {}, "wrong": None, "added": None, "link": None, "own_role": None, "waits": False,
        **more,
    }  # fmt: skip
    roles = [(role, role.capitalize()) for role in ROLES]
    return page(
        request, "people/people.html", section="settings", status=status, people=found,
        roles=roles, about_roles=ABOUT_ROLES, **shown,
    )  # fmt: skip


def _link(request: Ask, token: str | None) -> str | None:
    return accounts.link_at(request.app.state.settings.url, token) if token else None


ROUTES: list[Any] = [
    people_page, add_person, change_role, remove_person, put_back, make_link,
]  # fmt: skip
