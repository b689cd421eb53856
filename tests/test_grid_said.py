"""What stands beside an answer: what the model thought, and what was done differently."""

from __future__ import annotations

import csv
import io
from typing import Any

from hub.playground import calls
from tests.test_grid import acme, fake, form, settings, triage
from tests.test_playground import over, run

__all__ = ["acme", "fake", "settings", "triage"]
NOTE = "the longest answer was lowered to 12 tokens"
THOUGHT = "As the model thinks I am, I think on"


async def test_what_an_engine_did_differently_is_in_the_cell_and_goes_along(
    ana: Any, acme: Any, triage: Any
):
    address = await run(ana, form(acme, "notes", "echo"))
    page = await over(ana, address)
    assert page.count(f"<span>{NOTE}</span>") == 1
    head, first, second = list(csv.reader(io.StringIO((await ana.get(f"{address}/as/csv")).text)))
    assert (first[head.index("remarks")], second[head.index("remarks")]) == (NOTE, "")
    tree = (await ana.get(f"{address}/as/json")).json()
    assert [one["note"] for one in tree["runs"]] == [NOTE, ""]
    assert f"_{NOTE}_" in (await ana.get(f"{address}/as/md")).text


async def test_what_a_model_thought_is_kept_folded_and_goes_along(ana: Any, acme: Any, triage: Any):
    address = await run(ana, form(acme, "thinks", "echo"))
    page = await over(ana, address)
    assert page.count('<details class="thought">') == 1
    assert THOUGHT in page.split('<details class="thought">')[1].split("</details>")[0]
    head, first, second = list(csv.reader(io.StringIO((await ana.get(f"{address}/as/csv")).text)))
    assert (first[head.index("thoughts")], second[head.index("thoughts")]) == (THOUGHT, "")
    assert (first[head.index("finish_reason")], first[head.index("tokens_in")]) == ("stop", "10")
    tree = (await ana.get(f"{address}/as/json")).json()
    assert [one["reasoning"] for one in tree["runs"]] == [THOUGHT, ""]
    report = (await ana.get(f"{address}/as/md")).text
    assert report.count("What it thought first:") == 1
    assert THOUGHT in report


async def test_of_endless_thoughts_only_so_much_is_kept(
    ana: Any, acme: Any, triage: Any, monkeypatch: Any
):
    monkeypatch.setattr(calls, "MOST_REASONING", 12)
    address = await run(ana, form(acme, "thinks"))
    await over(ana, address)
    tree = (await ana.get(f"{address}/as/json")).json()
    assert [one["reasoning"] for one in tree["runs"]] == [THOUGHT[:12]]
    assert tree["runs"][0]["output"] == "pain"
