"""The prompt an open editor was made for, whatever became of it since: renamed, deleted, replaced.

Its form carries the prompt's id, so what somebody types arrives where it belongs.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import HubError
from hub.people.policy import Actor, WorkspaceRef
from hub.registry import drafts
from hub.registry.drafts import DraftView, Tree
from hub.registry.models import Prompt
from hub.registry.pages.common import Fields, Heading, heading
from hub.registry.prompt import form
from hub.registry.prompt.document import to_json
from hub.registry.reading import catalog
from hub.registry.saving import document_of


class Gone(msgspec.Struct, frozen=True):
    """A prompt that is not there any more; what is typed for it stays a draft under its id."""

    id: str
    name: str
    sentence: str


async def opened(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, name: str, fields: Fields
) -> Heading | Gone:
    """The prompt of the id in the form, under the name that it has now.

    Raises:
        NotFound: the form names none, and there is none of this name.
    """
    query = select(Prompt.name, Prompt.deleted_at).where(
        Prompt.workspace_id == workspace.id, Prompt.id == form.first(fields, "prompt")
    )
    known = (await db.execute(query)).one_or_none()
    if known is None or known.deleted_at is None:
        return await heading(db, workspace, actor, known.name if known else name)
    sentence = f"{known.name} was deleted, and another prompt is called that now."
    try:
        await catalog.get(db, workspace.id, known.name)
    except HubError as refused:
        sentence = refused.sentence
    return Gone(form.first(fields, "prompt"), known.name, sentence)


async def keep(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, gone: Gone, fields: Fields
) -> DraftView:
    """What was typed for a prompt that is gone. It never refuses: this text has no other home."""
    account, base = actor.account_id or 0, form.first(fields, "base") or None
    held = await drafts.get(db, workspace.id, account, gone.id)
    stored: Tree = held.document if held else {}
    if held is None and base and (began := await document_of(db, workspace.id, base)):
        stored = to_json(began)
    return await drafts.put(
        db, workspace.id, account, gone.id, form.from_form(fields, stored), name=gone.name,
        base=base, base_version=form.whole(form.first(fields, "base_version")),
    )  # fmt: skip
