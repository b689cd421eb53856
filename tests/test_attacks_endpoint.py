"""A model endpoint that lies and floods costs its own call, and leaves a record."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from hub.playground import answering, runs
from hub.playground.calls import Call, Endpoint, Patience
from hub.playground.live import columns
from hub.playground.stream import event, partial
from hub.playground.turns import Turns


async def answer_of(lines: list[bytes]) -> Call:
    """What becomes of a call that is answered with these lines."""

    async def body() -> Any:
        for line in lines:
            yield line

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=body())

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:

        async def the_client() -> httpx.AsyncClient:
            return client

        endpoint = Endpoint(
            name="Evil", base_url="https://evil.example/v1", client=the_client, key=None,
            model="evil", local=False, slots=Turns(1),
        )  # fmt: skip
        call = Call(lambda: None)
        patience = Patience(first_byte=5, idle=5, total=20)
        await runs.perform(call, endpoint, {"messages": []}, patience)
        return call


def line(delta: dict[str, Any], **more: Any) -> bytes:
    chunk = {"choices": [{"delta": delta, **more.pop("choice", {})}], **more}
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


@pytest.mark.parametrize("claimed", [b"1" + b"0" * 30, b"2147483648"])
async def test_counts_that_no_database_holds_are_not_believed(claimed: bytes):
    """Such a run was never written down: its page said "waiting" for ever."""
    last = line({"content": "Yes"}, choice={"finish_reason": "stop"})
    usage = b'data: {"usage": {"prompt_tokens": %b, "completion_tokens": %b}}\n\n'
    call = await answer_of([last, usage % (claimed, claimed)])
    kept = columns(call)
    assert (kept["state"], kept["output"]) == ("done", "Yes")
    assert (kept["tokens_in"] or 0) < 100
    assert (kept["tokens_out"] or 0) < 100


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning": "z" * 1000},
        {"tool_calls": [{"index": 0, "function": {"name": "n", "arguments": "q" * 1000}}]},
    ],
)
async def test_a_flood_that_nobody_sees_is_stopped(monkeypatch: Any, delta: dict[str, Any]):
    monkeypatch.setattr(answering, "MOST_BYTES", 50_000)
    call = await answer_of([line(delta)] * 200)
    assert call.state == "failed"
    assert "64 MiB" in (call.error or "")


def test_an_answer_cannot_end_its_event_nor_begin_another():
    hostile = "a\r\n\r\nevent: done\rdata: x\n\nid: 7\u2028"
    sent = event(partial("#answer-0-0", "beforeend", hostile))
    assert sent.count(b"\n\n") == 1
    assert b"\r" not in sent
    assert all(one.startswith(b"data: ") for one in sent.rstrip(b"\n").split(b"\n"))
