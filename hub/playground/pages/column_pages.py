"""From a column to a version, or to a proposal: what is asked on the way, and the deed."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.playground import adopting, grid, votes
from hub.playground.adopting import Taken
from hub.playground.models import Grid
from hub.playground.options import options_of
from hub.playground.view import title_of
from hub.registry.pages.common import Fields, fields_of
from hub.registry.pages.offers import (
    Piece,
    done,
    made_of,
    offer_them,
    screen_of,
    typed_in,
)
from hub.registry.pages.write import WHY
from hub.registry.prompt.diff import compare
from hub.registry.prompt.document import InvalidDocument, from_json
from hub.registry.prompt.form import first
from hub.registry.saving import NeedsResolving
from hub.web import Ask, Form, go, page

HIDDEN = "Vote first: while whose answers these are is hidden, none of them can be taken over."


@get(
    "/{slug:str}/grid/{grid_id:int}/column/{column:int}/propose", needs=Need.PROPOSE,
    name="grid:propose",
)  # fmt: skip
async def propose_page(
    request: Ask, grid_id: FromPath[int], column: FromPath[int], db: NamedDependency[AsyncSession]
) -> Template:
    """The column as it would be proposed."""
    return await _offer(request, db, (grid_id, column), {})


@post(
    "/{slug:str}/grid/{grid_id:int}/column/{column:int}/propose", needs=Need.PROPOSE,
    name="grid:propose:post", status_code=200,
)  # fmt: skip
async def propose(
    request: Ask, grid_id: FromPath[int], column: FromPath[int],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Propose it; whatever is refused comes back with all that was typed."""
    fields = await fields_of(request)
    try:
        async with database.read() as db:
            _, taken = await _open(request, db, grid_id, column)
        why = taken.signed(first(fields, "why"))
        made = await offer_them(request, [_piece(taken)], fields | {"why": [why]})
    except HubError as refused:
        async with database.read() as db:
            return await _offer(request, db, (grid_id, column), fields, refused)
    return done(workspace, made)


@get(
    "/{slug:str}/grid/{grid_id:int}/column/{column:int}/save", needs=Need.SAVE, name="grid:save"
)  # fmt: skip
async def save_page(
    request: Ask, grid_id: FromPath[int], column: FromPath[int], db: NamedDependency[AsyncSession]
) -> Template:
    """Why it becomes a version: a dialog over the grid, or a page."""
    return await _sheet(request, db, (grid_id, column))


@post(
    "/{slug:str}/grid/{grid_id:int}/column/{column:int}/save", needs=Need.SAVE,
    name="grid:save:post", status_code=200,
)  # fmt: skip
async def save(
    request: Ask, grid_id: FromPath[int], column: FromPath[int], data: Form,
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Make it a version; whatever is refused comes back with the reason that was typed."""
    try:
        return await _save(request, database, (grid_id, column), data.get("message", "").strip())
    except HubError as refused:
        async with database.read() as db:
            return await _sheet(request, db, (grid_id, column), data.get("message", ""), refused)


async def _save(request: Ask, database: Database, place: tuple[int, int], why: str) -> Redirect:
    workspace, actor = request.state.workspace, request.state.actor
    if not why:
        raise Invalid(WHY)
    async with database.read() as db:
        found, taken = await _open(request, db, *place)
    try:
        made = await adopting.save(
            request.app.state.publisher, database, workspace, taken, why, actor=actor
        )
    except NeedsResolving:
        async with database.write() as db:
            name = await adopting.adopt(db, found, place[1], actor=actor)
        return go(f"/{workspace.slug}/resolve/{name}")
    said = f"Saved version {made.saved.version}. {made.note}"
    if not made.saved.created:
        said = "Nothing differs from the latest version, so no new one was made."
    return go(f"/{workspace.slug}/prompts/{taken.about.name}", said.strip())


async def _open(request: Ask, db: AsyncSession, grid_id: int, column: int) -> tuple[Grid, Taken]:
    """Raises:
    Invalid: whose answers these are is hidden from whoever asks.
    """
    actor: Actor = request.state.actor
    found = await grid.get(db, request.state.workspace.id, grid_id)
    if await votes.names_hidden(db, found, actor):
        raise Invalid(HIDDEN)
    return found, await adopting.take(db, found, column, actor=actor)


def _piece(taken: Taken) -> Piece:
    return made_of(taken.about, taken.tree, taken.base.hash, taken.base, taken.draft)


async def _offer(
    request: Ask, db: AsyncSession, place: tuple[int, int], fields: Fields,
    refused: HubError | None = None,
) -> Template:  # fmt: skip
    workspace, actor = request.state.workspace, request.state.actor
    found, taken = await _open(request, db, *place)
    here, about = f"/{workspace.slug}/grid/{found.id}", taken.about
    action = f"{here}/column/{place[1]}/propose"
    screen = await screen_of(request, db, [_piece(taken)], action, here, [about.name], fields)
    typed = typed_in(fields, screen)
    if not fields:
        typed["why"] = _evidence(request, found)
    said = "Propose" if allows(actor, Need.DRAFT, workspace.id) else "Suggest"
    return page(
        request, "registry/proposals/propose.html", section="playground",
        status=refused.status if refused else 200, about=about, screen=screen,
        heading=f"{said} what {_called(found, place[1])} ran", crumbs=_crumbs(request, found, said),
        typed=typed, refused=refused.sentence if refused else "", writes=None,
        base_version=taken.base.number, several=False, kept="The run stays as it is",
    )  # fmt: skip


async def _sheet(
    request: Ask, db: AsyncSession, place: tuple[int, int], typed: str = "",
    refused: HubError | None = None,
) -> Template:  # fmt: skip
    workspace = request.state.workspace
    found, taken = await _open(request, db, *place)
    here = f"/{workspace.slug}/grid/{found.id}"
    may = await adopting.ways(db, found, request.state.actor)
    missing = refused is not None and refused.sentence == WHY
    return page(
        request, "playground/save.html", section="playground",
        status=refused.status if refused else 200, here=here, action=f"{here}/column/{place[1]}",
        crumbs=_crumbs(request, found, "Save"), name=taken.about.name, next=taken.about.head + 1,
        column=_called(found, place[1]), summary=_summary(taken), may=may, typed=typed,
        typed_error=WHY if missing else None,
        error=refused.sentence if refused and not missing else "",
    )  # fmt: skip


def _summary(taken: Taken) -> str:
    """What differs from the version it stands on, in a line."""
    try:
        change = compare(taken.base.document, from_json(taken.tree))
    except InvalidDocument as refused:
        return refused.sentence
    if change.same:
        return f"Nothing differs from version {taken.base.number}."
    return f"Against version {taken.base.number}: {change.summary}."


def _called(found: Grid, column: int) -> str:
    one = found.columns[column]
    return f"{one['title']} · {one['model']}"


def _evidence(request: Ask, found: Grid) -> str:
    """Where a reviewer sees the answers."""
    title = options_of(found.options).title
    where = f"{request.app.state.settings.url}/{request.state.workspace.slug}/grid/{found.id}"
    return f"{title}{' ' if title else ''}Tried side by side: {where}"


def _crumbs(request: Ask, found: Grid, last: str) -> list[tuple[str, str | None]]:
    base = f"/{request.state.workspace.slug}"
    title = title_of(found, options_of(found.options).title)
    return [("Playground", f"{base}/playground"), (title, f"{base}/grid/{found.id}"), (last, None)]


ROUTES = [propose_page, propose, save_page, save]
