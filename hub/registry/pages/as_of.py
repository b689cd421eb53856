"""What was live at a moment, beside what is live now; all of it, or some, can be put back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.pages.common import rights
from hub.registry.pages.moments import moment_of, said, typed
from hub.registry.pages.release import LIVE
from hub.registry.prompt.names import check_label
from hub.registry.reading import as_of, catalog
from hub.web import Ask, page


@get("/{slug:str}/as-of", needs=Need.READ, name="as-of")
async def as_of_page(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    label: FromQuery[str] = LIVE,
    at: FromQuery[str] = "",
    offset: FromQuery[str] = "",
    folder: FromQuery[str] = "",
) -> Template:
    """Every prompt that was live then: which version, who put it there, why; and what differs."""
    check_label(label)
    error, moment = None, now()
    try:
        moment = moment_of(at, offset) if at else moment
    except Invalid as wrong:
        error = wrong.sentence
    known = [name for name, _ in await catalog.labels(db, workspace.id)]
    return page(
        request, "registry/as_of.html", section="prompts", label=label, folder=folder.strip("/"),
        at=moment if at and not error else None, at_typed=typed(moment, offset) if at else "",
        at_said=said(moment, offset), offset=offset, error=error,
        state=await as_of.state(db, workspace.id, label, moment, folder.strip("/")),
        recent=await as_of.recent(db, workspace.id, label),
        second=timedelta(seconds=1), labels=list(dict.fromkeys([LIVE, *known, label])),
        folders=[one.path for one in await catalog.folders(db, workspace.id)],
        **rights(actor, workspace),
    )  # fmt: skip


ROUTES: list[Any] = [as_of_page]
