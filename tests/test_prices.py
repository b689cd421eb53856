"""What a call costs: our reading of the price list against the package it was built from."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.playground import prices
from hub.playground.prices import Price, Spent

KEPT = json.loads((Path(__file__).parent / "corpus" / "prices.json").read_text())
AT = datetime.fromisoformat(KEPT["at"])
OPENAI = "https://api.openai.com/v1"


def test_every_provider_costs_what_the_package_says():
    """Cache reads and writes, long inputs, dated prices and hours of the day among them."""
    assert len(KEPT["cases"]) > 150
    for provider, model, came, went, read, wrote, dollars in KEPT["cases"]:
        price = prices.of_provider(provider, model, AT)
        assert price is not None, (provider, model)
        cost = price.cost(Spent(came, went, read, wrote))
        assert cost == pytest.approx(dollars, rel=1e-6, abs=1e-12), (provider, model)


def test_the_list_says_whence_and_when():
    table = prices.table()
    assert datetime.fromisoformat(table.date) <= datetime.now()
    assert table.source.startswith("genai-prices ")
    assert "MIT License" in table.licence
    price = prices.of(OPENAI, "gpt-5-mini", AT)
    assert price is not None
    assert price.source == f"list price of {table.date}"


def test_a_model_is_known_by_where_it_runs():
    """The same name on somebody's own machine has no list price."""
    assert prices.of("https://openrouter.ai/api/v1", "openai/gpt-5-mini", AT) is not None
    assert prices.of("http://10.0.0.5:8000/v1", "gpt-5-mini", AT) is None
    assert prices.of("https://evil.example/https://api.openai.com", "gpt-5-mini", AT) is None
    assert prices.of(OPENAI, "nobody-knows-it", AT) is None


def test_long_inputs_and_hours_of_the_day():
    dearer = Price(1, 2, above=((200_000, Price(2, 3)),))
    assert dearer.cost(Spent(200_000, 0)) == pytest.approx(0.2)
    assert dearer.cost(Spent(200_001, 1000)) == pytest.approx(0.400002 + 0.003)
    day, night = (
        prices.of(
            "https://api.deepseek.com/v1", "deepseek-chat", datetime(2026, 5, 1, hour, tzinfo=UTC)
        )
        for hour in (12, 20)
    )
    assert day is not None
    assert night is not None
    assert night.input < day.input


def test_what_the_cache_gives_is_part_of_the_input():
    price = Price(10, 0, cached=1, written=12)
    assert price.cost(Spent(100, 0, 60, 20)) == pytest.approx((20 * 10 + 60 + 20 * 12) / 1e6)
    assert Price(10, 0).cost(Spent(100, 0, 60, 20)) == pytest.approx(1000 / 1e6)
    assert price.cost(Spent(10, 0, 500, 500)) == pytest.approx(10 / 1e6)  # a lie is bounded
