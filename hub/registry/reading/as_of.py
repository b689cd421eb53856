"""What was live under a label at some moment, prompt by prompt, held beside what is live now."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.registry.labels.releasing import below
from hub.registry.models import Label, LabelMove, Prompt
from hub.registry.writing.releases import Move

MOST = 200


class Then(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt at that moment, by its name of today."""

    id: str
    name: str
    title: str
    version: int | None
    """None: it was not live then, but is now."""
    since: datetime
    by: str
    reason: str
    now: int | None
    deleted: bool

    @property
    def restorable(self) -> bool:
        return not self.deleted and self.version != self.now


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What was live, apart by how it differs from now; the counts are of all, the lists of some."""

    different: list[Then]
    later: list[Then]
    """Not live then, live now."""
    same: list[Then]
    different_count: int
    later_count: int
    same_count: int

    @property
    def live_count(self) -> int:
        return self.different_count + self.same_count

    def moves(self, label: str) -> list[Move]:
        """What would bring that state back."""
        differing = [one for one in (*self.different, *self.later) if one.restorable]
        return [Move(label, one.name, one.version, one.now) for one in differing]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A release, as a moment to look back to."""

    at: datetime
    by: str
    reason: str
    commit: str
    count: int


class _Place(msgspec.Struct, frozen=True):
    """One prompt under the label: then (by the move that brought it there), or now."""

    id: str
    name: str
    version: int
    move: int | None = None
    deleted: bool = False


Told = tuple[datetime, str, str]
"""Since when, by whom, why."""


async def state(
    db: AsyncSession, workspace_id: int, label: str, at: datetime, folder: str = ""
) -> State:
    """Everything that was live under `label` at that moment, in `folder` or anywhere."""
    then = await _then(db, workspace_id, label, at, folder)
    now = {one.id: one for one in await _now(db, workspace_id, label, folder)}
    were = {one.id for one in then}
    versions = {id: one.version for id, one in now.items()}
    parts = (
        [one for one in then if versions.get(one.id) != one.version],
        [one for one in now.values() if one.id not in were],
        [one for one in then if versions.get(one.id) == one.version],
    )
    shown = [sorted(part, key=lambda one: one.name)[:MOST] for part in parts]
    titles = await _titles(db, workspace_id, [one.id for part in shown for one in part])
    moves = await _moves_told(db, [one.move for part in shown for one in part if one.move])
    labels = await _labels_told(db, workspace_id, label, [one.id for one in shown[1]])

    def read(one: _Place) -> Then:
        since, by, reason = moves[one.move] if one.move else labels[one.id]
        return Then(
            id=one.id, name=one.name, title=titles[one.id],
            version=one.version if one.move else None, since=since, by=by, reason=reason,
            now=versions.get(one.id), deleted=one.deleted,
        )  # fmt: skip

    lists = [list(map(read, part)) for part in shown]
    counts = list(map(len, parts))
    return State(
        different=lists[0], later=lists[1], same=lists[2], different_count=counts[0],
        later_count=counts[1], same_count=counts[2],
    )  # fmt: skip


async def _then(
    db: AsyncSession, workspace_id: int, label: str, at: datetime, folder: str
) -> list[_Place]:
    """The last move of each prompt up to that moment, unless it took the label off."""
    last = (
        select(func.max(LabelMove.id).label("id"))
        .where(LabelMove.workspace_id == workspace_id, LabelMove.label == label, LabelMove.at <= at)
        .group_by(LabelMove.prompt_id)
        .subquery()
    )
    query = (
        select(Prompt.id, Prompt.name, LabelMove.new, LabelMove.id, Prompt.deleted_at)
        .select_from(last)
        .join(LabelMove, LabelMove.id == last.c.id)
        .join(
            Prompt,
            (Prompt.workspace_id == LabelMove.workspace_id) & (Prompt.id == LabelMove.prompt_id),
        )
        .where(LabelMove.new.is_not(None), *_within(folder))
    )
    return [
        _Place(id, name, new or 0, move, deleted_at is not None)
        for id, name, new, move, deleted_at in await db.execute(query)
    ]


async def _now(db: AsyncSession, workspace_id: int, label: str, folder: str) -> list[_Place]:
    query = (
        select(Prompt.id, Prompt.name, Label.version)
        .select_from(Label)
        .join(Prompt, (Prompt.workspace_id == Label.workspace_id) & (Prompt.id == Label.prompt_id))
        .where(Label.workspace_id == workspace_id, Label.label == label, *_within(folder))
    )
    return [_Place(id, name, version) for id, name, version in await db.execute(query)]


def _within(folder: str) -> list[ColumnElement[bool]]:
    return [below(folder)] if folder else []


async def _titles(db: AsyncSession, workspace_id: int, ids: list[str]) -> dict[str, str]:
    query = select(Prompt.id, Prompt.title).where(
        Prompt.workspace_id == workspace_id, Prompt.id.in_(ids)
    )
    return {row.id: row.title for row in await db.execute(query)}


async def _moves_told(db: AsyncSession, moves: list[int]) -> dict[int, Told]:
    query = select(LabelMove.id, LabelMove.at, LabelMove.author, LabelMove.reason)
    rows = await db.execute(query.where(LabelMove.id.in_(moves)))
    return {id: (at, by, reason) for id, at, by, reason in rows}


async def _labels_told(
    db: AsyncSession, workspace_id: int, label: str, ids: list[str]
) -> dict[str, Told]:
    query = select(Label.prompt_id, Label.moved_at, Label.moved_by, Label.reason).where(
        Label.workspace_id == workspace_id, Label.label == label, Label.prompt_id.in_(ids)
    )
    return {id: (at, by, reason) for id, at, by, reason in await db.execute(query)}


async def recent(
    db: AsyncSession, workspace_id: int, label: str, *, limit: int = 12
) -> list[Moment]:
    """The last releases under that label, the newest first."""
    last = (
        select(LabelMove.id)
        .where(LabelMove.workspace_id == workspace_id, LabelMove.label == label)
        .order_by(LabelMove.id.desc())
        .limit(40 * limit)
    )
    query = (
        select(
            func.max(LabelMove.at), func.max(LabelMove.author), func.max(LabelMove.reason),
            LabelMove.commit, func.count(),
        )
        .where(LabelMove.id.in_(last))
        .group_by(LabelMove.commit)
        .order_by(func.max(LabelMove.id).desc())
        .limit(limit)
    )  # fmt: skip
    return [
        Moment(at=at, by=by, reason=reason, commit=commit, count=count)
        for at, by, reason, commit, count in await db.execute(query)
    ]
