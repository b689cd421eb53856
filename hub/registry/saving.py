"""From a draft to a version: straight, or together with what others saved meanwhile.

base unchanged ---> saved
base moved -------> merged cleanly -> saved, with a note who saved what
               \\-> clashes ---------> NeedsResolving; both texts, and the draft stays
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, HubError
from hub.people.policy import Actor, WorkspaceRef
from hub.registry import drafts, versions
from hub.registry.models import Content
from hub.registry.prompt.clashes import Choice, Clash
from hub.registry.prompt.document import Document, from_json
from hub.registry.prompt.merge import merge
from hub.registry.reading import catalog, history
from hub.registry.reading.history import VersionLine
from hub.registry.reading.record import VersionView
from hub.registry.writing.asks import BaseMoved, Saved
from hub.registry.writing.publish import Publisher

TRIES = 5


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A document that may be saved over `base`, and whose versions are in it."""

    document: Document
    base: str | None
    merged: Sequence[VersionLine] = ()
    """What others saved meanwhile, the newest first; empty: nobody did."""

    @property
    def note(self) -> str:
        """`Ben saved version 9 while you wrote; both changes are in.`"""
        if not self.merged:
            return ""
        return f"{_who(self.merged)} while you wrote; both changes are in this version."


class SavedDraft(msgspec.Struct, frozen=True, kw_only=True):
    """The version made of a draft."""

    saved: Saved
    note: str = ""


class NeedsResolving(Conflict):
    """Two people changed the same place; a person must choose. The draft is kept."""

    def __init__(
        self, merged: Document, clashes: tuple[Clash, ...], theirs: VersionView,
        since: Sequence[VersionLine],
    ) -> None:  # fmt: skip
        super().__init__(
            f"{_who(since)} while you wrote, and changed the same place as you. Nothing was "
            "overwritten and your text is kept as a draft: look at both and choose.",
            clashes=[clash.where for clash in clashes],
        )
        self.merged = merged
        """Everything that could be put together, with yours where it could not."""
        self.clashes = clashes
        self.theirs = theirs
        self.since = since


async def prepare_save(
    db: AsyncSession, workspace_id: int, name: str, document: Document, base: str | None,
    choices: Mapping[str, Choice] | None = None,
) -> Prepared:  # fmt: skip
    """Bring the document together with what was saved since `base`.

    `choices`: what a person decided where both changed the same place.

    Raises:
        NeedsResolving: both changed the same place, and nobody has decided yet.
        NotFound: the prompt was deleted or renamed meanwhile.
    """
    if base is None:
        return Prepared(document=document, base=None)
    theirs = await catalog.version(db, workspace_id, name)
    if theirs.hash == base:
        return Prepared(document=document, base=base)
    began = await document_of(db, workspace_id, base)
    lines = await history.versions(db, workspace_id, theirs.prompt_id)
    since = _since(lines, base)
    # A base we never had: whatever differs is for a person to choose.
    began = began or Document(template=document.template)
    merged = merge(began, document, theirs.document, choices)
    if merged.clashes:
        raise NeedsResolving(merged.document, merged.clashes, theirs, since)
    return Prepared(document=merged.document, base=theirs.hash, merged=since)


async def save_draft(
    publisher: Publisher, database: Database, workspace: WorkspaceRef, actor: Actor, name: str,
    document: drafts.Tree, base: str | None, message: str, *, base_version: int | None = None,
    prompt_id: str | None = None, revision: int | None = None,
) -> SavedDraft:  # fmt: skip
    """Make a version of what a person typed; whatever is refused is kept as their draft.

    `prompt_id` is the draft's key; `revision` the one that was saved, so that what another window
    has typed since stays a draft.

    Raises:
        NeedsResolving: both changed the same place.
        HubError: it cannot be a version; the sentence says why.
    """
    try:
        made = await _save(
            publisher, database, workspace, actor, name, from_json(document), base, message
        )
    except HubError:
        await _keep(database, workspace, actor, name, document, base, base_version, prompt_id)
        raise
    if actor.account_id is not None:
        async with database.write() as db:
            for key in {prompt_id, made.saved.id} - {None}:
                await drafts.drop(db, workspace.id, actor.account_id, key or "", revision=revision)
    return made


async def _save(
    publisher: Publisher, database: Database, workspace: WorkspaceRef, actor: Actor, name: str,
    document: Document, base: str | None, message: str,
) -> SavedDraft:  # fmt: skip
    for attempt in range(TRIES):
        async with database.read() as db:
            ready = await prepare_save(db, workspace.id, name, document, base)
        try:
            saved = await versions.save(
                publisher, workspace, name, ready.document, base=ready.base, actor=actor,
                message=message,
            )  # fmt: skip
            return SavedDraft(saved=saved, note=ready.note)
        except BaseMoved:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("the loop returns or raises")


async def _keep(
    database: Database, workspace: WorkspaceRef, actor: Actor, name: str, document: drafts.Tree,
    base: str | None, base_version: int | None, prompt_id: str | None,
) -> None:  # fmt: skip
    if actor.account_id is None or prompt_id is None:
        return
    async with database.write() as db:
        held = await drafts.get(db, workspace.id, actor.account_id, prompt_id)
        if held is None or held.document != document:
            await drafts.put(
                db, workspace.id, actor.account_id, prompt_id, document, name=name, base=base,
                base_version=base_version,
            )  # fmt: skip


async def document_of(db: AsyncSession, workspace_id: int, digest: str) -> Document | None:
    raw = await db.scalar(
        select(Content.document).where(Content.workspace_id == workspace_id, Content.hash == digest)
    )
    return from_json(msgspec.json.decode(raw)) if raw else None


def _since(lines: list[VersionLine], base: str) -> list[VersionLine]:
    """The versions after the latest that is the base; all but one newest if none is."""
    for at, line in enumerate(lines):
        if line.hash == base:
            return lines[:at]
    return lines[:1]


def _who(since: Sequence[VersionLine]) -> str:
    if not since:
        return "Somebody saved this prompt"
    numbers = ", ".join(str(line.number) for line in reversed(since))
    people = " and ".join(dict.fromkeys(line.author for line in reversed(since)))
    return f"{people} saved version{'s' if len(since) > 1 else ''} {numbers}"
