"""Answers that fit a schema, and what may be asked of the engine at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.playground.engine.ask import read
from hub.playground.engine.refusal import Refused
from tests.test_engine_text import TOKENIZER, WEATHER, guide, spelled, written

TRIAGE = {
    "type": "object",
    "properties": {
        "urgency": {"enum": ["now", "today", "this week"]},
        "days": {"type": "integer", "minimum": 0, "maximum": 9},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 2},
        "sure": {"type": "boolean"},
    },
    "required": ["urgency", "days", "tags", "sure"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_that_knows_no_json_still_fits_the_schema(temperature: float) -> None:
    for seed in range(3):
        found = json.loads(written(TRIAGE, temperature=temperature, seed=seed))
        assert list(found) == ["urgency", "days", "tags", "sure"]
        assert found["urgency"] in ("now", "today", "this week")
        assert 0 <= found["days"] <= 9
        assert len(found["tags"]) <= 2
        assert isinstance(found["sure"], bool)


def test_a_schema_that_says_nothing_that_can_be_kept_is_refused() -> None:
    for bad in ({"type": "strin"}, {"$ref": "#/nowhere"}, {"x": "y" * 200_001}, {"enum": []}):
        with pytest.raises(Refused, match="schema"):
            guide().schema(bad)


def test_a_token_is_named_by_its_bytes_even_inside_a_character() -> None:
    [first, *_] = spelled("👩")
    assert guide().spelled(first) == ("\ufffd", [0xF0])
    assert guide().spelled(TOKENIZER.token_to_id("<|end|>"))[0] == "<|end|>"
    assert guide().spelled(spelled("a")[0]) == ("a", [97])


# ── what may be asked ───────────────────────────────────────────────────────────────────────────


def asked(**more: Any) -> Any:
    given = {"model": "m", "messages": [{"role": "user", "content": "x"}], **more}
    return read(json.dumps(given).encode())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n": 21}, "n must be a number from 1 to 20"),
        ({"n": "two"}, "n must be"),
        ({"response_format": {"type": "xml"}}, "response_format must be"),
        ({"response_format": {"type": "json_schema"}}, "response_format must be"),
        ({"tools": [{"type": "function"}]}, "Every tool is a function"),
        ({"tools": "weather"}, "tools must be a list"),
        ({"tools": [WEATHER], "tool_choice": {"function": {"name": "x"}}}, "tool_choice must be"),
        ({"tools": [WEATHER], "tool_choice": "required",
          "response_format": {"type": "json_object"}}, "not both"),
        ({"logit_bias": {"x": 1}}, "by their numbers"),
        ({"logit_bias": {"1": 101}}, "logit_bias must be a number"),
        ({"top_logprobs": 21}, "top_logprobs must be"),
        ({"presence_penalty": 3}, "presence_penalty must be"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "names no function"),
        ({"messages": [{"role": "assistant", "tool_calls": [
            {"function": {"name": "f", "arguments": "{"}}]}]}, "are not JSON"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_a_sentence(
    wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        asked(**wrong)


def test_what_is_meant_is_read() -> None:
    one = asked(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "weather"}})
    assert one.must_call
    assert asked(tools=[WEATHER], tool_choice="none").tools == []
    assert asked(response_format={"type": "json_object"}).schema == {"type": "object"}
    assert asked(response_format={"type": "text"}).schema is None
    assert asked(reasoning_effort="high").notes == ["ignored: reasoning_effort"]
    many = asked(n=3, seed=5)
    assert [many.sampling_of(index).seed for index in range(3)] == [5, 6, 7]
