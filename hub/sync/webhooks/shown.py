"""What the pages of webhooks show."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import HubError, WrongField
from hub.people.policy import WorkspaceRef
from hub.settings import Secret
from hub.sync.webhooks import deliveries, incoming, messages, signing, store, view
from hub.sync.webhooks.kinds import CHOICES
from hub.sync.webhooks.messages import FORMS, SLACK, STANDARD
from hub.sync.webhooks.models import Delivery, Inlet, Webhook
from hub.sync.webhooks.store import Fields
from hub.web import Ask, page


def address(workspace: WorkspaceRef, webhook_id: int | None = None) -> str:
    """The page of all, or of one."""
    more = "" if webhook_id is None else f"/{webhook_id}"
    return f"/{workspace.slug}/settings/webhooks{more}"


def fields_of(hook: Webhook) -> Fields:
    """A kept webhook as its form shows it."""
    shown = "" if hook.form == SLACK else hook.address
    return Fields(
        name=hook.name, form=hook.form, address=shown, events=hook.events, some=bool(hook.events)
    )


def form(
    request: Ask, typed: Fields, *, hook: Webhook | None = None, refusal: HubError | None = None
) -> Template:
    """The form with what was typed; a token is not sent back, only asked for again."""
    field = refusal.field if isinstance(refusal, WrongField) else "name"
    chosen = (hook.form if hook else typed.form) if typed.form in FORMS else STANDARD
    return page(
        request, "sync/webhook_form.html", section="settings", typed=typed, hook=hook,
        status=refusal.status if refusal else 200, forms=list(FORMS.items()), chosen=chosen,
        choices=CHOICES, errors={field: refusal.sentence} if refusal else {},
    )  # fmt: skip


async def everything(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, *, made: Secret | None = None
) -> Template:
    """All webhooks, and the address for forges."""
    moment = now()
    rows = [
        (one, view.of_webhook(one.hook, one.waiting, moment))
        for one in await deliveries.standings(db, workspace.id)
    ]
    inlet = await db.get(Inlet, workspace.id)
    url = f"{request.app.state.settings.url}/api/incoming/{workspace.slug}"
    return page(
        request, "sync/webhooks.html", section="settings", rows=rows, forms=FORMS, inlet=inlet,
        inlet_url=url, made=made, arrivals=await incoming.latest(db, workspace.id),
        overlap=_overlap(inlet),
    )  # fmt: skip


async def one(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, *,
    made: Secret | None = None, before: int | None = None,
) -> Template:  # fmt: skip
    """One webhook: how it stands, and its log."""
    hook = await store.get(db, workspace.id, webhook_id)
    waiting = await deliveries.waiting(db, hook.id)
    found = await deliveries.listed(db, hook.id, before=before)
    older = found[-1].id if len(found) == deliveries.PAGE else None
    return page(
        request, "sync/webhook.html", section="settings", hook=hook, waiting=waiting, made=made,
        shown=view.of_webhook(hook, waiting, now()), form_name=FORMS[hook.form],
        log=[(each, view.of_delivery(each)) for each in found], older=older, before=before,
        overlap=_overlap(hook),
    )  # fmt: skip


async def message(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, delivery_id: int
) -> Template:
    """One message: the request, and each attempt with the head of the answer."""
    hook = await store.get(db, workspace.id, webhook_id)
    found = await deliveries.get(db, hook, delivery_id)
    return page(
        request, "sync/webhook_message.html", section="settings", hook=hook, message=found,
        shown=view.of_delivery(found), attempts=deliveries.attempts(found),
        request_text=_request(hook, found),
    )  # fmt: skip


def _request(hook: Webhook, found: Delivery) -> str:
    """As it goes over the wire, with its text set out to be read."""
    lines = [f"POST {hook.address}", "Content-Type: application/json"]
    if hook.form == STANDARD:
        lines += [f"{signing.ID}: {found.message_id}", f"{signing.TIMESTAMP}: …"]
        lines += [f"{signing.SIGNATURE}: v1,…"]
    elif hook.form == messages.GITHUB:
        lines += ["Accept: application/vnd.github+json", "Authorization: Bearer …"]
    text = json.dumps(json.loads(found.body), indent=2, ensure_ascii=False)
    return "\n".join([*lines, "", text])


def _overlap(kept: Any) -> datetime | None:
    """Until when the secret before is good; None: there is none."""
    until: datetime | None = kept.old_until if kept else None
    return until if until and until > now() else None
