"""The next revision of a proposal: write on at its text, or say better what it is about."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import drafts
from hub.registry.pages.offer_sheets import OfferSheet, offer_sheet
from hub.registry.prompt.document import to_json
from hub.registry.prompt.form import whole
from hub.registry.reading import catalog
from hub.registry.review import proposals, record
from hub.registry.review.offering import wanted_of
from hub.registry.review.views import ItemView, View
from hub.web import Ask, Form, go


@post("/{slug:str}/proposals/{number:int}/write", needs=Need.DRAFT, name="proposal:write")
async def write_on(
    number: FromPath[int], data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Redirect:  # fmt: skip
    """The proposal's text as this person's draft; a draft that is there already stays."""
    here = f"/{workspace.slug}/proposals/{number}"
    async with database.write() as db:
        view = await record.get(db, workspace.id, number)
        item = next((one for one in view.items if one.prompt_id == data.get("prompt_id")), None)
        if item is None or item.kind != "change" or item.new is None:
            return go(here, "This text cannot be written on here.", kind="error")
        there = await _begin(db, workspace, actor, item)
    said = "You have a draft of this prompt already, so it was left as it is."
    if not there:
        said = f"This is revision {view.revision} of proposal {number}. Write on, then propose it."
    return go(f"/{workspace.slug}/prompts/{item.name}", said)


async def _begin(db: AsyncSession, workspace: WorkspaceRef, actor: Actor, item: ItemView) -> bool:
    """Put it down as the draft; True: another one is there already."""
    account_id, text = actor.account_id or 0, to_json(item.new) if item.new else {}
    held = await drafts.get(db, workspace.id, account_id, item.prompt_id)
    if held is not None:
        return held.document != text
    await drafts.put(
        db, workspace.id, account_id, item.prompt_id, text, name=item.name, base=item.base_hash,
        base_version=item.base_version,
    )  # fmt: skip
    return False


@get("/{slug:str}/proposals/{number:int}/edit", needs=Need.PROPOSE, name="proposal:edit")
async def edit_sheet(
    request: Ask, number: FromPath[int], workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:  # fmt: skip
    """Title, reason, target."""
    view = await record.get(db, workspace.id, number)
    return await _sheet(request, db, workspace, view)


async def _sheet(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, view: View, **context: Any
) -> Template:
    here = f"/{workspace.slug}/proposals/{view.number}"
    sheet = OfferSheet(
        kind="edit", title=f"What proposal {view.number} is about", button="Keep it so",
        action=f"{here}/edit", back=here,
    )  # fmt: skip
    known = [name for name, _ in await catalog.labels(db, workspace.id)]
    labels = list(dict.fromkeys(["production", *known]))
    return await offer_sheet(request, db, view, sheet, labels=labels, **context)


@post(
    "/{slug:str}/proposals/{number:int}/edit", needs=Need.PROPOSE, name="proposal:edit:post",
    status_code=200,
)  # fmt: skip
async def edit(
    request: Ask, number: FromPath[int], data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Another revision with the same texts; an approval stands if the target stays."""
    async with database.read() as db:
        view = await record.get(db, workspace.id, number)
    try:
        await proposals.revise(
            request.app.state.publisher, database, workspace, number, actor=actor,
            items=[wanted_of(one) for one in view.items], message="What it is about",
            expected_revision=whole(data.get("revision")), title=data.get("title", ""),
            why=data.get("why", ""), target=data.get("target", "").strip() or None,
        )  # fmt: skip
    except HubError as refused:
        async with database.read() as db:
            return await _sheet(request, db, workspace, view, refused=refused, typed=data)
    return go(f"/{workspace.slug}/proposals/{number}", "Kept.")


ROUTES: list[Any] = [write_on, edit_sheet, edit]
