"""What endpoints send becomes events, and what they do wrong becomes a sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.playground.calls import Call
from hub.playground.cells import cell_of
from hub.playground.wire import refusals, sse
from hub.playground.wire.events import Called, Delta, Failed, Finish, Note, Remark, Usage
from hub.playground.wire.openai_chat import Reader, models_of

texts = st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"))


def fed(*chunks: bytes) -> list[str]:
    reader = sse.Reader()
    found = [data for chunk in chunks for data in reader.feed(chunk)]
    last = reader.end()
    return found if last is None else [*found, last]


@given(st.lists(texts.filter(bool), max_size=4), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_events_are_the_same_however_the_bytes_are_cut(datas, end, data):
    raw = "".join(f": keep alive{end}data: {one}{end}{end}" for one in datas).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert fed(*chunks) == datas


def test_one_event_may_have_several_lines_and_line_separators_inside():
    assert fed(b"\xef\xbb\xbfevent: x\ndata: a\ndata:b\n\n") == ["a\nb"]
    assert fed('data: {"a": "one\u2028two\x85"}\n\n'.encode()) == ['{"a": "one\u2028two\x85"}']


def events(*chunks: object, streamed: bool = True, end: bool = True) -> list[object]:
    reader = Reader(streamed=streamed)
    found = []
    for chunk in chunks:
        text = chunk if isinstance(chunk, str) else json.dumps(chunk)
        raw = f"data: {text}\n\n" if streamed else text
        found += reader.feed(raw.encode())
    return [*found, *reader.end()] if end else found


def choice(finish: str | None = None, **delta: object) -> dict:
    return {"choices": [{"delta": delta, "finish_reason": finish}]}


def test_a_recorded_answer():
    assert events(
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        choice(reasoning_content="Hm."),
        choice(content="Now"),
        choice(content="."),
        choice(finish="stop"),
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}},
        "[DONE]",
    ) == [Delta("", "Hm."), Delta("Now"), Delta("."), Finish("stop"), Usage(9, 2)]


def test_a_tool_call_in_splinters_is_shown_whole():
    assert events(
        choice(tool_calls=[{"index": 0, "function": {"name": "look_up", "arguments": ""}}]),
        choice(tool_calls=[{"index": 0, "function": {"arguments": '{"name": '}}]),
        choice(tool_calls=[{"index": 0, "function": {"arguments": '"ana"}'}}]),
        choice(finish="tool_calls"),
        "[DONE]",
    ) == [Called("look_up", '{"name": "ana"}'), Finish("tool_calls")]


def test_our_engine_says_where_a_request_stands():
    told = [{"queued": 2}, {"loading": 0.0}, {"loading": 0.4}]
    assert events(*({"prompthub": one} for one in told), end=False) == [
        Note("2nd in line on this machine"),
        Note("The local model is starting…", "load"),
        Note("Loading the model: 40 %", "load"),
    ]


def test_what_our_engine_did_differently_is_a_remark():
    told = {"note": "the longest answer was lowered to 12 tokens"}
    assert events({**choice(content="a"), "prompthub": told}, end=False) == [
        Remark("the longest answer was lowered to 12 tokens"),
        Delta("a"),
    ]


@pytest.mark.parametrize(
    ("chunks", "sentence"),
    [
        ([choice(content="a")], "broke in the middle"),
        ([choice(content="a"), "{half"], "broke in the middle"),
        ([], "not in the chat-completions language"),
        (["nonsense"], "not in the chat-completions language"),
        (["[DONE]"], "not in the chat-completions language"),
        ([[1, 2]], "not in the chat-completions language"),
        ([{"error": {"message": "out of memory\n<b>"}}], "out of memory <b>"),
        ([{"error": "busy"}], "busy"),
    ],
)
def test_what_is_no_answer_is_a_sentence(chunks, sentence):
    last = events(*chunks)[-1]
    assert isinstance(last, Failed)
    assert sentence in last.sentence


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "message",
                        "content",
                        "usage",
                        "error",
                        "tool_calls",
                        "function",
                        "prompthub",
                        "loading",
                        "note",
                        "prompt_tokens",
                        "finish_reason",
                        "x",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_no_json_breaks_the_reader(tree):
    events(tree, tree)
    events(tree, streamed=False)
    models_of(json.dumps(tree).encode())
    refusals.sentence(400, json.dumps(tree).encode())
    refusals.adjust({"model": "m", "seed": 1}, json.dumps(tree).encode())


def test_settings_a_model_refuses_are_left_out_and_said():
    request = {"model": "o", "max_tokens": 5, "temperature": 0.2, "stream_options": {}}
    complaint = json.dumps({"error": {"param": "temperature", "message": "Unsupported"}}).encode()
    adjusted = refusals.adjust(request, complaint)
    assert adjusted is not None
    assert "temperature" not in adjusted[0]
    assert adjusted[1] == "ignored: temperature"
    complaint = json.dumps({"error": {"param": "max_tokens", "message": "use other"}}).encode()
    adjusted = refusals.adjust(request, complaint)
    assert adjusted is not None
    assert adjusted[0]["max_completion_tokens"] == 5
    assert refusals.adjust(request, b"no json") is None


def test_when_to_try_again():
    assert refusals.wait(429, {"retry-after": "12"}, b"", 1) == 12
    assert refusals.wait(429, {"retry-after-ms": "1500"}, b"", 1) == 1.5
    assert refusals.wait(429, {"retry-after": "60"}, b"", 1) is None
    assert refusals.wait(503, {"retry-after": "Sat, 01 Jan 2000 00:00:00 GMT"}, b"", 1) == 0
    assert 0.25 <= (refusals.wait(500, {}, b"", 1) or 0) <= 0.5
    assert 4 <= (refusals.wait(529, {}, b"", 9) or 0) <= 8
    assert refusals.wait(401, {}, b"", 1) is None
    assert refusals.wait(429, {}, b'{"error": {"code": "insufficient_quota"}}', 1) is None


def test_a_wait_that_is_too_long_is_said():
    assert refusals.too_long({"retry-after": "60"}, b"") == " It asks to wait 60 seconds."
    assert refusals.too_long({"retry-after": "3600"}, b"") == " It asks to wait 60 minutes."
    assert refusals.too_long({"retry-after": "12"}, b"") == ""
    assert refusals.too_long({}, b"") == ""


def test_a_remark_of_our_engine_stands_under_the_answer():
    call = Call(lambda: None)
    call.take(Remark("the longest answer was lowered to 12 tokens"))
    call.take(Remark("the longest answer was lowered to 12 tokens"))
    call.take(Delta("a"))
    call.end("done")
    figures = cell_of(call).figures
    assert figures.count("the longest answer was lowered to 12 tokens") == 1
