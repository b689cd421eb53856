"""Put several drafts up for review together: they land in one step, or not at all."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import drafts
from hub.registry.pages.common import Fields, fields_of
from hub.registry.pages.offers import (
    Piece,
    done,
    of_draft,
    offer_them,
    screen_of,
    typed_in,
)
from hub.web import Ask, page


@get("/{slug:str}/propose-several", needs=Need.DRAFT, name="propose-several")
async def several_page(request: Ask, db: NamedDependency[AsyncSession]) -> Template:
    """The person's drafts, with ticks."""
    return await _several(request, db, {})


@post("/{slug:str}/propose-several", needs=Need.DRAFT, name="propose-several:post", status_code=200)
async def several(
    request: Ask, actor: NamedDependency[Actor], workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Propose the ticked ones as one proposal: they land together or not at all."""
    fields = await fields_of(request)
    chosen = set(fields.get("draft", ()))
    try:
        async with database.read() as db:
            pieces = [one for one in await _drafts(db, workspace, actor) if one.key in chosen]
        if not pieces:
            raise Invalid("Tick at least one draft.")
        made = await offer_them(request, pieces, fields)
    except HubError as refused:
        async with database.read() as db:
            return await _several(request, db, fields, refused)
    return done(workspace, made)


async def _several(
    request: Ask, db: AsyncSession, fields: Fields, refused: HubError | None = None
) -> Template:
    workspace, actor = request.state.workspace, request.state.actor
    pieces = await _drafts(db, workspace, actor)
    back = f"/{workspace.slug}/prompts"
    names = [one.name for one in pieces]
    screen = await screen_of(
        request, db, pieces, f"/{workspace.slug}/propose-several", back, names, fields
    )
    return page(
        request, "registry/proposals/propose.html", section="prompts",
        status=refused.status if refused else 200, about=None, screen=screen,
        heading="Propose several changes together",
        crumbs=[("Prompts", back), ("Propose several", None)],
        typed=typed_in(fields, screen), refused=refused.sentence if refused else "", writes=None,
        base_version="", several=True,
    )  # fmt: skip


async def _drafts(db: AsyncSession, workspace: WorkspaceRef, actor: Actor) -> list[Piece]:
    """Drafts of prompts that are there, the latest first; one that says what is there is none."""
    made: list[Piece] = []
    for line in await drafts.listed(db, workspace.id, actor.account_id or 0):
        draft = await drafts.get(db, workspace.id, actor.account_id or 0, line.prompt_id)
        if line.head is None or draft is None:
            continue
        piece = await of_draft(db, workspace, line.name, draft)
        if piece.change is None or not piece.change.same:
            made.append(piece)
    return made


ROUTES: list[Any] = [several_page, several]
