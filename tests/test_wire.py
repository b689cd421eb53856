"""What endpoints send becomes events, and what they do wrong becomes a sentence."""

import asyncio
import json

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Invalid
from hub.playground.calls import Call, Endpoint, Patience
from hub.playground.cells import cell_of
from hub.playground.outbound import ForbiddenAddress, Outbound
from hub.playground.runs import perform
from hub.playground.wire import refusals, sse
from hub.playground.wire.events import Delta, Failed, Finish, Note, Remark, Usage
from hub.playground.wire.openai_chat import Reader, models_of
from hub.registry.tokens import estimate
from hub.settings import Secret
from tests.endpoint import KEY, FakeEndpoint, running_endpoint

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
    ) == [Delta('[calls the tool look_up with {"name": "ana"}]\n'), Finish("tool_calls")]


def test_our_engine_says_where_a_request_stands():
    told = [{"queued": 2}, {"loading": 0.0}, {"loading": 0.4}]
    assert events(*({"prompthub": one} for one in told), end=False) == [
        Note("2nd in line on this machine"),
        Note("The local model is starting…"),
        Note("Loading the model: 40 %"),
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
    assert refusals.wait(500, {}, b"", 1) == 0.5
    assert refusals.wait(401, {}, b"", 1) is None
    assert refusals.wait(429, {}, b'{"error": {"code": "insufficient_quota"}}', 1) is None


# ── over real sockets ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def fake():
    async with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def outbound():
    outbound = Outbound("127.0.0.1")
    yield outbound
    await outbound.close()


def endpoint_of(fake: FakeEndpoint, outbound: Outbound, model: str, **more) -> Endpoint:
    async def client() -> httpx.AsyncClient:
        return outbound.client()

    given = {"base_url": fake.base_url, "slots": asyncio.Semaphore(8)} | more
    return Endpoint(name="Acme", client=client, key=Secret(KEY), model=model, local=False, **given)


async def ask(fake, outbound, model, patience=None, **request) -> Call:
    call = Call(lambda: None)
    endpoint = endpoint_of(fake, outbound, model, input_price=2.0, output_price=10.0)
    asked = {"messages": [{"role": "user", "content": "pain since this morning"}]} | request
    quick = patience or Patience(first_byte=5, idle=5, total=10)
    await perform(call, endpoint, asked, quick)
    return call


async def test_an_answer_is_measured_and_priced(fake, outbound):
    call = await ask(fake, outbound, "echo", temperature=0.2)
    assert (call.state, call.output) == ("done", "pain since this morning")
    assert (call.tokens_in, call.tokens_out, call.finish_reason) == (10, 4, "stop")
    assert call.cost_usd == pytest.approx((10 * 2 + 4 * 10) / 1e6)
    assert call.first_token_s is not None
    assert fake.headers[0]["authorization"] == f"bearer {KEY}"
    assert fake.asked[0]["stream_options"] == {"include_usage": True}
    assert KEY not in json.dumps(call.request)


async def test_without_usage_the_tokens_are_estimated(fake, outbound):
    call = await ask(fake, outbound, "no-usage")
    assert (call.state, call.estimated) == ("done", True)
    assert call.tokens_out == estimate("pain since this morning")
    assert call.cost_usd


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("e401", "does not accept the key"),
        ("e404", "knows no such address or model"),
        ("html", "a web page"),
        ("garbage", "not in the chat-completions language"),
        ("error200", "out of memory"),
        ("redirect", "another address, which we do not follow"),
        ("silent", "for 0.3 seconds"),
        ("hang", "did not begin to answer"),
        ("closes", "closed the connection without an answer"),
    ],
)
async def test_what_an_endpoint_does_wrong_is_a_sentence(fake, outbound, model, sentence):
    call = await ask(fake, outbound, model, Patience(first_byte=0.3, idle=0.3, total=5))
    assert call.state == "failed"
    assert sentence in (call.error or "")


async def test_an_endpoint_that_repeats_the_key_is_not_quoted_on_that(fake, outbound):
    call = await ask(fake, outbound, "tells")
    assert "Incorrect API key provided: …" in (call.error or "")


async def test_an_endpoint_that_dies_keeps_what_it_said(fake, outbound):
    call = await ask(fake, outbound, "dies")
    assert (call.state, call.output) == ("failed", "Well, then")
    assert "broke in the middle" in (call.error or "")


async def test_a_busy_endpoint_is_asked_again_and_a_broken_one_not_for_ever(fake, outbound):
    assert (await ask(fake, outbound, "e429")).output == "pain since this morning"
    call = await ask(fake, outbound, "e500", Patience(total=4))
    assert "problem of its own" in (call.error or "")
    assert fake.tries == {"e429": 2, "e500": 3}


async def test_a_setting_the_model_refuses_is_dropped_and_noted(fake, outbound):
    call = await ask(fake, outbound, "fussy", temperature=0.2)
    assert (call.state, call.notes) == ("done", ["ignored: temperature"])


async def test_an_answer_that_is_not_streamed_is_an_answer(fake, outbound):
    assert (await ask(fake, outbound, "whole")).output == "pain since this morning"


async def test_nobody_there_is_said_within_the_tries(outbound):
    gone = FakeEndpoint(port=9)
    call = await ask(gone, outbound, "echo")
    assert "cannot be reached" in (call.error or "")


async def test_a_run_that_takes_too_long_is_stopped(fake, outbound):
    call = await ask(fake, outbound, "slow", Patience(total=0.3))
    assert call.state == "failed"
    assert "longer than" in (call.error or "")
    assert call.output.startswith("Well, then and")


async def test_stopping_reaches_the_endpoint(fake, outbound):
    call = Call(lambda: None)
    request = {"messages": [{"role": "user", "content": "x"}]}
    task = asyncio.create_task(perform(call, endpoint_of(fake, outbound, "slow"), request))
    while "and" not in call.output:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.state == "stopped"
    async with asyncio.timeout(2):
        while not fake.hung_up:
            await asyncio.sleep(0.01)


async def test_a_connection_takes_no_more_calls_at_once_than_it_allows(fake, outbound):
    slots = asyncio.Semaphore(2)
    endpoint = endpoint_of(fake, outbound, "echo", slots=slots)
    request = {"messages": [{"role": "user", "content": "one two three four"}]}
    calls = [Call(lambda: None) for _ in range(8)]
    await asyncio.gather(*(perform(call, endpoint, request) for call in calls))
    assert {call.state for call in calls} == {"done"}
    assert fake.most_at_once <= 2


# ── where the hub connects at all ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434/v1",
        "https://127.0.0.1/v1",
        "https://localhost/v1",
        "https://2130706433/v1",
        "https://0x7f.1/v1",
        "https://[::1]/v1",
        "https://[::ffff:127.0.0.1]/v1",
        "https://[::ffff:169.254.169.254]/v1",
        "https://[64:ff9b::7f00:1]/v1",
        "https://[2002:7f00:1::]/v1",
        "https://10.0.0.7/v1",
        "https://192.168.1.4/v1",
        "https://100.64.0.1/v1",
        "https://0.0.0.0/v1",
        "https://224.0.0.1/v1",
        "https://240.0.0.1/v1",
        "https://169.254.169.254/latest",
        "https://[fe80::1]/v1",
        "https://[fd00:ec2::254]/v1",
        "https://100.100.100.200/v1",
        "https://168.63.129.16/v1",
        "http://api.example.org/v1",
    ],
)
async def test_private_addresses_are_refused_with_what_to_do(url):
    with pytest.raises(ForbiddenAddress, match=r"allow it|never connects|without encryption"):
        await Outbound().check(url)


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org", "file:///etc/passwd", "https://", "https://a b/",
     "https://me:secret@example.org/v1", "https://example.org/v1?key=1", "https://x:99999/",
     "javascript:alert(1)", "https://example.org/\nv1", "https://example.org/#v1"],
)  # fmt: skip
async def test_what_is_no_address_is_refused(url):
    with pytest.raises(Invalid):
        await Outbound().check(url)


async def test_metadata_addresses_cannot_be_allowed_even_by_the_operator():
    with pytest.raises(ForbiddenAddress):
        await Outbound("169.254.169.254").check("http://169.254.169.254/v1")


async def test_the_operator_allows_by_name_or_address_with_or_without_port():
    for listed in ("127.0.0.1:11434", "127.0.0.1", "other, 127.0.0.1:11434"):
        await Outbound(listed).check("http://127.0.0.1:11434/v1/")
    await Outbound("localhost").check("http://localhost:11434/v1")
    await Outbound("[::1]:8000").check("http://[::1]:8000/v1")
    with pytest.raises(ForbiddenAddress, match=r"PROMPTHUB_PRIVATE_HOSTS=127\.0\.0\.1:80"):
        await Outbound("127.0.0.1:11434").check("http://127.0.0.1/v1")


async def test_a_name_that_turns_private_after_it_was_saved_is_not_connected(fake, monkeypatch):
    """The check at save passes, then the name resolves to loopback: nothing is sent there."""
    outbound = Outbound()

    async def rebound(host, port, **_):
        return [(2, 1, 6, "", ("127.0.0.1", fake.port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebound)
    with pytest.raises(ForbiddenAddress):
        await outbound.client().get(f"https://models.example.org:{fake.port}/v1/models")
    assert fake.headers == []
    await outbound.close()


async def test_the_name_stays_in_the_tls_handshake(monkeypatch):
    """We connect to the checked IP, but ask for, and would verify, the name."""
    hello = bytearray()

    async def connected(reader, writer):
        hello.extend(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def resolved(host, asked, **_):
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    outbound = Outbound("models.example.org")
    with pytest.raises(httpx.HTTPError):
        await outbound.client().get(f"https://models.example.org:{port}/v1/models")
    assert b"models.example.org" in hello
    await outbound.close()
    server.close()


async def test_a_name_without_a_machine_is_said(outbound):
    with pytest.raises(httpcore.ConnectError, match="no machine"):
        await outbound.resolve("no-such-host.invalid", 443)


def test_a_remark_of_our_engine_stands_under_the_answer():
    call = Call(lambda: None)
    call.take(Remark("the longest answer was lowered to 12 tokens"))
    call.take(Remark("the longest answer was lowered to 12 tokens"))
    call.take(Delta("a"))
    call.end("done")
    figures = cell_of(call, local=True).figures
    assert figures.count("the longest answer was lowered to 12 tokens") == 1
