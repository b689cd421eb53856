"""A person's home in a workspace: what wants them."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.pages.common import rights
from hub.registry.reading import catalog, home
from hub.registry.review.queue import Queue
from hub.web import Ask, page


@get("/{slug:str}", needs=Need.READ, name="workspace")
async def home_page(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    queue: Queue = request.app.state.queue
    waiting = await queue.waiting(workspace.id, actor.account_id or 0)
    tried = request.app.state.tried_two_models
    shown = await home.read(db, workspace, actor, waiting=waiting, tried=tried)
    return page(
        request, "registry/home.html", section="home", home=shown,
        total_prompts=await catalog.count(db, workspace.id), **rights(actor, workspace),
    )  # fmt: skip


ROUTES = [home_page]
