"""Sheets about a proposal: a question with one form, a page of its own or a dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people.policy import WorkspaceRef
from hub.registry.review import record
from hub.registry.review.views import View
from hub.web import Ask, is_part, page


class OfferSheet(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and where the answer goes."""

    kind: str
    """changes, decline, dismiss, edit, reviewers or merge: which fields it has."""
    title: str
    button: str
    action: str
    back: str
    text: str = ""
    danger: bool = False


async def offer_sheet(
    request: Ask, db: AsyncSession, view: View, sheet: OfferSheet, *,
    refused: HubError | None = None, typed: dict[str, str] | None = None, **more: Any,
) -> Template:  # fmt: skip
    """The sheet as a dialog's content or as a page, with what was typed and why it came back."""
    from hub.registry.pages.proposals import standing

    workspace: WorkspaceRef = request.state.workspace
    base = f"/{workspace.slug}/proposals"
    return page(
        request,
        "registry/proposals/_sheet.html" if is_part(request) else "registry/proposals/sheet.html",
        section="proposals",
        status=refused.status if refused else 200,
        crumbs=[
            ("Reviews", base), (f"Proposal {view.number}", f"{base}/{view.number}"),
            (sheet.title, None),
        ],
        sheet=sheet,
        proposal=view,
        here=f"{base}/{view.number}",
        me=await standing(db, request.state.actor, workspace, view),
        refused=refused.sentence if refused else "",
        typed=typed or {},
        **more,
    )  # fmt: skip


async def again(
    request: Ask, database: Database, number: int, sheet: Callable[[View], OfferSheet], *,
    refused: HubError, typed: dict[str, str],
) -> Template:  # fmt: skip
    """The sheet of a deed that was refused, about the proposal as it is by now."""
    async with database.read() as db:
        view = await record.get(db, request.state.workspace.id, number)
        return await offer_sheet(request, db, view, sheet(view), refused=refused, typed=typed)
