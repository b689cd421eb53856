"""What a model costs and where it is, in the line under the menu that it is chosen from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from hub.playground import prices
from hub.playground.aliases import RULES
from hub.playground.connections import own_price
from hub.playground.models import Alias, Connection
from hub.playground.prices import Price
from hub.playground.room import Choice


def told(
    choices: Sequence[Choice], kept: Sequence[Connection], hour_price: float | None, at: datetime
) -> list[Choice]:
    """The models of this machine and of connections, each with its line."""
    by_id = {str(one.id): one for one in kept}
    return [
        msgspec.structs.replace(one, about=f"{one.where} · {_cost(one, by_id, hour_price, at)}")
        for one in choices
    ]


def alias(one: Alias, known: Mapping[str, Choice]) -> str:
    """Which models an alias stands for, and who of them is asked first."""
    names = [
        f"{found.model} at {found.where}" for value in one.targets if (found := known.get(value))
    ]
    # Kept in the order they were entered in, which only the rule "in this order" follows.
    of = ":" if one.rule == "order" else " of"
    return f"{RULES[one.rule]}{of} {', '.join(names)}" if names else "None is left of it"


def per_million(price: Price) -> str:
    """`$0.15 in, $0.60 out per million tokens`.

    >>> per_million(Price(0.15, 0.6)), per_million(Price(0, 0))
    ('$0.15 in, $0.60 out per million tokens', 'free of charge')
    """
    if not price.input and not price.output:
        return "free of charge"
    return f"{dollars(price.input)} in, {dollars(price.output)} out per million tokens"


def dollars(value: float) -> str:
    """As people write a price.

    >>> dollars(15), dollars(2.5), dollars(0.0375), dollars(1.125)
    ('$15', '$2.50', '$0.0375', '$1.125')
    """
    if value == round(value):
        return f"${value:,.0f}"
    return f"${value:,.2f}" if value == round(value, 2) else f"${value:,.4g}"


def _cost(
    choice: Choice, kept: Mapping[str, Connection], hour_price: float | None, at: datetime
) -> str:
    """By the same precedence that a run's cost has (`Call.price`)."""
    where, _, model = choice.value.partition(":")
    if where == "local":
        return "no charge per call" if hour_price is None else _by_the_hour(hour_price)
    if (connection := kept.get(where)) is None:
        return "price not known"
    if (own := own_price(connection, model)) is not None:
        return per_million(own)
    if connection.hour_price is not None:
        return _by_the_hour(connection.hour_price)
    listed = prices.of(connection.base_url, model, at)
    return per_million(listed) if listed is not None else "price not known"


def _by_the_hour(price: float) -> str:
    return f"{dollars(price)} for an hour of the machine"
