"""The page of one's own keys."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, Invalid, NotFound
from hub.people import own_keys
from hub.people.keys import NewKey
from hub.people.models import Account
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.web import Ask, Form, go, page


@get("/account/keys", needs=Need.SIGNED_IN, name="account:keys")
async def own_keys_page(
    request: Ask, actor: NamedDependency[Actor], db: NamedDependency[AsyncSession]
) -> Template:
    return await _page(request, db, actor)


@post("/account/keys", needs=Need.SIGNED_IN, name="account:keys:create")
async def make_own_key(
    request: Ask, data: Form, actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> Template:
    """Make a key that acts as whoever asks; the answer is the only page that ever shows it."""
    more: dict[str, Any]
    try:
        more = {"made": await _make(request, database, actor, data)}
    except (Invalid, Conflict) as refusal:
        more = {"typed": data, "wrong": refusal.sentence, "status": refusal.status}
    async with database.read() as db:
        return await _page(request, db, actor, **more)


@post("/account/keys/{key_id:str}/revoke", needs=Need.SIGNED_IN, name="account:keys:revoke")
async def revoke_own_key(
    request: Ask,
    key_id: FromPath[str],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.write() as db:
        name = await own_keys.revoke(db, key_id, actor=actor)
    request.app.state.key_table.forget(key_id)
    return go("/account/keys", f"The key “{name}” does not work any more.")


async def _make(request: Ask, database: Database, actor: Actor, form: dict[str, str]) -> NewKey:
    mine: list[WorkspaceRef] = request.state.workspaces
    workspace = next((one for one in mine if one.slug == form.get("workspace")), None)
    if workspace is None:
        raise NotFound("You are not a member of that workspace.")
    async with database.write() as db:
        account = await db.get_one(Account, actor.account_id)
        name, scope = form.get("name", ""), form.get("scope", "read")
        return await own_keys.create(db, workspace, name, scope, account=account, actor=actor)


async def _page(
    request: Ask, db: AsyncSession, actor: Actor, *, status: int = 200, **more: Any
) -> Template:
    shown: dict[str, Any] = {"typed": {}, "wrong": None, "made": None} | more
    return page(
        request, "people/own_keys.html", status=status, url=request.app.state.settings.url,
        keys=await own_keys.listed(db, actor.account_id or 0), **shown,
    )  # fmt: skip


ROUTES: list[Any] = [own_keys_page, make_own_key, revoke_own_key]
