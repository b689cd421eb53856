"""Aliases: a name over several models, chosen by order, price or speed; its form and its deeds."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, HubError, WrongField
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import aliases, connections
from hub.playground.aliases import Fields
from hub.playground.models import Alias
from hub.playground.pages.common import form_of, grouped, playground_of
from hub.playground.room import Choice
from hub.web import Ask, go, page

LEAST_ROWS = 3
SPARE_ROWS = 2


@get("/{slug:str}/models/aliases/new", needs=Need.ADMIN, name="aliases:new")
async def new_page(
    request: Ask, workspace: NamedDependency[WorkspaceRef], db: NamedDependency[AsyncSession]
) -> Template:
    return await _form(request, db, workspace, Fields())


@post("/{slug:str}/models/aliases", needs=Need.ADMIN, name="aliases:add", status_code=200)
async def add(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Keep a new alias."""
    return await _save(request, database, workspace, actor)


@get("/{slug:str}/models/aliases/{alias_id:int}", needs=Need.ADMIN, name="aliases:edit")
async def edit_page(
    request: Ask,
    alias_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    alias = await aliases.get(db, workspace.id, alias_id)
    return await _form(request, db, workspace, aliases.fields_of(alias), alias=alias)


@post(
    "/{slug:str}/models/aliases/{alias_id:int}",
    needs=Need.ADMIN,
    name="aliases:change",
    status_code=200,
)
async def change(
    request: Ask,
    alias_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Change what an alias stands for; prompts and columns that name it follow."""
    return await _save(request, database, workspace, actor, alias_id)


@post("/{slug:str}/models/aliases/{alias_id:int}/remove", needs=Need.ADMIN, name="aliases:remove")
async def remove(
    alias_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    name = await aliases.remove(db, workspace, alias_id, actor=actor)
    return go(f"/{workspace.slug}/models", f"The alias {name} was removed. Its models are kept.")


async def _save(
    request: Ask, database: Database, workspace: WorkspaceRef, actor: Actor,
    alias_id: int | None = None,
) -> Template | Redirect:  # fmt: skip
    given = await form_of(request)
    told = dict(given)
    fields = Fields(
        name=told.get("name", ""),
        rule=told.get("rule", ""),
        targets=[value for name, value in given if name == "target"],
    )
    try:
        async with database.read() as db:
            known = {one.value for one in await _choices(request, db, workspace)}
        checked = aliases.check(fields, known)
        async with database.write() as db:
            kept = await aliases.save(db, workspace, checked, actor=actor, alias_id=alias_id)
    except (WrongField, Conflict) as refusal:
        async with database.read() as db:
            alias = await aliases.get(db, workspace.id, alias_id) if alias_id else None
            return await _form(request, db, workspace, fields, alias=alias, refusal=refusal)
    return go(f"/{workspace.slug}/models", f"{kept.name} can be picked wherever a model can.")


async def _choices(request: Ask, db: AsyncSession, workspace: WorkspaceRef) -> list[Choice]:
    """What an alias may stand for: anything but another alias."""
    playground = playground_of(request)
    return await playground.choices(await connections.listing(db, workspace.id))


async def _form(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, typed: Fields, *,
    alias: Alias | None = None, refusal: HubError | None = None,
) -> Template:  # fmt: skip
    field = refusal.field if isinstance(refusal, WrongField) else "name"
    targets = [one for one in typed.targets if one]
    count = min(max(LEAST_ROWS, len(targets) + SPARE_ROWS), aliases.MOST_TARGETS)
    rows = [*targets, *[""] * (count - len(targets))]
    return page(
        request, "playground/alias.html", section="models",
        status=refusal.status if refusal else 200, typed=typed, alias=alias, rows=rows,
        choices=grouped(await _choices(request, db, workspace)), rules=list(aliases.RULES.items()),
        errors={field: refusal.sentence} if refusal else {},
    )  # fmt: skip


ROUTES = [new_page, add, edit_page, change, remove]
