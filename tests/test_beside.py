"""The columns of a run held against each other: which model, which wording, in one table."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from hub.playground.beside import beside
from hub.playground.totals import Total
from tests.test_expected import marked
from tests.test_grid import acme, fake, form, settings, triage
from tests.test_playground import over, run

__all__ = ["acme", "fake", "settings", "triage"]
BEGINS = '<div class="beside">'
HEADS = [{"number": 1, "title": "A", "note": ""}, {"number": 2, "title": "B", "note": ""}]


def table(page: str) -> list[list[str]]:
    """What the cells say, row by row; none: it is not there."""
    if BEGINS not in page:
        return []
    part = page.split(BEGINS)[1].split("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.S)
    return [
        [re.sub(r"<[^>]+>", "", one).strip() for one in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        for row in rows
    ]


async def test_which_is_right_and_what_it_costs_stands_in_one_table(
    ana: Any, carla: Any, acme: Any, triage: Any
):
    ids = await marked(ana, ("pain", "pain"), ("Rash", "rash"))
    address = await run(ana, form(acme, "many", "shout", "e401") | {"example": ids, "own": []})
    await over(ana, address)
    head, dear, cheap, broken = table((await carla.get(f"{address}?calls=3000&each=15")).text)
    assert head == ["Column", "As expected", "No answer", "First word", "Whole answer",
                    "1,000 answers", "A month"]  # fmt: skip
    assert dear[0] == "v1 · live · many Acme · temperature 0.2"
    assert (dear[1], dear[5], dear[6]) == ("2 of 2 (best)", "$202.50", "$273,375")
    assert (cheap[1], cheap[2], cheap[6]) == ("2 of 2 (best)", "0", "$16.20 (best)")
    assert broken[1:] == ["0 of 2", "2", "–", "–", "–", "–"]
    assert not any("best" in one[3] for one in (dear, cheap)), "they ran at once"


async def test_it_comes_when_all_is_over_and_not_before_the_vote(
    ana: Any, acme: Any, triage: Any, fake: Any
):
    address = await run(ana, form(acme, "slow", "echo"))
    while not any(asked["model"] == "slow" for asked in fake.asked):
        await asyncio.sleep(0.02)
    running = (await ana.get(address)).text
    assert 'id="beside"' in running
    assert not table(running)
    await ana.post_form(f"{address}/stop")
    stream = (await ana.get(f"{address}/events")).text
    assert '<hx-partial hx-target="#beside"' in stream
    assert len(table((await ana.get(address)).text)) == 3
    assert not table((await ana.get(f"{address}?only=1")).text), "one has nothing beside it"
    blind = await run(ana, form(acme, "echo", "shout", blind="yes"))
    assert not table(await over(ana, blind))
    assert BEGINS not in (await ana.get(f"{blind}/events")).text
    await ana.post_form(f"{blind}/vote", {"choice": "0:1"})
    head, *lines = table((await ana.get(blind)).text)
    assert head[1] == "Chosen"
    assert sorted(line[1] for line in lines) == ["0 of 1", "1 of 1 (best)"]


async def test_looking_at_one_column_keeps_the_volume(ana: Any, acme: Any, triage: Any):
    address = await run(ana, form(acme, "echo", "shout"))
    await over(ana, address)
    page = (await ana.get(f"{address}?calls=3000&hour=2.5")).text
    kept = f"{address}?only=2&amp;calls=3000&amp;hour=2.5"
    assert page.count(kept) == 2, "in the column's menu, and in the table"
    alone = (await ana.get(kept.replace("&amp;", "&"))).text
    assert f'href="{address}?calls=3000&amp;hour=2.5" data-all-columns' in alone


async def test_that_nobody_knows_what_a_month_costs_is_said_where_it_is_asked(
    ana: Any, acme: Any, triage: Any
):
    address = await run(ana, form(acme, "names", "judge"))
    page = await over(ana, address)
    said = "What a month costs is not known: none of them has a price."
    assert page.index('id="volume"') < page.index(said) < page.index('class="sheet-box"')
    priced = await run(ana, form(acme, "names", "echo"))
    assert "What a month costs is not known" not in await over(ana, priced)


async def test_what_a_month_costs_is_asked_above_the_answers(ana: Any, acme: Any, triage: Any):
    address = await run(ana, form(acme, "echo", "shout"))
    await over(ana, address)
    for look in ("", "?only=1", "?base=2"):
        page = (await ana.get(address + look)).text
        assert page.index('id="volume"') < page.index('class="sheet-box"')
        assert 'name="hour"' not in page, "nothing of it ran on this machine"
    assert '<input type="hidden" name="base" value="2">' in page, "it stays compared"
    assert 'name="hour"' in (await ana.get(f"{address}?hour=2.5")).text, "what is typed stays"


async def test_a_volume_that_cannot_be_used_is_said_where_the_page_opens_and_stays_typed(
    ana: Any, acme: Any, triage: Any
):
    address = await run(ana, form(acme, "echo", "shout"))
    await over(ana, address)
    page = (await ana.get(f"{address}?calls=many&each=3")).text
    said = "Calls a day and model calls in each are whole numbers from 1"
    assert page.index(said) < page.index(BEGINS)
    assert page.count(said) == 1
    assert re.search(r'name="calls"[^>]*value="many"', page)
    assert "1,000 calls a day" in page, "and what is reckoned with instead"


def test_the_best_is_only_called_so_where_it_can_be_told():
    def best(*feet: Total, solo: bool = False) -> list[list[bool]]:
        found = beside(HEADS, feet, solo=solo)
        assert found
        return [[one.best for one in line.figures] for line in found.lines]

    quick, slow = Total(lines=(), first_s=0.1), Total(lines=(), first_s=0.2)
    assert best(quick, slow) == [[False], [False]]
    assert best(quick, slow, solo=True) == [[True], [False]]
    assert best(quick, Total(lines=(), first_s=0.101), solo=True) == [[False], [False]]
    good, bad = Total(lines=(), right=(9, 10)), Total(lines=(), right=(10, 30))
    assert best(good, bad) == [[True], [False]], "the share counts, not the number"
    assert beside(HEADS[:1], [quick], solo=True) is None
