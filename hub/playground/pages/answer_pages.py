"""What it does: the tab of a proposal that shows the answers before and after."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import answers, examples, grid, targets
from hub.playground.pages.common import (
    Fields,
    form_of,
    grouped,
    may_run,
    playground_of,
    preview,
)
from hub.registry.pages.proposals import proposal_page
from hub.registry.review import record
from hub.registry.review.views import ItemView, View
from hub.web import Ask, go

TICKED = 10
"""Examples that are ticked to begin with."""


@get("/{slug:str}/proposals/{number:int}/answers", needs=Need.READ, name="answers")
async def answers_page(
    request: Ask,
    number: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    prompt: FromQuery[str] = "",
) -> Template:
    """The last comparison of a prompt, and the form that makes another."""
    view = await record.get(db, workspace.id, number)
    return await _page(request, db, view, _item(view, prompt))


@post(
    "/{slug:str}/proposals/{number:int}/answers", needs=Need.DRAFT, name="answers:run",
    status_code=200,
)  # fmt: skip
async def run_answers(
    request: Ask,
    number: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Ask the ticked models the ticked examples, with both texts."""
    fields = await form_of(request)
    async with database.read() as db:
        view = await record.get(db, workspace.id, number)
        item = _item(view, dict(fields).get("prompt", ""))
        try:
            await _run(request, db, view, item, fields, actor)
        except HubError as refused:
            return await _page(
                request, db, view, item, fields, error=refused.sentence, status=refused.status
            )
    asked = f"?prompt={item.prompt_id}" if item else ""
    return go(f"/{workspace.slug}/proposals/{number}/answers{asked}")


def _item(view: View, prompt_id: str) -> ItemView | None:
    found = answers.tried(view)
    return next((one for one in found if one.prompt_id == prompt_id), found[0] if found else None)


async def _run(
    request: Ask, db: AsyncSession, view: View, item: ItemView | None, fields: Fields, actor: Actor
) -> None:
    if item is None:
        raise Invalid("This proposal changes no text, so there is nothing to try.")
    playground = playground_of(request)
    choices = await targets.offered(db, playground, view.workspace_id)
    ticked = {value for name, value in fields if name == "model"}
    wanted = {value for name, value in fields if name == "example"}
    kept = await examples.listing(db, view.workspace_id, item.prompt_id)
    await answers.run(
        playground, db, view, item, [one for one in choices if one.value in ticked],
        [one for one in kept if str(one.id) in wanted], actor=actor,
    )  # fmt: skip


async def _page(
    request: Ask, db: AsyncSession, view: View, item: ItemView | None,
    fields: Fields | None = None, *, error: str = "", status: int = 200,
) -> Template:  # fmt: skip
    shown: dict[str, Any] = {"item": item, "items": answers.tried(view), "error": error}
    shown |= {"found": None, "compared": [], "running": False, "outdated": False}
    shown |= {"choices": [], "examples": [], "models": set(), "chosen": set()}
    if item is not None:
        shown |= await _form(request, db, view, item, fields)
        shown |= await _found(request, db, view, item)
    actor, workspace = request.state.actor, request.state.workspace
    return await proposal_page(
        request, "playground/answers.html", db, view, tab="answers", status=status,
        answers_count=await answers.count(db, view) or None, may_run=may_run(actor, workspace),
        **shown,
    )  # fmt: skip


async def _form(
    request: Ask, db: AsyncSession, view: View, item: ItemView, fields: Fields | None
) -> dict[str, Any]:
    playground = playground_of(request)
    choices = await targets.offered(db, playground, view.workspace_id)
    kept = await examples.listing(db, view.workspace_id, item.prompt_id)
    model = item.new.model if item.new else None
    meant = [one.value for one in choices if one.model == model] or [
        one.value for one in choices[:1]
    ]
    return {
        "choices": grouped(choices),
        "examples": [
            {"id": one.id, "name": one.name, "preview": preview(one.variables)} for one in kept
        ],
        "models": {value for name, value in fields if name == "model"} if fields else set(meant),
        "chosen": {int(v) for n, v in fields if n == "example" and v.isdecimal()} if fields
        else {one.id for one in kept[:TICKED]},
    }  # fmt: skip


async def _found(request: Ask, db: AsyncSession, view: View, item: ItemView) -> dict[str, Any]:
    found = await answers.latest(db, view, item)
    if found is None:
        return {}
    live = playground_of(request).live.get(found.id)
    cells = grid.cells(await grid.runs_of(db, found.id), live)
    return {
        "found": found,
        "compared": answers.compared(found, cells),
        "running": live is not None and not live.over,
        "outdated": found.digest != view.digest,
    }


ROUTES = [answers_page, run_answers]
