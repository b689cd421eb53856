"""Events of the outbox become messages that wait, one for each webhook that wants them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Insert, func, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.db import now
from hub.outbox import Event
from hub.people.models import Workspace
from hub.sync.webhooks.messages import Happened, written
from hub.sync.webhooks.models import Delivery, Webhook

MOST_WAITING = 100_000
"""Messages that wait for one webhook; beyond it, it is not told of what happens."""
CONCERNS = Event.workspace_id.in_(select(Webhook.workspace_id))


def collect(db: Connection, event_ids: Sequence[int], *, url: str) -> None:
    """Write the messages of these events down; `url`: of the hub. Doing it twice adds nothing."""
    query = (
        select(*Event.__table__.columns, Workspace.slug)
        .join(Workspace, Workspace.id == Event.workspace_id)
        .where(Event.id.in_(event_ids))
    )
    events = db.execute(query.order_by(Event.id)).all()
    hooks = _listening(db, {event.workspace_id for event in events})
    rows: list[dict[str, Any]] = []
    for event in events:
        told = Happened(
            kind=event.kind, subject=event.subject, payload=event.payload, at=event.at,
            workspace=event.slug, url=url,
        )  # fmt: skip
        rows += [
            waiting(hook.id, hook.form, told, event_id=event.id)
            for hook in hooks.get(event.workspace_id, ())
            if event.id > hook.since_id and (not hook.events or event.kind in hook.events)
        ]
    if rows:
        db.execute(_insert(db), rows)


def waiting(webhook_id: int, form: str, told: Happened, *, event_id: int | None) -> dict[str, Any]:
    """A row of `webhook_deliveries`: the message as it will be sent, however often."""
    message_id = f"msg_{secrets.token_hex(14)}"
    return {
        "webhook_id": webhook_id, "event_id": event_id, "message_id": message_id,
        "kind": told.kind, "said": told.said, "body": written(form, message_id, told),
        "state": "waiting", "tries": 0, "attempts": [], "created_at": now(), "done_at": None,
    }  # fmt: skip


def _listening(db: Connection, workspace_ids: set[int]) -> dict[int, list[Any]]:
    """By workspace, those that have room."""
    columns = (
        Webhook.id, Webhook.workspace_id, Webhook.form, Webhook.events, Webhook.since_id
    )  # fmt: skip
    query = select(*columns).where(Webhook.workspace_id.in_(workspace_ids)).order_by(Webhook.id)
    found: dict[int, list[Any]] = {}
    for hook in db.execute(query):
        room = select(func.count()).where(
            Delivery.webhook_id == hook.id, Delivery.state == "waiting"
        )
        if (db.scalar(room) or 0) < MOST_WAITING:
            found.setdefault(hook.workspace_id, []).append(hook)
    return found


def _insert(db: Connection) -> Insert:
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    return dialect.insert(Delivery).on_conflict_do_nothing(
        index_elements=["webhook_id", "event_id"]
    )
