"""What a key may use of a day, and what it has used: asked before a call, written down after it.

A call that by our estimate does not fit into what is left is not begun; those of the same key that
run at that moment count with theirs. One that has begun is finished, whatever it comes to.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Forbidden, HubError, Invalid
from hub.people import audit
from hub.people.policy import Actor, WorkspaceRef
from hub.playground.calls import Call, Endpoint, Route
from hub.playground.prices import Spent
from hub.playground.relay.models import Relay, RelayCall, RelayDay
from hub.playground.wire.asked import words
from hub.playground.wire.reading import trees
from hub.registry.record import VersionView
from hub.registry.tokens import estimate

MOST_AT_ONCE = 16
"""Calls of one key."""
KEPT_CALLS = 20_000
"""Of a workspace; older ones are forgotten, now and then."""
MOST_TOKENS, MOST_USD = 10**12, 10**6


class Closed(Forbidden):
    """Programs may not run prompts through the hub in this workspace."""


class UsedUp(HubError):
    """The key has had what it may have of this day."""

    status = 429


class Busy(HubError):
    """The key has as many calls running as it may."""

    status = 429


class Fits(msgspec.Struct, frozen=True):
    """What a call comes to, by our estimate."""

    tokens: int
    usd: float


class Held:
    """Estimates of the calls that run in this process, by key."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Fits]] = defaultdict(list)

    def take(self, key_id: str, one: Fits) -> None:
        """Raises:
        Busy: there are too many.
        """
        if len(self._calls[key_id]) >= MOST_AT_ONCE:
            raise Busy(f"This key has {MOST_AT_ONCE} calls running. Wait for one of them to end.")
        self._calls[key_id].append(one)

    def give_back(self, key_id: str, one: Fits) -> None:
        self._calls[key_id].remove(one)
        if not self._calls[key_id]:
            del self._calls[key_id]

    def of(self, key_id: str) -> Fits:
        running = self._calls.get(key_id, [])
        return Fits(sum(one.tokens for one in running), sum(one.usd for one in running))


async def settings(db: AsyncSession, workspace_id: int) -> Relay:
    """As an administrator set it; closed if nobody did."""
    found = await db.get(Relay, workspace_id)
    return found or Relay(workspace_id=workspace_id, open=False, tokens_a_day=None, usd_a_day=None)


async def set_up(
    db: AsyncSession, workspace: WorkspaceRef, *, open: bool, tokens: str, usd: str, actor: Actor
) -> Relay:
    """Open or close it; to be open it needs a limit.

    Raises:
        Invalid: a limit is no number, or there is none.
    """
    limits = _number(tokens, "tokens", MOST_TOKENS), _number(usd, "dollars", MOST_USD)
    if open and limits == (None, None):
        raise Invalid("Say how much a key may use of a day, in tokens or in dollars.")
    most = None if limits[0] is None else int(limits[0])
    made = Relay(workspace_id=workspace.id, open=open, tokens_a_day=most, usd_a_day=limits[1])
    made = await db.merge(made)
    audit.record(
        db, actor, "relay.opened" if open else "relay.closed", workspace.slug, workspace.id,
        tokens_a_day=most, usd_a_day=limits[1],
    )  # fmt: skip
    return made


def _number(typed: str, what: str, most: float) -> float | None:
    typed = typed.strip().replace(",", "").replace("_", "").lstrip("$")
    if not typed:
        return None
    try:
        number = float(typed)
    except ValueError:
        number = -1
    if not 0 < number <= most:
        raise Invalid(f"The {what} a day must be a number above 0.")
    return number


def fits(target: Endpoint | Route, request: dict[str, Any], limits: Relay) -> Fits:
    """An estimate, of the dearest that may answer.

    Raises:
        Invalid: only dollars are limited, and a model has no price to count by.
    """
    endpoints = target.endpoints if isinstance(target, Route) else [target]
    came = sum(estimate(words(one.get("content"))) for one in trees(request.get("messages")))
    asked = request.get("max_completion_tokens") or request.get("max_tokens")
    went = asked if isinstance(asked, int) and not isinstance(asked, bool) and asked > 0 else 0
    usd = 0.0
    for one in endpoints:
        if one.price is not None:
            usd = max(usd, one.price.cost(Spent(came, went)))
        elif one.hour_price is None and not one.local and limits.tokens_a_day is None:
            raise Invalid(
                f"{one.model} at {one.name} has no price, and this workspace limits keys by "
                "dollars alone. An administrator can enter its price, or a limit in tokens."
            )
    return Fits(came + went, usd)


def must_be_open(limits: Relay) -> None:
    """Raises:
    Closed: nobody has opened it, or somebody closed it.
    """
    if not limits.open:
        raise Closed(
            "Running prompts through the hub is switched off in this workspace. An administrator "
            "can switch it on under Models."
        )


async def check(db: AsyncSession, limits: Relay, key_id: str, held: Fits, one: Fits) -> None:
    """Raises:
    UsedUp: with a sentence for whoever reads the program's log.
    """
    day = await db.get(RelayDay, (key_id, _today()))
    tokens, usd = (day.tokens, day.usd) if day else (0, 0.0)
    most, dear = limits.tokens_a_day, limits.usd_a_day
    if most is not None and (tokens >= most or tokens + held.tokens + one.tokens > most):
        raise UsedUp(
            f"This key may use {most:,} tokens a day and has used {tokens:,}; this call would "
            f"come to about {one.tokens:,}. {_again()}"
        )
    if dear is not None and (usd >= dear or usd + held.usd + one.usd > dear):
        raise UsedUp(
            f"This key may spend ${dear:,.2f} a day and has spent ${usd:,.2f}; this call would "
            f"come to about ${one.usd:,.4f}. {_again()}"
        )


async def write_down(
    db: AsyncSession, workspace_id: int, key_id: str, view: VersionView, call: Call
) -> None:
    """A call that is over, and what it used."""
    came = call.tokens_in
    if came is None and call.begun:
        came = sum(estimate(words(one.get("content"))) for one in trees(call.asked.get("messages")))
    db.add(
        RelayCall(
            workspace_id=workspace_id, key_id=key_id, prompt_id=view.prompt_id,
            prompt_name=view.name, version=view.number, model=call.model,
            connection=call.connection, state=call.state, error=call.error,
            finish_reason=call.finish_reason, tokens_in=came, tokens_out=call.tokens_out,
            estimated=call.estimated or came != call.tokens_in, cost_usd=call.cost_usd,
            first_token_s=call.first_token_s, total_s=call.total_s, at=now(),
        )
    )  # fmt: skip
    await _add(db, workspace_id, key_id, (came or 0) + (call.tokens_out or 0), call.cost_usd or 0.0)


async def _add(db: AsyncSession, workspace_id: int, key_id: str, tokens: int, usd: float) -> None:
    """In one statement: other processes add to the same row."""
    insert = sqlite.insert if (await db.connection()).dialect.name == "sqlite" else (
        postgresql.insert
    )  # fmt: skip
    row = insert(RelayDay).values(
        key_id=key_id, day=_today(), workspace_id=workspace_id, calls=1, tokens=tokens, usd=usd
    )
    await db.execute(
        row.on_conflict_do_update(
            index_elements=["key_id", "day"],
            set_={
                "calls": RelayDay.calls + 1, "tokens": RelayDay.tokens + tokens,
                "usd": RelayDay.usd + usd,
            },
        )
    )  # fmt: skip


async def forget_old(db: AsyncSession, workspace_id: int) -> None:
    """Calls beyond the newest `KEPT_CALLS`, and days of last year."""
    oldest = (
        select(RelayCall.id).where(RelayCall.workspace_id == workspace_id)
        .order_by(RelayCall.id.desc()).offset(KEPT_CALLS).limit(1)
    )  # fmt: skip
    if last := await db.scalar(oldest):
        old = (RelayCall.workspace_id == workspace_id) & (RelayCall.id <= last)
        await db.execute(delete(RelayCall).where(old))
    past = (now() - timedelta(days=400)).astimezone(UTC).date().isoformat()
    await db.execute(delete(RelayDay).where(RelayDay.day < past))


async def used_today(db: AsyncSession, workspace_id: int) -> list[RelayDay]:
    """What each key of the workspace has used of this day, the most first."""
    query = select(RelayDay).where(RelayDay.workspace_id == workspace_id, RelayDay.day == _today())
    return list(await db.scalars(query.order_by(RelayDay.tokens.desc())))


def _today() -> str:
    return now().astimezone(UTC).date().isoformat()


def _again() -> str:
    moment = now().astimezone(UTC)
    midnight = datetime.combine(moment.date() + timedelta(days=1), datetime.min.time(), UTC)
    hours = -(-(midnight - moment).total_seconds() // 3600)
    return f"The next day begins at midnight UTC, within {hours:.0f} hours."
