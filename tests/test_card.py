"""The card of a model becomes a page without marks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.playground.card import Block, blocks
from hub.playground.engine.folders import BUILTIN
from tests.cast import Browser

CARD = """---
license: apache-2.0
---

# tiny

It shows **what a
change does** to an `answer`.

## Can
- one, which
  goes on
- two

| task | seen |
| --- | --- |
| sum | 14% |
"""


def test_a_card_in_blocks():
    assert blocks(CARD) == [
        Block("text", [[("text", "It shows "), ("strong", "what a change does"),
                        ("text", " to an "), ("code", "answer"), ("text", ".")]]),
        Block("head", [[("text", "Can")]]),
        Block("list", [[("text", "one, which goes on")], [("text", "two")]]),
        Block("table", rows=[[[("text", "task")], [("text", "seen")]],
                             [[("text", "sum")], [("text", "14%")]]]),
    ]  # fmt: skip


@given(st.text(alphabet="#-|*` \nab", max_size=200))
def test_any_text_is_a_card(text: str):
    blocks(text)


async def test_the_built_in_models_card_is_a_page(hub: object, carla: Browser):
    page = (await carla.get("/clinic/models/built-in")).text
    assert (BUILTIN / "MODEL_CARD.md").exists()
    assert "<h2>What it can do</h2>" in page
    assert "<strong>what a change in a prompt does to an answer</strong>" in page
    for mark in ("license:", "## ", "**", "| ---"):
        assert mark not in page
