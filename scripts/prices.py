"""Write the price table and what its test compares with; run by scripts/build-prices.

Taken over is what a text model's tokens cost: input, output, cache read and cache write, dearer
tiers for long inputs, dated changes, and the hours of the day some providers are cheaper in.
"""

from __future__ import annotations

import importlib.metadata
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from genai_prices import Usage, calc_price, types
from genai_prices.data import providers

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "hub" / "playground" / "prices.json"
COMPARED = ROOT / "tests" / "corpus" / "prices.json"
UNITS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
PER_PROVIDER = 3
LEFT_OUT = {"modal", "openai-decisions"}
"""Whose addresses are people's own machines, paid by the hour; who shares another's address."""


def main() -> None:
    package = importlib.metadata.distribution("genai-prices")
    licence = next(path for path in package.files or [] if path.name == "LICENSE")
    built = datetime.now(UTC)
    listed = [one for one in providers if one.id not in LEFT_OUT]
    told = [provider for one in listed if (provider := of_provider(one))["models"]]
    head = {
        "date": f"{built:%Y-%m-%d}",
        "source": f"genai-prices {package.version}, https://github.com/pydantic/genai-prices",
        "licence": licence.read_text(),
    }
    lines = ",\n".join(
        json.dumps({key: value for key, value in one.items() if key != "models"})[:-1]
        + ', "models": [\n'
        + ",\n".join(json.dumps(model, separators=(",", ":")) for model in one["models"])
        + "\n]}"
        for one in told
    )
    TABLE.write_text(json.dumps(head, indent=1)[:-2] + ',\n "providers": [\n' + lines + "\n]}\n")
    cases = [case for one in listed for case in compared(one, built)]
    COMPARED.write_text(json.dumps({"at": built.isoformat(), "cases": cases}, indent=0) + "\n")
    print(
        f"{TABLE}: {sum(len(one['models']) for one in told)} models, {TABLE.stat().st_size} bytes"
    )


def of_provider(provider: types.Provider) -> dict[str, Any]:
    models = [
        {"match": clause(model.match), "prices": prices}
        for model in provider.models
        if (prices := dated(model.prices))
    ]
    return {
        "id": provider.id,
        "name": provider.name,
        "url": provider.api_pattern,
        "also": provider.fallback_model_providers or [],
        "models": models,
    }


def clause(match: Any) -> list[Any]:
    """`["equals", "gpt-5"]`, `["or", …, …]`."""
    match match:
        case types.ClauseOr(or_=inner):
            return ["or", *(clause(one) for one in inner)]
        case types.ClauseAnd(and_=inner):
            return ["and", *(clause(one) for one in inner)]
        case types.ClauseStartsWith(starts_with=text):
            return ["starts", text.lower()]
        case types.ClauseEndsWith(ends_with=text):
            return ["ends", text.lower()]
        case types.ClauseContains(contains=text):
            return ["contains", text.lower()]
        case types.ClauseEquals(equals=text):
            return ["equals", text.lower()]
        case types.ClauseRegex(regex=text):
            return ["regex", text]
    raise TypeError(match)


def dated(prices: Any) -> list[dict[str, Any]]:
    """In the package's order: the last that applies counts, else the first."""
    listed = [(None, prices)] if isinstance(prices, types.ModelPrice) else [
        (one.constraint, one.prices) for one in prices
    ]  # fmt: skip
    found = [(when, steps(one)) for when, one in listed]
    if any(one is None for _, one in found):
        return []
    return [{**condition(when), "usd": one} for when, one in found]


def condition(when: Any) -> dict[str, Any]:
    match when:
        case types.StartDateConstraint(start_date=start):
            return {"from": start.isoformat()}
        case types.TimeOfDateConstraint(start_time=start, end_time=end):
            return {"hours": [start.isoformat(), end.isoformat()]}
    return {}


def steps(price: types.ModelPrice) -> list[list[float | None]] | None:
    """`[above this many input tokens, in, out, read, write]`, dollars per million."""
    values = [getattr(price, unit) for unit in UNITS]
    if values[0] is None or values[1] is None:
        return None  # not a model that is paid by the token of text
    starts = {0}
    for value in values:
        if isinstance(value, types.TieredPrices):
            starts |= {tier.start for tier in value.tiers}
    return [[start, *(at(value, start) for value in values)] for start in sorted(starts)]


def at(value: Decimal | types.TieredPrices | None, start: int) -> float | None:
    if isinstance(value, types.TieredPrices):
        held = [tier.price for tier in value.tiers if tier.start <= start]
        value = held[-1] if held and start else value.base
    return None if value is None else float(value)


def compared(provider: types.Provider, built: datetime) -> list[list[Any]]:
    """What the package itself says of a few models, for the test of our reading of it."""
    told: list[list[Any]] = []
    usages = ((1200, 300, 0, 0), (250_000, 1000, 200_000, 10_000))
    for model in provider.models:
        if len(told) >= PER_PROVIDER * len(usages) or not dated(model.prices):
            continue
        for came, went, read, wrote in usages:
            usage = Usage(
                input_tokens=came, output_tokens=went, cache_read_tokens=read,
                cache_write_tokens=wrote,
            )  # fmt: skip
            try:
                price = calc_price(
                    usage, model.id, provider_id=provider.id, genai_request_timestamp=built
                )
            except LookupError:  # some models are not found by their own name
                continue
            told.append([provider.id, model.id, came, went, read, wrote, float(price.total_price)])
    return told


if __name__ == "__main__":
    main()
