"""Answers in OpenAI's two languages, with tools and without, whole and piece by piece."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.errors import Invalid
from hub.playground.calls import Call
from hub.playground.relay import asked
from hub.playground.relay.saying import Chat, Responses
from hub.playground.wire.events import Called, Delta, Event, Finish, Usage

SAID: list[Event] = [
    Delta(reasoning="Hm."), Delta("Let me "), Delta("look."), Called("find", '{"q": 1}', "call_1"),
    Called("find", '{"q": 2}', ""), Usage(tokens_in=7, tokens_out=9, cached=3, reasoning=2),
    Finish("tool_calls"),
]  # fmt: skip


def call_of(events: list[Event], error: str | None = None) -> Call:
    call = Call(lambda: None)
    call.begin()
    for one in events:
        call.take(one)
    call.end("failed" if error else "done", error)
    return call


def told(raw: bytes) -> list[Any]:
    data = [line[6:] for line in raw.decode().splitlines() if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


def streamed(writer: Any, call: Call, events: list[Event]) -> list[Any]:
    raw = b"".join(writer.begin())
    for one in events:
        raw += b"".join(writer.hear(one))
    return told(raw + b"".join(writer.end(call)))


def test_a_chat_that_calls_tools():
    call = call_of(SAID)
    *pieces, last, usage, done = streamed(Chat("m", usage=True), call, SAID)
    deltas = [one["choices"][0]["delta"] for one in pieces]
    assert "".join(one.get("content", "") for one in deltas) == "Let me look."
    assert "".join(one.get("reasoning_content", "") for one in deltas) == "Hm."
    tools = [tool for one in deltas for tool in one.get("tool_calls", ())]
    assert [one["index"] for one in tools] == [0, 1]
    assert tools[0]["id"] == "call_1"
    assert tools[1]["id"].startswith("call_")
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    assert usage["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}
    assert usage["usage"]["total_tokens"] == 16
    assert done == "[DONE]"
    writer = Chat("m", usage=False)
    for one in SAID:
        list(writer.hear(one))
    whole = writer.whole(call)["choices"][0]
    assert whole["message"]["content"] == "Let me look."
    assert [one["function"]["arguments"] for one in whole["message"]["tool_calls"]] == [
        '{"q": 1}', '{"q": 2}'
    ]  # fmt: skip


def test_a_response_opens_and_closes_each_item_in_order():
    events = [*SAID, Delta("After.")]
    call = call_of(events)
    found = streamed(Responses("m", {"id": "a/b"}), call, events)
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    opened = [one for one in found if one["type"] == "response.output_item.added"]
    closed = [one for one in found if one["type"] == "response.output_item.done"]
    kinds = ["message", "function_call", "function_call", "message"]
    assert [one["item"]["type"] for one in opened] == kinds
    assert [one["output_index"] for one in opened] == [0, 1, 2, 3]
    assert [one["item"]["id"] for one in opened] == [one["item"]["id"] for one in closed]
    final = found[-1]
    assert final["type"] == "response.completed"
    assert [one["type"] for one in final["response"]["output"]] == kinds
    assert final["response"]["output"][0]["content"][0]["text"] == "Let me look."
    assert final["response"]["output"][3]["content"][0]["text"] == "After."
    assert final["response"]["usage"]["output_tokens_details"] == {"reasoning_tokens": 2}


@pytest.mark.parametrize(("reason", "kind"), [
    ("stop", "completed"), ("length", "incomplete"), ("content_filter", "incomplete"),
])  # fmt: skip
def test_how_a_response_ends(reason: str, kind: str):
    events: list[Event] = [Delta("Hi"), Finish(reason)]
    final = streamed(Responses("m", {}), call_of(events), events)[-1]
    assert final["type"] == f"response.{kind}"
    assert final["response"]["status"] == kind
    failed = streamed(Responses("m", {}), call_of(events, "It broke."), events)[-1]
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"]["message"] == "It broke."


def test_turns_of_tools_come_in_from_both_languages():
    tool = {"type": "function", "name": "find", "parameters": {"type": "object"}, "strict": True}
    newer = asked.responses({
        "prompt": "a/b", "tools": [tool], "tool_choice": {"type": "function", "name": "find"},
        "text": {"format": {"type": "json_schema", "name": "x", "schema": {}}, "verbosity": "low"},
        "reasoning": {"effort": "low"}, "store": False,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "42"},
        ],
    })  # fmt: skip
    assert [one["role"] for one in newer.turns] == ["user", "assistant", "tool"]
    assert newer.turns[1]["tool_calls"][0]["function"]["name"] == "find"
    assert newer.settings["tools"][0]["function"] == {
        key: value for key, value in tool.items() if key != "type"
    }
    assert newer.settings["response_format"]["json_schema"] == {"name": "x", "schema": {}}
    assert (newer.settings["reasoning_effort"], newer.settings["verbosity"]) == ("low", "low")
    older = asked.chat({
        "prompt": {"id": "a/b", "version": "staging"}, "temperature": 0, "seed": 3,
        "messages": [{"role": "developer", "content": "Now"}, *newer.turns],
    })  # fmt: skip
    assert older.turns[0]["role"] == "system"
    assert older.turns[1:] == newer.turns
    assert (older.label, older.version, older.settings) == (
        "staging", None, {"temperature": 0, "seed": 3},
    )  # fmt: skip


@pytest.mark.parametrize("body", [
    {}, {"prompt": 3}, {"prompt": {"id": None}}, {"prompt": {"id": "a", "x": 1}},
    {"prompt": {"id": "a", "variables": []}}, {"prompt": {"id": "a", "version": []}},
    {"prompt": "a", "model": 3}, {"prompt": "a", "stream": "yes"},
    {"prompt": "a", "base_url": "http://x"},
])  # fmt: skip
def test_what_cannot_be_meant_is_refused(body: Any):
    for read in (asked.chat, asked.responses):
        with pytest.raises(Invalid):
            read(body)


@pytest.mark.parametrize("more", [
    {"input": 3}, {"input": [{"type": "computer_call"}]}, {"input": [{"role": "robot"}]},
    {"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, {"instructions": 3},
    {"background": True}, {"conversation": "c"}, {"tools": [{"type": "mcp", "server_url": "x"}]},
])  # fmt: skip
def test_what_cannot_be_meant_in_the_newer_language_is_refused(more: Any):
    with pytest.raises(Invalid):
        asked.responses({"prompt": "a"} | more)
