"""Five dialects: one request becomes all theirs, and what they refuse of it is dropped."""

import json
import re

import pytest

from hub.playground.wire import dialects, refusals
from hub.playground.wire.reading import Listed

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
