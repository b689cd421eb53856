"""Calls over real sockets, to endpoints that behave and that do not."""

import asyncio
import json
import re
from types import SimpleNamespace

import httpx
import msgspec
import pytest

from hub.outbound import Outbound
from hub.playground import answering, calls, runs
from hub.playground.calls import LONGEST_ID, THIS_MACHINE, Call, Endpoint, Patience
from hub.playground.cells import cell_of
from hub.playground.prices import Price
from hub.playground.runs import perform
from hub.playground.turns import Turns
from hub.playground.wire.events import Called, Delta, Note, Timing
from hub.registry.prompt.tokens import estimate
from hub.settings import Secret
from tests.endpoint import KEY, FakeEndpoint, running_endpoint
from tests.loopback import listening


@pytest.fixture
async def fake():
    async with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def outbound():
    outbound = Outbound("127.0.0.1")
    yield outbound
    await outbound.close()


def outbound_of(outbound: Outbound):
    async def client() -> httpx.AsyncClient:
        return outbound.client()

    return client


def endpoint_of(fake: FakeEndpoint, outbound: Outbound, model: str, **more) -> Endpoint:
    given = {"base_url": fake.base_url, "slots": Turns(8)} | more
    client = outbound_of(outbound)
    return Endpoint(name="Acme", client=client, key=Secret(KEY), model=model, local=False, **given)


async def ask(fake, outbound, model, patience=None, **request) -> Call:
    call = Call(lambda: None)
    endpoint = endpoint_of(fake, outbound, model, price=Price(2.0, 10.0))
    asked = {"messages": [{"role": "user", "content": "pain since this morning"}]} | request
    quick = patience or Patience(first_byte=60, idle=60, total=60)
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


@pytest.mark.parametrize(("held", "connections"), [(0.0, 1), (1.0, 3)])
async def test_the_next_call_needs_no_new_connection(outbound, held, connections, monkeypatch):
    """Unless the server keeps us waiting for the end that follows the last event."""
    monkeypatch.setattr(answering, "END_S", 0.05 if held else 60)
    came: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(1)
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
            await reader.readexactly(length)
            said = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\ndata: [DONE]\n\n'
            start = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            start += b"transfer-encoding: chunked\r\n\r\n"
            writer.write(start + b"%x\r\n%s\r\n" % (len(said), said))
            await writer.drain()
            await asyncio.sleep(held)
            writer.write(b"0\r\n\r\n")

    async with listening(serve) as port:
        given = {"client": outbound_of(outbound), "key": Secret(KEY), "slots": Turns(8)}
        endpoint = Endpoint(
            name="Acme", model="m", local=False, base_url=f"http://127.0.0.1:{port}/v1", **given
        )
        for _ in range(3):
            call = Call(lambda: None)
            asked = {"messages": [{"role": "user", "content": "Hello"}]}
            await perform(call, endpoint, asked, Patience(first_byte=60, idle=60, total=60))
            assert (call.state, call.output) == ("done", "Hi")
    assert len(came) == connections


async def test_a_connection_that_is_being_closed_when_its_time_is_over_gives_its_place_back(
    fake, outbound, monkeypatch
):
    """A pool has so many places; one that is not given back is lost for good."""
    monkeypatch.setattr(answering, "END_S", 0)
    for _ in range(5):
        assert (await ask(fake, outbound, "echo")).state == "done"
    assert outbound.client()._transport._pool.connections == []


def test_no_speed_is_read_off_a_word_or_a_blink():
    for tokens, lasted, rated in ((2, 1.0, False), (300, 0.001, False), (41, 2.0, True)):
        call = Call(lambda: None, tokens_out=tokens)
        call.begin()
        call._first, call._last = 10.0, 10.0 + lasted
        call.end("done")
        assert call.tokens_per_s == (pytest.approx(20) if rated else None)


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
    first_byte, idle = (0.3 if model == one else 60 for one in ("hang", "silent"))
    call = await ask(fake, outbound, model, Patience(first_byte, idle, total=60))
    assert call.state == "failed"
    assert sentence in (call.error or "")


async def test_an_endpoint_that_repeats_the_key_is_not_quoted_on_that(fake, outbound):
    call = await ask(fake, outbound, "tells")
    assert "Incorrect API key provided: …" in (call.error or "")


async def test_an_endpoint_that_dies_keeps_what_it_said(fake, outbound):
    call = await ask(fake, outbound, "dies")
    assert (call.state, call.output) == ("failed", "Well, then")
    assert "broke in the middle" in (call.error or "")


async def test_of_an_engine_of_this_machine_it_is_not_a_connection_that_broke(fake, outbound):
    call = Call(lambda: None)
    here = msgspec.structs.replace(endpoint_of(fake, outbound, "dies"), local=True)
    await perform(call, here, {"messages": [{"role": "user", "content": "pain"}]})
    assert (call.state, call.output) == ("failed", "Well, then")
    assert call.error == (
        "The local engine stopped in the middle; it starts again. What came is kept; run this "
        "once more."
    )


async def test_a_busy_endpoint_is_asked_again_and_a_broken_one_not_for_ever(fake, outbound):
    assert (await ask(fake, outbound, "e429")).output == "pain since this morning"
    call = await ask(fake, outbound, "e500")
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
    call = await ask(fake, outbound, "slow", Patience(total=3))
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
    async with asyncio.timeout(60):
        while not fake.hung_up:
            await asyncio.sleep(0.01)


async def test_a_connection_takes_no_more_calls_at_once_than_it_allows(fake, outbound):
    slots = Turns(2)
    endpoint = endpoint_of(fake, outbound, "echo", slots=slots)
    request = {"messages": [{"role": "user", "content": "one two three four"}]}
    calls = [Call(lambda: None) for _ in range(8)]
    await asyncio.gather(*(perform(call, endpoint, request) for call in calls))
    assert {call.state for call in calls} == {"done"}
    assert fake.most_at_once <= 2


async def test_while_nothing_comes_the_cell_counts(fake, outbound, monkeypatch):
    """A machine that sleeps takes minutes to wake; the page says for how long it has been asked."""
    monkeypatch.setattr(runs, "SLOW_START", 0.05)
    seen: list[str] = []
    call = Call(lambda: seen.append(call.wait))
    request = {"messages": [{"role": "user", "content": "x"}]}
    patience = Patience(first_byte=1)
    await perform(call, endpoint_of(fake, outbound, "hang"), request, patience)
    assert any(one.startswith("Sent 0:00 ago") for one in seen)
    assert call.wait == ""


@pytest.fixture
def still(monkeypatch):
    """Time stands still."""
    monkeypatch.setattr(calls, "time", SimpleNamespace(monotonic=lambda: 1000.0))


def test_what_the_engine_measured_is_taken_out_of_the_first_word(still):
    """Loading and standing in line are said apart, not counted as the model's slowness."""
    call = Call(lambda: None)
    call.begin()
    call._sent -= 3.0
    call.take(Delta("a"))
    call.take(Timing(queued=0.5, loaded=2.0, device="cuda:0"))
    call.end("done")
    assert (call.queued_s, call.load_s, call.device) == (0.5, 2.0, "gpu")
    assert call.first_token_s == pytest.approx(0.5)
    assert call.total_s == pytest.approx(0.5)
    call.connection = THIS_MACHINE
    assert "local, 0.50 s of GPU" in cell_of(call).figures
    assert "loaded in 2.0 s" in cell_of(call).figures
    loading = Call(lambda: None)
    loading.begin()
    loading.take(Timing(queued=0.0, loaded=2.0))
    assert cell_of(loading).figures == [], "it loads still"


def test_notes_and_measurements_of_the_same_wait_are_counted_once(still):
    call = Call(lambda: None)
    call.waited(1.0)  # in the hub's own line
    call.begin()
    call._sent -= 2.0
    call.take(Note("Loading the model: 10 %", "load"))
    call.take(Timing(queued=0.25, loaded=2.0))
    assert call.load_s == pytest.approx(2.0)
    assert call.queued_s == pytest.approx(1.25)


async def test_the_price_of_an_hour_makes_seconds_money_and_without_it_there_is_none(
    fake, outbound
):
    priced = endpoint_of(fake, outbound, "echo", hour_price=36.0)
    call = Call(lambda: None)
    request = {"messages": [{"role": "user", "content": "one two three"}]}
    await perform(call, priced, request)
    assert call.cost_usd == pytest.approx((call.total_s or 0) / 100)
    assert call.cost_from.endswith("s at $36 an hour")
    free = Call(lambda: None)
    await perform(free, endpoint_of(fake, outbound, "echo"), request)
    assert free.cost_usd is None
    assert not any("$" in one for one in cell_of(free).figures)


def test_what_a_model_asks_of_tools_is_kept_as_far_as_the_answer_is():
    call = Call(lambda: None)
    assert runs._take(call, Called("look", "{}", "i" * 10_000))
    assert not runs._take(call, Called("look", "x" * 3_000_000, "id"))
    assert [len(one["id"]) for one in call.tool_calls] == [LONGEST_ID]
    assert len(call.output) == runs.LONGEST_ANSWER
    assert "1 MiB" in (call.error or "")
