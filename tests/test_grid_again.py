"""Which cells are asked: one column of a grid again, one alone, or all examples by one press."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select

from hub.playground.again import NOTHING_LACKS, STILL_RUNS
from hub.playground.columns import MOST_COLUMNS
from hub.playground.models import Run
from tests.cast import on_both_engines
from tests.test_grid import TRY, acme, add_examples, fake, form, settings, triage
from tests.test_playground import over, run

__all__ = ["acme", "fake", "settings", "triage"]


def cell(page: str, at: str) -> str:
    """What stands in one cell, up to the next one."""
    return page.split(f'id="cell-{at}"')[1].split("</td>")[0]


async def runs_of(hub: Any, address: str) -> dict[tuple[int, int, int], Run]:
    number = int(address.rsplit("/", 1)[1])
    async with hub.state.database.read() as db:
        found = list(await db.scalars(select(Run).where(Run.grid_id == number)))
    return {(one.row, one.column, one.sample): one for one in found}


@on_both_engines
async def test_one_column_is_asked_again_beside_what_the_others_have_said(
    hub: Any, ana: Any, acme: Any, triage: Any, fake: Any
):
    ids = await add_examples(ana, "pain", "rash")
    data = form(acme, "counts", "shout", samples="2") | {"example": ids, "own": []}
    first = await run(ana, data)
    page = await over(ana, first)
    assert page.count("data-run-column") == 2
    rated = (await runs_of(hub, first))[0, 1, 0]
    await ana.post_form(f"{first}/answer/{rated.id}", {"rating": "4", "do": "rate"})
    asked = len(fake.asked)
    again = await ana.post_form(f"{first}/again", {"column": "0"})
    second = again.headers["location"]
    page = await over(ana, second)
    assert [one["model"] for one in fake.asked[asked:]] == ["counts"] * 4
    before, after = await runs_of(hub, first), await runs_of(hub, second)
    assert before.keys() == after.keys()
    for at, old in before.items():
        new = after[at]
        if at[1] == 0:
            assert (new.state, new.cached) == ("done", False)
            assert new.output != old.output, "it was asked anew"
        else:
            assert (new.output, new.cost_usd, new.rating) == (old.output, old.cost_usd, old.rating)
            assert (new.cached, new.first_token_s) == (True, old.first_token_s)
    number = first.rsplit("/", 1)[1]
    assert f"kept from #{number}" in cell(page, "0-1-0")
    assert "rated 4 of 5" in cell(page, "0-1-0")
    assert "kept from" not in cell(page, "0-0-0")
    third = (await ana.post_form(f"{second}/again", {"column": "0"})).headers["location"]
    kept = cell(await over(ana, third), "0-1-0")
    assert re.findall(r"kept from #\d+", kept) == [f"kept from #{number}"], "who really asked"
    whole = await ana.post_form(f"{third}/again")
    page = await over(ana, whole.headers["location"])
    assert "kept from" not in page


@on_both_engines
async def test_what_failed_is_asked_again_by_itself_or_all_of_it_by_one_press(
    hub: Any, ana: Any, carla: Any, acme: Any, triage: Any, fake: Any
):
    ids = await add_examples(ana, "pain", "rash")
    data = form(acme, "echo", "e401") | {"example": ids, "own": []}
    first = await run(ana, data)
    page = await over(ana, first)
    assert page.count("data-run-cell") == 2
    assert "Ask the 2 without an answer" in page
    assert "data-run-cell" not in cell(page, "0-0-0")
    asked = len(fake.asked)
    second = (await ana.post_form(f"{first}/again", {"cell": "1-1"})).headers["location"]
    page = await over(ana, second)
    assert [one["model"] for one in fake.asked[asked:]] == ["e401"]
    old, new = await runs_of(hub, first), await runs_of(hub, second)
    assert {at for at, one in new.items() if not one.cached} == {(1, 1, 0)}
    assert new[0, 1, 0].error == old[0, 1, 0].error, "a failure that was not asked again stands"
    assert "kept from" in cell(page, "0-0-0")
    asked = len(fake.asked)
    third = (await ana.post_form(f"{second}/again", {"failed": "yes"})).headers["location"]
    await over(ana, third)
    assert [one["model"] for one in fake.asked[asked:]] == ["e401"] * 2
    for wrong, why in (("0-0", NOTHING_LACKS), ("7-0", NOTHING_LACKS), ("x", "no such column")):
        refused = await ana.post_form(f"{third}/again", {"cell": wrong})
        assert (refused.status_code, why in refused.text) == (422, True), wrong
    assert "data-run-cell" not in (await carla.get(third)).text
    assert (await carla.post_form(f"{third}/again", {"failed": "yes"})).status_code == 403


async def test_a_column_is_not_asked_again_while_the_others_still_write(
    ana: Any, carla: Any, acme: Any, triage: Any
):
    address = await run(ana, form(acme, "echo", "slow"))
    page = (await ana.get(address)).text
    assert ("data-run-column" in page, "Stop this column" in page) == (False, True)
    refused = await ana.post_form(f"{address}/again", {"column": "0"})
    assert (refused.status_code, STILL_RUNS in refused.text) == (409, True)
    await ana.post_form(f"{address}/stop")
    page = await over(ana, address)
    assert "data-run-column" in page
    none = await ana.post_form(f"{address}/again", {"column": "2"})
    assert (none.status_code, "no such column" in none.text) == (422, True)
    assert (await carla.post_form(f"{address}/again", {"column": "0"})).status_code == 403
    assert "data-run-column" not in (await carla.get(address)).text


async def test_what_the_page_gets_at_the_end_lets_a_column_be_asked_again(
    ana: Any, acme: Any, triage: Any
):
    """Who watched does not have to reload for the buttons."""
    address = await run(ana, form(acme, "echo", "shout"))
    ended = (await ana.get(f"{address}/events")).text
    assert '<hx-partial hx-target="#heads"' in ended
    assert ended.count("data-run-column") == 2
    alone = (await ana.get(f"{address}/events?only=2")).text
    assert re.findall(r'name="column" value="(\d)"', alone).count("1") >= 1
    assert ended.count("data-add-column") == 1


async def test_while_names_are_hidden_the_column_is_counted_as_it_is_shown(
    hub: Any, ana: Any, acme: Any, triage: Any, fake: Any
):
    address = await run(ana, form(acme, "echo", "shout", blind="yes"))
    hidden = await over(ana, address)
    shouted = next(at for at in range(2) if ">PAIN<" in cell(hidden, f"0-{at}-0"))
    asked = len(fake.asked)
    again = await ana.post_form(f"{address}/again", {"column": str(shouted)})
    page = await over(ana, again.headers["location"])
    assert [one["model"] for one in fake.asked[asked:]] == ["shout"]
    assert "kept from" not in page, "it would say which one was not asked"


async def test_before_anything_ran_one_column_of_the_form_is_asked_alone(
    hub: Any, ana: Any, acme: Any, triage: Any, fake: Any
):
    data = form(acme, "echo", "shout") | {"do": "only:1"}
    page = await over(ana, await run(ana, data))
    assert [one["model"] for one in fake.asked] == ["shout"]
    assert ">PAIN<" in page
    assert page.count('scope="col"') == 2
    wrong = form(acme, "echo", "shout") | {"do": "only:1", "temperature": ["", "9"]}
    refused = await ana.post_form(TRY, wrong)
    assert "Column 2: temperature has to be" in refused.text
    form_page = await ana.get(TRY)
    assert form_page.text.count('name="model"') == 1
    assert "data-run-column" not in form_page.text, "one column is all of them"


async def test_a_new_column_from_a_past_run(ana: Any, acme: Any, triage: Any):
    address = await run(ana, form(acme, "echo", "shout"))
    page = await over(ana, address)
    link = re.search(r'href="([^"]+)"[^>]*data-add-column', page)
    assert link
    more = await ana.get(link[1].replace("&amp;", "&"))
    assert more.text.count('name="model"') == 3
    full = await over(ana, await run(ana, form(acme, *["echo"] * MOST_COLUMNS)))
    assert "data-add-column" not in full


async def test_all_examples_are_ticked_by_one_press(ana: Any, acme: Any, triage: Any):
    ids = await add_examples(ana, *(f"case {n}" for n in range(7)))
    data = form(acme, "echo") | {"example": ids[:1], "v.complaint": "typed"}

    def ticked(page: Any) -> int:
        return sum("checked" in one.split(">")[0] for one in page.text.split('name="example"')[1:])

    page = await ana.post_form(TRY, data | {"do": "tick:all"})
    assert (ticked(page), "typed" in page.text) == (7, True)
    assert ticked(await ana.post_form(TRY, data | {"do": "tick:none"})) == 0
    await add_examples(ana, *(f"more {n}" for n in range(24)))
    page = await ana.post_form(TRY, data | {"do": "tick:all"})
    assert (ticked(page), "Tick the first 30" in page.text) == (29, True), "with the values typed"
    alone = data | {"do": "tick:all", "own": []}
    assert ticked(await ana.post_form(TRY, alone)) == 30
