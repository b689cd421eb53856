"""An import between its reading and what is decided: kept, shown as it would land, and landed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import HubError, Invalid, NotFound
from hub.people.policy import WorkspaceRef
from hub.registry.models import Prompt
from hub.registry.prompt import names
from hub.registry.prompt.diff import Change, compare
from hub.registry.prompt.document import Document, parse
from hub.registry.reading import catalog
from hub.registry.review.drawing import MOST_ITEMS, Wanted
from hub.registry.writing.saves import reading_for
from hub.sync.importing.models import Import
from hub.sync.importing.upload import Found

KEPT = timedelta(days=7)
MOST_KEPT = 10
"""Imports of one person in a workspace; the oldest makes room."""
SHOWN_CHANGES = 100

Kind = Literal["new", "changed", "same", "left"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt as it would land, or a file that was left out."""

    at: int
    """Its place in the import."""
    name: str
    source: str
    notes: list[str]
    kind: Kind
    document: Document | None = None
    base: str | None = None
    """Hash of what is there now."""
    version: int = 0
    change: Change | None = None
    problem: str = ""

    @property
    def takes(self) -> bool:
        """Whether there is something to decide."""
        return self.kind in ("new", "changed") and not self.problem

    @property
    def wanted(self) -> Wanted:
        kind = "create" if self.kind == "new" else "change"
        return Wanted(kind=kind, name=self.name, document=self.document, base=self.base)


def unfilled(rows: Sequence[Row]) -> str:
    """What holds of many prompts that come in, said once; empty: of none."""
    some = sum(row.takes and row.document is not None and _is_bare(row.document) for row in rows)
    if not some:
        return ""
    who = f"{some:,} prompts hold" if some > 1 else "One prompt holds"
    return f"{who} no placeholders yet; you can add some as {{{{ name }}}}."


def _is_bare(document: Document) -> bool:
    return document.template == "jinja" and not any(
        "{" in (one.content or "") for one in document.messages
    )


async def keep(
    db: AsyncSession, workspace: WorkspaceRef, account_id: int, folder: str, found: Sequence[Found]
) -> Import:
    """For a week, or until something is done with it."""
    mine = (Import.workspace_id == workspace.id) & (Import.account_id == account_id)
    await db.execute(delete(Import).where(Import.created_at < now() - KEPT))
    older = await db.scalars(select(Import.id).where(mine).order_by(Import.id.desc()))
    await db.execute(delete(Import).where(Import.id.in_(list(older)[MOST_KEPT - 1 :])))
    kept = Import(
        workspace_id=workspace.id, account_id=account_id, folder=folder,
        found=[msgspec.to_builtins(one) for one in found], created_at=now(),
    )  # fmt: skip
    db.add(kept)
    await db.flush()
    return kept


async def get(db: AsyncSession, workspace: WorkspaceRef, account_id: int, number: int) -> Import:
    """One's own.

    Raises:
        NotFound: it is not there any more, or somebody else's.
    """
    kept = await db.get(Import, number)
    if kept is None or (kept.workspace_id, kept.account_id) != (workspace.id, account_id):
        raise NotFound("This import was decided on, or is older than a week. Bring it in again.")
    return kept


async def mine(db: AsyncSession, workspace: WorkspaceRef, account_id: int) -> list[Import]:
    """What was left undecided, the latest first."""
    query = select(Import).where(
        Import.workspace_id == workspace.id, Import.account_id == account_id
    )
    return list(await db.scalars(query.order_by(Import.id.desc())))


async def rows_of(db: AsyncSession, workspace: WorkspaceRef, kept: Import) -> list[Row]:
    """As things stand now; those that would land first."""
    found = [msgspec.convert(one, Found) for one in kept.found]
    named = {below(kept.folder, one.name) for one in found}
    query = select(Prompt.name, Prompt.id, Prompt.hash, Prompt.head).where(
        Prompt.workspace_id == workspace.id, Prompt.deleted_at.is_(None)
    )
    there: dict[str, Any] = {row.name: row for row in await db.execute(query) if row.name in named}
    rows = await asyncio.to_thread(
        lambda: [_row(at, one, kept.folder, there) for at, one in enumerate(found)]
    )
    shown = [at for at, row in enumerate(rows) if row.kind == "changed" and row.document]
    for at in shown[:SHOWN_CHANGES]:
        before = await catalog.version(db, workspace.id, rows[at].name)
        change = compare(before.document, rows[at].document or Document())
        rows[at] = msgspec.structs.replace(rows[at], change=change)
    order = {"changed": 0, "new": 1, "left": 2, "same": 3}
    return sorted(rows, key=lambda row: (order[row.kind], row.name))


def _row(at: int, one: Found, folder: str, there: Mapping[str, Any]) -> Row:
    name = below(folder, one.name)
    made = Row(at=at, name=name, source=one.source, notes=one.notes, kind="left")
    if one.text is None:
        return made
    document = parse(one.text.encode())
    current = there.get(name)
    if current is None:
        return msgspec.structs.replace(
            made, kind="new", document=document, problem=_name_problem(name)
        )
    same = reading_for(msgspec.structs.replace(document, id=current.id)).hash == current.hash
    return msgspec.structs.replace(
        made, kind="same" if same else "changed", document=document, base=current.hash,
        version=current.head,
    )  # fmt: skip


def chosen(rows: Sequence[Row], taken: Mapping[int, str | None]) -> list[Row]:
    """Those that were ticked, by place with the hash that stood beside each.

    Raises:
        Invalid: none was.
        Conflict: one of them is not what was shown.
    """
    found = [row for row in rows if row.takes and row.at in taken]
    if not found:
        raise Invalid("Tick at least one prompt.")
    for row in found:
        if (taken[row.at] or None) != row.base:
            raise Moved(row.name)
    return found


class Moved(HubError):
    """A prompt was changed since the page was shown."""

    status = 409

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was changed meanwhile. Look at it again below, then decide.")


def check_folder(folder: str) -> str:
    """The folder, or a sentence about what is wrong with it."""
    plain = folder.strip().strip("/")
    if plain:
        names.check_name(f"{plain}/x")
    return plain


def _name_problem(name: str) -> str:
    try:
        names.check_name(name)
    except Invalid as refused:
        return refused.sentence
    return ""


def below(folder: str, name: str) -> str:
    """The prompt's name when it comes in below `folder`; empty: at the top."""
    return f"{folder}/{name}" if folder else name


__all__ = [
    "MOST_ITEMS", "Moved", "Row", "below", "check_folder", "chosen", "get", "keep", "mine",
    "rows_of",
]  # fmt: skip
