"""The pages of webhooks, among a workspace's settings."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, WrongField
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.sync.webhooks import acts, deliveries, store
from hub.sync.webhooks import shown as show
from hub.sync.webhooks.door import worker_of
from hub.sync.webhooks.store import Fields
from hub.web import Ask, Form, go

Place = NamedDependency[WorkspaceRef]
Who = NamedDependency[Actor]
Db = NamedDependency[AsyncSession]
Data = NamedDependency[Database]

ROOT = "/{slug:str}/settings/webhooks"
ONE = ROOT + "/{webhook:int}"
MESSAGE = ONE + "/messages/{message:int}"


@get(ROOT, needs=Need.ADMIN, name="webhooks")
async def list_page(request: Ask, workspace: Place, db: Db) -> Template:
    """Whom the workspace tells, and the address for forges."""
    return await show.everything(request, db, workspace)


@get(ROOT + "/new", needs=Need.ADMIN, name="webhooks:new")
async def new_page(request: Ask, form: FromQuery[str] = "standard") -> Template:
    return show.form(request, Fields(form=form))


@post(ROOT, needs=Need.ADMIN, name="webhooks:add", status_code=200)
async def add(
    request: Ask, data: Form, actor: Who, workspace: Place, database: Data
) -> Template | Redirect:
    """Keep a new one; its page shows the secret this once."""
    fields = fields_of(data)
    try:
        hook, made = await acts.add(worker_of(request), database, workspace, actor, fields)
    except (WrongField, Conflict) as refusal:
        return show.form(request, fields, refusal=refusal)
    if made is None:
        return go(show.address(workspace, hook.id), f"{hook.name} is kept. Send it a test.")
    async with database.read() as db:
        return await show.one(request, db, workspace, hook.id, made=made)


@get(ONE, needs=Need.ADMIN, name="webhook")
async def one_page(
    request: Ask, webhook: FromPath[int], workspace: Place, db: Db,
    before: FromQuery[int | None] = None,
) -> Template:  # fmt: skip
    """How it stands, and what was sent."""
    return await show.one(request, db, workspace, webhook, before=before)


@get(ONE + "/edit", needs=Need.ADMIN, name="webhook:edit")
async def edit_page(request: Ask, webhook: FromPath[int], workspace: Place, db: Db) -> Template:
    hook = await store.get(db, workspace.id, webhook)
    return show.form(request, show.fields_of(hook), hook=hook)


@post(ONE, needs=Need.ADMIN, name="webhook:change", status_code=200)
async def change(
    request: Ask, webhook: FromPath[int], data: Form, actor: Who, workspace: Place, database: Data
) -> Template | Redirect:
    """Other values; what waits goes to the new address."""
    fields = fields_of(data)
    try:
        hook = await acts.change(worker_of(request), database, workspace, actor, webhook, fields)
    except (WrongField, Conflict) as refusal:
        async with database.read() as db:
            kept = await store.get(db, workspace.id, webhook)
        return show.form(request, fields, hook=kept, refusal=refusal)
    return go(show.address(workspace, webhook), f"{hook.name} is kept.")


@post(ONE + "/test", needs=Need.ADMIN, name="webhook:test")
async def test(
    request: Ask, webhook: FromPath[int], actor: Who, workspace: Place
) -> Redirect:  # fmt: skip
    """Send a message that tells of nothing, and say what came of it."""
    attempt = await worker_of(request).test(workspace, webhook, actor)
    kind = "done" if attempt.good else "error"
    return go(show.address(workspace, webhook), attempt.said, kind=kind)


@post(ONE + "/pause", needs=Need.ADMIN, name="webhook:pause")
async def pause(webhook: FromPath[int], actor: Who, workspace: Place, database: Data) -> Redirect:
    async with database.write() as db:
        hook = await store.pause(db, workspace, webhook, actor=actor)
    said = f"{hook.name} is paused. What happens is kept for it."
    return go(show.address(workspace, webhook), said)


@post(ONE + "/resume", needs=Need.ADMIN, name="webhook:resume")
async def resume(
    request: Ask, webhook: FromPath[int], actor: Who, workspace: Place, database: Data
) -> Redirect:
    """Also: try at once what would be tried later."""
    async with database.write() as db:
        hook = await store.resume(db, workspace, webhook, actor=actor)
    worker_of(request).poke()
    return go(show.address(workspace, webhook), f"{hook.name} goes on with what waits.")


@post(ONE + "/secret", needs=Need.ADMIN, name="webhook:secret", status_code=200)
async def secret(
    request: Ask, webhook: FromPath[int], actor: Who, workspace: Place, database: Data
) -> Template:
    """Make a new secret; the page that answers is the only one that shows it."""
    made = await acts.renew(worker_of(request), database, workspace, actor, webhook)
    async with database.read() as db:
        return await show.one(request, db, workspace, webhook, made=made)


@post(ONE + "/end-overlap", needs=Need.ADMIN, name="webhook:end-overlap")
async def end_overlap(
    request: Ask, webhook: FromPath[int], actor: Who, workspace: Place, database: Data
) -> Redirect:
    await acts.end_overlap(worker_of(request), database, workspace, actor, webhook)
    said = "The secret before is good no more."
    return go(show.address(workspace, webhook), said)


@post(ONE + "/remove", needs=Need.ADMIN, name="webhook:remove")
async def remove(webhook: FromPath[int], actor: Who, workspace: Place, database: Data) -> Redirect:
    async with database.write() as db:
        name = await store.remove(db, workspace, webhook, actor=actor)
    return go(show.address(workspace), f"{name} was removed; it is told nothing more.")


@get(MESSAGE, needs=Need.ADMIN, name="webhook:message")
async def message_page(
    request: Ask, webhook: FromPath[int], message: FromPath[int], workspace: Place, db: Db
) -> Template:
    """A message: what was sent, and each attempt."""
    return await show.message(request, db, workspace, webhook, message)


@post(MESSAGE + "/again", needs=Need.ADMIN, name="webhook:again")
async def again(
    request: Ask, webhook: FromPath[int], message: FromPath[int], actor: Who, workspace: Place
) -> Redirect:
    """Send it once more, with the id it had."""
    where = f"{show.address(workspace, webhook)}/messages/{message}"
    try:
        attempt = await worker_of(request).again(workspace, webhook, message, actor)
    except Conflict as refusal:
        return go(where, refusal.sentence, kind="error")
    return go(where, attempt.said, kind="done" if attempt.good else "error")


@post(MESSAGE + "/leave-out", needs=Need.ADMIN, name="webhook:leave-out")
async def leave_out(
    request: Ask, webhook: FromPath[int], message: FromPath[int], actor: Who, workspace: Place,
    database: Data,
) -> Redirect:  # fmt: skip
    """It is not sent, so that those behind it can go out."""
    where = show.address(workspace, webhook)
    try:
        async with database.write() as db:
            await deliveries.leave_out(db, workspace, webhook, message, actor=actor)
    except Conflict as refusal:
        return go(where, refusal.sentence, kind="error")
    worker_of(request).poke()
    return go(where, "The message was left out. It can still be sent from its page.")


def fields_of(data: dict[str, str]) -> Fields:
    """The form: events have a box each, which count unless every event is wanted."""
    kinds = [name.removeprefix("event.") for name in data if name.startswith("event.")]
    some = data.get("which") == "some"
    names: dict[str, Any] = {
        name: data[name] for name in ("name", "form", "address", "token") if name in data
    }
    return Fields(**names, events=kinds if some else [], some=some)


ROUTES: list[Any] = [
    list_page, new_page, add, one_page, edit_page, change, test, pause, resume, secret,
    end_overlap, remove, message_page, again, leave_out,
]  # fmt: skip
