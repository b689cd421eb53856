"""Thirty cases at once: rows of a spreadsheet become examples."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Invalid
from hub.playground.tables import read_table, text_of
from hub.playground.values import fields_of
from tests.cast import Browser
from tests.test_examples import DOCUMENT, URL, triage

__all__ = ["triage"]
FIELDS = fields_of(DOCUMENT | {"messages": DOCUMENT["messages"][1:]})
ROWS = (
    "Patient\tAGE\tText\tExpected answer\tWard\n"
    'Ana\t7\t"pain,\nsince noon"\tToday\tB\n\nBen\t\tcough\t\tA'
)


def made(text: str) -> list[tuple[str, dict[str, Any], str | None]]:
    return [
        (one["name"], one["variables"], one["expected"]) for one in read_table(text, FIELDS).rows
    ]


def test_a_table_is_read_however_it_was_written():
    wanted = [("", {"patient": "Ana", "age": 7, "text": "pain,\nsince noon"}, "Today"),
              ("", {"patient": "Ben", "text": "cough"}, None)]  # fmt: skip
    assert made(ROWS) == wanted
    assert read_table(ROWS, FIELDS).left_out == ["Ward"]
    for sign in ",;":
        text = f"name{sign}patient{sign}text\r\nA cough{sign}Ben{sign}cough\r\n"
        assert made(text) == [("A cough", {"patient": "Ben", "text": "cough"}, None)]
    for coding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        [(_, values, _)] = made(text_of("patient,text\nZoë,früh".encode(coding)))
        assert values == {"patient": "Zoë", "text": "früh"}
    alone = [one for one in FIELDS if one.name == "text"]
    found = read_table("It hurts\nIt itches\n", alone).rows
    assert [one["variables"]["text"] for one in found] == ["It hurts", "It itches"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing in this table"),
        ("Ana\tpain\nBen\tcough", "name the columns: patient, age, text, more, tags; also name"),
        ("patient,age\nAna,7\nBen,old", "Row 3, age: This is not a number."),
        ("patient\n" + "Ana\n" * 1001, "1,000 rows"),
        ("patient\n" + "x" * 200_000, "cannot be read as a table"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_row(text: str, sentence: str):
    with pytest.raises(Invalid, match=sentence):
        read_table(text, FIELDS)


async def test_ana_brings_in_thirty_cases_and_runs_them(ana: Browser, triage: Any):
    page = (await ana.get(URL)).text
    assert "Many at once" in page
    rows = "".join(f"Patient {at}\tsore throat {at}\tToday\n" for at in range(30))
    pasted = {"do": "table", "table": f"patient\ttext\texpected\n{rows}"}
    answer = await ana.post_form(URL, pasted, follow_redirects=True)
    assert "30 examples came in." in answer.text
    assert answer.text.count("Expected:") == 30
    again = await ana.post_form(URL, pasted, follow_redirects=True)
    assert "All of them are here already." in again.text
    tried = (await ana.get("/clinic/try/support/triage")).text
    assert "30 kept" in tried
    # A file goes before what was pasted; of a table with a fault nothing comes in.
    file = {"file": ("cases.csv", b"Text;Patient;Town\nfever;Tom;Rome\n", "text/csv")}
    answer = await ana.post_form(URL, {"do": "table"}, files=file, follow_redirects=True)
    assert "1 example came in. Left out: Town." in answer.text
    bad = {"do": "table", "table": "patient,age\nEve,9\nMax,old"}
    answer = await ana.post_form(URL, bad)
    assert answer.status_code == 422
    assert "Row 3, age: This is not a number." in answer.text
    assert "Eve,9" in answer.text  # what was pasted is still there
    assert "patient: Eve" not in (await ana.get(URL)).text


async def test_who_only_reads_brings_nothing_in(carla: Browser, triage: Any):
    assert "Many at once" not in (await carla.get(URL)).text
    answer = await carla.post_form(URL, {"do": "table", "table": "patient\nEve"})
    assert answer.status_code == 403
