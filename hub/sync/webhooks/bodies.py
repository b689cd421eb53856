"""What the REST interface of webhooks takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from hub.db import now
from hub.sync.webhooks import deliveries, view
from hub.sync.webhooks.deliveries import Standing
from hub.sync.webhooks.models import Delivery
from hub.sync.webhooks.sending import Attempt
from hub.sync.webhooks.store import Fields


class AddWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address to be told what happens in the workspace."""

    name: str
    address: str
    """`https://…`; of GitHub's form also `owner/repository`."""
    form: Literal["standard", "github", "slack"] = "standard"
    """Signed JSON, GitHub's `repository_dispatch`, or `{"text": …}` for Slack and its like."""
    token: str = ""
    """GitHub's, with the right to write contents; kept encrypted and never shown again."""
    events: list[str] = []
    """Kinds to tell of, such as `label.moved`; left out: every one."""


class ChangeWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: str | None = None
    address: str | None = None
    token: str = ""
    events: list[str] | None = None
    state: Literal["active", "paused"] | None = None


class SendAgain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which message to send once more."""

    delivery: int | None = None
    """Its `id`; null sends a test."""


class NewSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change the signing secret."""

    end_overlap: bool = False
    """Make none, but let the one before be good no more, at once."""


class WebhookRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook; never its secret."""

    id: int
    name: str
    form: str
    address: str
    """Of Slack's form only where it begins: the rest is the secret."""
    events: list[str]
    """Empty: every one."""
    state: str
    """`active` or `paused`."""
    sentence: str
    """How it stands."""
    waiting: int
    """Messages that wait to be sent."""
    failed_attempts: int
    """Of the message at the head."""
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    old_secret_until: datetime | None
    """Until then messages are signed with the secret before as well."""
    created_by: str
    created_at: datetime


class WebhookMade(WebhookRecord, frozen=True, kw_only=True):
    """A webhook that was just made."""

    secret: str | None
    """What its messages are signed with; shown only this once. Null: this form is not signed."""


class WebhookList(msgspec.Struct, frozen=True):
    """The webhooks of the workspace, by name."""

    items: list[WebhookRecord]


class SecretMade(msgspec.Struct, frozen=True, kw_only=True):
    """The new secret, shown only this once; null if none was made."""

    secret: str | None


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to hand a message in."""

    at: datetime
    good: bool
    sentence: str
    milliseconds: int
    status: int | None
    """Of the answer; null: there was none."""
    head: dict[str, str]
    """A few headers of the answer; its text is not kept."""


class DeliveryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A message, and what became of it."""

    id: int
    message_id: str
    """`webhook-id`: the same however often it is sent."""
    kind: str
    text: str
    """What happened, in a sentence."""
    state: str
    """waiting, taken, missed (a test that failed) or left (out)."""
    tries: int
    body: dict[str, Any]
    attempts: list[AttemptRecord]
    """The latest ones, the newest first."""
    created_at: datetime


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of a webhook, the newest first; `next`: the `before` of the page after it."""

    items: list[DeliveryRecord]
    next: int | None


def fields(given: AddWebhook) -> Fields:
    return Fields(
        name=given.name, form=given.form, address=given.address, token=given.token,
        events=given.events,
    )  # fmt: skip


def facts(standing: Standing) -> dict[str, Any]:
    """The values of a `WebhookRecord`."""
    hook = standing.hook
    overlap = hook.old_until if hook.old_until and hook.old_until > now() else None
    return {
        "id": hook.id, "name": hook.name, "form": hook.form, "address": hook.address,
        "events": hook.events, "state": hook.state, "waiting": standing.waiting,
        "sentence": view.of_webhook(hook, standing.waiting, now()).sentence,
        "failed_attempts": hook.tries, "next_attempt_at": hook.next_at if hook.tries else None,
        "last_attempt_at": hook.last_at, "old_secret_until": overlap,
        "created_by": hook.created_by, "created_at": hook.created_at,
    }  # fmt: skip


def attempt(one: Attempt) -> AttemptRecord:
    return AttemptRecord(
        at=one.at, good=one.good, sentence=one.said, milliseconds=one.ms, status=one.status,
        head=one.head,
    )  # fmt: skip


def delivery(one: Delivery) -> DeliveryRecord:
    attempts = [attempt(each) for each in deliveries.attempts(one)]
    return DeliveryRecord(
        id=one.id, message_id=one.message_id, kind=one.kind, text=one.said, state=one.state,
        tries=one.tries, body=msgspec.json.decode(one.body), attempts=attempts,
        created_at=one.created_at,
    )  # fmt: skip
