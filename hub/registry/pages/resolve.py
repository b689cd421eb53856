"""Two people changed the same words: both texts, side by side, and a choice for every place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import drafts
from hub.registry.drafts import DraftView
from hub.registry.pages import deciding
from hub.registry.pages.common import Heading, heading, named, prompt_page
from hub.registry.pages.deciding import Group
from hub.registry.prompt.document import from_json, to_json
from hub.registry.saving import NeedsResolving, prepare_save
from hub.web import Ask, Form, go

CHOOSE = "Choose for every place what shall stand there; nothing was changed yet."


async def _draft(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, about: Heading
) -> DraftView | None:
    return await drafts.get(db, workspace.id, actor.account_id or 0, about.id)


@get("/{slug:str}/resolve/{name:path}", needs=Need.DRAFT, name="resolve")
async def resolve_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template | Redirect:
    """Show what clashes between the draft and what was saved meanwhile."""
    about = await heading(db, workspace, actor, named(name))
    draft = await _draft(db, workspace, actor, about)
    back = f"/{workspace.slug}/prompts/{about.name}"
    if draft is None:
        return go(back)
    try:
        await prepare_save(db, workspace.id, about.name, from_json(draft.document), draft.base)
    except NeedsResolving as needed:
        return _page(request, about, needed, {})
    return go(back, "The two changes fit together now; you can save.")


def _page(
    request: Ask, about: Heading, needed: NeedsResolving, data: Mapping[str, str], error: str = ""
) -> Template:
    theirs = needed.theirs
    workspace: WorkspaceRef = request.state.workspace
    group = Group(
        name=about.name, title=about.title or about.name,
        theirs=f"{theirs.author}, version {theirs.number}",
        places=deciding.places(needed.clashes, data),
    )  # fmt: skip
    return prompt_page(
        request, "registry/resolve.html", about, "Two changes", status=422 if error else 200,
        title=f"You and {theirs.author} changed the same words",
        intro=f"{theirs.author} saved version {theirs.number} while you wrote: “{theirs.message}”. "
        "Everything else was put together. Decide what stands in the places below; you can still "
        "edit before you save.",
        groups=[group], action=f"/{workspace.slug}/resolve/{about.name}", error=error,
        kept="Nothing is lost: your draft stays until you save it", button="Put them together",
        hidden={},
    )  # fmt: skip


@post("/{slug:str}/resolve/{name:path}", needs=Need.DRAFT, name="resolve:post", status_code=200)
async def resolve(
    request: Ask,
    name: FromPath[str],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Make the choice the draft, now based on the latest version; saving it is the next step."""
    back = f"/{workspace.slug}/prompts/{named(name)}"
    async with database.write() as db:
        about = await heading(db, workspace, actor, named(name))
        draft = await _draft(db, workspace, actor, about)
        if draft is None:
            return go(back)
        left = await _decide(db, workspace, actor, about, draft, data)
    if left is not None:
        return _page(request, about, left, data, CHOOSE)
    return go(back, "Both changes are in your draft now. Read it once more, then save.")


async def _decide(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, about: Heading, draft: DraftView,
    data: Form,
) -> NeedsResolving | None:  # fmt: skip
    """Put the merged text down as the draft; returns what is still undecided, if anything is."""
    mine = from_json(draft.document)
    chosen: dict[str, Any] = {}
    for _ in range(2):  # the places are known only once the texts were held against each other
        try:
            ready = await prepare_save(db, workspace.id, about.name, mine, draft.base, chosen)
        except NeedsResolving as needed:
            if chosen:
                return needed
            chosen = deciding.choices(needed.clashes, data)
            if len(chosen) < len(needed.clashes):
                return needed
            continue
        await drafts.put(
            db, workspace.id, actor.account_id or 0, about.id, to_json(ready.document),
            name=about.name, base=ready.base, base_version=about.head,
        )  # fmt: skip
        return None
    raise AssertionError("the second round knows every place")


ROUTES: list[Any] = [resolve_page, resolve]
