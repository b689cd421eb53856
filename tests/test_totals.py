"""What a month costs on a machine of one's own: its hours, at the speed that was measured."""

from __future__ import annotations

from typing import Any

import pytest

from hub.playground.calls import THIS_MACHINE
from hub.playground.models import Run
from hub.playground.totals import HOUR, NO_PRICE, NOTHING, Volume, total


def answered(**figures: Any) -> Run:
    return Run(state="done", connection=THIS_MACHINE, model="m", **figures)


def test_at_the_tokens_a_second_that_were_measured():
    """300 tokens at 60 a second are 5 s; 3,000 calls a day are 17 % of one machine."""
    cells = [answered(tokens_out=200, tokens_per_s=50.0), answered(tokens_out=400, tokens_per_s=70)]
    found = total(cells, Volume(calls=3000, each=1, hour=2.5))
    assert found.month == 2.5 * 720
    assert found.formula == (
        "300 tokens ÷ 60 a second × 1 × 3,000 calls a day keep one machine 17 % busy, one answer "
        "at a time: 1 machine × $2.50 an hour × 720 hours"
    )
    agent = total(cells, Volume(calls=3000, each=15, hour=2.5))
    assert agent.month == 3 * 2.5 * 720
    assert "260 % busy" in agent.formula
    assert "3 machines" in agent.formula


def test_answers_of_a_word_are_counted_by_their_seconds():
    """No speed can be read off two tokens, and most of what sorts and classifies says no more."""
    cells = [answered(tokens_out=1, total_s=0.4), answered(tokens_out=2, total_s=0.6)]
    found = total(cells, Volume(calls=100_000, each=1, hour=2))
    assert found.month == 2 * 720
    assert found.formula.startswith(
        "0.50 s an answer × 1 × 100,000 calls a day keep one machine 58 %"
    )
    quiet = total(cells, Volume(calls=10, each=1, hour=2))
    assert "less than 1 % busy" in quiet.formula


def test_the_price_of_an_hour_that_was_entered_needs_no_typing():
    """It is the one of then: a run of last year does not get dearer."""
    cells = [answered(tokens_out=300, tokens_per_s=60.0, total_s=7.0, cost_usd=7 * 2.5 / 3600)]
    assert total(cells, Volume()).month == 2.5 * 720
    assert "1 machine × $2.50 an hour" in total(cells, Volume()).formula
    assert total(cells, Volume(hour=4)).month == 4 * 720


def test_a_machine_elsewhere_that_is_priced_by_the_hour_is_reckoned_by_its_seconds_and_says_so():
    cell = Run(state="done", connection="Our vLLM", model="m", total_s=3.6, cost_usd=0.002,
               cost_from="3.60 s at $2 an hour")  # fmt: skip
    found = total([cell], Volume(calls=1000))
    assert found.month == pytest.approx(0.002 * 1000 * 30)
    assert found.formula.endswith("× 30 days, while its machine is paid by the second")


def test_one_long_answer_does_not_stand_for_the_short_ones():
    """One that rambled for 500 tokens at 20 a second is one of ten, not what each of them takes."""
    short = [answered(tokens_out=2, total_s=0.5)] * 9
    found = total([*short, answered(tokens_out=500, tokens_per_s=20.0)], Volume(calls=10, hour=2))
    assert found.formula.startswith("3.0 s an answer × 1 × 10 calls a day")


@pytest.mark.parametrize("hour", [None, 2.0])
def test_what_is_not_known_is_not_made_up(hour: float | None):
    assert total([answered(tokens_out=1)], Volume(hour=hour)).month is None
    assert total([answered(total_s=1.0)], Volume()).month is None


def test_guards_are_paid_for_too():
    """Their own price, whoever answers; without one, their time on the machine that answers."""
    elsewhere = Run(state="done", connection="Cloud", model="m", tokens_in=1500, tokens_out=3000,
                    cost_usd=0.2, guards_s=0.3, guards_usd=0.0025)  # fmt: skip
    found = total([elsewhere], Volume(calls=3000, each=15))
    assert found.month == pytest.approx((0.2 + 0.0025) * 15 * 3000 * 30)
    assert "$0.2025 an answer, $0.0025 of it for guards, × 15 = $3.0375 a call" in found.formula
    assert "guards add 0.30 s, $2.50 per 1,000" in found.lines

    judged = Run(state="done", connection="Cloud", model="m", cost_usd=0.2, guards_s=0.3)
    alone = total([judged], Volume())
    assert alone.month == pytest.approx(0.2 * 1000 * 30)
    assert alone.formula.endswith("30 days, without the guards, whose price is not known")

    here = answered(tokens_out=300, tokens_per_s=60.0, guards_s=3.0)
    found = total([here], Volume(calls=10_000, hour=2))
    assert "(300 tokens ÷ 60 a second + 3.0 s for guards) × 1 × 10,000 calls" in found.formula
    assert "93 % busy" in found.formula

    mixed = answered(tokens_out=300, tokens_per_s=60.0, guards_s=1.0, guards_usd=0.001)
    found = total([mixed], Volume(calls=1000, hour=2))
    assert found.month == pytest.approx(2 * 720 + 0.001 * 1000 * 30)
    assert found.formula.endswith("and $30.00 for guards elsewhere")


def test_a_month_that_cannot_be_told_says_what_is_missing():
    assert total([answered(tokens_out=200, tokens_per_s=50.0)], Volume()).formula == HOUR
    elsewhere = Run(state="done", connection="Acme", model="m", tokens_out=9)
    assert total([elsewhere], Volume(hour=2.0)).formula == NO_PRICE
    held = Run(state="stopped", connection="Acme", model="m", error="Held back")
    found = total([held, held], Volume())
    assert (found.lines, found.formula) == (("2 of 2 stopped",), NOTHING)
