"""What tokens cost: the list prices that came with the hub, and arithmetic with any price.

The table is built by `scripts/build-prices`, carries the day it was made, and is never fetched: a
run keeps its price and its quantities, so history does not change when the list does.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

TABLE = Path(__file__).with_name("prices.json")
MILLION = 1_000_000
Json = dict[str, Any]


class Spent(msgspec.Struct, frozen=True):
    """Tokens of one call. What the cache gave and took is part of `came`."""

    came: int
    went: int
    cached: int = 0
    written: int = 0


class Price(msgspec.Struct, frozen=True):
    """US dollars per million tokens; above a length of input, all tokens may cost more."""

    input: float
    output: float
    cached: float | None = None
    written: float | None = None
    source: str = "as entered under Models"
    of_list: bool = False
    above: tuple[tuple[int, Price], ...] = ()

    def cost(self, spent: Spent) -> float:
        """Dollars for these tokens; where a cache has no price of its own it costs as input."""
        price = self
        for start, dearer in self.above:
            if spent.came > start:
                price = dearer
        cached = min(spent.cached, spent.came)
        written = min(spent.written, spent.came - cached)
        fresh = spent.came - cached - written
        return (
            fresh * price.input
            + cached * (price.input if price.cached is None else price.cached)
            + written * (price.input if price.written is None else price.written)
            + spent.went * price.output
        ) / MILLION


class _Provider(msgspec.Struct, frozen=True):
    id: str
    name: str
    url: str
    also: list[str]
    models: list[Json]


class _Table(msgspec.Struct, frozen=True):
    date: str
    source: str
    licence: str
    providers: list[_Provider]


@cache
def table() -> _Table:
    """The list, read when a price is first asked for."""
    return msgspec.json.decode(TABLE.read_bytes(), type=_Table)


def of(base_url: str, model: str, at: datetime) -> Price | None:
    """The list price of a provider's model at that moment; None: the list does not know it."""
    provider = _where(base_url)
    return of_provider(provider, model, at) if provider else None


def of_provider(provider_id: str, model: str, at: datetime) -> Price | None:
    """The same for a provider known by its name in the list."""
    found = _find(provider_id, model.lower())
    return _price(found, at.astimezone(UTC)) if found else None


@lru_cache(maxsize=256)
def _where(base_url: str) -> str:
    return next((one.id for one in table().providers if re.match(one.url, base_url)), "")


@lru_cache(maxsize=8192)
def _find(provider_id: str, model: str) -> Json | None:
    """The first that matches, of the provider's own models or of those it resells."""
    known = {one.id: one for one in table().providers}
    if provider_id not in known:
        return None
    for id in (provider_id, *known[provider_id].also):
        if id not in known:
            continue
        models, (exact, patterns) = known[id].models, _index(id)
        at = exact.get(model, len(models))
        loose = (one for one in patterns if one < at and _matches(models[one]["match"], model))
        if (first := next(loose, at)) < len(models):
            return models[first]
    return None


@cache
def _index(provider_id: str) -> tuple[dict[str, int], list[int]]:
    """A provider's models by whole names, and the places of those that are found by a pattern.

    Some list a thousand models by name; a page may ask for five hundred of them.
    """
    exact: dict[str, int] = {}
    patterns: list[int] = []
    provider = next(one for one in table().providers if one.id == provider_id)
    for at, listed in enumerate(provider.models):
        kind, *values = listed["match"]
        names = [listed["match"]] if kind != "or" else values
        if all(one[0] == "equals" for one in names):
            for one in names:
                exact.setdefault(one[1], at)
        else:
            patterns.append(at)
    return exact, patterns


def _matches(clause: list[Any], model: str) -> bool:
    kind, *values = clause
    match kind:
        case "or":
            return any(_matches(one, model) for one in values)
        case "and":
            return all(_matches(one, model) for one in values)
        case "starts":
            return model.startswith(values[0])
        case "ends":
            return model.endswith(values[0])
        case "contains":
            return values[0] in model
        case "equals":
            return model == values[0]
        case _:
            return re.search(values[0], model) is not None


def _price(listed: Json, at: datetime) -> Price:
    """Of several, the last whose condition holds; else the first."""
    applying = [one for one in listed["prices"] if _applies(one, at)]
    steps = (applying or listed["prices"][:1])[-1]["usd"]
    source = f"list price of {table().date}"
    made = [
        (int(start), Price(came, went, read, wrote, source, of_list=True))
        for start, came, went, read, wrote in steps
    ]
    return msgspec.structs.replace(made[0][1], above=tuple(made[1:]))


def _applies(dated: Json, at: datetime) -> bool:
    if "from" in dated:
        return f"{at:%Y-%m-%d}" >= dated["from"]
    if "hours" in dated:
        start, end = (time.fromisoformat(one) for one in dated["hours"])
        now = at.timetz()
        return start <= now < end if start <= end else now >= start or now < end
    return True
