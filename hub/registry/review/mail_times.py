"""When a notice is mailed, by what the person wishes: each, digest or off. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

PAUSE = timedelta(minutes=1)
"""Who sits before the page has seen the notice by then, and needs no letter."""
MORNING = time(6, 30, tzinfo=UTC)
GIVE_UP = 10
LONGEST = timedelta(hours=6)


def after(wish: str, at: datetime) -> datetime | None:
    """The moment from which a notice made at `at` is due; None: never."""
    if wish == "each":
        return at + PAUSE
    return next_morning(at) if wish == "digest" else None


def next_morning(at: datetime) -> datetime:
    morning = datetime.combine(at.astimezone(UTC).date(), MORNING)
    return morning if at < morning else morning + timedelta(days=1)


def again(tries: int, at: datetime) -> datetime | None:
    """After `tries` failures: a minute, two, four, …, six hours; None: it is given up."""
    if tries >= GIVE_UP:
        return None
    return at + min(LONGEST, timedelta(minutes=2 ** (tries - 1)))
