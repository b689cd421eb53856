"""The log of a webhook: what was sent, what came of it, what waits."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, NotFound
from hub.people import audit
from hub.people.policy import Actor, WorkspaceRef
from hub.sync.webhooks import store
from hub.sync.webhooks.models import Delivery, Webhook
from hub.sync.webhooks.sending import Attempt

PAGE = 50


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook and how much waits for it."""

    hook: Webhook
    waiting: int


async def standings(db: AsyncSession, workspace_id: int) -> list[Standing]:
    """The workspace's webhooks, by name."""
    query = select(Webhook).where(Webhook.workspace_id == workspace_id).order_by(Webhook.name)
    hooks = list(await db.scalars(query))
    return [Standing(hook=hook, waiting=await waiting(db, hook.id)) for hook in hooks]


async def waiting(db: AsyncSession, webhook_id: int) -> int:
    """How many messages wait."""
    mine = (Delivery.webhook_id == webhook_id) & (Delivery.state == "waiting")
    return await db.scalar(select(func.count()).where(mine)) or 0


async def listed(
    db: AsyncSession, webhook_id: int, *, before: int | None = None, limit: int = PAGE
) -> list[Delivery]:
    """The newest first."""
    query = select(Delivery).where(Delivery.webhook_id == webhook_id)
    if before is not None:
        query = query.where(Delivery.id < before)
    return list(await db.scalars(query.order_by(Delivery.id.desc()).limit(limit)))


async def get(db: AsyncSession, hook: Webhook, delivery_id: int) -> Delivery:
    """One message of this webhook."""
    found = await db.get(Delivery, delivery_id)
    if found is None or found.webhook_id != hook.id:
        raise NotFound("There is no such message in the log; old ones leave it after two weeks.")
    return found


def attempts(delivery: Delivery) -> list[Attempt]:
    """The latest ones, the newest first."""
    kept: list[Any] = delivery.attempts
    return [msgspec.convert(one, Attempt) for one in reversed(kept)]


def require_done(delivery: Delivery) -> None:
    """Raises:
    Conflict: it waits for its turn.
    """
    if delivery.state == "waiting":
        raise Conflict(
            "This message waits for its turn and goes out by itself. If the webhook is paused, "
            "resume it."
        )


async def leave_out(
    db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, delivery_id: int, *, actor: Actor
) -> Delivery:
    """One that waits is not sent, so that those behind it can go out.

    Raises:
        Conflict: it does not wait any more.
    """
    hook = await store.to_change(db, workspace, webhook_id, actor)
    found = await get(db, hook, delivery_id)
    waits = (Delivery.id == found.id) & (Delivery.state == "waiting")
    done = await db.execute(
        update(Delivery).where(waits).values(state="left", done_at=now()).returning(Delivery.id)
    )
    if done.scalar() is None:
        raise Conflict("This message does not wait any more.")
    hook.next_at = None
    audit.record(db, actor, "webhook.left-out", hook.name, workspace.id, message=found.message_id)
    return found
