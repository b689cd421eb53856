"""A proposal and main changed the same words: a choice for every place makes a new revision."""

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
from hub.registry.pages import deciding
from hub.registry.pages.deciding import Group
from hub.registry.pages.resolve import CHOOSE
from hub.registry.prompt.form import whole
from hub.registry.review import proposals, record, resolving
from hub.registry.review.resolving import Apart
from hub.registry.review.views import View
from hub.web import Ask, Form, go, page


@get("/{slug:str}/proposals/{number:int}/resolve", needs=Need.PROPOSE, name="proposal:resolve")
async def resolve_page(
    request: Ask, number: FromPath[int], workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template | Redirect:  # fmt: skip
    """What clashes between the proposal and what was saved meanwhile."""
    view = await record.get(db, workspace.id, number)
    found = await resolving.apart(db, view)
    if not view.open or not any(one.clashes for one in found):
        said = "Nothing clashes here." if view.open else view.sentence
        return go(f"/{workspace.slug}/proposals/{number}", said)
    return _page(request, view, found, {})


def _page(
    request: Ask, view: View, found: list[Apart], data: Form, refused: HubError | str = ""
) -> Template:
    workspace: WorkspaceRef = request.state.workspace
    here = f"/{workspace.slug}/proposals/{view.number}"
    clashing = [one for one in found if one.clashes]
    sentence = refused if isinstance(refused, str) else refused.sentence
    status = refused.status if isinstance(refused, HubError) else 422 if refused else 200
    return page(
        request, "registry/resolve.html", section="proposals", status=status,
        crumbs=[
            ("Reviews", f"/{workspace.slug}/proposals"), (f"Proposal {view.number}", here),
            ("Two changes", None),
        ],
        title=f"{_who(clashing)} changed the same words",
        intro=f"“{view.title}” was written upon an earlier version. Everything else was put "
        "together. Decide what stands in the places below; it becomes revision "
        f"{view.revision + 1}, which is approved anew.",
        groups=[_group(one, data) for one in clashing], action=f"{here}/resolve", error=sentence,
        kept="Nothing is merged yet", button=f"Make revision {view.revision + 1}",
        hidden={"revision": str(view.revision)},
    )  # fmt: skip


def _who(clashing: list[Apart]) -> str:
    names = list(dict.fromkeys(one.theirs.author for one in clashing))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _group(one: Apart, data: Form) -> Group:
    theirs = one.theirs
    return Group(
        name=theirs.name, title=one.item.title, theirs=f"{theirs.author}, version {theirs.number}",
        places=deciding.places(one.clashes, data, f"{one.item.prompt_id}-"),
    )  # fmt: skip


@post(
    "/{slug:str}/proposals/{number:int}/resolve", needs=Need.PROPOSE,
    name="proposal:resolve:post", status_code=200,
)  # fmt: skip
async def resolve(
    request: Ask, number: FromPath[int], data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """The next revision, if every place was decided."""
    async with database.read() as db:
        view = await record.get(db, workspace.id, number)
        clashing = await resolving.apart(db, view)
        chosen = {
            one.item.prompt_id: deciding.choices(one.clashes, data, f"{one.item.prompt_id}-")
            for one in clashing
        }  # fmt: skip
        found = await resolving.apart(db, view, chosen)
    if any(one.clashes for one in found):
        return _page(request, view, clashing, data, CHOOSE)
    try:
        made = await proposals.revise(
            request.app.state.publisher, database, workspace, number, actor=actor,
            items=resolving.wanted(view, found), message=resolving.said(found),
            expected_revision=whole(data.get("revision")),
        )  # fmt: skip
    except HubError as refused:
        return _page(request, view, clashing, data, refused)
    said = f"Revision {made.revision} has both. Read it once more."
    return go(f"/{workspace.slug}/proposals/{number}", said)


ROUTES: list[Any] = [resolve_page, resolve]
