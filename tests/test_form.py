"""The editor's form: what nobody touched comes out byte for byte, whatever browsers do to text."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.registry.prompt.document import from_json, to_json
from hub.registry.prompt.form import act, from_form
from hub.registry.prompt.shown import Shown, shown

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def as_a_browser_sends(text: str) -> str:
    """Textareas normalise line ends to LF, forms send CRLF; a NUL cannot stand in a page."""
    plain = text.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")
    return plain.replace("\n", "\r\n")


def form_of(page: Shown) -> dict[str, list[str]]:
    """The fields as the page shows them and a browser sends them."""
    fields: dict[str, list[str]] = {
        "title": [page.title],
        "description": [page.description],
        "tags": [page.tags],
        "template": [page.template],
        "model": [page.model],
        "response_format": [page.response_format],
        "json_schema": [page.json_schema],
        "tools": [page.tools],
        "origin": [str(at) for at in range(len(page.messages))],
        "role": [one.role for one in page.messages],
        "message_name": [one.name for one in page.messages],
        "content": [one.content for one in page.messages],
        "var_name": [one.name for one in page.variables],
        "var_type": [one.type for one in page.variables],
        "var_required": ["yes" if one.required else "no" for one in page.variables],
        "var_description": [one.description for one in page.variables],
        "var_example": [one.example for one in page.variables],
        "var_default": [one.default for one in page.variables],
        "var_extra": [one.extra for one in page.variables],
        **{key: [value] for key, value in page.numbers.items()},
    }
    return {key: [as_a_browser_sends(one) for one in values] for key, values in fields.items()}


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXTS), min_size=1))
def test_a_form_that_nobody_touched_changes_no_byte(messages: list[tuple[str, str]]) -> None:
    tree: dict[str, Any] = {
        "template": "plain",
        "messages": [{"role": role, "content": text} for role, text in messages],
    }
    stored = to_json(from_json(tree))
    assert from_form(form_of(shown(stored)), stored) == stored


def test_everything_else_comes_through_as_well() -> None:
    stored: dict[str, Any] = {
        "name": "Triage",
        "description": "Two\nlines",
        "id": "p_1",
        "tags": ["a", "b"],
        "template": "jinja",
        "model": "tiny",
        "modelParameters": {"temperature": 0.2, "max_tokens": 40, "stop": ["\n"]},
        "messages": [
            {"role": "system", "content": "{{ a }}"},
            {"role": "placeholder", "name": "history"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "x"}]},
        ],
        "variables": [
            {"name": "a", "type": "list", "required": False, "default": [1], "x-ours": "kept"}
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "responseFormat": "json_schema",
        "jsonSchema": {"schema": {"type": "object"}},
        "testData": [{"input": "kept"}],
    }
    assert from_form(form_of(shown(stored)), stored) == stored


def test_a_changed_message_takes_what_was_typed_and_keeps_its_neighbour() -> None:
    stored: dict[str, Any] = {
        "template": "jinja",
        "messages": [{"role": "system", "content": "a\r\nb"}, {"role": "user", "content": "c"}],
    }
    fields = form_of(shown(stored))
    fields["content"][1] = "c\r\nd"
    messages = from_form(fields, stored)["messages"]
    assert [one["content"] for one in messages] == ["a\r\nb", "c\nd"]


def test_buttons_without_javascript_move_add_and_remove_messages() -> None:
    tree: dict[str, Any] = {"messages": [{"role": "system", "content": "1"}]}
    assert act(tree, "add")
    assert act(tree, "down:0")
    assert [one["role"] for one in tree["messages"]] == ["user", "system"]
    assert act(tree, "remove:0")
    assert act(tree, "add-history")
    assert tree["messages"][-1] == {"role": "placeholder", "name": "history"}
    assert not act(tree, "save")
    assert not act(tree, "remove:99")


def test_half_written_settings_are_kept_as_typed() -> None:
    fields = {"temperature": ["warm"], "maxTokens": ["12"], "role": [], "json_schema": ["{oops"]}
    tree = from_form(fields, {})
    assert tree["modelParameters"] == {"temperature": "warm", "maxTokens": 12}
    assert tree["jsonSchema"] == "{oops"


def test_lines_that_end_as_on_windows_go_on_doing_so() -> None:
    stored: dict[str, Any] = {
        "template": "plain",
        "messages": [{"role": "user", "content": "one\r\ntwo"}, {"role": "user", "content": "a"}],
    }
    fields = form_of(shown(stored))
    fields["content"] = ["one\ntwo\nthree", "a\nb"]  # an editor's lines, in a request by script
    messages = from_form(fields, stored)["messages"]
    assert [one["content"] for one in messages] == ["one\r\ntwo\r\nthree", "a\nb"]
