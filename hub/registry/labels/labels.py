"""Labels: release a version, roll back, take a label off, and ask what was live when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.git.deploy_file import ALL
from hub.registry.models import LabelMove, Prompt, Version
from hub.registry.writing.publish import Publisher
from hub.registry.writing.releases import LabelMoved, Move, Release

__all__ = [
    "LabelMoved", "Landed", "Live", "Move", "Unset", "as_of", "history", "lost", "move",
    "move_many", "previous",
]  # fmt: skip

Unset = UNSET
"""For `expected`: whatever the label points at now."""


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a label is after a release; old and new are the same if it was there already."""

    label: str
    name: str
    id: str
    old: int | None
    new: int | None
    commit: str
    """Empty if it was there already."""
    author: str
    reason: str
    at: datetime


async def move_many(
    publisher: Publisher, workspace: WorkspaceRef, moves: Sequence[Move], *, actor: Actor,
    reason: str, request_id: str | None = None, at: datetime | None = None, broke_glass: str = "",
    despite: str = "",
) -> list[Landed]:  # fmt: skip
    """Move labels of one prompt or many in one step, all or none; the answers in that order.

    Raises:
        LabelMoved: one of them is not where it was expected; the sentence says which.
        BreaksPrograms: programs that run now could not fill it in; `despite` says why it may be.
    """
    require(actor, Need.RELEASE, workspace.id)
    ask = Release(
        actor=actor, message=reason, request_id=request_id, at=at, moves=tuple(moves),
        broke_glass=broke_glass.strip(), despite=despite.strip(),
    )  # fmt: skip
    answer = await publisher.publish(workspace, ask)
    if "moves" not in answer:  # asked again after a rebuild: the commit is what is left of it
        return await _landed(publisher, workspace, answer["commit"])
    return [Landed(**one | {"at": datetime.fromisoformat(one["at"])}) for one in answer["moves"]]


async def _landed(publisher: Publisher, workspace: WorkspaceRef, commit: str) -> list[Landed]:
    query = (
        select(LabelMove, Prompt.name)
        .join(
            Prompt,
            (Prompt.workspace_id == LabelMove.workspace_id) & (Prompt.id == LabelMove.prompt_id),
        )
        .where(LabelMove.workspace_id == workspace.id, LabelMove.commit == commit)
        .order_by(LabelMove.id)
    )
    async with publisher.database.read() as db:
        return [
            Landed(
                label=one.label, name=name, id=one.prompt_id, old=one.old, new=one.new,
                commit=one.commit, author=one.author, reason=one.reason, at=one.at,
            )
            for one, name in await db.execute(query)
        ]  # fmt: skip


async def move(
    publisher: Publisher, workspace: WorkspaceRef, label: str, name: str, version: int | None, *,
    expected: int | UnsetType | None = UNSET, actor: Actor, reason: str,
    request_id: str | None = None, at: datetime | None = None, broke_glass: str = "",
    despite: str = "", share: int = ALL,
) -> LabelMove:  # fmt: skip
    """Point `label` of the prompt at `version`; None takes it off. `expected` None: not set yet.

    `share`, of 10,000: so much get it, the others what they get now.
    A label that is there already moves nowhere: old and new are the same, and no commit is made.

    Raises:
        LabelMoved: it is not at `expected`.
    """
    one = Move(label, name, version, expected, share)
    (made,) = await move_many(
        publisher, workspace, [one], actor=actor, reason=reason, request_id=request_id, at=at,
        broke_glass=broke_glass, despite=despite,
    )  # fmt: skip
    return LabelMove(
        workspace_id=workspace.id, prompt_id=made.id, label=label, old=made.old, new=made.new,
        commit=made.commit, author=made.author, reason=made.reason, at=made.at,
    )  # fmt: skip


async def history(
    db: AsyncSession, workspace_id: int, label: str, prompt_id: str
) -> list[LabelMove]:
    """Every move of the label on that prompt, the newest first."""
    query = select(LabelMove).where(
        LabelMove.workspace_id == workspace_id,
        LabelMove.label == label,
        LabelMove.prompt_id == prompt_id,
    )
    return list(await db.scalars(query.order_by(LabelMove.id.desc())))


async def previous(db: AsyncSession, workspace_id: int, label: str, prompt_id: str) -> int | None:
    """The version to roll back to: where the label was before it came to where it is."""
    moves = await history(db, workspace_id, label, prompt_id)
    return moves[0].old if moves else None


async def lost(
    db: AsyncSession, workspace_id: int, prompt_id: str, deleted_at: datetime
) -> list[tuple[str, int]]:
    """Labels and versions that went away when the prompt was deleted."""
    query = select(LabelMove.label, LabelMove.old).where(
        LabelMove.workspace_id == workspace_id,
        LabelMove.prompt_id == prompt_id,
        LabelMove.at == deleted_at,
        LabelMove.new.is_(None),
    )
    return [(label, old) for label, old in await db.execute(query) if old is not None]


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What a label served of one prompt at some moment."""

    prompt_id: str
    name: str
    version: int
    hash: str
    since: datetime
    by: str
    reason: str


async def as_of(
    db: AsyncSession, workspace_id: int, label: str, at: datetime, name: str | None = None
) -> list[Live]:
    """What was live under `label` at that moment, by the prompts' names of today."""
    latest = select(func.max(LabelMove.id)).where(
        LabelMove.workspace_id == workspace_id, LabelMove.label == label, LabelMove.at <= at
    )
    query = (
        select(LabelMove, Prompt.name, Version.hash)
        .join(
            Prompt,
            (Prompt.workspace_id == LabelMove.workspace_id) & (Prompt.id == LabelMove.prompt_id),
        )
        .join(
            Version,
            (Version.workspace_id == LabelMove.workspace_id)
            & (Version.prompt_id == LabelMove.prompt_id)
            & (Version.number == LabelMove.new),
        )
        .where(LabelMove.id.in_(latest.group_by(LabelMove.prompt_id)))
        .order_by(Prompt.name)
    )
    if name is not None:
        query = query.where(Prompt.name == name)
    return [
        Live(
            prompt_id=move.prompt_id, name=named, version=move.new or 0, hash=digest,
            since=move.at, by=move.author, reason=move.reason,
        )
        for move, named, digest in await db.execute(query)
    ]  # fmt: skip
