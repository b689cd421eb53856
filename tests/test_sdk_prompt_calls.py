"""What a prompt brings into a model's call: settings, tools, the shape of the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk import (
    Prompt,
    PromptHubError,
)
from tests.test_sdk_prompt import TOOL, prompt


def test_settings_get_the_names_a_client_knows():
    made = prompt(
        "x", modelParameters={"temperature": 0, "maxTokens": 5, "topP": 0.5, "top_k": 2, "seed": 1}
    )
    assert made.parameters == {
        "temperature": 0, "max_tokens": 5, "top_p": 0.5, "top_k": 2, "seed": 1,
    }  # fmt: skip
    assert made.request()["max_tokens"] == 5
    assert made.model is None
    assert "model" not in made.request()


def test_tools_go_along():
    assert prompt("x", tools=[TOOL]).request()["tools"] == [TOOL]
    assert "tools" not in prompt("x", tools=[]).request()


@pytest.mark.parametrize(
    "written",
    [
        '{"name": "answer", "schema": {"type": "object"}, "strict": true}',
        {"name": "answer", "schema": {"type": "object"}, "strict": True},
    ],
)
def test_the_shape_of_the_answer(written):
    request = prompt("x", responseFormat="json_schema", jsonSchema=written).request()
    assert request["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
    }


def test_a_bare_schema_gets_the_prompts_name():
    bare = prompt("x", responseFormat="json_schema", jsonSchema={"type": "object"})
    shape = bare.request()["response_format"]["json_schema"]
    assert shape == {"name": "care_note", "schema": {"type": "object"}}
    assert prompt("x", responseFormat="json_object").request()["response_format"] == {
        "type": "json_object"
    }
    assert "response_format" not in prompt("x", responseFormat="text").request()


@pytest.mark.parametrize("schema", ["{not json", "[1]", "5", [1]])
def test_a_schema_that_is_none_is_said(schema):
    made = prompt("x", responseFormat="json_schema", jsonSchema=schema)
    with pytest.raises(PromptHubError, match="care/note v4: the answer shape is not"):
        made.request()
    assert made.text() == "x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(JSON)
def test_settings_of_any_json_come_back_as_they_were(value):
    made = prompt("x", modelParameters={"extra": value}, tools=[value])
    assert made.parameters == {"extra": value}
    assert made.request()["tools"] == [value]


def test_a_prompt_brings_no_address_key_or_header_into_a_call() -> None:
    hostile = {"temperature": 0.2, "base_url": "http://evil", "extraHeaders": {"a": "b"}, "user": 1}
    document = {"messages": [{"role": "user", "content": "x"}], "modelParameters": hostile}
    prompt = Prompt.from_record({"name": "a", "version": 1, "document": document})
    assert prompt.request() == {
        "messages": [{"role": "user", "content": "x"}],
        "temperature": 0.2,
    }
