"""Put a change of one prompt up for review: a draft, or words suggested right on the page."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, HubError
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.registry import drafts
from hub.registry.pages.common import Fields, Heading, crumbs, fields_of, heading, named
from hub.registry.pages.offers import (
    Piece,
    done,
    made_of,
    of_draft,
    offer_them,
    screen_of,
    typed_in,
)
from hub.registry.prompt import form
from hub.registry.prompt.document import to_json
from hub.registry.prompt.shown import Shown, shown
from hub.registry.reading import catalog
from hub.registry.reading.record import VersionView
from hub.registry.review import offering, record
from hub.web import Ask, go, page


@get("/{slug:str}/propose/{name:path}", needs=Need.PROPOSE, name="propose")
async def propose_page(
    request: Ask, name: FromPath[str], actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], db: NamedDependency[AsyncSession],
    into: FromQuery[int | None] = None,
) -> Template | Redirect:  # fmt: skip
    """The draft as it would be proposed; who may not write drafts edits the text right here, that
    of their proposal `into` if they write on."""
    return await _one(request, db, named(name), {} if into is None else {"into": [str(into)]})


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
    own = await _own(db, workspace, actor, about, fields)
    began = form.whole(form.first(fields, "base_version")) or (own and own.base_version)
    latest = await catalog.version(db, workspace.id, about.name, began)
    writes = not allows(actor, Need.DRAFT, workspace.id)
    if not writes and about.draft_of is None and refused is None:
        said = "Write your change first; then it can be proposed."
        return go(f"/{workspace.slug}/prompts/{about.name}", said)
    tree = _tree(own, latest)
    tree = shown(form.from_form(fields, tree) if "content" in fields else tree)
    piece = await _shown_piece(db, workspace, actor, about, fields)
    back = f"/{workspace.slug}/" + (f"proposals/{own.number}" if own else f"prompts/{about.name}")
    screen = await screen_of(
        request, db, [piece] if piece else [], f"/{workspace.slug}/propose/{about.name}",
        back, [about.name], fields,
    )  # fmt: skip
    title = about.title or about.name
    asked = f"Write on at “{own.title}”" if own else f"Suggest a change to {title}"
    return page(
        request, "registry/proposals/propose.html", section="prompts",
        status=refused.status if refused else 200, about=about, screen=screen,
        heading=asked if writes else f"Propose a change to {title}", own=own if writes else None,
        crumbs=crumbs(workspace, about.name, "Suggest" if writes else "Propose"),
        typed=typed_in(fields, screen), refused=refused.sentence if refused else "",
        writes=tree if writes else None, base_version=latest.number, several=False,
        beside=len(await drafts.names(db, workspace.id, actor.account_id) - {about.name}),
    )  # fmt: skip


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal of theirs that somebody writes on at without a draft."""

    number: int
    revision: int
    title: str
    base_version: int | None
    tree: drafts.Tree


async def _own(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, about: Heading, fields: Fields
) -> Own | None:
    """The one that `into` names; None: it is not theirs, not open, or not about this text."""
    into = form.whole(form.first(fields, "into"))
    mine = await offering.mine_on(db, workspace.id, actor.account_id, [about.id])
    if (one := next((one for one in mine if one.number == into), None)) is None:
        return None
    view = await record.get(db, workspace.id, one.number)
    item = next((one for one in view.items if one.prompt_id == about.id), None)
    if item is None or item.kind != "change" or item.new is None or len(view.items) > 1:
        return None
    return Own(
        number=one.number, revision=view.revision, title=view.title,
        base_version=item.base_version, tree=to_json(item.new),
    )  # fmt: skip


def _tree(own: Own | None, latest: VersionView) -> drafts.Tree:
    return own.tree if own else latest.tree


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
        began = form.whole(form.first(fields, "base_version"))
        base = await catalog.version(db, workspace.id, about.name, began)
        own = await _own(db, workspace, actor, about, fields)
        tree = _tree(own, base)
        tree = form.from_form(fields | _kept(shown(tree)), tree)
        return made_of(about, tree, base.hash, base)
    draft = await drafts.get(db, workspace.id, actor.account_id or 0, about.id)
    if draft is None:
        raise Conflict("There is no draft of yours any more; it was proposed or saved already.")
    return await of_draft(db, workspace, about.name, draft)


def _kept(tree: Shown) -> Fields:
    """What the suggestion's form has no fields for stays as it is."""
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
