"""What stands under a column: how fast, how dear, and what a month of it would cost. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, median

import msgspec

from hub.playground.calls import Call
from hub.playground.cells import dollars, is_local, seconds
from hub.playground.models import Run

DAYS = 30
HOURS = 24 * DAYS
MOST_CALLS = 1_000_000_000
NOTHING = "Nothing was answered."
HOUR = "Type what an hour of the machine costs."
NO_PRICE = "No price known. An administrator can enter it under Models."


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """How much it will be used."""

    calls: int = 1000
    """A day."""
    each: int = 1
    """Model calls in one of them: an agent makes many."""
    hour: float | None = None
    """US dollars for an hour of a machine of one's own."""
    problem: str = ""
    """Why what was typed is not used."""


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one column, together."""

    lines: tuple[str, ...]
    """`median 0.21 s, p95 0.40 s to the first word`, …"""
    month: float | None = None
    """US dollars in 30 days."""
    formula: str = ""
    """How `month` comes about, with its figures; without a `month`, what is missing."""
    first_s: float | None = None
    whole_s: float | None = None
    """Medians, to the first word and to the last."""
    thousand: float | None = None
    """US dollars of 1,000 answers, with what their guards cost."""
    local: bool = False
    """Answered by this machine, of which an hour may have a price."""
    lacking: int = 0
    """How many failed or were stopped."""
    right: tuple[int, int] | None = None
    """How many were as their examples expect, and of how many."""
    shape: tuple[int, int] | None = None
    """How many have the shape that was asked for, and of how many."""
    rating: float | None = None
    chosen: tuple[int, int] | None = None
    """How often it was voted the best, and of how many votes."""

    @property
    def answered(self) -> bool:
        return self.formula != NOTHING


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What the guards of a column add."""

    took: tuple[float, ...] = ()
    """Seconds, an entry for each answer that was judged."""
    usd: float = 0
    own_s: float = 0
    """For an answer: dollars, and seconds of guards that have no price (those of this machine)."""

    @property
    def lines(self) -> list[str]:
        if not self.took:
            return []
        dear = f", {dollars(1000 * self.usd)} per 1,000" if self.usd else ""
        return [f"guards add {_spread(self.took)}{dear}"]

    @property
    def unpriced(self) -> str:
        """Said where a sum leaves some of them out."""
        return ", without the guards, whose price is not known" if self.own_s else ""


def read_volume(typed: Mapping[str, str]) -> Volume:
    """From an address's query; what is not a usable number is said, and the default stands."""
    calls, each = typed.get("calls", "").strip(), typed.get("each", "").strip()
    hour = typed.get("hour", "").strip().replace(",", ".").removeprefix("$")
    try:
        made = Volume(
            calls=_whole(calls, 1000), each=_whole(each, 1), hour=float(hour) if hour else None
        )
    except ValueError:
        made = None
    if made is None or (made.hour is not None and not 0 < made.hour <= 10_000):
        return Volume(
            problem="Calls a day and model calls in each are whole numbers from 1; "
            "a price of an hour is a number like 2.50."
        )
    return made


def _whole(text: str, default: int) -> int:
    if not text:
        return default
    plain = text.replace(",", "").replace(" ", "")
    if not plain.isdecimal() or len(plain) > 10 or not 1 <= int(plain) <= MOST_CALLS:
        raise ValueError(text)
    return int(plain)


def total(cells: Sequence[Call | Run], volume: Volume) -> Total:
    """Medians over the answers that came; money for all that is to come."""
    done = [cell for cell in cells if cell.state == "done"]
    lines: list[str] = []
    firsts = [cell.first_token_s for cell in done if cell.first_token_s is not None]
    if firsts:
        lines.append(_spread(firsts) + " to the first word")
    wholes = [cell.total_s for cell in done if cell.total_s is not None]
    if wholes:
        lines.append(_spread(wholes) + " in all")
    costs = [cell.cost_usd for cell in done if cell.cost_usd is not None]
    if costs:
        lines.append(f"{dollars(1000 * fmean(costs))} per 1,000 answers")
    watched, local = _watched(done), bool(done) and all(is_local(cell) for cell in done)
    lines += [*watched.lines, *(["local"] if local else []), *_lacking(cells)]
    month, formula = _month(done, costs, volume, watched, local=local)
    return Total(
        lines=tuple(lines), month=month, formula=formula, local=local,
        lacking=len(_lacking_of(cells)),
        first_s=median(firsts) if firsts else None, whole_s=median(wholes) if wholes else None,
        thousand=1000 * (fmean(costs) + watched.usd) if costs else None,
    )  # fmt: skip


def _lacking_of(cells: Sequence[Call | Run]) -> list[Call | Run]:
    return [cell for cell in cells if cell.state in ("failed", "stopped")]


def _lacking(cells: Sequence[Call | Run]) -> list[str]:
    counted = Counter(cell.state for cell in _lacking_of(cells))
    return [f"{some} of {len(cells)} {ended}" for ended, some in sorted(counted.items())]


def _month(
    done: list[Call | Run], costs: list[float], volume: Volume, watched: Watched, *, local: bool
) -> tuple[float | None, str]:
    if local:
        volume = msgspec.structs.replace(volume, hour=volume.hour or _kept_hour(done))
        money = _owned(done, volume, watched)
    else:
        money = _paid(done, costs, volume, watched) if costs else None
    if money or not done:
        return money or (None, NOTHING)
    return None, HOUR if local and volume.hour is None else NO_PRICE


def _watched(done: list[Call | Run]) -> Watched:
    if not done:
        return Watched()
    took = [cell.guards_s for cell in done if cell.guards_s is not None]
    free = [cell.guards_s or 0 for cell in done if cell.guards_usd is None]
    return Watched(
        took=tuple(took), usd=sum(cell.guards_usd or 0 for cell in done) / len(done),
        own_s=sum(free) / len(done),
    )  # fmt: skip


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return seconds(values[0])
    return f"median {seconds(median(values))}, p95 {seconds(p95(values))}"


def p95(values: Sequence[float]) -> float:
    """The nearest-rank percentile: a time that was measured, not one in between."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _paid(
    done: list[Call | Run], costs: list[float], volume: Volume, watched: Watched
) -> tuple[float, str]:
    answer = fmean(costs) + watched.usd
    month = answer * volume.each * volume.calls * DAYS
    guarded = f", {_exact(watched.usd)} of it for guards," if watched.usd else ""
    hourly = any((cell.cost_from or "").endswith(" an hour") for cell in done)
    seconds_alone = ", while its machine is paid by the second" if hourly else ""
    return month, (
        f"{_tokens(done)}: {_exact(answer)} an answer{guarded} × {volume.each:,} = "
        f"{_exact(answer * volume.each)} a call × {volume.calls:,} a day = "
        f"{_exact(answer * volume.each * volume.calls)} a day × {DAYS} days"
        f"{watched.unpriced}{seconds_alone}"
    )


def _owned(done: list[Call | Run], volume: Volume, watched: Watched) -> tuple[float, str] | None:
    """A machine that is rented by the hour, whether busy or not; it judges, too, where guards run
    on it, and guards elsewhere are paid beside it."""
    spells = [spell for cell in done if (spell := _spell(cell)) is not None]
    if volume.hour is None or not spells:
        return None
    if all(cell.tokens_out and cell.tokens_per_s for cell in done):
        tokens = fmean(float(cell.tokens_out or 0) for cell in done)
        rate = fmean(cell.tokens_per_s or 0 for cell in done)
        spent, said = tokens / rate, f"{tokens:,.0f} tokens ÷ {rate:,.0f} a second"
    else:
        # Answers of a word or two have no speed that could be read off them: one that rambled
        # must not stand for the others.
        spent = fmean(spells)
        said = f"{seconds(spent)} an answer"
    if watched.own_s:
        spent += watched.own_s
        said = f"({said} + {seconds(watched.own_s)} for guards)"
    beside = watched.usd * volume.each * volume.calls * DAYS
    busy = spent * volume.each * volume.calls / 86_400
    machines = max(1, math.ceil(busy))
    owned = "1 machine" if machines == 1 else f"{machines:,} machines"
    paid = f", and {_exact(beside)} for guards elsewhere" if beside else ""
    return machines * volume.hour * HOURS + beside, (
        f"{said} × {volume.each:,} × {volume.calls:,} calls a "
        f"day keep one machine {_share(busy)} busy, one answer at a time: {owned} × "
        f"{_exact(volume.hour)} an hour × {HOURS} hours{paid}"
    )


def _kept_hour(done: list[Call | Run]) -> float | None:
    """What an hour of this machine cost when it answered, where that was entered."""
    for cell in done:
        if cell.cost_usd and cell.total_s:
            return round(3600 * cell.cost_usd / cell.total_s, 4)
    return None


def _spell(cell: Call | Run) -> float | None:
    """Seconds of the machine for an answer: at its speed, else from its beginning to its end."""
    if cell.tokens_out and cell.tokens_per_s:
        return cell.tokens_out / cell.tokens_per_s
    return cell.total_s or None


def _share(busy: float) -> str:
    """`21 %`; a little is not nothing."""
    return f"{100 * busy:,.0f} %" if busy >= 0.01 else "less than 1 %"


def _tokens(done: list[Call | Run]) -> str:
    ins = [cell.tokens_in for cell in done if cell.tokens_in is not None]
    outs = [cell.tokens_out for cell in done if cell.tokens_out is not None]
    if not ins or not outs:
        return "On average"
    return f"{fmean(ins):,.0f} tokens in and {fmean(outs):,.0f} out"


def _exact(value: float) -> str:
    """`$0.2025`, `$2.50`, `$9,112.50`: as many places as the sum needs to be followed."""
    if value >= 100:
        return f"${value:,.2f}"
    whole, _, part = f"{value:.{4 if value >= 1 else 6}f}".partition(".")
    return f"${whole}.{part.rstrip('0').ljust(2, '0')}"
