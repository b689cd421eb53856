"""What a release moved, whether it still stands, and how to take it back in one step."""

from __future__ import annotations

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import NotFound
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.indexing.ledger import Steps, aside_of, steps_of
from hub.registry.labels import labels
from hub.registry.labels.labels import Landed, Move
from hub.registry.models import Label, LabelMove, Prompt
from hub.registry.writing.publish import Publisher


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One move of a release that happened, and whether it still stands."""

    move: LabelMove
    name: str
    now: int | None
    """Where the label is today."""

    @property
    def stands(self) -> bool:
        return self.now == self.move.new

    @property
    def steps(self) -> Steps | None:
        """Who got which version, if not all got the same."""
        return steps_of(self.move.beside, self.move.new)


async def made(db: AsyncSession, workspace_id: int, commit: str) -> list[Made]:
    """Everything one release moved.

    Raises:
        NotFound: no label was moved by that.
    """
    query = (
        select(LabelMove, Prompt.name, Label.version)
        .join(
            Prompt,
            (Prompt.workspace_id == LabelMove.workspace_id) & (Prompt.id == LabelMove.prompt_id),
        )
        .outerjoin(
            Label,
            (Label.workspace_id == LabelMove.workspace_id)
            & (Label.prompt_id == LabelMove.prompt_id)
            & (Label.label == LabelMove.label),
        )
        .where(LabelMove.workspace_id == workspace_id, LabelMove.commit == commit)
        .order_by(Prompt.name, LabelMove.label)
    )
    found = [Made(move=move, name=name, now=now) for move, name, now in await db.execute(query)]
    if not found:
        raise NotFound("There was no such release here. Look for it in the history of a label.")
    return found


async def together(db: AsyncSession, workspace_id: int, commits: list[str]) -> dict[str, int]:
    """How many moves each of these releases made."""
    query = (
        select(LabelMove.commit, func.count())
        .where(LabelMove.workspace_id == workspace_id, LabelMove.commit.in_(commits))
        .group_by(LabelMove.commit)
    )
    return dict((await db.execute(query)).all())


async def last_release(
    db: AsyncSession, workspace_id: int, label: str, prompt_id: str
) -> LabelMove | None:
    """The last move, if rolling it back makes sense: it replaced something, and did not itself
    put back what the move before had replaced."""
    query = select(LabelMove).where(
        LabelMove.workspace_id == workspace_id, LabelMove.prompt_id == prompt_id,
        LabelMove.label == label,
    )  # fmt: skip
    moves = list(await db.scalars(query.order_by(LabelMove.id.desc()).limit(2)))
    if not moves or moves[0].old is None or moves[0].new is None:
        return None
    if moves[0].beside or moves[0].old == moves[0].new:  # step by step: undone where it stands
        return None
    if len(moves) > 1 and (moves[1].old, moves[1].new) == (moves[0].new, moves[0].old):
        return None
    return moves[0]


async def take_back(
    publisher: Publisher, workspace: WorkspaceRef, commit: str, *, actor: Actor, name: str = ""
) -> list[Landed]:  # fmt: skip
    """Put every label of that release back where it was, in one step; `name`: of one prompt alone.

    Raises:
        LabelMoved: something newer went live since; nothing is put back.
    """
    require(actor, Need.RELEASE, workspace.id)
    async with publisher.database.read() as db:
        moves, reason = await way_back(db, workspace.id, commit, name)
    return await labels.move_many(publisher, workspace, moves, actor=actor, reason=reason)


async def way_back(
    db: AsyncSession, workspace_id: int, commit: str, name: str = ""
) -> tuple[list[Move], str]:
    """The moves that undo a release (`name`: of one prompt alone), and why they are made."""
    moved = [one for one in await made(db, workspace_id, commit) if name in ("", one.name)]
    if not moved:
        raise NotFound(f"That release did not move a label of {name}.")
    moves = [
        Move(one.move.label, one.name, one.move.old, one.move.new, beside=aside_of(one.move.beside))
        for one in moved
    ]
    return moves, f"Taken back: {moved[0].move.reason.partition(chr(10))[0][:120]}"
