"""Drafts: one person's unsaved work, kept as typed, whether or not it is valid yet.

A draft belongs to a prompt's id, or to a key `new:…` while its prompt does not exist. Each autosave
names the revision it continues, so that a forgotten second window cannot overwrite newer text.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict
from hub.registry.models import Draft, Prompt

NEW = "new:"
_DISCARDED = "was:"

Tree = dict[str, Any]


class DraftView(msgspec.Struct, frozen=True, kw_only=True):
    """A draft as it was typed."""

    prompt_id: str
    """The prompt's id, or a `new:…` key."""
    name: str
    base: str | None
    """Hash of the version it started from; None: the prompt is new."""
    base_version: int | None
    document: Tree
    """The document's JSON form; it may not be valid yet."""
    revision: int
    created_at: datetime
    saved_at: datetime

    @property
    def is_new(self) -> bool:
        return self.prompt_id.startswith(NEW)


class DraftLine(msgspec.Struct, frozen=True, kw_only=True):
    """A draft in a list of them."""

    prompt_id: str
    name: str
    title: str
    base_version: int | None
    head: int | None
    """The prompt's latest version; None: the prompt is new, or was deleted."""
    behind: bool
    """Somebody saved since it was begun."""
    saved_at: datetime


class StaleDraft(Conflict):
    """Another window has autosaved newer text; `draft` is what is kept."""

    def __init__(self, draft: DraftView | None) -> None:
        super().__init__(
            "This draft was changed in another window, and what you typed here is older. "
            "Nothing was overwritten: copy what you need from here, then reload the page.",
            revision=draft.revision if draft else None,
        )
        self.draft = draft


_COLUMNS = (
    "prompt_id", "name", "base", "base_version", "document", "revision", "created_at", "saved_at",
)  # fmt: skip


async def get(
    db: AsyncSession, workspace_id: int, account_id: int, prompt_id: str
) -> DraftView | None:
    """The person's draft of that prompt, if there is one."""
    columns = [getattr(Draft, name) for name in _COLUMNS]
    query = select(*columns).where(*_at(workspace_id, account_id, prompt_id))
    row = (await db.execute(query)).one_or_none()
    return DraftView(**dict(zip(_COLUMNS, row, strict=True))) if row else None


async def put(
    db: AsyncSession, workspace_id: int, account_id: int, prompt_id: str, document: Tree, *,
    name: str, base: str | None, base_version: int | None, revision: int | None = None,
) -> DraftView:  # fmt: skip
    """Keep what was typed. `revision`: the one it continues (0: none yet); None: whatever is there.

    Raises:
        StaleDraft: another window has kept newer text.
    """
    held = await get(db, workspace_id, account_id, prompt_id)
    if held is not None and revision is not None and revision != held.revision:
        raise StaleDraft(held)
    moment = now()
    values: dict[str, Any] = {
        "name": name[:200], "base": base, "base_version": base_version,
        "document": _storable(document), "saved_at": moment,
        "revision": (held.revision if held else revision or 0) + 1,
    }  # fmt: skip
    key = {"workspace_id": workspace_id, "account_id": account_id, "prompt_id": prompt_id}
    if held is None:
        try:
            async with db.begin_nested():
                await db.execute(insert(Draft).values(**key, **values, created_at=moment))
        except IntegrityError:
            raise StaleDraft(await get(db, workspace_id, account_id, prompt_id)) from None
    else:
        where = (*_at(workspace_id, account_id, prompt_id), Draft.revision == held.revision)
        change = update(Draft).where(*where).values(**values)
        done = await db.execute(change.returning(Draft.revision))
        if done.first() is None:
            raise StaleDraft(await get(db, workspace_id, account_id, prompt_id))
    created = held.created_at if held else moment
    return DraftView(prompt_id=prompt_id, created_at=created, **values)


async def discard(
    db: AsyncSession, workspace_id: int, account_id: int, prompt_id: str
) -> DraftView | None:
    """Put the draft aside and return it; `bring_back` undoes it until the next is discarded."""
    held = await get(db, workspace_id, account_id, prompt_id)
    if held is not None:
        aside = _aside(prompt_id)
        await db.execute(delete(Draft).where(*_at(workspace_id, account_id, aside)))
        await _rekey(db, workspace_id, account_id, prompt_id, aside)
    return held


async def bring_back(
    db: AsyncSession, workspace_id: int, account_id: int, prompt_id: str
) -> DraftView | None:
    """Undo `discard`; None if there is nothing to bring back or a newer draft stands there."""
    if await get(db, workspace_id, account_id, prompt_id) is not None:
        return None
    await _rekey(db, workspace_id, account_id, _aside(prompt_id), prompt_id)
    return await get(db, workspace_id, account_id, prompt_id)


async def drop(
    db: AsyncSession, workspace_id: int, account_id: int, prompt_id: str, *,
    revision: int | None = None,
) -> None:  # fmt: skip
    """Forget a draft that has become a version, unless it has grown since `revision`."""
    statement = delete(Draft).where(*_at(workspace_id, account_id, prompt_id))
    if revision is not None:
        statement = statement.where(Draft.revision <= revision)
    await db.execute(statement)


async def listed(db: AsyncSession, workspace_id: int, account_id: int) -> list[DraftLine]:
    """The person's drafts in this workspace, the latest first."""
    query = (
        select(
            Draft.prompt_id, Draft.name, Draft.document, Draft.base, Draft.base_version,
            Draft.saved_at, Prompt.name, Prompt.title, Prompt.head, Prompt.hash, Prompt.deleted_at,
        )
        .outerjoin(
            Prompt, (Prompt.workspace_id == Draft.workspace_id) & (Prompt.id == Draft.prompt_id)
        )
        .where(Draft.workspace_id == workspace_id, Draft.account_id == account_id)
        .where(Draft.prompt_id.not_like(f"{_DISCARDED}%"))
        .order_by(Draft.saved_at.desc(), Draft.prompt_id)
    )  # fmt: skip
    return [
        DraftLine(
            prompt_id=id, name=now_named or name, base_version=base_version, saved_at=saved_at,
            title=str(document.get("name") or title or ""),
            head=None if deleted_at is not None else head, behind=bool(digest) and base != digest,
        )
        for id, name, document, base, base_version, saved_at, now_named, title, head, digest,
        deleted_at in (await db.execute(query)).all()
    ]  # fmt: skip


async def names(db: AsyncSession, workspace_id: int, account_id: int | None) -> set[str]:
    """Names of the prompts that the person has drafts of."""
    query = (
        select(Prompt.name)
        .join(Draft, (Prompt.workspace_id == Draft.workspace_id) & (Prompt.id == Draft.prompt_id))
        .where(Draft.workspace_id == workspace_id, Draft.account_id == account_id)
    )
    return set(await db.scalars(query))


def _at(workspace_id: int, account_id: int, prompt_id: str) -> tuple[Any, ...]:
    return (
        Draft.workspace_id == workspace_id,
        Draft.account_id == account_id,
        Draft.prompt_id == prompt_id,
    )


async def _rekey(db: AsyncSession, workspace_id: int, account_id: int, old: str, new: str) -> None:
    await db.execute(update(Draft).where(*_at(workspace_id, account_id, old)).values(prompt_id=new))


def _aside(prompt_id: str) -> str:
    """Where a discarded draft waits; ids may already be as long as the column."""
    if len(prompt_id) > 36:
        prompt_id = hashlib.sha256(prompt_id.encode()).hexdigest()[:36]
    return _DISCARDED + prompt_id


def _storable(value: Any) -> Any:
    """What is no number in JSON becomes the word for it; all else stays as typed."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _storable(inner) for key, inner in cast("Tree", value).items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in cast("list[Any]", value)]
    return value
