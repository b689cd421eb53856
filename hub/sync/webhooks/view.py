"""A webhook's standing in words, for the pages and the REST interface."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from hub.sync.webhooks.models import Delivery, Webhook
from hub.sync.webhooks.sending import Attempt
from hub.sync.webhooks.turn import MOST_TRIES


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A chip and a sentence."""

    chip: str
    look: str
    """As `ui.chip` knows it."""
    sentence: str
    next_at: datetime | None = None


def of_webhook(hook: Webhook, waiting: int, now: datetime) -> Shown:
    """How it stands."""
    if hook.state == "paused":
        return Shown(chip="Paused", look="failed", sentence=hook.said)
    if hook.tries:
        return Shown(
            chip="Not taken yet", look="staging", next_at=hook.next_at,
            sentence=f"{hook.said} Attempt {hook.tries} of {MOST_TRIES} was in vain; "
            f"the next one is {_when(hook.next_at, now)}.",
        )  # fmt: skip
    if hook.good is None:
        return Shown(chip="Not used yet", look="other", sentence="Nothing was sent so far.")
    if not hook.good:
        return Shown(chip="Does not work", look="failed", sentence=hook.said)
    if waiting:
        return Shown(chip="Sending", look="running", sentence=hook.said)
    return Shown(chip="Works", look="live", sentence=hook.said)


def of_delivery(delivery: Delivery) -> Shown:
    """What became of a message."""
    last = msgspec.convert(delivery.attempts[-1], Attempt) if delivery.attempts else None
    said = last.said if last else ""
    if delivery.state == "waiting":
        return Shown(chip="Waits", look="staging" if last else "other", sentence=said)
    if delivery.state == "left":
        return Shown(chip="Left out", look="other", sentence=said)
    if delivery.state == "missed":
        return Shown(chip="Not taken", look="failed", sentence=said)
    return Shown(chip="Taken", look="live", sentence=said)


def _when(moment: datetime | None, now: datetime) -> str:
    left = (moment - now) if moment else timedelta()
    minutes = round(left.total_seconds() / 60)
    if minutes < 1:
        return "in a moment"
    if minutes < 90:
        return f"in {minutes} minute{'s' if minutes > 1 else ''}"
    return f"in {round(minutes / 60)} hours"
