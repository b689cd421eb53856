"""A sheet: a question with one form. A page of its own, or a dialog where one can be shown."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.response import Template

from hub.people.policy import WorkspaceRef
from hub.registry.pages.common import Heading, crumbs
from hub.registry.review.offering import OpenOne
from hub.web import Ask, is_part, page


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A question with one form."""

    kind: str
    title: str
    button: str
    """Empty: there is nothing to do, and the sheet says why."""
    action: str
    back: str
    text: str = ""
    danger: bool = False
    """Red: production moves, or something goes away."""
    propose: str = ""
    """The button that puts it up for review instead; empty: there is none."""
    reviewed: bool = False
    """The rules ask for review, so that is the button to press."""
    into: list[OpenOne] = []
    """Proposals of this person that it could be put into."""


def sheet_page(
    request: Ask,
    sheet: Sheet,
    *,
    about: Heading,
    error: str = "",
    typed: dict[str, str] | None = None,
    status: int = 200,
    **more: Any,
) -> Template:
    """The sheet as a dialog's content or as a page, with what was typed."""
    workspace: WorkspaceRef = request.state.workspace
    return page(
        request,
        "registry/_sheet.html" if is_part(request) else "registry/sheet.html",
        section="prompts",
        status=status,
        headers=None,
        crumbs=crumbs(workspace, about.name, sheet.title),
        sheet=sheet,
        about=about,
        error=error,
        typed=typed or {"reason": "", "new_name": ""},
        **more,
    )
