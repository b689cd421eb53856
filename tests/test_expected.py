"""Whether an answer is what its example expects: what counts as the same, and where it is told."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from hub.playground.expected import right
from tests.test_grid import TRY, acme, fake, form, settings, triage
from tests.test_playground import over, run

__all__ = ["acme", "fake", "settings", "triage"]
SHEET = re.compile(r'href="(/clinic/grid/\d+/answer/\d+)"')


@pytest.mark.parametrize(
    ("expected", "answer", "is_right"),
    [
        ("now", "Now.", True), ("now", " now \n", True), ("now", "not now", False),
        (None, "", False), ("", "", False), ("call  the ward", "Call the ward", True),
        ("can't wait", "Can’t wait", True), ("Zoe\u0308", "zoë", True),
        ('{"beds": 4, "when": "now"}', '{"when":"Now.",\n "beds":4.0}', True),
        ('{"beds": 4}', '{"beds": 5}', False), ('{"beds": 4}', '{"beds": "4"}', False),
        ('{"urgent": true}', '{"urgent": 1}', False), ('{"urgent": true}', "yes", False),
        ("[1, 2]", "[1,2]", True), ("[1, 2]", "[2,1]", False),
        ('{"a": ', '{"a":', True), ('{"a": 1}', '{"a": ', False), ("4", "4.0", False),
        ("[" * 5000, "[ " * 5000, False),
    ],
)  # fmt: skip
def test_right(expected: str | None, answer: str, is_right: bool):
    assert right(expected, answer) is is_right


async def marked(who: Any, *pairs: tuple[str, str]) -> list[str]:
    """Examples with what is expected of them; their numbers."""
    for value, expected in pairs:
        example = {"name": value, "v.complaint": value, "expected": expected, "do": "add"}
        await who.post_form("/clinic/examples/support/triage", example)
    return re.findall(r'name="example" value="(\d+)"', (await who.get(TRY)).text)


async def test_each_answer_says_whether_it_is_as_expected_and_so_does_what_is_taken_along(
    ana: Any, acme: Any, triage: Any
):
    ids = await marked(ana, ("pain", "Pain."), ("rash", "a rash"), ("cough", ""))
    address = await run(ana, form(acme, "echo", "e401") | {"example": ids, "own": []})
    page = await over(ana, address)
    assert page.count("</svg> as expected</span>") == 1
    assert page.count('<span class="differs">not as expected</span>') == 1, "nor one that failed"
    head, *lines = list(csv.reader(io.StringIO((await ana.get(f"{address}/as/csv")).text)))
    assert [line[head.index("as_expected")] for line in lines] == ["yes", "", "no", "", "", ""]
    tree = (await ana.get(f"{address}/as/json")).json()
    told = [one["as_expected"] for one in tree["runs"]]
    assert told == [True, None, False, None, None, None]


async def test_while_names_are_hidden_nobody_is_told_which_is_right(
    ana: Any, acme: Any, triage: Any
):
    ids = await marked(ana, ("pain", "pain"))
    data = form(acme, "echo", "shout", blind="yes") | {"example": ids, "own": []}
    address = await run(ana, data)
    assert "as expected" not in await over(ana, address)
    await ana.post_form(f"{address}/vote", {"choice": "0:-1"})
    assert (await ana.get(address)).text.count("</svg> as expected</span>") == 2


async def test_an_answer_made_the_expected_one_counts_in_the_run_it_was_given_in(
    ana: Any, acme: Any, triage: Any
):
    address = await run(ana, form(acme, "echo", "counts"))
    page = await over(ana, address)
    assert "as expected" not in page
    for _ in range(2):  # the second time it is the example that the first one made
        assert (await ana.post_form(SHEET.findall(page)[0], {"do": "expect"})).status_code == 303
    page = (await ana.get(address)).text
    assert "expected: pain" in page
    assert "1 of 1 as expected" in page
    assert "0 of 1 as expected" in page
    assert (await ana.get(TRY)).text.count('name="example"') == 1


LETTER = (
    "Dear Mrs. Weber, the results are back and all of them are as they should be. Yours, Dr. Lind"
)


async def test_a_long_expected_answer_is_not_counted_word_for_word_and_the_page_says_so(
    ana: Any, acme: Any, triage: Any
):
    ids = await marked(ana, ("pain", "pain"), ("rash", LETTER), (LETTER, LETTER))
    address = await run(ana, form(acme, "echo", "counts") | {"example": ids, "own": []})
    page = await over(ana, address)
    assert page.count('<span class="differs">not as expected</span>') == 1, "of the short one"
    assert page.count(">other words than expected</span>") == 3
    assert page.count("</svg> as expected</span>") == 2, "who meets it word for word is told so"
    assert "1 of 1 as expected" in page
    assert "0 of 1 as expected" in page
    assert "2 expected answers of more than 80 characters are not counted" in page
    assert "in the same words, whatever their capitals" in page
    head, *lines = list(csv.reader(io.StringIO((await ana.get(f"{address}/as/csv")).text)))
    told = [line[head.index("as_expected")] for line in lines]
    assert sorted(told) == ["", "", "", "no", "yes", "yes"]


async def test_who_writes_down_an_expected_answer_reads_what_is_done_with_it(
    ana: Any, acme: Any, triage: Any
):
    page = (await ana.get("/clinic/examples/support/triage")).text
    assert "each answer then says whether it is the same" in page


async def test_run_again_expects_what_the_examples_say_by_then(ana: Any, acme: Any, triage: Any):
    ids = await marked(ana, ("pain", "ache"), ("rash", "itch"), ("cough", "cough"))
    first = await run(ana, form(acme, "echo") | {"example": ids, "own": []})
    assert "1 of 3 as expected" in await over(ana, first)
    door = "/clinic/examples/support/triage"
    await ana.post_form(door, {"id": ids[0], "v.complaint": "pain", "expected": "pain"})
    await ana.post_form(door, {"id": ids[1], "v.complaint": "a rash", "expected": "rash"})
    await ana.post_form(door, {"id": ids[2], "do": "remove"})
    again = (await ana.post_form(f"{first}/again", {})).headers["location"]
    page = await over(ana, again)
    assert "2 of 3 as expected" in page
    assert "expected: itch" in page, "it was said of what is asked here, and the new one is not"
    assert "1 of 3 as expected" in (await ana.get(first)).text, "what was read stays as it was"


async def test_of_a_deleted_prompt_no_answer_becomes_an_example_that_nobody_sees(
    ana: Any, maria: Any, acme: Any, triage: Any
):
    address = await run(ana, form(acme, "echo"))
    sheet = SHEET.findall(await over(ana, address))[0]
    assert "Use as the expected answer" in (await ana.get(sheet)).text
    gone = await maria.post_form("/clinic/delete/support/triage", {"message": "Old"})
    assert gone.status_code in (200, 303), gone.text
    assert "Use as the expected answer" not in (await ana.get(sheet)).text
    refused = await ana.post_form(sheet, {"do": "expect"})
    assert refused.status_code == 409
    assert "support/triage was deleted, and its examples with it" in refused.text
    kept = await ana.post_form(sheet, {"do": "rate", "rating": "5"})
    assert kept.status_code == 303, "an opinion of it can still be had"
