"""A remark stays at its words while the text around them changes, and says when they are gone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.registry.prompt.document import Document, Message
from hub.registry.review.anchors import MOST_QUOTED, Anchor, find, make, texts_before_and_after

TRIAGE = (
    "Decide how soon someone must call back: now, today or this week. If the caller mentions "
    "chest pain or trouble breathing, the answer is always now. Names may be written in any case. "
    "If two people match, ask for the date of birth."
)


def told(anchor: Anchor, *contents: str) -> str | None:
    """The words that the remark is at now, with the place before them if they moved."""
    texts = {f"messages/{at}": text for at, text in enumerate(contents)}
    found = find(anchor, texts)
    if found is None:
        return None
    words = texts[found.place][found.start : found.end]
    return f"{found.place}: {words}" if found.how == "moved" else words


def on(quote: str, text: str = TRIAGE, start: int | None = None) -> Anchor:
    return make(
        {"messages/0": text}, "messages/0", quote, text.index(quote) if start is None else start
    )


@pytest.mark.parametrize(
    ("quote", "changed", "now"),
    [
        ("date of birth", TRIAGE, "date of birth"),
        ("date of birth", "Be kind.\n\n" + TRIAGE, "date of birth"),
        ("date of birth", TRIAGE.replace("two people", "some"), "date of birth"),
        ("chest pain or trouble breathing",
         TRIAGE.replace("trouble breathing", "trouble with breathing"),
         "chest pain or trouble with breathing"),
        ("ask for the date of birth", TRIAGE.replace("ask for the date", "then ask for a date"),
         "ask for a date of birth"),
        ("date of birth", "Say hello.", None),
        ("Names may be written in any case.", "Say hello. Names may be written in any case.",
         "Names may be written in any case."),
        ("the", "Say hello to the people of the town.", None),
    ],
)  # fmt: skip
def test_the_remark_is_where_its_words_are(quote: str, changed: str, now: str | None):
    assert told(on(quote), changed) == now


def test_of_words_that_occur_often_the_right_one_is_kept():
    text = "call now. wait now. answer now. ask now."
    third = on("now", text, text.index("now", text.index("answer")))
    changed = "Begin. Really, call now. and then wait now. answer now. ask now."
    found = find(third, {"messages/0": changed})
    assert found is not None
    assert changed[: found.start].endswith("answer ")


def test_of_two_thousand_alike_the_one_with_its_neighbours_is_kept_though_far_away():
    text = " ".join(f"item{at} yes" for at in range(5000))
    anchor = on("yes", text, text.index("item4000 yes") + len("item4000 "))
    changed = "no " * 20_000 + text
    found = find(anchor, {"messages/0": changed})
    assert found is not None
    assert changed[: found.start].endswith("item4000 ")


def test_a_moved_message_takes_its_remarks_along():
    assert told(on("date of birth"), "Be kind.", TRIAGE) == "messages/1: date of birth"


def test_a_struck_word_and_a_new_one_are_two_places():
    old = Document(messages=(Message(role="system", content="Answer at once."),))
    new = Document(messages=(Message(role="system", content="Answer today."),))
    texts = texts_before_and_after(old, new)
    struck = make(texts, "old/messages/0", "at once")
    assert find(struck, texts) is not None
    assert find(struck, texts_before_and_after(None, old)) is None
    assert find(make(texts, "messages/0", "today"), texts_before_and_after(new, old)) is None


def test_a_place_as_a_whole_is_there_while_the_place_is():
    whole = make({"messages/1": "x"}, "messages/1", "")
    assert find(whole, {"messages/1": "anything"}) is not None
    assert find(whole, {"messages/0": "x"}) is None


def test_line_ends_of_a_form_are_not_a_difference():
    text = "one\ntwo\nthree"
    assert make({"m": text}, "m", "one\r\ntwo").quote == "one\ntwo"
    windows = "one\r\ntwo\r\nthree"
    assert make({"m": windows}, "m", "one\ntwo", 0).quote == "one\r\ntwo"
    assert make({"m": windows}, "m", "two\r\nthree").start == 5


def test_a_very_long_quote_is_cut_and_still_found():
    text = "".join(f"Sentence {at}. " for at in range(2000))
    anchor = make({"messages/0": text}, "messages/0", text[100:9000], 100)
    assert len(anchor.quote) == MOST_QUOTED
    assert told(anchor, "First. " + text) == text[100 : 100 + MOST_QUOTED]


words = st.lists(
    st.sampled_from("now call the caller ask name é 日本 \u200b a . , \n {{name}}".split(" ")),
    min_size=1, max_size=60,
).map(" ".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(words, st.data())
def test_in_the_same_text_every_stretch_is_where_it_was(text: str, data: st.DataObject):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    anchor = make({"messages/0": text}, "messages/0", text[start:end], start)
    found = find(anchor, {"messages/0": text})
    assert found is not None
    assert (found.start, found.end, found.how) == (start, end, "same")


@settings(max_examples=300, deadline=None)
@given(words, words, words, st.data())
def test_what_is_added_before_and_after_moves_the_remark_along(
    text: str, above: str, below: str, data: st.DataObject
):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    anchor = make({"messages/0": text}, "messages/0", text[start:end], start)
    changed = f"{above}\n\n{text}\n\n{below}"
    found = find(anchor, {"messages/0": changed})
    assert found is not None
    assert changed[found.start : found.end] == text[start:end]


@settings(max_examples=300, deadline=None)
@given(words, words, st.data())
def test_in_any_other_text_the_answer_lies_inside_it(text: str, other: str, data: st.DataObject):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    anchor = make({"messages/0": text}, "messages/0", text[start:end], start)
    found = find(anchor, {"messages/0": other, "description": text[:start]})
    if found is not None:
        texts = {"messages/0": other, "description": text[:start]}
        assert 0 <= found.start < found.end <= len(texts[found.place])


@pytest.mark.parametrize("filler", ["a", "now ", "chest pain or ", "x1 y2 z3 q4\n"])
@pytest.mark.timeout(100)
def test_a_text_of_200_kb_does_not_take_for_ever(filler: str):
    chance = random.Random(3)
    quotes = [
        filler * 3,
        "chest pain or trouble breathing at night",
        "now",
        "a" * 1500,
        "z3 q4\nx1",
    ]
    text = filler * (200_000 // len(filler))
    middle = text[:100_000] + "chest pain or trouble breathing at night" + text[100_000:]
    anchors = [make({"m": middle}, "m", quote, chance.randrange(100_000)) for quote in quotes]
    for anchor in anchors:
        find(anchor, {"m": text, "description": text[::-1]})
