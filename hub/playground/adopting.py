"""What worked in a column is taken over: into a draft, a version or a proposal, with its text, its
model and its settings."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, NotFound
from hub.people import rules_store
from hub.people.models import Account, Member
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.playground.columns import Json
from hub.playground.models import Grid
from hub.playground.sources import AFTER, DRAFT
from hub.registry import drafts
from hub.registry.drafts import DraftView
from hub.registry.reading import catalog
from hub.registry.reading.catalog import About
from hub.registry.reading.record import VersionView
from hub.registry.review import offering
from hub.registry.review.models import Revision
from hub.registry.saving import SavedDraft, save_draft
from hub.registry.writing.publish import Publisher

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
    writers: tuple[tuple[str, str], ...] = ()
    """Name and address of others whose words it ran, which are in no version yet."""

    def signed(self, why: str) -> str:
        """The reason, and whose words they are: nobody approves their own by another's hand."""
        lines = [f"Co-authored-by: {name} <{email}>" for name, email in self.writers]
        return "\n\n".join(filter(None, (why.rstrip(), "\n".join(lines)))) if lines else why


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
        writers=await _writers(db, grid, ran, actor),
    )  # fmt: skip


def with_writer(column: Json, account_id: int | None) -> Json:
    """The column, with whose draft it runs; it stays theirs when somebody else runs it again."""
    if column["source"] != DRAFT or "writer" in column:
        return column
    return column | {"writer": account_id}


async def _writers(
    db: AsyncSession, grid: Grid, ran: Json, actor: Actor
) -> tuple[tuple[str, str], ...]:
    """Whose draft it was, or who wrote at the proposal that was tried; but for `actor`."""
    place, ids = grid.workspace_id, set[int | None]()
    emails = set[str]()
    if ran["source"] == DRAFT:
        ids = {ran.get("writer", grid.account_id)}
    elif ran["source"] == AFTER and grid.proposal is not None:
        query = select(Revision).where(
            Revision.workspace_id == place, Revision.number == grid.proposal
        )
        for one in await db.scalars(query):
            ids.add(one.account_id)
            emails |= {one.author_email.lower(), *one.co_authors}
    members = (
        select(Account.id, Account.name, Account.email)
        .join(Member, (Member.account_id == Account.id) & (Member.workspace_id == place))
        .where(Account.id.in_(ids - {None}) | Account.email.in_(emails - {""}))
        .order_by(Account.id)
    )
    found = await db.execute(members)
    return tuple((one.name, one.email) for one in found if one.id != actor.account_id)


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
        publisher, database, workspace, actor, taken.about.name, taken.tree, taken.base.hash,
        taken.signed(why),
        base_version=taken.base.number, revision=taken.draft.revision if taken.draft else 0,
    )  # fmt: skip
