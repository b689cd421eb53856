"""Dates and times as people type them: on their own clock where the browser tells it, else UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hub.errors import Invalid

NO_MOMENT = "Write the moment as a date and a time, such as 2026-05-03 14:00."
_OFFSET = re.compile(r"-?\d{1,3}", re.ASCII)


def moment_of(typed: str, offset: str = "") -> datetime:
    """`offset`: minutes that the person's clock is ahead of UTC at that moment.

    Raises:
        Invalid: it is no moment.
    """
    try:
        moment = datetime.fromisoformat(typed.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC) - ahead(offset)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(NO_MOMENT) from None


def check_now(due: str) -> None:
    """Raises:
    Invalid: a moment was typed, though the button that was pressed does it at once.
    """
    if due:
        raise Invalid(
            "You typed a moment under “At a later time”, so nothing was moved. Press “Schedule "
            "it”, or empty the moment to do it now."
        )


def ahead(offset: str) -> timedelta:
    """How far the person's clock is ahead of UTC; nonsense counts as not at all."""
    minutes = int(offset) if _OFFSET.fullmatch(offset) else 0
    return timedelta(minutes=minutes if abs(minutes) <= 14 * 60 else 0)


def said(moment: datetime, offset: str = "") -> str:
    """`Monday 4 May 2026 at 9:00`, on the person's clock, or with (UTC)."""
    known = bool(_OFFSET.fullmatch(offset))
    there = moment.astimezone(UTC) + (ahead(offset) if known else timedelta())
    text = f"{there:%A} {there.day} {there:%B %Y} at {there.hour}:{there:%M}"
    return text if known else f"{text} (UTC)"


def typed(moment: datetime, offset: str = "") -> str:
    """As the value of a field for a date and a time."""
    return (moment.astimezone(UTC) + ahead(offset)).strftime("%Y-%m-%dT%H:%M")
