"""Put a change of one prompt up for review: a draft, or words suggested right on the page."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, HubError
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.registry import catalog, drafts, form
from hub.registry.pages.common import Heading, crumbs, heading, named
from hub.registry.pages.offers import (
    Fields,
    Piece,
    done,
    fields_of,
    first,
    made_of,
    of_draft,
    offer_them,
    screen_of,
    typed_in,
)
from hub.registry.record import VersionView
from hub.registry.shown import shown
from hub.web import Ask, go, page


@get("/{slug:str}/propose/{name:path}", needs=Need.PROPOSE, name="propose")
async def propose_page(
    request: Ask, name: FromPath[str], actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], db: NamedDependency[AsyncSession],
) -> Template | Redirect:  # fmt: skip
    """The draft as it would be proposed; who may not write drafts edits the text right here."""
    return await _one(request, db, named(name), {})


@post("/{slug:str}/propose/{name:path}", needs=Need.PROPOSE, name="propose:post", status_code=200)
async def propose(
    request: Ask, name: FromPath[str], actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Propose it; whatever is refused comes back with all that was typed."""
    fields = await fields_of(request)
    try:
        async with database.read() as db:
            about = await heading(db, workspace, actor, named(name))
            pieces = [await _piece(db, workspace, actor, about, fields)]
        made = await offer_them(request, pieces, fields)
    except HubError as refused:
        async with database.read() as db:
            return await _one(request, db, named(name), fields, refused)
    return done(workspace, made)


async def _one(
    request: Ask, db: AsyncSession, name: str, fields: Fields, refused: HubError | None = None
) -> Template | Redirect:
    workspace, actor = request.state.workspace, request.state.actor
    about = await heading(db, workspace, actor, name)
    began = form.whole(first(fields, "base_version"))
    latest = await catalog.version(db, workspace.id, about.name, began)
    writes = not allows(actor, Need.DRAFT, workspace.id)
    if not writes and about.draft_of is None and refused is None:
        said = "Write your change first; then it can be proposed."
        return go(f"/{workspace.slug}/prompts/{about.name}", said)
    tree = shown(form.from_form(fields, latest.tree) if "content" in fields else latest.tree)
    piece = await _shown_piece(db, workspace, actor, about, fields)
    screen = await screen_of(
        request, db, [piece] if piece else [], f"/{workspace.slug}/propose/{about.name}",
        f"/{workspace.slug}/prompts/{about.name}", [about.name], fields,
    )  # fmt: skip
    title = about.title or about.name
    return page(
        request, "registry/proposals/propose.html", section="prompts",
        status=refused.status if refused else 200, about=about, screen=screen,
        heading=f"Suggest a change to {title}" if writes else f"Propose a change to {title}",
        crumbs=crumbs(workspace, about.name, "Suggest" if writes else "Propose"),
        typed=typed_in(fields, screen), refused=refused.sentence if refused else "",
        writes=tree if writes else None, base_version=latest.number, several=False,
    )  # fmt: skip


async def _shown_piece(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, about: Heading, fields: Fields
) -> Piece | None:
    """What changes; nothing while nothing is written."""
    try:
        return await _piece(db, workspace, actor, about, fields)
    except HubError:
        return None


async def _piece(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, about: Heading, fields: Fields
) -> Piece:
    """The draft, or what was typed into the page itself.

    Raises:
        Conflict: there is neither.
    """
    if "content" in fields:
        began = form.whole(first(fields, "base_version"))
        base = await catalog.version(db, workspace.id, about.name, began)
        tree = form.from_form(fields | _kept(base), base.tree)
        return made_of(about, tree, base.hash, base)
    draft = await drafts.get(db, workspace.id, actor.account_id or 0, about.id)
    if draft is None:
        raise Conflict("There is no draft of yours any more; it was proposed or saved already.")
    return await of_draft(db, workspace, about.name, draft)


def _kept(latest: VersionView) -> Fields:
    """What the suggestion's form has no fields for stays as it is."""
    tree = shown(latest.tree)
    kept = {
        "title": [tree.title], "description": [tree.description], "tags": [tree.tags],
        "template": [tree.template], "model": [tree.model], "tools": [tree.tools],
        "response_format": [tree.response_format], "json_schema": [tree.json_schema],
        "var_name": [one.name for one in tree.variables],
        "var_type": [one.type for one in tree.variables],
        "var_required": ["yes" if one.required else "no" for one in tree.variables],
        "var_description": [one.description for one in tree.variables],
        "var_example": [one.example for one in tree.variables],
        "var_default": [one.default for one in tree.variables],
        "var_extra": [one.extra for one in tree.variables],
    }  # fmt: skip
    return kept | {key: [value] for key, value in tree.numbers.items()}


ROUTES: list[Any] = [propose_page, propose]
