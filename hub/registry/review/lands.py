"""What merging a proposal would do, prompt by prompt: which versions, in place of what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.registry.models import Content, Label, LabelMove, Prompt, Version
from hub.registry.prompt.diff import Change, compare
from hub.registry.prompt.document import Document, from_json
from hub.registry.reading.callers import Running, running
from hub.registry.review.models import Merge
from hub.registry.review.views import ItemView, View


class LiveNow(msgspec.Struct, frozen=True, kw_only=True):
    """What applications get now."""

    version: int
    since: datetime
    by: str


class Lands(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt, as it will stand."""

    item: ItemView
    version: int | None
    """The number it will have; None: it goes away, or keeps its text."""
    live: LiveNow | None
    """Under the target label; None: nothing, or there is no target."""
    labels: list[str]
    """Where it is live at all; they go when it is deleted."""
    change: Change | None
    """Against what is live or, where nothing is, against what was before."""
    apps: list[str] = []
    """Programs that run and read it under the target label."""

    @property
    def moves(self) -> bool:
        return self.version is not None and (self.live is None or self.live.version != self.version)


async def lands(db: AsyncSession, view: View) -> list[Lands]:
    """Read as of now; merging itself looks again."""
    ids = [one.prompt_id for one in view.items]
    heads = await _heads(db, view.workspace_id, ids)
    labels = await _labels(db, view.workspace_id, ids)
    apps = await db.run_sync(lambda held: running(held.connection(), view.workspace_id, ids))
    return [
        _one(
            view, one, heads, labels.get(one.prompt_id, []),
            apps.get((one.prompt_id, view.target or ""), []),
        )
        for one in view.items
    ]  # fmt: skip


async def moved_by(db: AsyncSession, workspace_id: int, number: int) -> str:
    """The commit of the release that a merge of this proposal made; empty: no label moved."""
    query = select(LabelMove.commit).where(
        LabelMove.workspace_id == workspace_id, LabelMove.proposal == number
    )
    return await db.scalar(query.order_by(LabelMove.id.desc()).limit(1)) or ""


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """The proposal that a version came by."""

    number: int
    approved_by: list[str]
    merged_by: str
    broke_glass: bool


async def came_by(db: AsyncSession, workspace_id: int, prompt_id: str) -> dict[str, Came]:
    """By commit, for those versions of the prompt that were proposed first."""
    query = (
        select(Merge.commit, Merge.number, Merge.reviewers, Merge.merged_by, Merge.broke_glass)
        .join(
            Version,
            (Version.workspace_id == Merge.workspace_id) & (Version.commit == Merge.commit),
        )
        .where(Version.workspace_id == workspace_id, Version.prompt_id == prompt_id)
    )
    return {
        row.commit: Came(
            number=row.number, merged_by=row.merged_by, broke_glass=row.broke_glass,
            approved_by=[one.rpartition(" <")[0] for one in row.reviewers],
        )
        for row in await db.execute(query)
    }  # fmt: skip


async def _heads(db: AsyncSession, workspace_id: int, ids: Sequence[str]) -> dict[str, Any]:
    query = select(Prompt.id, Prompt.head, Prompt.hash).where(
        Prompt.workspace_id == workspace_id, Prompt.id.in_(ids)
    )
    return {row.id: row for row in await db.execute(query)}


async def _labels(db: AsyncSession, workspace_id: int, ids: Sequence[str]) -> dict[str, list[Any]]:
    query = (
        select(
            Label.prompt_id, Label.label, Label.version, Label.moved_at, Label.moved_by,
            Content.document,
        )
        .join(Content, (Content.workspace_id == Label.workspace_id) & (Content.hash == Label.hash))
        .where(Label.workspace_id == workspace_id, Label.prompt_id.in_(ids))
        .order_by(Label.label)
    )  # fmt: skip
    found: dict[str, list[Any]] = {}
    for row in await db.execute(query):
        found.setdefault(row.prompt_id, []).append(row)
    return found


def _one(
    view: View, item: ItemView, heads: dict[str, Any], labels: list[Any], apps: list[Running]
) -> Lands:
    live = next((row for row in labels if row.label == view.target), None)
    before: Document | None = item.old
    if live is not None:
        before = from_json(msgspec.json.decode(live.document))
    shown = item.new if item.kind not in ("delete", "rename") else None
    return Lands(
        item=item, version=_number(item, heads.get(item.prompt_id)),
        live=LiveNow(version=live.version, since=live.moved_at, by=live.moved_by)
        if live is not None and item.kind not in ("delete", "rename") else None,
        labels=[row.label for row in labels],
        change=compare(before, shown) if shown is not None else None,
        apps=[one.said for one in apps],
    )  # fmt: skip


def _number(item: ItemView, now: Any) -> int | None:
    if item.kind == "release":
        return item.version
    if item.kind in ("delete", "rename"):
        return None
    if now is None:
        return 1
    return now.head if now.hash == item.hash else now.head + 1
