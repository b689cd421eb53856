"""Five dialects: what each vendor streams becomes the same events, and one request all theirs."""

import json
import re
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
from hub.playground.wire.reading import Listed

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


# ── requests ────────────────────────────────────────────────────────────────────────────────────

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5"
SCHEMA = {"type": "object", "properties": {"level": {"type": "string"}}}
ASKED = {
    "messages": [
        {"role": "system", "content": "Sort the call."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ]},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "c1", "function": {"name": "look_up", "arguments": '{"name": "Ana"}'}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "Ward 4"},
        {"role": "user", "content": "Answer now."},
    ],
    "temperature": 0.2, "max_tokens": 50, "seed": 7, "stop": "END", "top_k": 5,
    "reasoning_effort": "low",
    "tools": [{"type": "function", "function": {
        "name": "look_up", "description": "Finds people", "parameters": SCHEMA}}],
    "tool_choice": {"type": "function", "function": {"name": "look_up"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "level", "schema": SCHEMA}},
}  # fmt: skip


def sent(kind: str, model: str = "m", **changed: object):
    return dialects.of(kind).request({**ASKED, **changed}, model=model)


def test_a_chat_request_goes_out_as_it_is():
    request = sent("openai")
    assert request.path == "/chat/completions"
    assert request.ignored == []
    assert request.body == {
        **ASKED, "model": "m", "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip


def test_a_responses_request():
    request = sent("responses")
    assert request.path == "/responses"
    assert request.ignored == ["seed", "stop", "top_k"]
    body = request.body
    assert [one.get("role", one["type"]) for one in body["input"]] == [
        "system", "user", "function_call", "function_call_output", "user",
    ]  # fmt: skip
    picture = {
        "type": "input_image",
        "image_url": f"data:image/png;base64,{PIXEL}",
        "detail": "auto",
    }
    assert body["input"][1]["content"][1] == picture
    assert (body["max_output_tokens"], body["store"]) == (50, False)
    assert body["text"]["format"] == {"type": "json_schema", "name": "level", "schema": SCHEMA}
    assert body["tool_choice"] == {"type": "function", "name": "look_up"}
    assert body["tools"][0]["parameters"] == SCHEMA


def test_an_anthropic_request():
    request = sent("anthropic", temperature=1.4)
    assert request.path == "/messages"
    assert request.ignored == ["seed", "temperature above 1"]
    body = request.body
    assert (body["system"], body["temperature"], body["max_tokens"]) == ("Sort the call.", 1, 50)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    assert body["messages"][0]["content"][1] == {"type": "image", "source": source}
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "c1", "name": "look_up", "input": {"name": "Ana"}}
    ]
    result, text = body["messages"][2]["content"]
    assert result["tool_use_id"] == "c1"
    assert text == {"type": "text", "text": "Answer now."}
    assert body["output_config"] == {
        "effort": "low", "format": {"type": "json_schema", "schema": SCHEMA},
    }  # fmt: skip
    assert body["tools"] == [
        {"name": "look_up", "description": "Finds people", "input_schema": SCHEMA}
    ]
    assert body["tool_choice"] == {"type": "tool", "name": "look_up"}
    assert dialects.of("anthropic").request({"messages": []}, model="m").body["max_tokens"] == 4096


def test_a_gemini_request():
    request = sent("gemini", "gemini-2.5-flash")
    assert request.path == "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert request.ignored == []
    body = request.body
    assert body["systemInstruction"] == {"parts": [{"text": "Sort the call."}]}
    assert [turn["role"] for turn in body["contents"]] == ["user", "model", "user"]
    assert body["contents"][0]["parts"][1] == {
        "inlineData": {"mimeType": "image/png", "data": PIXEL}
    }
    answer = {"functionResponse": {"name": "look_up", "response": {"result": "Ward 4"}}}
    assert body["contents"][2]["parts"][0] == answer
    assert body["generationConfig"] == {
        "temperature": 0.2, "topK": 5, "seed": 7, "maxOutputTokens": 50, "stopSequences": ["END"],
        "responseMimeType": "application/json", "responseJsonSchema": SCHEMA,
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1024},
    }  # fmt: skip
    assert body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == ["look_up"]
    odd = dialects.of("gemini").request(ASKED, model="a b?c")
    assert odd.path == "/models/a%20b%3Fc:streamGenerateContent?alt=sse"
    tuned = dialects.of("gemini").request(ASKED, model="tunedModels/triage")
    assert tuned.path == "/tunedModels/triage:streamGenerateContent?alt=sse"
    astray = dialects.of("gemini").request(ASKED, model="../../admin")
    assert astray.path == "/models/..%2F..%2Fadmin:streamGenerateContent?alt=sse"


def test_an_ollama_request():
    request = sent("ollama")
    assert request.path == "/api/chat"
    assert request.ignored == ["tool_choice"]
    body = request.body
    assert body["messages"][1] == {"role": "user", "content": "What is this?", "images": [PIXEL]}
    call = {"function": {"name": "look_up", "arguments": {"name": "Ana"}}}
    assert body["messages"][2]["tool_calls"] == [call]
    assert body["options"] == {
        "temperature": 0.2, "top_k": 5, "seed": 7, "num_predict": 50, "stop": ["END"],
    }  # fmt: skip
    assert (body["format"], body["think"], body["truncate"]) == (SCHEMA, True, False)
    long = [{"role": "user", "content": "word " * 4000}]
    assert sent("ollama", messages=long).body["options"]["num_ctx"] == 8192
    far = [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}]}
    ]
    assert "pictures given by their address" in sent("ollama", messages=far).ignored


@pytest.mark.parametrize("kind", dialects.DIALECTS)
def test_no_dialect_puts_the_key_into_the_request(kind):
    headers = dialects.of(kind).headers("sk-secret")
    assert sum("sk-secret" in value for value in headers.values()) == 1
    assert not any("sk-secret" in value for value in dialects.of(kind).headers(None).values())
    assert "sk-secret" not in json.dumps(sent(kind).body)


@pytest.mark.parametrize(
    ("kind", "entered", "base"),
    [
        ("openai", "https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("anthropic", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1"),
        ("gemini", "https://g.example", "https://g.example/v1beta"),
        ("gemini", "https://g.example/v1beta", "https://g.example/v1beta"),
        ("ollama", "http://localhost:11434/v1", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/api", "http://localhost:11434"),
    ],
)
def test_an_address_as_people_enter_it(kind, entered, base):
    assert dialects.of(kind).base(entered) == base


@pytest.mark.parametrize(
    ("kind", "answer", "models"),
    [
        ("openai", {"data": [{"id": "b"}, {"id": "a", "pricing": {
            "prompt": "0.00000025", "completion": "0.000002"}}]},
         [Listed(id="a", input_price=0.25, output_price=2.0), Listed(id="b")]),
        ("anthropic", {"data": [{"type": "model", "id": "claude-x"}], "has_more": False},
         [Listed(id="claude-x")]),
        ("gemini", {"models": [
            {"name": "models/gemini-x", "supportedGenerationMethods": ["generateContent"]},
            {"name": "models/embedding-1", "supportedGenerationMethods": ["embedContent"]}]},
         [Listed(id="gemini-x")]),
        ("ollama", {"models": [{"name": "qwen3:8b", "model": "qwen3:8b"}]},
         [Listed(id="qwen3:8b")]),
        ("anthropic", {"x": 1}, None),
        ("openai", "nonsense", None),
    ],
)  # fmt: skip
def test_the_models_an_endpoint_names(kind, answer, models):
    assert dialects.of(kind).models_of(json.dumps(answer).encode()) == models


COMPLAINTS = [
    ("anthropic", "`temperature` is deprecated for this model.", "temperature"),
    ("anthropic", "`temperature` may only be set to 1 when thinking is enabled.", "temperature"),
    ("anthropic", "output_config.effort: Extra inputs are not permitted", "effort"),
    ("anthropic", "adaptive thinking is not supported on this model", "reasoning effort"),
    ("gemini", "Invalid JSON payload received. Unknown name \"topK\" at 'generation_config': "
     "Cannot find field.", "top k"),
    ("gemini", "Thinking level is not supported for this model.", "reasoning effort"),
    ("ollama", '"tiny" does not support thinking', "reasoning effort"),
    ("openai", "Unsupported parameter: 'temperature' is not supported with this model.",
     "temperature"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "complaint", "name"), COMPLAINTS)
def test_a_setting_that_a_vendor_refuses_in_its_own_words(kind, complaint, name):
    body = sent(kind).body
    found = refusals.adjust(body, json.dumps({"error": {"message": complaint}}).encode())
    assert found is not None
    assert found[1] == f"ignored: {name}"
    assert found[0] != body
    wanted = re.compile(r'"(temperature|effort|thinking|topK|thinkingConfig|think)":')
    before, after = (set(wanted.findall(json.dumps(one))) for one in (body, found[0]))
    assert len(before - after) == 1


def test_what_makes_the_question_is_never_dropped():
    for word in ("tools", "messages", "model"):
        complaint = json.dumps({"error": {"message": f"'{word}' is not supported"}}).encode()
        assert refusals.adjust(sent("openai").body, complaint) is None


def test_our_own_additions_are_dropped_without_a_word():
    told = {
        "error": {"param": "reasoning.summary", "message": "Your organization must be verified"}
    }
    found = refusals.adjust(sent("responses").body, json.dumps(told).encode())
    assert found is not None
    assert found[1] == ""
    assert found[0]["reasoning"] == {"effort": "low"}


def test_gemini_says_how_long_to_wait_in_its_error():
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}
    told = [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [detail]}}]
    assert refusals.wait(429, {}, json.dumps(told).encode(), 1) == 17
    assert "fewer requests" in refusals.sentence(429, json.dumps(told).encode())
