"""The audit log: a page to read and narrow down, and all of it as lines of JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Invalid
from hub.people import audit, audit_read
from hub.people.policy import Need, WorkspaceRef
from hub.web import Ask, page

KINDS = (
    ("", "Everything"),
    ("version.", "Versions"),
    ("prompt", "Names and imports"),
    ("label.", "Labels moved"),
    ("release.", "Scheduled releases"),
    ("proposal.", "Proposals"),
    ("review.", "Reviews asked for"),
    ("check.", "Checks"),
    ("glass.", "Broken glass"),
    ("policy.", "Rules"),
    ("group.", "Groups"),
    ("member.", "People and roles"),
    ("key.", "Keys"),
    ("connection.", "Connections"),
    ("webhook.", "Webhooks"),
)
"""What the page offers to narrow down to, by how the actions begin."""


@get("/{slug:str}/settings/audit", needs=Need.ADMIN, name="settings:audit")
async def audit_page(
    request: Ask,
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    before: FromQuery[int | None] = None,
) -> Template:
    """Who did what, the newest first; a hundred rows a page."""
    typed = _typed(request)
    try:
        what, wrong = audit_read.wanted(**typed), None
    except Invalid as refusal:
        what, wrong = audit_read.Wanted(), refusal.sentence
    found = await audit_read.entries(db, workspace.id, what, before=before)
    full = len(found) == audit_read.PAGE
    more: dict[str, Any] = {
        "deeds": await audit.deeds(db, found), "typed": typed, "wrong": wrong, "kinds": KINDS,
        "older": _query(typed, before=found[-1].id) if full else None,
        "newest": _query(typed) if before is not None else None,
        "narrowed": what.narrowed, "export": _query(typed) if not wrong else "",
    }  # fmt: skip
    return page(request, "people/audit.html", section="settings", **more)


@get("/{slug:str}/settings/audit.jsonl", needs=Need.ADMIN, name="settings:audit:export")
async def export(
    request: Ask,
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Stream:
    """Every row that the same filters leave, the oldest first, with its hash."""
    what = audit_read.wanted(**_typed(request))
    name = f"audit-{workspace.slug}.jsonl"
    return Stream(
        audit_read.lines(database, workspace.id, what),
        media_type="application/x-ndjson",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store",
        },
    )  # fmt: skip


def _typed(request: Ask) -> dict[str, str]:
    """The filters as the address says them."""
    given = request.query_params
    return {name: given.get(name, "") for name in ("who", "action", "about", "start", "end")}


def _query(typed: dict[str, str], **more: object) -> str:
    """The address's end for the same filters."""
    kept = {name: value for name, value in typed.items() if value} | more
    return f"?{urlencode(kept)}" if kept else ""


ROUTES: list[Any] = [audit_page, export]
