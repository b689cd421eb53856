"""Calls over real sockets, to endpoints that behave and that do not."""

import asyncio
import json

import httpx
import pytest

from hub.playground.calls import Call, Endpoint, Patience
from hub.playground.outbound import Outbound
from hub.playground.prices import Price
from hub.playground.runs import perform
from hub.playground.turns import Turns
from hub.registry.tokens import estimate
from hub.settings import Secret
from tests.endpoint import KEY, FakeEndpoint, running_endpoint


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

    given = {"base_url": fake.base_url, "slots": Turns(8)} | more
    return Endpoint(name="Acme", client=client, key=Secret(KEY), model=model, local=False, **given)


async def ask(fake, outbound, model, patience=None, **request) -> Call:
    call = Call(lambda: None)
    endpoint = endpoint_of(fake, outbound, model, price=Price(2.0, 10.0))
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
    slots = Turns(2)
    endpoint = endpoint_of(fake, outbound, "echo", slots=slots)
    request = {"messages": [{"role": "user", "content": "one two three four"}]}
    calls = [Call(lambda: None) for _ in range(8)]
    await asyncio.gather(*(perform(call, endpoint, request) for call in calls))
    assert {call.state for call in calls} == {"done"}
    assert fake.most_at_once <= 2
