"""Notices: the inbox, and the stream that keeps the bell of an open page true."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import NotFound
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.review import notices
from hub.registry.review.bell import Bell, Listener
from hub.registry.review.models import Notice
from hub.web import Ask, go, page


@get("/{slug:str}/notices", needs=Need.READ, name="notices")
async def inbox_page(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    before: FromQuery[int | None] = None,
) -> Template:
    """What this person should hear of, the newest first."""
    found = await notices.listed(db, workspace.id, actor.account_id or 0, before=before)
    more = len(found) == notices.PAGE
    older = f"/{workspace.slug}/notices?before={found[-1].id}" if more else None
    return page(
        request, "registry/reviews/inbox.html", section="notices", notices=found,
        older=older, first=before is None,
    )  # fmt: skip


@post("/{slug:str}/notices/seen", needs=Need.READ, name="notices:seen")
async def see_all(
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """All of them."""
    await notices.see(db, workspace.id, actor.account_id or 0)
    return go(f"/{workspace.slug}/notices")


@post("/{slug:str}/notices/{notice_id:int}", needs=Need.READ, name="notice")
async def open_one(
    notice_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """Mark it as seen, and go where it leads."""
    found = await db.get(Notice, notice_id)
    if found is None or found.account_id != actor.account_id:
        raise NotFound("This notice is not there any more.")
    await notices.see(db, workspace.id, found.account_id, notice_id=notice_id)
    return go(found.url)


@get("/{slug:str}/notices/stream", needs=Need.READ, name="notices:stream")
async def stream(
    request: Ask, actor: NamedDependency[Actor], workspace: NamedDependency[WorkspaceRef]
) -> Stream:
    """Server-sent events; ends when the person is signed out or removed."""
    bell: Bell = request.app.state.bell
    listener = Listener(
        sign_in=request.state.sign_in, account_id=actor.account_id or 0, workspace_id=workspace.id
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(bell.stream(listener), media_type="text/event-stream", headers=headers)


ROUTES = [inbox_page, see_all, open_one, stream]
