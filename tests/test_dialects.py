"""Five dialects: what each vendor streams becomes the same events."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.playground.wire import dialects, refusals
from hub.playground.wire.events import (
    Called,
    Delta,
    Event,
    Failed,
    Finish,
    Remark,
    Timing,
    Usage,
)

STREAMS = Path(__file__).parent / "corpus" / "streams"
RECORDED = {
    "openai_chat.sse": [
        Delta("Now"),
        Delta(" 👩🏽‍⚕️, line\u2028separators\x85and"),
        Finish("stop"),
        Usage(1200, 42, cached=1024, reasoning=30),
    ],
    "openrouter.sse": [
        Delta("", "It hurts; who is it?"),
        Delta("urgent"),
        Finish("stop"),
        Usage(31, 12, cached=0, reasoning=9, cost=0.00001422),
    ],
    "openai_responses.sse": [
        Delta("", "**Looking** for urgency"),
        Delta("", "\n\n"),
        Delta("Now"),
        Delta(", at once 🚑"),
        Called("book", '{"bed":4}', "call_9"),
        Usage(75, 1186, cached=8, cache_written=3, reasoning=1024),
        Finish("tool_calls"),
    ],
    "anthropic.sse": [
        Usage(2125, cached=2000, cache_written=100),
        Delta("", "Chest pain is urgent."),
        Delta("I book a bed 🛏️."),
        Called("book", '{"bed": 4}', "toolu_1"),
        Usage(2125, 89, cached=2000, cache_written=100, reasoning=12),
        Finish("tool_calls"),
    ],
    "gemini.sse": [
        Usage(12, 28, reasoning=28),
        Delta("", "The caller is in pain."),
        Usage(12, 29, reasoning=28),
        Delta("Now"),
        Usage(12, 35, cached=4, reasoning=28),
        Delta(" 👩🏽‍⚕️."),
        Called("book", '{"bed": 4}'),
        Finish("tool_calls"),
    ],
    "ollama.ndjson": [
        Delta("", "Pain."),
        Delta("Now"),
        Delta(" 🚑"),
        Called("book", '{"bed": 4}'),
        Usage(26, 282),
        Timing(loaded=1.334875),
        Finish("tool_calls"),
    ],
}
KIND = {
    "openai_chat.sse": "openai", "openrouter.sse": "openai", "openai_responses.sse": "responses",
    "anthropic.sse": "anthropic", "gemini.sse": "gemini", "ollama.ndjson": "ollama",
}  # fmt: skip


def read(kind: str, *chunks: bytes, streamed: bool = True) -> list[Event]:
    reader = dialects.of(kind).Reader(streamed=streamed)
    found = [event for chunk in chunks for event in reader.feed(chunk)]
    return [*found, *reader.end()]


def sse(*objects: object) -> bytes:
    return "".join(
        f"event: {one.get('type') if isinstance(one, dict) else 'x'}\ndata: {json.dumps(one)}\n\n"
        for one in objects
    ).encode()


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stream(name):
    assert read(KIND[name], (STREAMS / name).read_bytes()) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_same_events_however_the_bytes_are_cut(name, data):
    """Also with other line ends, and with comments and pings in between."""
    raw = (STREAMS / name).read_bytes()
    end = data.draw(st.sampled_from([b"\n", b"\r\n"] if "nd" in name else [b"\n", b"\r\n", b"\r"]))
    if "nd" not in name and data.draw(st.booleans()):
        raw = b"\xef\xbb\xbf" + raw.replace(b"\n\n", b"\n\n: keep alive\n\nevent: ping\n\n")
    raw = raw.replace(b"\n", end)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    chunks = [raw[a:b] for a, b in pairwise([0, *cuts, len(raw)])]
    assert read(KIND[name], *chunks) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
def test_byte_by_byte(name):
    raw = (STREAMS / name).read_bytes()
    assert read(KIND[name], *(raw[at : at + 1] for at in range(len(raw)))) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
def test_a_stream_that_breaks_off_keeps_its_text_and_says_so(name):
    """Cut anywhere before the end mark: never a silent half, never two endings, never a crash."""
    raw = (STREAMS / name).read_bytes()
    for at in range(0, len(raw), 7):
        events = read(KIND[name], raw[:at])
        ends = [one for one in events if isinstance(one, Finish | Failed)]
        assert len(ends) == 1, (at, events)


WHOLE = [
    (
        "responses",
        {"object": "response", "status": "completed", "error": None,
         "output": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
                    {"type": "message", "content": [{"type": "output_text", "text": "Yes"}]}],
         "usage": {"input_tokens": 3, "output_tokens": 1}},
        [Delta("", "Hm"), Delta("Yes"), Usage(3, 1), Finish("stop")],
    ),
    (
        "anthropic",
        {"type": "message", "content": [{"type": "text", "text": "Yes"},
                                        {"type": "tool_use", "id": "t", "name": "n", "input": {}}],
         "stop_reason": "max_tokens", "usage": {"input_tokens": 3, "output_tokens": 1}},
        [Delta("Yes"), Called("n", "{}", "t"), Usage(3, 1), Finish("length")],
    ),
    (
        "gemini",
        [{"candidates": [{"content": {"parts": [{"text": "Yes"}]}}]},
         {"candidates": [{"finishReason": "MAX_TOKENS"}],
          "usageMetadata": {"promptTokenCount": 3}}],
        [Delta("Yes"), Usage(3, None), Finish("length")],
    ),
    (
        "ollama",
        {"message": {"content": "Yes"}, "done": True, "done_reason": "length"},
        [Delta("Yes"), Finish("length")],
    ),
    (
        "openai",
        {"choices": [{"message": {"content": "Yes", "tool_calls": [
            {"id": "c", "function": {"name": "n", "arguments": "{}"}}]},
            "finish_reason": "tool_calls"}]},
        [Delta("Yes"), Called("n", "{}", "c"), Finish("tool_calls")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "answer", "events"), WHOLE)
def test_an_answer_that_was_not_streamed(kind, answer, events):
    assert read(kind, json.dumps(answer, indent=1).encode(), streamed=False) == events


ERRORS = [
    ("openai", {"error": {"message": "Overloaded", "code": 529}}, "Overloaded", True),
    ("openai", {"error": {"message": "No", "code": "insufficient_quota"}}, "No", False),
    ("responses", {"type": "error", "code": "rate_limit_exceeded", "message": "Slow"}, "Slow",
     True),
    ("responses", {"type": "error", "code": "invalid_prompt", "message": "Bad"}, "Bad", False),
    ("responses", {"type": "response.failed", "response": {"status": "failed", "error": {
        "code": "server_error", "message": "Ouch"}}}, "Ouch", True),
    ("anthropic", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
     "Overloaded", True),
    ("anthropic", {"type": "error", "error": {"type": "invalid_request_error", "message": "No"}},
     "No", False),
    ("gemini", {"error": {"code": 503, "message": "Busy", "status": "UNAVAILABLE"}}, "Busy", True),
    ("gemini", {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "prohibited content",
     False),
    ("gemini", {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, "function call",
     False),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "told", "sentence", "again"), ERRORS)
def test_an_error_inside_a_200_is_a_sentence(kind, told, sentence, again):
    (failed,) = read(kind, sse(told))
    assert isinstance(failed, Failed)
    assert sentence in failed.sentence
    assert failed.again is again


def test_a_line_with_an_error_from_ollama():
    line = b'{"message":{"content":"a"},"done":false}\n{"error":"model runner has crashed"}\n'
    assert read("ollama", line) == [Delta("a"), Failed("It reported an error: model runner has "
                                                       "crashed")]  # fmt: skip


def test_a_full_context_is_remarked():
    told = {"type": "message_delta", "delta": {"stop_reason": "model_context_window_exceeded"}}
    events = read("anthropic", sse({"type": "message_start"}, told))
    assert events == [Remark("the model's context was full"), Finish("length")]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["message", "text", "STOP", "response.completed", "tool_use", "error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "type message delta content usage error item response output status candidates "
                "parts functionCall args finishReason usageMetadata promptTokenCount done text "
                "eval_count load_duration tool_calls function arguments index content_block object "
                "promptFeedback blockReason models data name pricing prompt thinking summary "
                "details retryDelay param".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("kind", dialects.DIALECTS)
@given(ANYTHING, ANYTHING)
@settings(max_examples=150, deadline=None)
def test_no_json_breaks_a_reader(kind, one, other):
    dialect = dialects.of(kind)
    raw = [json.dumps(tree).encode() for tree in (one, other)]
    lines = b"".join(line + b"\n" if kind == "ollama" else b"data: %b\n\n" % line for line in raw)
    for events in (read(kind, lines), *(read(kind, line, streamed=False) for line in raw)):
        assert sum(isinstance(event, Failed) for event in events) <= 1
        for event in events:
            json.dumps([getattr(event, name) for name in event.__struct_fields__]).encode()
    for line in raw:
        dialect.models_of(line)
        refusals.sentence(400, line)
        refusals.wait(429, {}, line, 1)
        refusals.adjust({"model": "m", "options": {"seed": 1}}, line)
    dialect.request(one if isinstance(one, dict) else {"messages": one, "tools": other}, model="m")
