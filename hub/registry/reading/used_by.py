"""Which programs use a prompt, for people: a line per program, environment and label."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.registry.indexing.ledger import Steps, steps_of
from hub.registry.models import Label, Prompt
from hub.registry.reading.callers import ALIVE, KEPT, Caller, CallerUse

MOST_LINES = 100
MOST_ROWS = 20_000
ASKS = "asks"
"""The state of what does not follow changes: nobody can say that it is behind."""
IN_STEP = timedelta(seconds=90)
"""Programs in step say so every minute, give or take."""


FROM_THE_HUB = {"stream", "poll", "hub", "cache", ""}
"""Sources of a version; of the others people are told. One asked for by its number is kept."""


class Serving(msgspec.Struct):
    """A version that programs of a line serve."""

    version: int
    programs: int = 0
    per_minute: float = 0.0
    calls: int = 0
    errors: int = 0
    live: bool = False
    """The label points at it now."""


class Line(msgspec.Struct, kw_only=True):
    """A program in an environment, under a label (`""`: by a version's number)."""

    app: str
    environment: str
    label: str
    sdks: list[str] = []
    programs: int = 0
    """How many run; 0: the line tells of those that ran last."""
    behind: timedelta | None = None
    """How long the one furthest behind has been out of step; None: all are in step."""
    seen_at: datetime
    servings: list[Serving] = []
    asks: bool = False
    """Another tool's client, which the hub sees when it asks, and of whose processes it knows no
    number."""
    sources: list[str] = []
    """Where versions come from that are not from the hub: `snapshot`, `bundled`, `default`."""

    @property
    def per_minute(self) -> float:
        return sum(one.per_minute for one in self.servings)

    @property
    def shown(self) -> list[Serving]:
        """Not what was served before the last change, though its calls are counted still."""
        return [one for one in self.servings if one.programs or one.live or not self.programs]

    @property
    def errors(self) -> int:
        return sum(one.errors for one in self.servings)

    @property
    def calls(self) -> int:
        return sum(one.calls for one in self.servings)

    @property
    def missing(self) -> int:
        """Programs that do not serve what the label points at."""
        there = sum(one.programs for one in self.servings if one.live)
        return max(0, self.programs - there) if self.programs and self.label else 0


class Arrival(msgspec.Struct, frozen=True):
    """How far a release has come; in a gradual one, a program with either version is there."""

    label: str
    version: int
    there: int
    programs: int
    """Processes: a program may run in many; of other tools' clients nobody knows how many run."""
    steps: Steps | None = None


class UsedBy(msgspec.Struct, frozen=True):
    """Everything the page shows."""

    lines: list[Line]
    arrivals: list[Arrival]

    @property
    def running(self) -> bool:
        """Whether a release would be seen arriving: it takes some seconds."""
        return bool(self.arrivals)

    @property
    def arriving(self) -> bool:
        return any(one.there < one.programs for one in self.arrivals)


class Pointed(msgspec.Struct, frozen=True):
    """What a label means now."""

    version: int
    """That of the larger share."""
    steps: Steps | None = None

    @property
    def versions(self) -> tuple[int, ...]:
        return (self.steps.new, self.steps.old) if self.steps else (self.version,)


async def used_by(db: AsyncSession, workspace_id: int, prompt_id: str) -> UsedBy:
    """The programs that used the prompt in the last week, those that run first."""
    live = await _live(db, workspace_id, prompt_id)
    query = (
        select(CallerUse, Caller)
        .join(
            Caller,
            and_(
                Caller.workspace_id == CallerUse.workspace_id,
                Caller.instance == CallerUse.instance,
            ),
        )
        .where(
            CallerUse.workspace_id == workspace_id, CallerUse.prompt_id == prompt_id,
            CallerUse.seen_at > now() - KEPT,
        )
        .order_by(CallerUse.seen_at.desc())
        .limit(MOST_ROWS)
    )  # fmt: skip
    rows = [(use, caller) for use, caller in await db.execute(query)]
    groups: dict[tuple[str, str, str], list[tuple[CallerUse, Caller]]] = {}
    for use, caller in rows:
        groups.setdefault((caller.app, caller.environment, use.label), []).append((use, caller))
    lines = [_line(key, group, live, now()) for key, group in groups.items()]
    lines.sort(key=lambda one: (one.programs == 0, one.label, one.app, one.environment))
    return UsedBy(lines[:MOST_LINES], list(_arrivals(lines, live)))


async def _live(db: AsyncSession, workspace_id: int, prompt_id: str) -> dict[str, Pointed]:
    query = select(Label.label, Label.version, Label.beside).where(
        Label.workspace_id == workspace_id, Label.prompt_id == prompt_id
    )
    live = {
        row.label: Pointed(row.version, steps_of(row.beside, row.version))
        for row in await db.execute(query)
    }
    head = select(Prompt.head).where(Prompt.workspace_id == workspace_id, Prompt.id == prompt_id)
    return live | {"latest": Pointed(await db.scalar(head) or 0)}


def _line(
    key: tuple[str, str, str], group: list[tuple[CallerUse, Caller]], live: dict[str, Pointed],
    at: datetime,
) -> Line:  # fmt: skip
    app, environment, label = key
    alive = [pair for pair in group if _runs(pair[1], at)]
    told = alive or group[:1]
    line = Line(
        app=app, environment=environment, label=label, seen_at=max(c.seen_at for _, c in told),
        sdks=sorted({caller.sdk for _, caller in told if caller.sdk}),
        programs=len({caller.instance for _, caller in alive}),
    )  # fmt: skip
    by_program: dict[str, list[tuple[CallerUse, Caller]]] = {}
    for pair in told:
        by_program.setdefault(pair[1].instance, []).append(pair)
    servings: dict[int, Serving] = {}
    serves: list[CallerUse] = []
    for pairs in by_program.values():
        now = live.get(label)
        serves.append(_add(servings, [use for use, _ in pairs], now.versions if now else ()))
    line.servings = sorted(servings.values(), key=lambda one: -one.version)
    line.asks = all(caller.state == ASKS for _, caller in told)
    line.behind = max((_behind(caller, at) for _, caller in alive), default=None) or None
    line.sources = sorted({use.source for use in serves} - FROM_THE_HUB)
    return line


def _runs(caller: Caller, at: datetime) -> bool:
    return caller.seen_at > at - ALIVE and caller.state != "closed"


def _add(servings: dict[int, Serving], uses: list[CallerUse], live: tuple[int, ...]) -> CallerUse:
    """What one process serves: the versions of its last report; of a change, the newer one."""
    last = max(use.seen_at for use in uses)
    present = [use for use in uses if use.seen_at == last]
    for use in present:
        one = servings.setdefault(use.version, Serving(use.version, live=use.version in live))
        one.calls += use.calls
        one.errors += use.errors
        one.per_minute += 60 * use.calls / use.seconds if use.seconds else 0.0
    arrived = next((use for use in present if use.version in live), None)
    newest = arrived or max(present, key=lambda use: use.version)
    servings[newest.version].programs += 1
    return newest


def _behind(caller: Caller, at: datetime) -> timedelta:
    if caller.state == ASKS:
        return timedelta(0)
    silent = at - caller.seen_at
    out = timedelta(seconds=caller.age) + silent
    if caller.state in {"live", "polling"} and out <= IN_STEP:
        return timedelta(0)
    return max(out, timedelta(seconds=1))


def _arrivals(lines: Iterable[Line], live: dict[str, Pointed]) -> Iterable[Arrival]:
    totals: dict[str, list[int]] = {}
    for line in lines:
        if line.label in live and line.programs and not line.asks:
            of_label = totals.setdefault(line.label, [0, 0])
            of_label[0] += line.programs - line.missing
            of_label[1] += line.programs
    for label, (there, programs) in sorted(totals.items()):
        if label != "latest":
            yield Arrival(label, live[label].version, there, programs, live[label].steps)


def rate(value: float) -> str:
    """Calls a minute, as people say it."""
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}".rstrip("0").rstrip(".") if value else "0"


def span(value: timedelta) -> str:
    """How long, in one unit."""
    seconds = int(value.total_seconds())
    units: list[tuple[int, str]] = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")]
    size, word = next((unit for unit in units if seconds >= unit[0]), units[-1])
    count = seconds // size
    return f"{count} {word}{'' if count == 1 else 's'}"


def context(found: UsedBy) -> dict[str, Any]:
    return {"used": found, "rate": rate, "span": span}
