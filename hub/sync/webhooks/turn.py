"""One turn at the webhooks, in one transaction: what came of the last messages, and the next ones.

The messages of a webhook go out one after the other, in order. One that is not taken is tried
again, later each time, and the others wait behind it; in the end the webhook is paused.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from hub.db import now
from hub.outbox import Event
from hub.sync.webhooks.models import Delivery, Webhook
from hub.sync.webhooks.sending import Attempt

AT_ONCE = 20
LEASE = timedelta(seconds=45)
"""Longer than a turn can take; another process takes over after it."""
MOST_TRIES = 12
FIRST, FACTOR, LONGEST = 5.0, 3.0, 6 * 3600.0
"""Seconds: 5, 15, 45, … up to six hours, which makes about a day in all."""
JITTER = 0.2
KEPT_ATTEMPTS = 12

Result = tuple[int, Attempt]
"""Of a delivery's id."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One that waits."""

    id: int
    message_id: str
    body: str


def delay(tries: int, *, asked: float = 0.0) -> timedelta:
    """How long to wait after so many attempts; `asked`: seconds that the other side wished."""
    seconds = min(FIRST * FACTOR ** (tries - 1), LONGEST)
    return timedelta(seconds=max(seconds * random.uniform(1 - JITTER, 1 + JITTER), asked))  # noqa: S311


def settle(
    db: Connection, *, finished: Mapping[int, Sequence[Result]], due: Sequence[int]
) -> dict[int, list[Message]]:
    """Write down what came of the messages of `finished`, which this process has leased; lease
    those, and of `due` what nobody else has, for their next messages. Who is not in the answer
    rests."""
    taken: dict[int, list[Message]] = {}
    for webhook_id in sorted({*finished, *due}):
        held = finished.get(webhook_id)
        if messages := _take(db, webhook_id, held or (), holding=held is not None):
            taken[webhook_id] = messages
    return taken


def _take(
    db: Connection, webhook_id: int, results: Sequence[Result], *, holding: bool
) -> list[Message]:
    hook = _hook(db, webhook_id)
    if hook is None or (not holding and hook.leased_until and hook.leased_until > now()):
        return []
    changed = _settled(db, hook, results)
    state = changed.get("state", hook.state)
    next_at: datetime | None = changed.get("next_at", hook.next_at)
    rests = state != "active" or (next_at is not None and next_at > now())
    messages = [] if rests else _waiting(db, webhook_id)
    changed["leased_until"] = now() + LEASE if messages else None
    db.execute(update(Webhook).where(Webhook.id == webhook_id).values(changed))
    return messages


def release(db: Connection, *, finished: Mapping[int, Sequence[Result]]) -> None:
    """Write down what came of them and let others have them: this process stops."""
    for webhook_id in sorted(finished):
        if (hook := _hook(db, webhook_id)) is not None:
            changed = _settled(db, hook, finished[webhook_id]) | {"leased_until": None}
            db.execute(update(Webhook).where(Webhook.id == webhook_id).values(changed))


def _hook(db: Connection, webhook_id: int) -> Any:
    query = select(*Webhook.__table__.columns).where(Webhook.id == webhook_id)
    if db.dialect.name == "postgresql":
        query = query.with_for_update()
    return db.execute(query).one_or_none()


def note(db: Connection, delivery_id: int, attempt: Attempt) -> None:
    """Write an attempt down; what was taken is done."""
    query = select(Delivery.attempts, Delivery.tries).where(Delivery.id == delivery_id)
    row = db.execute(query).one_or_none()
    if row is None:
        return
    kept = [*row.attempts, attempt.kept()][-KEPT_ATTEMPTS:]
    values: dict[str, Any] = {"attempts": kept, "tries": row.tries + 1}
    if attempt.good:
        values |= {"state": "taken", "done_at": now()}
    db.execute(update(Delivery).where(Delivery.id == delivery_id).values(values))


def _waiting(db: Connection, webhook_id: int) -> list[Message]:
    query = select(Delivery.id, Delivery.message_id, Delivery.body).where(
        Delivery.webhook_id == webhook_id, Delivery.state == "waiting"
    )
    rows = db.execute(query.order_by(Delivery.id).limit(AT_ONCE)).mappings()
    return [Message(**row) for row in rows]


def _settled(db: Connection, hook: Any, results: Sequence[Result]) -> dict[str, Any]:
    """The values of the webhook that the results change."""
    changed: dict[str, Any] = {}
    tries = hook.tries
    for delivery_id, attempt in results:
        note(db, delivery_id, attempt)
        changed |= {"good": attempt.good, "last_at": attempt.at}
        if hook.state == "active":
            changed["said"] = attempt.said
        if attempt.good:
            tries, changed["next_at"] = 0, None
            continue
        tries += 1
        changed["next_at"] = now() + delay(tries, asked=attempt.wait)
        if hook.state == "active" and (attempt.gone or tries >= MOST_TRIES):
            changed |= _paused(db, hook, tries, attempt)
    return changed | ({"tries": tries} if results else {})


def _paused(db: Connection, hook: Any, tries: int, attempt: Attempt) -> dict[str, Any]:
    """Administrators are told by a notice; nothing is thrown away."""
    times = f"{tries} attempts failed; the last: " if tries > 1 else ""
    said = f"{times}{attempt.said}"
    db.execute(
        insert(Event).values(
            workspace_id=hook.workspace_id, kind="webhook.paused", subject=hook.name, at=now(),
            payload={"name": hook.name, "webhook": hook.id, "sentence": said},
        )
    )  # fmt: skip
    return {"state": "paused", "said": said, "next_at": None}
