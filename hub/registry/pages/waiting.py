"""Scheduled releases: what is to come, what became of the others, and cancel."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.labels import scheduled
from hub.registry.pages.common import rights
from hub.web import Ask, go, page


@get("/{slug:str}/scheduled", needs=Need.READ, name="scheduled")
async def scheduled_page(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """Releases to come, the next first, and those that are settled."""
    return page(
        request, "registry/scheduled.html", section="prompts",
        to_come=await scheduled.lines(db, workspace.id, waiting=True),
        settled=await scheduled.lines(db, workspace.id, waiting=False, limit=50),
        **rights(actor, workspace),
    )  # fmt: skip


@post("/{slug:str}/scheduled/{number:int}/cancel", needs=Need.RELEASE, name="scheduled:cancel")
async def cancel(
    number: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Redirect:
    """It does not happen; it can be scheduled again."""
    async with database.write() as db:
        await scheduled.cancel(db, workspace.id, number, actor=actor)
    return go(f"/{workspace.slug}/scheduled", "Cancelled. Nothing will move.")


ROUTES: list[Any] = [scheduled_page, cancel]
