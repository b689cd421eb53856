"""What a key may use of a day: set aside before a call, settled after it, in SQL.

One statement sets aside what the call may come to at the most (`relay.sizes`), and only if that
fits into what is left beside all that is set aside already; so calls that begin at once, in one
process or several, cannot pass the limit together. A process that dies leaves what its calls had
set aside, which counts until the day ends: nobody knows what they cost.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Forbidden, HubError, Invalid
from hub.people import audit
from hub.people.policy import Actor, WorkspaceRef
from hub.playground.calls import Call
from hub.playground.relay.models import Relay, RelayCall, RelayDay
from hub.playground.relay.sizes import Fits, used
from hub.registry.reading.record import VersionView

MOST_AT_ONCE = 16
"""Calls of one key in one process."""
KEPT_CALLS = 20_000
"""Of a workspace; older ones are forgotten, now and then."""
MOST_TOKENS, MOST_USD = 10**12, 10**6


class Closed(Forbidden):
    """Programs may not run prompts through the hub in this workspace."""


class UsedUp(HubError):
    """The key has had what it may have of this day."""

    status = 429


class Busy(HubError):
    """The key has as many calls running as it may, or as its budget has room for."""

    status = 429


class Held:
    """How many calls of each key run in this process."""

    def __init__(self) -> None:
        self._calls = Counter[str]()

    def take(self, key_id: str) -> None:
        """Raises:
        Busy: there are too many.
        """
        if self._calls[key_id] >= MOST_AT_ONCE:
            raise Busy(f"This key has {MOST_AT_ONCE} calls running. Wait for one of them to end.")
        self._calls[key_id] += 1

    def give_back(self, key_id: str) -> None:
        self._calls[key_id] -= 1
        if not self._calls[key_id]:
            del self._calls[key_id]


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


def must_be_open(limits: Relay) -> None:
    """Raises:
    Closed: nobody has opened it, or somebody closed it.
    """
    if not limits.open:
        raise Closed(
            "Running prompts through the hub is switched off in this workspace. An administrator "
            "can switch it on under Models."
        )


async def reserve(
    db: AsyncSession, workspace: WorkspaceRef, key_id: str, view: VersionView, one: Fits
) -> int:
    """Set aside what the call may come to, and note that it runs; the id of that note.

    Raises:
        Closed: somebody closed it meanwhile.
        UsedUp, Busy: it does not fit; with a sentence for whoever reads the program's log.
    """
    limits = await settings(db, workspace.id)
    must_be_open(limits)
    most, dear = limits.tokens_a_day or MOST_TOKENS, limits.usd_a_day or MOST_USD
    if one.tokens > most or one.usd > dear or not await _set_aside(db, workspace.id, key_id, one,
                                                                   most, dear):  # fmt: skip
        raise await _refusal(db, limits, key_id, one)
    call = RelayCall(
        workspace_id=workspace.id, key_id=key_id, prompt_id=view.prompt_id, prompt_name=view.name,
        version=view.number, model="", connection="", state="running", estimated=True, at=now(),
    )  # fmt: skip
    db.add(call)
    await db.flush()
    return call.id


async def _set_aside(
    db: AsyncSession, workspace_id: int, key_id: str, one: Fits, most: int, dear: float
) -> bool:
    """In one statement, which compares: other processes set aside in the same row."""
    insert = sqlite.insert if (await db.connection()).dialect.name == "sqlite" else (
        postgresql.insert
    )  # fmt: skip
    row = insert(RelayDay).values(
        key_id=key_id, day=_day(now()), workspace_id=workspace_id, calls=0, tokens=0, usd=0.0,
        held_tokens=one.tokens, held_usd=one.usd,
    )  # fmt: skip
    made = row.on_conflict_do_update(
        index_elements=["key_id", "day"],
        set_={
            "held_tokens": RelayDay.held_tokens + one.tokens,
            "held_usd": RelayDay.held_usd + one.usd,
        },
        where=(RelayDay.tokens + RelayDay.held_tokens + one.tokens <= most)
        & (RelayDay.usd + RelayDay.held_usd + one.usd <= dear),
    )
    return await db.scalar(made.returning(RelayDay.day)) is not None


async def _refusal(db: AsyncSession, limits: Relay, key_id: str, one: Fits) -> HubError:
    day = await db.get(RelayDay, (key_id, _day(now())))
    tokens, usd = (day.tokens, day.usd) if day else (0, 0.0)
    most, dear = limits.tokens_a_day, limits.usd_a_day
    answer = f"about {one.tokens:,}, up to {one.longest:,} of them its answer"
    if most is not None and tokens + one.tokens > most:
        return UsedUp(
            f"This key may use {most:,} tokens a day and has used {tokens:,}; this call could "
            f"come to {answer}. Ask for a shorter answer, or wait: {_again()}"
        )
    if dear is not None and usd + one.usd > dear:
        return UsedUp(
            f"This key may spend ${dear:,.2f} a day and has spent ${usd:,.2f}; this call could "
            f"come to ${one.usd:,.4f}. Ask for a shorter answer, or wait: {_again()}"
        )
    return Busy(
        "What is left of this key's day is set aside for calls that have begun; this one could "
        f"come to {answer} tokens. Ask again when one of them has ended."
    )


async def settle(db: AsyncSession, id: int, one: Fits, call: Call) -> None:
    """A call that is over: what it used takes the place of what was set aside for it, on the day
    on which it began."""
    note = await db.get_one(RelayCall, id)
    tokens, usd = used(call, one)
    note.model, note.connection, note.state = call.model, call.connection, call.state
    note.error, note.finish_reason = call.error, call.finish_reason
    note.estimated = call.estimated or call.tokens_in is None
    note.tokens_in, note.tokens_out, note.cost_usd = call.tokens_in, call.tokens_out, call.cost_usd
    note.first_token_s, note.total_s = call.first_token_s, call.total_s
    await db.execute(
        update(RelayDay)
        .where(RelayDay.key_id == note.key_id, RelayDay.day == _day(note.at))
        .values(
            calls=RelayDay.calls + 1, tokens=RelayDay.tokens + tokens, usd=RelayDay.usd + usd,
            held_tokens=RelayDay.held_tokens - one.tokens, held_usd=RelayDay.held_usd - one.usd,
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
    past = _day(now() - timedelta(days=400))
    await db.execute(delete(RelayDay).where(RelayDay.day < past))


async def used_today(db: AsyncSession, workspace_id: int) -> list[RelayDay]:
    """What each key of the workspace has used of this day, the most first."""
    query = select(RelayDay).where(
        RelayDay.workspace_id == workspace_id, RelayDay.day == _day(now())
    )
    return list(await db.scalars(query.order_by(RelayDay.tokens.desc())))


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def _again() -> str:
    moment = now().astimezone(UTC)
    midnight = datetime.combine(moment.date() + timedelta(days=1), datetime.min.time(), UTC)
    hours = -(-(midnight - moment).total_seconds() // 3600)
    return f"the next day begins at midnight UTC, within {hours:.0f} hours."
