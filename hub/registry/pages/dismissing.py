"""Dismiss somebody's request for a change: the reason stands on the page for good."""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.pages.offer_sheets import OfferSheet, again, offer_sheet
from hub.registry.rest.api_parts import publisher_of
from hub.registry.review import dismissing, record
from hub.registry.review.views import View
from hub.web import Ask, Form, go


@get(
    "/{slug:str}/proposals/{number:int}/dismiss/{review:int}", needs=Need.ADMIN,
    name="proposal:dismiss",
)  # fmt: skip
async def dismiss_sheet(
    request: Ask, number: FromPath[int], review: FromPath[int],
    workspace: NamedDependency[WorkspaceRef], db: NamedDependency[AsyncSession],
) -> Template:  # fmt: skip
    """Why it is dismissed."""
    view = await record.get(db, workspace.id, number)
    return await offer_sheet(request, db, view, _sheet(workspace, view, review))


def _sheet(workspace: WorkspaceRef, view: View, review: int) -> OfferSheet:
    here = f"/{workspace.slug}/proposals/{view.number}"
    said = next((one for one in view.words if one.id == review), None)
    name = said.name if said else "somebody"
    asked = f" {name} asked: “{said.body[:500]}”" if said and said.body else ""
    return OfferSheet(
        kind="dismiss", title=f"Dismiss what {name} asked for", button="Dismiss",
        action=f"{here}/dismiss/{review}", back=here,
        text=f"It is in the way until {name} takes it back or approves.{asked}",
    )  # fmt: skip


@post(
    "/{slug:str}/proposals/{number:int}/dismiss/{review:int}", needs=Need.ADMIN,
    name="proposal:dismiss:post", status_code=200,
)  # fmt: skip
async def dismiss(
    request: Ask, number: FromPath[int], review: FromPath[int], data: Form,
    actor: NamedDependency[Actor], workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """With a name and a reason; whoever asked is told."""
    reason = data.get("reason", "")
    publisher = publisher_of(request)
    try:
        await dismissing.dismiss(publisher, workspace, number, review, actor=actor, reason=reason)
    except HubError as refused:
        sheet = partial(_sheet, workspace, review=review)
        return await again(request, database, number, sheet, refused=refused, typed=data)
    return go(f"/{workspace.slug}/proposals/{number}", "Dismissed; your reason stands here.")


ROUTES: list[Any] = [dismiss_sheet, dismiss]
