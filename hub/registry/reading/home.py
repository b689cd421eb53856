"""What wants me: everything on a person's home page, in one value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from hub.db import now
from hub.people.models import Account, ApiKey, Member
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.registry import drafts
from hub.registry.drafts import DraftLine
from hub.registry.models import LabelMove, Prompt, Version
from hub.registry.review import record
from hub.registry.review.models import Comment, Proposal
from hub.registry.review.views import ProposalLine

MOST = 6
NEW_FOR = timedelta(days=30)
"""So long after joining, the first steps are offered."""

Tried = Callable[[AsyncSession, int, int], Awaitable[bool]]
"""(workspace, account) → whether the person has held two models side by side."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A label that moved, and on how many other prompts in the same step."""

    name: str
    label: str
    old: int | None
    new: int | None
    by: str
    reason: str
    at: datetime
    proposal: int | None
    broke_glass: bool
    others: int = 0


class Step(msgspec.Struct, frozen=True):
    """One of a newcomer's three first steps."""

    key: str
    done: bool


class Home(msgspec.Struct, frozen=True, kw_only=True):
    waiting: list[ProposalLine]
    waiting_total: int
    mine: list[ProposalLine]
    mine_total: int
    drafts: list[DraftLine]
    released: list[Release]
    steps: list[Step]
    """Empty once all are done, or for somebody who has long been here."""

    @property
    def quiet(self) -> bool:
        return not (self.waiting or self.mine or self.drafts)


async def read(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, *, waiting: list[int], tried: Tried
) -> Home:
    account_id = actor.account_id or 0
    mine = await record.listed(db, workspace.id, mine=account_id, limit=MOST)
    return Home(
        waiting=await record.lines(db, workspace.id, waiting[:MOST]),
        waiting_total=len(waiting),
        mine=mine.items,
        mine_total=mine.total,
        drafts=(await drafts.listed(db, workspace.id, account_id))[:MOST],
        released=await released(db, workspace.id),
        steps=await _steps(db, workspace, actor, tried),
    )


async def released(db: AsyncSession, workspace_id: int) -> list[Release]:
    """The last releases, one line for all that moved in the same step."""
    # Found before they are joined: else every move there ever was would be.
    latest = (
        select(LabelMove)
        .where(LabelMove.workspace_id == workspace_id)
        .order_by(LabelMove.id.desc())
        .limit(60)
    )
    moves = aliased(LabelMove, latest.subquery())
    same = (Prompt.workspace_id == moves.workspace_id) & (Prompt.id == moves.prompt_id)
    query = select(moves, Prompt.name).join(Prompt, same).order_by(moves.id.desc())
    found: dict[tuple[str, str], Release] = {}
    for move, name in (await db.execute(query)).all():
        key = (move.commit, move.label)
        if key in found:
            found[key] = msgspec.structs.replace(found[key], others=found[key].others + 1)
        elif len(found) == MOST:
            break
        else:
            found[key] = Release(
                name=name, label=move.label, old=move.old, new=move.new, by=move.author,
                reason=move.reason, at=move.at, proposal=move.proposal,
                broke_glass=move.broke_glass,
            )  # fmt: skip
    return [*found.values()]


async def _steps(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, tried: Tried
) -> list[Step]:
    """What a newcomer may do and has not done yet."""
    account_id = actor.account_id or 0
    member = await db.get(Member, (workspace.id, account_id))
    if member is None or now() - member.created_at > NEW_FOR:
        return []
    steps = [Step("open", await _worked(db, workspace.id, actor))]
    if allows(actor, Need.DRAFT, workspace.id):
        steps.append(Step("try", await tried(db, workspace.id, account_id)))
    if allows(actor, Need.ADMIN, workspace.id):
        steps.append(Step("connect", await _connected(db, workspace.id)))
    return steps if not all(one.done for one in steps) else []


async def _worked(db: AsyncSession, workspace_id: int, actor: Actor) -> bool:
    """They have changed, saved, proposed or said something."""
    if await drafts.names(db, workspace_id, actor.account_id):
        return True
    email = select(Account.email).where(Account.id == actor.account_id).scalar_subquery()
    for query in (
        select(Version.number).where(
            Version.workspace_id == workspace_id, Version.author_email == email
        ),
        select(Proposal.number).where(
            Proposal.workspace_id == workspace_id, Proposal.account_id == actor.account_id
        ),
        select(Comment.id).where(
            Comment.workspace_id == workspace_id, Comment.account_id == actor.account_id
        ),
    ):
        if (await db.scalar(query.limit(1))) is not None:
            return True
    return False


async def _connected(db: AsyncSession, workspace_id: int) -> bool:
    """Some app has asked for a prompt with a key of this workspace."""
    used = select(ApiKey.id).where(ApiKey.workspace_id == workspace_id, ApiKey.used_at.is_not(None))
    return (await db.scalar(used.limit(1))) is not None
