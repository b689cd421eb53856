"""What was live under a label at some moment, prompt by prompt, held beside what is live now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, false, func, null, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.registry.models import Label, LabelMove, Prompt
from hub.registry.releases import Move
from hub.registry.releasing import below

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


async def state(
    db: AsyncSession, workspace_id: int, label: str, at: datetime, folder: str = ""
) -> State:
    """Everything that was live under `label` at that moment, in `folder` or anywhere."""
    then = _then(workspace_id, label, at)
    within: list[ColumnElement[bool]] = [below(folder)] if folder else []
    changed = or_(Label.version.is_(None), Label.version != LabelMove.new)
    lists, counts = list[list[Then]](), list[int]()
    for query in (
        _moves(workspace_id, label).where(LabelMove.id.in_(then), *within, changed),
        _labels(workspace_id, label, at).where(*within),
        _moves(workspace_id, label).where(LabelMove.id.in_(then), *within, ~changed),
    ):
        rows = (await db.execute(query.order_by(Prompt.name).limit(MOST))).all()
        lists.append([_read(row) for row in rows])
        total = len(rows)
        if total == MOST:
            every = select(func.count()).select_from(query.order_by(None).subquery())
            total = await db.scalar(every) or 0
        counts.append(total)
    return State(
        different=lists[0], later=lists[1], same=lists[2], different_count=counts[0],
        later_count=counts[1], same_count=counts[2],
    )  # fmt: skip


def _then(workspace_id: int, label: str, at: datetime) -> Select[int]:
    """The last move of each prompt up to that moment."""
    return (
        select(func.max(LabelMove.id))
        .where(LabelMove.workspace_id == workspace_id, LabelMove.label == label, LabelMove.at <= at)
        .group_by(LabelMove.prompt_id)
    )


def _moves(workspace_id: int, label: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Prompt.id, Prompt.name, Prompt.title, LabelMove.new, LabelMove.at, LabelMove.author,
            LabelMove.reason, Label.version, Prompt.deleted_at.is_not(None),
        )
        .select_from(LabelMove)
        .join(
            Prompt,
            (Prompt.workspace_id == LabelMove.workspace_id) & (Prompt.id == LabelMove.prompt_id),
        )
        .outerjoin(Label, _its_label(label))
        .where(LabelMove.workspace_id == workspace_id, LabelMove.new.is_not(None))
    )  # fmt: skip


def _labels(workspace_id: int, label: str, at: datetime) -> Select[*tuple[Any, ...]]:
    """What is live now and was not then."""
    were = select(LabelMove.prompt_id).where(
        LabelMove.id.in_(_then(workspace_id, label, at)), LabelMove.new.is_not(None)
    )
    return (
        select(
            Prompt.id, Prompt.name, Prompt.title, null(), Label.moved_at,
            Label.moved_by, Label.reason, Label.version, false(),
        )
        .select_from(Label)
        .join(
            Prompt, (Prompt.workspace_id == Label.workspace_id) & (Prompt.id == Label.prompt_id)
        )
        .where(
            Label.workspace_id == workspace_id, Label.label == label, Label.prompt_id.not_in(were)
        )
    )  # fmt: skip


def _its_label(label: str) -> ColumnElement[bool]:
    return and_(
        Label.workspace_id == Prompt.workspace_id, Label.prompt_id == Prompt.id,
        Label.label == label,
    )  # fmt: skip


def _read(row: tuple[object, ...]) -> Then:
    names = ("id", "name", "title", "version", "since", "by", "reason", "now", "deleted")
    values = dict(zip(names, row, strict=True))
    return msgspec.convert(values | {"deleted": bool(values["deleted"])}, Then)


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
