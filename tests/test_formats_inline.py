"""Snippets stand in their places where another program knows none of ours, and say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.registry.prompt.document import Document, Message
from hub.sync.formats.inline import in_place
from hub.sync.formats.report import Notes
from sdk.template import compile_text
from tests.test_cli import Command, command, done, told

__all__ = ["command", "told"]
SNIPPETS = {
    "a@1": "Be kind to {{ x }}.\n", "b@2": "No line break",
    "c@1": "C: {% include 'b@2' %}\n\nend\n",
    "d@1": "{% if y %}\n  {% include \"a@1\" %}\n{% endif %}\n", "e@1": "",
    "f@1": "F {% if y %}\n  {% include \"a@1\" %}\n{% endif %}.", "g@1": " G\n\n",
}  # fmt: skip
TAGS = [f'{{% include "{pin}" %}}' for pin in SNIPPETS]
AROUND = ["\n", " ", "\t", "word", "{{ x }}", "{% if y %}", "{% endif %}", "\r\n", "é", "  \n\n"]


def whole(text: str) -> tuple[str, list[str]]:
    notes = Notes()
    document = Document(messages=(Message(role="user", content=text),))
    return in_place(document, SNIPPETS, notes).messages[0].content, notes.sentences()


@settings(max_examples=1000)
@given(st.lists(st.sampled_from([*TAGS, *AROUND]), max_size=12).map("".join))
def test_it_says_the_same(text: str):
    made, _ = whole(text)
    if made == text:
        return
    before, after = compile_text(text, snippets=SNIPPETS), compile_text(made)
    assert not after.includes
    for values in ({"x": "Ada", "y": True}, {"x": "1", "y": False}):
        assert after.render(values) == before.render(values)


def test_what_is_not_certain_stays():
    known = "Now:\n  {% include 'c@1' %}\nThen {{ x }}"
    made, notes = whole(known)
    assert made == "Now:\nC: No line break\n\nend\nThen {{ x }}"
    assert notes == [
        "Changed: messages (snippets stand in their places, as their pinned versions say)."
    ]
    for text in (
        "{# {% include 'a@1' %} #}{% include 'b@2' %}", "{% include 'gone@1' %}",
        "{%- include 'a@1' -%}", "No snippets at all", "{% include 'd@1' %}\nThen",
    ):  # fmt: skip
        assert whole(text) == (text, [])


@pytest.mark.parametrize("name", ["promptfoo", "prompty", "langfuse", "prompt.yml"])
def test_an_export_holds_them(told: Path, command: Command, tmp_path: Path, name: str):
    out = tmp_path / "out"
    words = ["--data", told, "--workspace", "demo", "--format", name, "--folder", "legal"]
    report = done(command("export", out, *words))
    (file,) = out.rglob("plain-words.*")
    ours = name == "prompt.yml"
    assert ("snippets/tone@" in file.read_text()) is ours
    assert ("We are friendly and brief." in file.read_text()) is not ours
    assert ("snippets stand in their places" in report) is not ours
