"""Calls over real sockets to five vendors, each in its own language: the same run comes out."""

import asyncio
import time

import httpx
import pytest

from hub.outbound import Outbound
from hub.playground.calls import Call, Endpoint, Patience, Route
from hub.playground.cells import cell_of
from hub.playground.prices import Price
from hub.playground.runs import perform
from hub.playground.turns import Turns
from hub.settings import Secret
from tests.vendors import KEY, KINDS, THOUGHT, WORDS, Vendors, running_vendors

PATIENCE = Patience(first_byte=60, idle=60, total=60)
ASKED = {"messages": [{"role": "user", "content": "pain"}], "temperature": 0.2, "seed": 7}
IGNORED = {"responses": ["ignored: seed"], "anthropic": ["ignored: seed"]}


@pytest.fixture
async def vendors():
    async with running_vendors() as found:
        yield found


@pytest.fixture
async def outbound():
    outbound = Outbound("127.0.0.1")
    yield outbound
    await outbound.close()


def endpoint_of(vendors: Vendors, outbound: Outbound, kind: str, model: str, **more) -> Endpoint:
    async def client() -> httpx.AsyncClient:
        return outbound.client()

    given = {"slots": Turns(8), "key": Secret(KEY), "name": kind.title()} | more
    return Endpoint(
        kind=kind, base_url=vendors.address(kind), client=client, model=model, local=False, **given
    )


async def ask(vendors, outbound, kind, model, **more) -> Call:
    call = Call(lambda: None)
    await perform(call, endpoint_of(vendors, outbound, kind, model, **more), ASKED, PATIENCE)
    return call


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_is_the_same_run_whoever_gave_it(vendors, outbound, kind):
    call = await ask(vendors, outbound, kind, "plain", price=Price(10.0, 100.0, cached=1.0))
    assert (call.state, call.output, call.error) == ("done", WORDS, None)
    assert (call.reasoning, call.finish_reason) == (THOUGHT, "stop")
    assert (call.tokens_in, call.tokens_out, call.estimated) == (20, 8, False)
    assert call.notes == IGNORED.get(kind, [])
    costs = {"openai": 0.0125, "anthropic": (5 * 10 + 15 * 1 + 8 * 100) / 1e6}
    assert call.cost_usd == pytest.approx(costs.get(kind, (20 * 10 + 8 * 100) / 1e6))
    reported = kind == "openai"
    assert call.cost_from == ("as the provider reports it" if reported else "as entered under "
                              "Models")  # fmt: skip
    cell = cell_of(call)
    assert (cell.reasoning, cell.why) == (THOUGHT, call.cost_from)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_that_is_asked_for_is_kept_and_told(vendors, outbound, kind):
    call = await ask(vendors, outbound, kind, "tool")
    assert [(one["name"], one["arguments"]) for one in call.tool_calls] == [("book", '{"bed": 4}')]
    assert call.output == '[calls the tool book with {"bed": 4}]\n'
    assert (call.state, call.finish_reason) == ("done", "tool_calls")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_in_one_piece(vendors, outbound, kind):
    call = await ask(vendors, outbound, kind, "whole")
    assert (call.state, call.output, call.finish_reason) == ("done", WORDS, "stop")
    assert call.estimated


@pytest.mark.parametrize("kind", KINDS)
async def test_a_busy_vendor_is_asked_again_while_nothing_came(vendors, outbound, kind):
    """After an error inside a 200, and after a 429 that says how long to wait."""
    assert (await ask(vendors, outbound, kind, "overloaded")).output == WORDS
    since = time.monotonic()
    call = await ask(vendors, outbound, kind, "busy")
    took = time.monotonic() - since
    assert call.output == WORDS
    assert call.queued_s is not None
    assert call.queued_s >= 0.3
    # The wait is not the model's slowness.
    assert (call.first_token_s or 9) + call.queued_s <= took
    assert vendors.tries == {f"{kind}/overloaded": 2, f"{kind}/busy": 2}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_vendor_refuses_is_a_sentence(vendors, outbound, kind):
    wrong = await ask(vendors, outbound, kind, "plain", key=Secret("wrong"))
    assert "does not accept the key" in (wrong.error or "")
    call = await ask(vendors, outbound, kind, "broke")
    assert "no credit left" in (call.error or "")
    dies = await ask(vendors, outbound, kind, "dies")
    assert (dies.state, dies.output) == ("failed", WORDS)
    assert "broke in the middle" in (dies.error or "")
    picky = await ask(vendors, outbound, kind, "picky")
    assert picky.output == WORDS
    assert "ignored: temperature" in picky.notes
    assert vendors.tries[f"{kind}/broke"] == 1
    assert vendors.tries[f"{kind}/dies"] == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_stopping_reaches_the_vendor(vendors, outbound, kind):
    call = Call(lambda: None)
    endpoint = endpoint_of(vendors, outbound, kind, "slow")
    task = asyncio.create_task(perform(call, endpoint, ASKED, PATIENCE))
    async with asyncio.timeout(60):
        while WORDS not in call.output:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (call.state, call.output) == ("stopped", WORDS)
    assert call.tokens_out
    async with asyncio.timeout(60):
        while vendors.hung_up != [kind]:
            await asyncio.sleep(0.01)


async def test_the_countdown_is_seen_while_a_vendor_asks_to_wait(vendors, outbound):
    seen: list[str] = []
    call = Call(lambda: seen.append(call.wait))
    await perform(call, endpoint_of(vendors, outbound, "anthropic", "busy"), ASKED, PATIENCE)
    assert call.state == "done"
    assert any(one == "Anthropic asks to wait. Goes on in 1 s · try 2 of 3" for one in seen), seen


async def test_a_storm_of_429_ends_with_a_sentence_for_everybody(vendors, outbound):
    """Fifty calls at two places: never more than two at once, and every one comes to an end."""
    slots = Turns(2)
    calls = [Call(lambda: None) for _ in range(50)]
    jobs = [
        perform(
            one, endpoint_of(vendors, outbound, "openai", "storm", slots=slots, owner=at), ASKED,
            PATIENCE,
        )
        for at, one in enumerate(calls)
    ]  # fmt: skip
    await asyncio.gather(*jobs)
    assert {one.state for one in calls} == {"failed"}
    assert all("fewer requests" in (one.error or "") for one in calls)
    assert vendors.most_at_once <= 2
    assert slots.taken == 0


# ── several endpoints behind one name ───────────────────────────────────────────────────────────


async def test_the_next_answers_when_the_first_does_not_and_the_run_says_so(vendors, outbound):
    vendors.down = {"anthropic"}
    route = Route(
        name="fast",
        endpoints=[endpoint_of(vendors, outbound, kind, "plain") for kind in KINDS[2:]],
    )
    call = Call(lambda: None)
    await perform(call, route, ASKED, PATIENCE)
    assert (call.state, call.output) == ("done", WORDS)
    assert (call.connection, call.model) == ("Gemini", "plain")
    assert call.notes[-1] == "answered by plain at Gemini"
    assert any("plain at Anthropic did not answer" in one for one in call.notes)
    assert vendors.tries == {"anthropic/plain": 1, "gemini/plain": 1}


async def test_nobody_else_is_asked_once_something_came(vendors, outbound):
    pair = [endpoint_of(vendors, outbound, "gemini", one) for one in ("dies", "plain")]
    call = Call(lambda: None)
    await perform(call, Route(name="fast", endpoints=pair), ASKED, PATIENCE)
    assert (call.state, call.output) == ("failed", WORDS)
    assert vendors.tries == {"gemini/dies": 1}


async def test_when_none_answers_each_one_is_named(vendors, outbound):
    vendors.down = {"anthropic", "gemini"}
    pair = [endpoint_of(vendors, outbound, one, "plain") for one in ("anthropic", "gemini")]
    call = Call(lambda: None)
    await perform(call, Route(name="fast", endpoints=pair), ASKED, PATIENCE)
    assert call.state == "failed"
    assert "down for repairs" in (call.error or "")
    assert call.notes[-1].startswith("plain at Anthropic did not answer: It has a problem")
    assert vendors.tries == {"anthropic/plain": 1, "gemini/plain": 3}


async def test_who_asked_to_wait_is_passed_over(vendors, outbound):
    slots = Turns(8)
    slots.hold(30)
    resting = endpoint_of(vendors, outbound, "openai", "plain", slots=slots)
    other = endpoint_of(vendors, outbound, "ollama", "plain")
    call = Call(lambda: None)
    await perform(call, Route(name="fast", endpoints=[resting, other]), ASKED, PATIENCE)
    assert (call.state, call.connection) == ("done", "Ollama")
    assert "openai/plain" not in vendors.tries


async def test_a_picture_goes_out_whole_and_is_kept_short(vendors, outbound):
    data = "A" * 50_000
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    call = Call(lambda: None)
    asked = {"messages": [{"role": "user", "content": [picture]}]}
    await perform(call, endpoint_of(vendors, outbound, "gemini", "plain"), asked, PATIENCE)
    part = vendors.asked[0]["contents"][0]["parts"][0]
    assert part["inlineData"]["data"] == data
    assert len(str(call.request)) < 1000
