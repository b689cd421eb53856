"""What can stand at the head of a column: somebody's draft, or a version, with its labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import NotFound
from hub.registry import drafts
from hub.registry.reading import catalog, history
from hub.registry.reading.snippets import may_include, texts_for

DRAFT = "draft"
BEFORE, AFTER = "before", "after"
"""Of a proposal that is tried: the text it changes, and the one it offers."""
OFFERED = 50
LABELS = {"production": "live", "staging": "staging"}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A text that can be run."""

    value: str
    """`draft` or `v7`."""
    title: str
    version: int | None
    document: dict[str, Any]
    snippets: dict[str, str]
    base: int | None = None
    """Of a draft: the version it was begun from."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of a prompt to choose from, and which two to begin with."""

    options: list[tuple[str, str]]
    first: str
    """The draft, else the latest version."""
    live: str | None
    """What is in production, when that is another text than `first`."""


async def offer(
    db: AsyncSession, workspace_id: int, prompt_id: str, account_id: int | None
) -> Offer:
    """Draft and versions, the newest first, with what is live marked."""
    draft = await _draft(db, workspace_id, prompt_id, account_id)
    lines = await history.versions(db, workspace_id, prompt_id, limit=OFFERED)
    live = next((line.number for line in lines if "production" in line.labels), None)
    options = [(DRAFT, "Your draft")] if draft else []
    for line in lines:
        marks = [LABELS.get(label, label) for label in line.labels]
        latest = ["latest"] if line is lines[0] else []
        options.append((f"v{line.number}", " · ".join([f"v{line.number}", *marks, *latest])))
    first = options[0][0] if options else ""
    other = f"v{live}" if live is not None and f"v{live}" != first else None
    return Offer(options=options, first=first, live=other)


async def load(
    db: AsyncSession, workspace_id: int, name: str, prompt_id: str, account_id: int | None,
    values: Iterable[str],
) -> dict[str, Source]:  # fmt: skip
    """The texts behind the chosen values; one that is not there (any more) is left out."""
    found: dict[str, Source] = {}
    for value in dict.fromkeys(values):
        if value == DRAFT:
            source = await _of_draft(db, workspace_id, prompt_id, account_id)
        else:
            source = await _of_version(db, workspace_id, name, value)
        if source is not None:
            found[value] = source
    return found


async def _of_version(db: AsyncSession, workspace_id: int, name: str, value: str) -> Source | None:
    number = value.removeprefix("v")
    if not number.isdecimal() or len(number) > 9:
        return None
    try:
        view = await catalog.version(db, workspace_id, name, number=int(number))
    except NotFound:
        return None
    mark = next((LABELS[label] for label in view.labels if label in LABELS), "")
    return Source(
        value=value, title=f"v{number}{' · ' if mark else ''}{mark}", version=int(number),
        document=view.tree, snippets=view.snippets,
    )  # fmt: skip


async def _of_draft(
    db: AsyncSession, workspace_id: int, prompt_id: str, account_id: int | None
) -> Source | None:
    draft = await _draft(db, workspace_id, prompt_id, account_id)
    if draft is None:
        return None
    raw = msgspec.json.encode(draft.document)
    snippets = await texts_for(db, workspace_id, raw, now()) if may_include(raw) else {}
    return Source(
        value=DRAFT, title="Draft", version=None, document=draft.document, snippets=snippets,
        base=draft.base_version,
    )  # fmt: skip


async def _draft(
    db: AsyncSession, workspace_id: int, prompt_id: str, account_id: int | None
) -> Any:
    if account_id is None:
        return None
    return await drafts.get(db, workspace_id, account_id, prompt_id)
