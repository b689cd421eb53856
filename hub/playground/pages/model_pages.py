"""Models: this machine and the configured connections, as one list; add, change, test."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, HubError
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.playground import connections
from hub.playground.connections import Fields, Wrong
from hub.playground.engine.folders import BUILTIN, BUILTIN_NAME, Found
from hub.playground.models import Connection
from hub.playground.pages.common import playground_of
from hub.playground.probe import Line, probe
from hub.web import Ask, Form, go, page

NEW = Fields()


@get("/{slug:str}/models", needs=Need.READ, name="models")
async def models_page(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """Everything that can be run from here."""
    playground = playground_of(request)
    engine = playground.engine
    local = [_local(found) for found in await playground.local_models()]
    return page(
        request, "playground/models.html", section="models",
        local=local, engine=getattr(engine, "state", None),
        connections=await connections.listing(db, workspace.id),
        may_change=allows(actor, Need.ADMIN, workspace.id),
    )  # fmt: skip


@get("/{slug:str}/models/built-in", needs=Need.READ, name="models:built-in")
async def built_in_page(request: Ask) -> Template:
    """What the built-in model can do and what it cannot: its card, as it is."""
    path = BUILTIN / "MODEL_CARD.md"
    card = await asyncio.to_thread(path.read_text) if path.exists() else ""
    return page(request, "playground/built_in.html", section="models", card=card, name=BUILTIN_NAME)


@get("/{slug:str}/models/new", needs=Need.ADMIN, name="models:new")
async def new_page(request: Ask) -> Template:
    return _form(request, NEW)


@post("/{slug:str}/models", needs=Need.ADMIN, name="models:add", status_code=200)
async def add(
    request: Ask,
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Keep a connection, then look whether it works."""
    playground, fields = playground_of(request), _fields(data)
    try:
        checked = await connections.check(fields, playground.outbound)
        async with database.write() as db:
            kept = await connections.add(
                db, workspace, checked, secret=playground.settings.secret(), actor=actor
            )
    except (Wrong, Conflict) as refusal:
        return _form(request, fields, refusal=refusal)
    tested, lines = await probe(playground, workspace.id, kept.id)
    return _form(request, _of(tested), connection=tested, lines=lines, news="It is kept.")


@get("/{slug:str}/models/{connection_id:int}", needs=Need.ADMIN, name="models:edit")
async def edit_page(
    request: Ask,
    connection_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    connection = await connections.get(db, workspace.id, connection_id)
    return _form(request, _of(connection), connection=connection)


@post(
    "/{slug:str}/models/{connection_id:int}",
    needs=Need.ADMIN,
    name="models:change",
    status_code=200,
)
async def change(
    request: Ask,
    data: Form,
    connection_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Change a connection; a new address takes its key away, and says so."""
    playground, fields = playground_of(request), _fields(data)
    try:
        checked = await connections.check(fields, playground.outbound)
        async with database.write() as db:
            kept, lost = await connections.change(
                db, workspace, connection_id, checked,
                secret=playground.settings.secret(), actor=actor,
            )  # fmt: skip
    except (Wrong, Conflict) as refusal:
        async with database.read() as db:
            kept = await connections.get(db, workspace.id, connection_id)
        return _form(request, fields, connection=kept, refusal=refusal)
    if lost:
        text = "The address is another one now, so the old key was forgotten. Enter the new key."
        return go(f"/{workspace.slug}/models/{kept.id}", text)
    return go(f"/{workspace.slug}/models", f"{kept.name} is kept.")


@post(
    "/{slug:str}/models/{connection_id:int}/test",
    needs=Need.ADMIN,
    name="models:test",
    status_code=200,
)
async def test(
    request: Ask, connection_id: FromPath[int], workspace: NamedDependency[WorkspaceRef]
) -> Template:
    """Ask the endpoint, and show line by line what it said."""
    connection, lines = await probe(playground_of(request), workspace.id, connection_id)
    return _form(request, _of(connection), connection=connection, lines=lines)


@post("/{slug:str}/models/{connection_id:int}/remove", needs=Need.ADMIN, name="models:remove")
async def remove(
    connection_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    name = await connections.remove(db, workspace, connection_id, actor=actor)
    return go(
        f"/{workspace.slug}/models", f"{name} was removed, its key with it. Its runs are kept."
    )


def _fields(data: dict[str, str]) -> Fields:
    names = Fields.__struct_fields__
    return Fields(**{name: data[name] for name in names if name in data})


def _of(connection: Connection) -> Fields:
    return Fields(
        name=connection.name,
        base_url=connection.base_url,
        models=connections.models_text(connection.models),
        concurrency=str(connection.concurrency),
    )


def _form(
    request: Ask, fields: Fields, *, connection: Connection | None = None,
    lines: list[Line] | None = None, refusal: HubError | None = None, news: str = "",
) -> Template:  # fmt: skip
    """The form with what was typed; a key that was typed is not sent back, only asked again."""
    field = refusal.field if isinstance(refusal, Wrong) else "name"
    errors = {field: refusal.sentence} if refusal else {}
    return page(
        request, "playground/connection.html", section="models",
        status=refusal.status if refusal else 200, typed=msgspec.structs.asdict(fields),
        connection=connection, has_key=connection is not None and connection.sealed_key is not None,
        lines=lines or [], errors=errors, news=news,
    )  # fmt: skip


def _local(found: Found) -> dict[str, Any]:
    size = found.bytes
    shown = f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
    return {
        "name": found.name,
        "built_in": found.name == BUILTIN_NAME,
        "problem": found.problem,
        "size": shown if size else "",
        "context": found.context,
    }


ROUTES = [models_page, built_in_page, new_page, add, edit_page, change, test, remove]
