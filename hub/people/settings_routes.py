"""A workspace and its settings: keys, labels, about."""

from __future__ import annotations

import re
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, Invalid
from hub.people import keys, workspaces
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.web import Ask, Form, go, page


@get("/workspaces/new", needs=Need.SIGNED_IN, name="workspaces:new")
async def new_page(
    request: Ask, actor: NamedDependency[Actor], db: NamedDependency[AsyncSession]
) -> Template:
    return await _new_page(request, db, actor)


@post("/workspaces", needs=Need.SIGNED_IN, name="workspaces:create")
async def create(
    request: Ask, data: Form, actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> Template | Redirect:
    """Make a workspace; its repository is there before anybody can see it."""
    name = data.get("name", "")
    slug = data.get("slug", "").strip() or _slug(name)
    try:
        async with database.write() as db:
            made = await workspaces.open_new(db, slug, name, actor=actor)
            await request.app.state.make_repository(slug)
    except (Invalid, Conflict) as refusal:
        async with database.read() as db:
            return await _new_page(request, db, actor, typed=data, wrong=refusal.sentence)
    return go(f"/{made.slug}/prompts", f"{made.name} is ready. You are its administrator.")


@get("/{slug:str}/settings/keys", needs=Need.ADMIN, name="settings:keys")
async def keys_page(
    request: Ask, workspace: NamedDependency[WorkspaceRef], db: NamedDependency[AsyncSession]
) -> Template:
    return await _keys_page(request, db, workspace)


@post("/{slug:str}/settings/keys", needs=Need.ADMIN, name="settings:keys:create")
async def create_key(
    request: Ask,
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template:
    """Make a key for an app; the page that answers is the only one that ever shows it."""
    try:
        async with database.write() as db:
            made = await keys.create(
                db, workspace, data.get("name", ""), data.get("scope", "read"), actor=actor
            )
    except (Invalid, Conflict) as refusal:
        async with database.read() as db:
            more: dict[str, Any] = {
                "typed": data,
                "wrong": refusal.sentence,
                "status": refusal.status,
            }
            return await _keys_page(request, db, workspace, **more)
    async with database.read() as db:
        return await _keys_page(request, db, workspace, made=made)


@post("/{slug:str}/settings/keys/{key_id:str}/revoke", needs=Need.ADMIN, name="settings:revoke")
async def revoke_key(
    request: Ask,
    key_id: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Redirect:
    """Committed first, forgotten second: a key presented in between is not learned anew."""
    async with database.write() as db:
        name = await keys.revoke(db, workspace.id, key_id, actor=actor)
    request.app.state.key_table.forget(key_id)
    return go(f"/{workspace.slug}/settings/keys", f"The key “{name}” does not work any more.")


@get("/{slug:str}/settings/labels", needs=Need.READ, name="settings:labels")
async def labels_page(
    request: Ask, workspace: NamedDependency[WorkspaceRef], db: NamedDependency[AsyncSession]
) -> Template:
    in_use = await request.app.state.labels_in_use(db, workspace.id)
    return page(request, "people/labels.html", section="settings", labels=in_use)


@get("/{slug:str}/settings/about", needs=Need.READ, name="settings:about")
async def about_page(request: Ask, workspace: NamedDependency[WorkspaceRef]) -> Template:
    state = request.app.state
    more: dict[str, Any] = {"url": state.settings.url, "version": state.version}
    return page(request, "people/about.html", section="settings", **more)


async def _new_page(
    request: Ask, db: AsyncSession, actor: Actor, *, typed: dict[str, str] | None = None,
    wrong: str | None = None,
) -> Template:  # fmt: skip
    may = await workspaces.may_create(db, actor.account_id or 0)
    status = 422 if wrong else 200
    return page(
        request, "people/new_workspace.html", status=status, may=may, typed=typed or {}, wrong=wrong
    )


async def _keys_page(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, *, status: int = 200, **more: Any
) -> Template:
    found = await keys.listed(db, workspace.id)
    shown: dict[str, Any] = {"typed": {}, "wrong": None, "made": None} | more
    url = request.app.state.settings.url
    return page(
        request, "people/keys.html", section="settings", status=status, keys=found, url=url, **shown
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")


ROUTES: list[Any] = [
    new_page, create, keys_page, create_key, revoke_key, labels_page, about_page,
]  # fmt: skip
