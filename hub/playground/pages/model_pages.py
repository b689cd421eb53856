"""Models: this machine and the configured connections, as one list; add, change, test."""

from __future__ import annotations

import asyncio

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, Invalid, NotFound, Unavailable, WrongField
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.playground import connections, machine, probe, targets
from hub.playground.card import blocks
from hub.playground.connections import Fields
from hub.playground.engine.folders import BUILTIN, BUILTIN_NAME
from hub.playground.pages.common import connection_form, fields_of, playground_of
from hub.playground.pages.model_rows import everything, relay_row
from hub.playground.pages.probe_page import growing_page
from hub.playground.providers import PROVIDERS, by_id
from hub.playground.relay import budget
from hub.web import Ask, Form, go, is_part, page


@get("/{slug:str}/models", needs=Need.READ, name="models")
async def models_page(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """Everything that can be run from here."""
    return page(
        request, "playground/models.html", section="models",
        **await everything(db, playground_of(request), workspace.id),
        **await relay_row(db, workspace.id),
        may_change=allows(actor, Need.ADMIN, workspace.id), url=request.app.state.settings.url,
    )  # fmt: skip


@post("/{slug:str}/models/machine", needs=Need.ADMIN, name="models:machine")
async def machine_price(
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """What an hour of this machine costs; from then on its runs are priced by their seconds."""
    where = f"/{workspace.slug}/models"
    try:
        price = await targets.set_hour_price(db, workspace, data.get("hour_price", ""), actor=actor)
    except WrongField as refusal:
        return go(where, refusal.sentence, kind="error")
    said = f"An hour of this machine costs ${price:g}." if price else "This machine has no price."
    return go(where, said)


@post("/{slug:str}/models/relay", needs=Need.ADMIN, name="models:relay")
async def set_relay(
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """Whether programs may run prompts through the hub, and how much a key may use of a day."""
    where = f"/{workspace.slug}/models#programs"
    open, tokens, usd = data.get("open") == "on", data.get("tokens", ""), data.get("usd", "")
    try:
        made = await budget.set_up(db, workspace, open=open, tokens=tokens, usd=usd, actor=actor)
    except Invalid as refusal:
        return go(where, refusal.sentence, kind="error")
    return go(where, "Programs may run prompts now." if made.open else "Programs may not.")


@get("/{slug:str}/models/engine", needs=Need.READ, name="models:engine")
async def engine_part(request: Ask) -> Template:
    """How the engine stands: the line on the Try page that asks again while it starts."""
    playground = playground_of(request)
    here = await machine.look(playground.engine) if playground.engine else None
    starting = (here and here.state == "starting") or (playground.warmer and playground.warmer.busy)
    return page(request, "playground/_engine.html", here=here, starting=starting)


@post("/{slug:str}/models/start", needs=Need.DRAFT, name="models:start", status_code=200)
async def start(request: Ask, workspace: NamedDependency[WorkspaceRef]) -> Template | Redirect:
    """Begin to start the engine, without waiting for it."""
    if (warmer := playground_of(request).warmer) is not None:
        warmer.warm()
        await asyncio.sleep(0)  # so that what is shown says "starting"
    if not is_part(request):
        return go(f"/{workspace.slug}/models")
    return await engine_part.fn(request)


@post("/{slug:str}/models/unload", needs=Need.ADMIN, name="models:unload")
async def unload(request: Ask, data: Form, workspace: NamedDependency[WorkspaceRef]) -> Redirect:
    """Give the memory of one model back, or of all of this machine's."""
    fleet, where = playground_of(request).fleet, f"/{workspace.slug}/models"
    try:
        return go(where, await machine.asked_to_unload(fleet, data.get("model", "")))
    except (Conflict, NotFound, Unavailable) as refusal:
        return go(where, refusal.sentence, kind="error")


@get("/{slug:str}/models/built-in", needs=Need.READ, name="models:built-in")
async def built_in_page(request: Ask) -> Template:
    """What the built-in model can do and what it cannot: its card."""
    path = BUILTIN / "MODEL_CARD.md"
    card = await asyncio.to_thread(path.read_text) if path.exists() else ""
    shown = blocks(card)
    return page(
        request, "playground/built_in.html", section="models", blocks=shown, name=BUILTIN_NAME
    )


@get("/{slug:str}/models/new", needs=Need.ADMIN, name="models:new")
async def new_page(request: Ask, provider: FromQuery[str] = "") -> Template:
    """Whom to connect to; then the form, with what is known of them filled in."""
    found = by_id(provider)
    if found is None:
        return page(request, "playground/providers.html", section="models", providers=PROVIDERS)
    named = "" if found.id in ("own", "other") else found.name
    typed = Fields(name=named, kind=found.kind, base_url=found.address)
    return connection_form(request, typed, provider=found)


@post("/{slug:str}/models", needs=Need.ADMIN, name="models:add", status_code=200)
async def add(
    request: Ask,
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Stream:
    """Keep a connection, then look whether it works."""
    playground, fields = playground_of(request), _fields(data)
    try:
        checked = await connections.check(fields, playground.outbound)
        async with database.write() as db:
            kept = await connections.add(
                db, workspace, checked, secret=playground.settings.secret(), actor=actor
            )
    except (WrongField, Conflict) as refusal:
        return connection_form(request, fields, refusal=refusal)
    return growing_page(request, workspace, kept, news="It is kept.")


@get("/{slug:str}/models/{connection_id:int}", needs=Need.ADMIN, name="models:edit")
async def edit_page(
    request: Ask,
    connection_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    connection = await connections.get(db, workspace.id, connection_id)
    return connection_form(request, fields_of(connection), connection=connection)


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
    except (WrongField, Conflict) as refusal:
        async with database.read() as db:
            kept = await connections.get(db, workspace.id, connection_id)
        return connection_form(request, fields, connection=kept, refusal=refusal)
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
    request: Ask,
    connection_id: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Stream:
    """Ask the endpoint, and show line by line what it said."""
    async with database.read() as db:
        kept = await connections.get(db, workspace.id, connection_id)
    return growing_page(request, workspace, kept)


@post("/{slug:str}/models/{connection_id:int}/fetch", needs=Need.ADMIN, name="models:fetch")
async def fetch(
    request: Ask, connection_id: FromPath[int], workspace: NamedDependency[WorkspaceRef]
) -> Redirect:
    """Ask the endpoint for its models and keep those that are new."""
    said, good = await probe.fetch(playground_of(request), workspace.id, connection_id)
    kind = "done" if good else "error"
    return go(f"/{workspace.slug}/models/{connection_id}", said, kind=kind)


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


ROUTES = [
    models_page, machine_price, set_relay, engine_part, start, unload, built_in_page,
    new_page, add, edit_page, change, test, fetch, remove,
]  # fmt: skip
