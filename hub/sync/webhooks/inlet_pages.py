"""The secret that forges sign with: made, changed, closed."""

from __future__ import annotations

from typing import Any

from litestar import post
from litestar.di import NamedDependency
from litestar.response import Redirect, Template

from hub.db import Database
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.sync.webhooks import incoming
from hub.sync.webhooks import shown as show
from hub.sync.webhooks.door import worker_of
from hub.web import Ask, go

Place = NamedDependency[WorkspaceRef]
Who = NamedDependency[Actor]
Data = NamedDependency[Database]
ROOT = "/{slug:str}/settings/webhooks/incoming"


@post(ROOT, needs=Need.ADMIN, name="inlet:secret", status_code=200)
async def renew(request: Ask, actor: Who, workspace: Place, database: Data) -> Template:
    """Make the secret, or a new one; the page that answers is the only one that shows it."""
    secret = worker_of(request).secret
    async with database.write() as db:
        made = await incoming.renew(db, workspace, secret=secret, actor=actor)
    async with database.read() as db:
        return await show.everything(request, db, workspace, made=made)


@post(ROOT + "/end-overlap", needs=Need.ADMIN, name="inlet:end-overlap")
async def end_overlap(actor: Who, workspace: Place, database: Data) -> Redirect:
    async with database.write() as db:
        await incoming.end_overlap(db, workspace, actor=actor)
    return go(show.address(workspace) + "#incoming", "The secret before is good no more.")


@post(ROOT + "/close", needs=Need.ADMIN, name="inlet:close")
async def close(actor: Who, workspace: Place, database: Data) -> Redirect:
    async with database.write() as db:
        await incoming.close(db, workspace, actor=actor)
    return go(show.address(workspace) + "#incoming", "Nothing is heard from forges any more.")


ROUTES: list[Any] = [renew, end_overlap, close]
