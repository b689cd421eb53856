"""Two people changed the same words: both texts, side by side, and a choice."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import drafts
from hub.registry.document import Document, from_json, to_json
from hub.registry.drafts import DraftView
from hub.registry.merge import Clash
from hub.registry.pages.common import Heading, heading, named, prompt_page
from hub.registry.saving import NeedsResolving, Prepared, prepare_save
from hub.registry.shown import as_text
from hub.web import Ask, Form, go


class ShownClash(msgspec.Struct, frozen=True):
    """One place, and what each side says there."""

    where: str
    mine: str
    theirs: str


def _shown(clash: Clash) -> ShownClash:
    mine, theirs = (as_text(side) or "(nothing)" for side in (clash.mine, clash.theirs))
    return ShownClash(clash.where, mine, theirs)


async def _draft(db: AsyncSession, workspace: WorkspaceRef, actor: Actor, about: Heading) -> Any:
    return await drafts.get(db, workspace.id, actor.account_id or 0, about.id)


@get("/{slug:str}/resolve/{name:path}", needs=Need.DRAFT, name="resolve")
async def resolve_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template | Redirect:
    """Where they clash; everything else is put together already."""
    about = await heading(db, workspace, actor, named(name))
    draft: DraftView | None = await _draft(db, workspace, actor, about)
    back = f"/{workspace.slug}/prompts/{about.name}"
    if draft is None:
        return go(back)
    try:
        await prepare_save(db, workspace.id, about.name, from_json(draft.document), draft.base)
    except NeedsResolving as needed:
        return prompt_page(
            request, "registry/resolve.html", about, "Two changes",
            clashes=[_shown(one) for one in needed.clashes], theirs=needed.theirs,
        )  # fmt: skip
    return go(back, "The two changes fit together now; you can save.")


@post("/{slug:str}/resolve/{name:path}", needs=Need.DRAFT, name="resolve:post")
async def resolve(
    name: FromPath[str],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Redirect:
    """Make the choice the draft, now based on the latest version; saving it is the next step."""
    back = f"/{workspace.slug}/prompts/{named(name)}"
    async with database.write() as db:
        about = await heading(db, workspace, actor, named(name))
        draft: DraftView | None = await _draft(db, workspace, actor, about)
        if draft is None:
            return go(back)
        chosen, theirs_hash, number = await _chosen(db, workspace, about, draft, data)
        await drafts.put(
            db, workspace.id, actor.account_id or 0, about.id, to_json(chosen), name=about.name,
            base=theirs_hash, base_version=number,
        )  # fmt: skip
    return go(back, "Both changes are in your draft now. Read it once more, then save.")


async def _chosen(
    db: AsyncSession, workspace: WorkspaceRef, about: Heading, draft: DraftView, data: Form
) -> tuple[Document, str | None, int]:
    """The merged text with one side standing where both changed the same."""
    mine = from_json(draft.document)
    try:
        ready: Prepared = await prepare_save(db, workspace.id, about.name, mine, draft.base)
        return ready.document, ready.base, about.head
    except NeedsResolving as needed:
        document = needed.merged
        if data.get("keep") == "theirs":
            document = needed.with_theirs
        return document, needed.theirs.hash, needed.theirs.number


ROUTES: list[Any] = [resolve_page, resolve]
