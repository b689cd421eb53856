"""What worked in a column is taken over: into a draft, a version or a proposal, with its text, its
model and its settings."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, NotFound
from hub.people import rules_store
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.playground.columns import Json
from hub.playground.models import Grid
from hub.playground.sources import DRAFT
from hub.registry import catalog, drafts
from hub.registry.catalog import About
from hub.registry.drafts import DraftView
from hub.registry.publish import Publisher
from hub.registry.record import VersionView
from hub.registry.review import offering
from hub.registry.saving import SavedDraft, save_draft

_SAME = ("maxTokens", "max_tokens", "maxCompletionTokens", "max_completion_tokens")
OTHER_DRAFT = (
    "You have a draft of this prompt that says something else. Save or discard it first, then come "
    "back here; nothing was changed."
)


class Ways(msgspec.Struct, frozen=True):
    """What this person may make of a column."""

    save: bool
    propose: bool
    draft: bool


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A column as it would be kept."""

    about: About
    tree: Json
    base: VersionView
    """What it changes: the version a draft was begun from, else the latest. A version that ran
    takes the place of the latest as it stands, like one that is restored."""
    draft: DraftView | None
    """This person's own, if it is still what the column ran."""


async def ways(db: AsyncSession, grid: Grid, actor: Actor) -> Ways:
    """Where the rules ask for review, a version is proposed rather than saved."""
    place = grid.workspace_id
    try:
        about = await catalog.get_by_id(db, place, grid.prompt_id)
    except NotFound:
        return Ways(save=False, propose=False, draft=False)
    here = about.deleted_at is None and actor.account_id is not None
    policy = (await rules_store.read(db, place)).policy
    return Ways(
        save=here
        and allows(actor, Need.SAVE, place)
        and not offering.needs_review(policy, about.name),
        propose=here and allows(actor, Need.PROPOSE, place),
        draft=here and allows(actor, Need.DRAFT, place),
    )


def document_of(column: Json) -> Json:
    """The prompt as the column ran it. Pure."""
    document: Json = dict(column["document"])
    saved = document.get("modelParameters")
    kept = dict(cast("Json", saved)) if isinstance(saved, dict) else {}
    for name, value in column["settings"].items():
        spelled = next((one for one in _SAME if one in kept), name) if name in _SAME else name
        kept[spelled] = value
    if kept:
        document["modelParameters"] = kept
    document["model"] = column["model"]
    return document


async def take(db: AsyncSession, grid: Grid, column: int, *, actor: Actor) -> Taken:
    """Raises:
    NotFound: there is no such column, or the prompt was deleted.
    """
    if not 0 <= column < len(grid.columns):
        raise NotFound("There is no such column here.")
    ran = grid.columns[column]
    about = await catalog.get_by_id(db, grid.workspace_id, grid.prompt_id)
    held = await drafts.get(db, grid.workspace_id, actor.account_id or 0, grid.prompt_id)
    mine = held is not None and ran["source"] == DRAFT and held.document == ran["document"]
    began = held.base_version if held and mine else ran.get("base")
    return Taken(
        about=about, tree=document_of(ran), draft=held if mine else None,
        base=await catalog.version(db, grid.workspace_id, about.name, began),
    )  # fmt: skip


async def adopt(db: AsyncSession, grid: Grid, column: int, *, actor: Actor) -> str:
    """Make the column the person's draft; the name of its prompt.

    Raises:
        Conflict: the person has a draft of another text.
        NotFound: as `take`.
    """
    taken = await take(db, grid, column, actor=actor)
    account_id = actor.account_id or 0
    held = await drafts.get(db, grid.workspace_id, account_id, grid.prompt_id)
    if held is not None and taken.draft is None and held.document != taken.tree:
        raise Conflict(OTHER_DRAFT)
    made: dict[str, Any] = taken.tree
    await drafts.put(
        db, grid.workspace_id, account_id, grid.prompt_id, made, name=taken.about.name,
        base=held.base if held else taken.base.hash,
        base_version=held.base_version if held else taken.base.number,
    )  # fmt: skip
    return taken.about.name


async def save(
    publisher: Publisher, database: Database, workspace: WorkspaceRef, taken: Taken, why: str, *,
    actor: Actor,
) -> SavedDraft:  # fmt: skip
    """Make a version of it. A draft of another text stays; the one that ran is a version then.

    Raises:
        NeedsResolving: somebody changed the same place since the draft was begun.
        HubError: it cannot be a version; the sentence says why.
    """
    return await save_draft(
        publisher, database, workspace, actor, taken.about.name, taken.tree, taken.base.hash, why,
        base_version=taken.base.number, revision=taken.draft.revision if taken.draft else 0,
    )  # fmt: skip
