"""The local engine: room for models, several answers to one prompt, shapes, tools."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import httpx
import pytest

from hub.playground.engine import folders
from hub.playground.engine.loop import Loop
from hub.playground.engine.refusal import Refused
from hub.playground.engine.shelf import Lease, Shelf
from hub.playground.wire import refusals
from tests import engine_child
from tests.engine_child import (
    BUILTIN,
    ask,
    body,
    chunks,
    text,
)
from tests.test_engine_text import WEATHER

pytestmark = pytest.mark.asyncio(loop_scope="module")
models, engine, client = engine_child.models, engine_child.engine, engine_child.client


async def leased(shelf: Shelf, name: str) -> Lease:
    lease = shelf.lease(name)
    await asyncio.wrap_future(lease.model)
    return lease


@pytest.fixture
def two(models: Path, tmp_path: Path) -> tuple[Path, int]:
    """A folder with two models of one size, and the bytes of one."""
    for name in ("one", "two"):
        shutil.copytree(models / "random", tmp_path / name)
    return tmp_path, folders.find([tmp_path])["one"].bytes


async def test_the_longest_unused_model_makes_room(two: tuple[Path, int]) -> None:
    place, size = two
    loop = Loop()
    loop.start()
    shelf = Shelf([place], loop, budget=(128 << 20) + int(size * 2.5))
    for name in ("one", "two"):
        shelf.give_back(await leased(shelf, name))
    assert set(shelf.loaded) == set(loop.batches) == {"two"}
    small = Shelf([place], loop, budget=1000)
    with pytest.raises(Refused, match=r"needs about .* are free. Raise the limit") as refused:
        await leased(small, "one")
    answer = json.dumps(refused.value.as_json()).encode()
    assert refusals.sentence(refused.value.status, answer) == refused.value.sentence
    assert refusals.wait(refused.value.status, {}, answer, 1) is None, "it is as large in a moment"


async def test_how_far_a_model_is_can_be_asked_until_the_moment_it_is_there(
    two: tuple[Path, int],
) -> None:
    place, size = two
    loop = Loop()
    loop.start()
    shelf = Shelf([place], loop, budget=(128 << 20) + int(size * 2.5))
    told: list[float] = []
    for name in ("one", "two") * 4:  # each makes the other go
        lease = shelf.lease(name)
        while not lease.model.done():
            told.append(shelf.progress(name)[0])
        shelf.give_back(lease)
    assert told
    assert all(0 <= one < 1 for one in told)


async def test_models_that_do_not_fit_together_run_one_after_another(
    two: tuple[Path, int],
) -> None:
    place, size = two
    loop = Loop()
    loop.start()
    shelf = Shelf([place], loop, budget=(128 << 20) + int(size * 2.5))
    first = await leased(shelf, "one")
    second, third = shelf.lease("two"), None
    for _ in range(6000):
        if shelf.progress("two")[1]:
            break
        await asyncio.sleep(0.01)
    assert shelf.progress("two") == (
        0.0, "two and one do not fit into memory together, so they run one after another.",
    )  # fmt: skip
    third = shelf.lease("one")
    await asyncio.sleep(0.2)
    assert not second.model.done()
    assert not third.model.done()
    shelf.give_back(first)
    await asyncio.wrap_future(second.model)
    assert set(shelf.loaded) == {"two"}
    shelf.give_back(second)
    await asyncio.wrap_future(third.model)
    assert set(shelf.loaded) == {"one"}
    shelf.give_back(third)
    gone = shelf.lease("nobody/knows")
    shelf.give_back(gone)
    with pytest.raises(Refused):
        await leased(shelf, "nobody/knows")


async def test_several_answers_to_one_prompt_read_it_once(client: httpx.AsyncClient) -> None:
    given = {"n": 3, "seed": 5, "temperature": 1.3, "max_tokens": 15}
    prompt = "the same long prompt for all of them " * 4
    status, answer = await ask(client, text=prompt, **given)
    assert status == 200
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert len(set(texts)) == 3
    assert answer["usage"]["completion_tokens"] == 45
    assert await text(client, **{**body(prompt), **given, "n": 1, "seed": 6}) == texts[1]
    got = await chunks(client, text=prompt, **given)
    for index in range(3):
        mine = [c["choices"][0] for c in got if c["choices"] and c["choices"][0]["index"] == index]
        assert "".join(one["delta"].get("content") or "" for one in mine) == texts[index]
        assert mine[0]["delta"]["role"] == "assistant"
        assert [one["finish_reason"] for one in mine if one["finish_reason"]] == ["length"]


async def test_log_probabilities_come_with_the_pieces(client: httpx.AsyncClient) -> None:
    given = {"logprobs": True, "top_logprobs": 2, "max_tokens": 6}
    status, answer = await ask(client, **given)
    assert status == 200
    told = answer["choices"][0]["logprobs"]["content"]
    assert len(told) == 6
    spoken = b"".join(bytes(one["bytes"]) for one in told).decode(errors="replace")
    assert spoken == answer["choices"][0]["message"]["content"]
    for one in told:
        assert one["top_logprobs"][0]["logprob"] == one["logprob"] <= 0
        assert len(one["top_logprobs"]) == 2
    got = await chunks(client, **given)
    parts = [c["choices"][0]["logprobs"]["content"] for c in got
             if c["choices"] and "logprobs" in c["choices"][0]]  # fmt: skip
    assert [one for part in parts for one in part] == told


async def test_an_answer_fits_its_schema_streamed_and_whole(client: httpx.AsyncClient) -> None:
    schema = {
        "type": "object",
        "properties": {"sure": {"type": "boolean"}, "level": {"enum": ["low", "high"]}},
        "required": ["sure", "level"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    status, answer = await ask(client, response_format=form, max_tokens=60)
    assert status == 200
    found = json.loads(answer["choices"][0]["message"]["content"])
    assert set(found) == {"sure", "level"}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert json.loads(await text(client, model=BUILTIN, response_format=form, max_tokens=60))


async def test_a_tool_that_must_be_called_is_called(client: httpx.AsyncClient) -> None:
    given = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 80}
    status, answer = await ask(client, **given)
    assert status == 200, answer
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    [call] = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert set(json.loads(call["function"]["arguments"])) == {"city"}
    got = await chunks(client, **given)
    deltas = [c["choices"][0]["delta"] for c in got if c["choices"]]
    streamed = [one["tool_calls"][0]["function"] for one in deltas if "tool_calls" in one]
    assert streamed == [call["function"]]
    assert not any(one.get("content") for one in deltas)


async def test_a_stream_says_how_long_it_waited_and_which_weights_answered(
    client: httpx.AsyncClient,
) -> None:
    got = await chunks(client, stream_options={"include_usage": True})
    [timing] = [c["prompthub"] for c in got if "queue_s" in c.get("prompthub", {})]
    assert timing["device"] == "cpu"
    assert 0 <= timing["queue_s"] < 5
    listed = (await client.get("/v1/models")).json()["data"]
    [facts] = [one["prompthub"] for one in listed if one["id"] == "random"]
    assert {c["system_fingerprint"] for c in got if c["choices"]} == {facts["fingerprint"]}
    assert got[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] >= 0
