"""The local engine as the hub uses it: a real child process, real sockets, real models."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from hub.playground.engine import folders
from hub.playground.engine.chat import NO_TOOLS
from hub.playground.engine.loop import Loop
from hub.playground.engine.process import Engine
from hub.playground.engine.refusal import Refused
from hub.playground.engine.shelf import Lease, Shelf
from tests.test_engine_text import WEATHER
from tests.tiny_models import NO_SYSTEM, save

pytestmark = pytest.mark.asyncio(loop_scope="module")
BUILTIN = "prompthub/tiny"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, good and bad."""
    place = tmp_path_factory.mktemp("models")
    save(place / "random")
    save(place / "owner" / "no-system", "qwen2", NO_SYSTEM)
    pickled = save(place / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    coded = save(place / "coded")
    config = json.loads((coded / "config.json").read_text())
    (coded / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    torn = save(place / "torn")
    (torn / "model.safetensors").write_bytes(b"\x00" * 500)
    (place / "photos").mkdir()
    (place / "photos" / "cat.jpg").write_bytes(b"\xff\xd8")
    return place


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(models: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("engine"), [models, models / "gone"], threads=1)
    yield made
    await made.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    await engine.address()
    async with engine.client(60) as made:
        yield made


def body(text: str = "Write a poem.", model: str = "random", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": 12, **more}


async def ask(client: httpx.AsyncClient, **more: Any) -> tuple[int, Any]:
    answer = await client.post("/v1/chat/completions", json=body(**more))
    return answer.status_code, answer.json()


async def text(client: httpx.AsyncClient, **more: Any) -> str:
    status, answer = await ask(client, **more)
    assert status == 200, answer
    return answer["choices"][0]["message"]["content"]


async def chunks(client: httpx.AsyncClient, **more: Any) -> list[dict[str, Any]]:
    given = body(stream=True, **more)
    async with client.stream("POST", "/v1/chat/completions", json=given) as answer:
        lines = [line async for line in answer.aiter_lines() if line]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def test_it_is_off_until_someone_runs_a_model_and_imports_no_torch_here(
    tmp_path: Path,
) -> None:
    assert Engine(tmp_path).state.name == "off"
    probe = "import sys, hub.playground.engine.process; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", probe]).strip() == b"False"


async def test_the_built_in_model_streams_an_answer_with_usage(client: httpx.AsyncClient) -> None:
    got = await chunks(client, model=BUILTIN, stream_options={"include_usage": True}, max_tokens=60)
    said = [c["choices"][0] for c in got if c["choices"]]
    assert "".join(choice["delta"].get("content", "") for choice in said).strip()
    assert said[0]["delta"]["role"] == "assistant"
    assert said[-1]["finish_reason"] == "stop"
    assert got[-1]["usage"]["prompt_tokens"] > 3 < got[-1]["usage"]["completion_tokens"]


async def test_streamed_and_whole_are_one_text_and_seeds_repeat(client: httpx.AsyncClient) -> None:
    for temperature in (0, 1.5):
        given = {"temperature": temperature, "seed": 7, "max_tokens": 30, "top_p": 0.95}
        whole = await text(client, **given)
        got = await chunks(client, **given)
        parts = [c["choices"][0]["delta"].get("content", "") for c in got if c["choices"]]
        assert "".join(parts) == whole
    others = {await text(client, temperature=1.5, seed=seed, max_tokens=30) for seed in range(4)}
    assert len(others) == 4


async def test_a_stop_string_is_cut_out_and_the_reason_is_stop(client: httpx.AsyncClient) -> None:
    whole = await text(client, max_tokens=40)
    stop = whole[7:12]
    status, answer = await ask(client, max_tokens=40, stop=[stop, "never said"])
    choice = answer["choices"][0]
    assert status == 200
    assert choice["message"]["content"] == whole[: whole.index(stop)]
    assert choice["finish_reason"] == "stop"


async def test_max_tokens_ends_with_length(client: httpx.AsyncClient) -> None:
    _, answer = await ask(client, max_tokens=5)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


async def test_more_streams_than_slots_wait_their_turn_and_all_end(
    client: httpx.AsyncClient,
) -> None:
    alone = await text(client, max_tokens=60)
    together = await asyncio.gather(*(chunks(client, max_tokens=60) for _ in range(22)))
    texts = {
        "".join(c["choices"][0]["delta"].get("content", "") for c in got if c["choices"])
        for got in together
    }
    assert texts == {alone}
    assert any(c.get("prompthub", {}).get("queued") for got in together for c in got)


async def test_going_away_frees_the_slot(client: httpx.AsyncClient) -> None:
    given = body(stream=True, max_tokens=1900)
    async with client.stream("POST", "/v1/chat/completions", json=given) as answer:
        await anext(answer.aiter_lines())
    for _ in range(200):
        streams = (await client.get("/health")).json()["streams"]["random"]
        if streams == {"running": 0, "waiting": 0}:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the stream went on without a listener")


async def test_folders_that_are_no_model_say_why(client: httpx.AsyncClient, models: Path) -> None:
    listed = (await client.get("/v1/models")).json()["data"]
    problems = {one["id"]: one["prompthub"]["problem"] for one in listed}
    assert problems[BUILTIN] == problems["random"] == problems["owner/no-system"] == ""
    assert "pytorch_model.bin, a format that can run code" in problems["pickled"]
    assert "program code of its own, which is never run" in problems["coded"]
    assert "has no config.json" in problems["photos"]
    assert "There is no folder" in problems["gone"]
    for name in ("pickled", "coded", "photos", "gone"):
        status, answer = await ask(client, model=name)
        assert (status, answer["error"]["message"]) == (400, problems[name])
    status, answer = await ask(client, model="torn")
    assert status == 400
    assert "torn cannot be loaded" in answer["error"]["message"]
    status, answer = await ask(client, model="nobody/knows")
    assert (status, "no local model called" in answer["error"]["message"]) == (404, True)


async def test_a_prompt_that_is_too_long_is_refused_whole(client: httpx.AsyncClient) -> None:
    await text(client)
    for more in ({}, {"stream": True}):
        given = body("word " * 3000) | more
        answer = await client.post("/v1/chat/completions", json=given)
        assert answer.status_code == 400
        assert "The prompt is too long for this model: 3,0" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"messages": []}, "no messages"),
        ({"messages": "hello"}, "no messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "no known role"),
        ({"messages": [{"role": "user", "content": 5}]}, "not text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "more than text"),
        ({"messages": [{"role": "user", "content": "\ud83d"}]}, "broken character"),
        ({"temperature": "hot"}, "temperature must be a number"),
        ({"temperature": -1}, "temperature must be a number"),
        ({"top_p": 2}, "top_p must be a number"),
        ({"max_tokens": 0}, "max_tokens must be"),
        ({"seed": "x"}, "seed must be a whole number"),
        ({"stop": [""]}, "stop takes up to"),
        ({"n": 0.5}, "n must be a number from 1 to 20"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}},
         "cannot be bound to this schema"),
        ({"model": 3}, "names no model"),
    ],
)  # fmt: skip
async def test_a_bad_request_gets_a_sentence(
    client: httpx.AsyncClient, wrong: dict[str, Any], sentence: str
) -> None:
    answer = await client.post("/v1/chat/completions", content=json.dumps(body() | wrong))
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["message"]


async def test_after_bad_requests_it_still_answers(client: httpx.AsyncClient) -> None:
    for content in (b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000):
        assert (await client.post("/v1/chat/completions", content=content)).status_code == 400
    assert (await client.get("/nowhere")).status_code == 404
    assert (await client.post("/unload", content=b"{}")).status_code == 400
    assert await text(client)


async def test_every_script_and_emoji_arrives(client: httpx.AsyncClient) -> None:
    counts = []
    for word in ("hello", "👩‍👩‍👧 🇫🇷 中文 עברית हिन्दी", "a\u0000b\r\n\t\ufffd"):
        status, answer = await ask(client, text=word)
        assert status == 200
        counts.append(answer["usage"]["prompt_tokens"])
    assert counts[1] > counts[0]


async def test_a_model_without_a_system_role_gets_the_text_and_a_note(
    client: httpx.AsyncClient,
) -> None:
    told = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    merged = [{"role": "user", "content": "Be kind.\n\nHi"}]
    status, answer = await ask(client, model="owner/no-system", messages=told)
    assert status == 200
    assert "no system role" in answer["prompthub"]["note"]
    assert (
        await text(client, model="owner/no-system", messages=merged)
        == (answer["choices"][0]["message"]["content"])
    )
    got = await chunks(client, model="owner/no-system", messages=told, tools=[WEATHER])
    notes = [c["prompthub"]["note"] for c in got if "note" in c.get("prompthub", {})]
    assert notes == [f"{NO_TOOLS}; {answer['prompthub']['note']}"]


async def test_unloading_gives_the_model_back_and_the_next_run_loads_it(
    client: httpx.AsyncClient,
) -> None:
    before = await text(client)
    assert (await client.post("/unload", json={"model": "random"})).json() == {"unloaded": True}
    assert "random" not in (await client.get("/health")).json()["models"]
    assert await text(client) == before


async def test_the_child_knows_no_secrets_and_stays_offline(
    client: httpx.AsyncClient, engine: Engine
) -> None:
    raw = Path(f"/proc/{engine.pid}/environ").read_bytes().decode()
    names = {pair.partition("=")[0] for pair in raw.split("\0") if pair}
    assert {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "OMP_WAIT_POLICY"} <= names
    assert not {name for name in names if "KEY" in name or "SECRET" in name or "PROMPTHUB" in name}


async def test_killed_while_answering_it_says_so_and_comes_back(
    client: httpx.AsyncClient, engine: Engine
) -> None:
    before = await text(client)
    given = body(stream=True, max_tokens=1900)
    killed = engine.pid
    assert killed is not None
    async with client.stream("POST", "/v1/chat/completions", json=given) as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(httpx.HTTPError):
            _ = [line async for line in lines]
    await engine.address()
    assert engine.pid not in (None, killed)
    assert engine.state.name == "ready"
    async with engine.client(60) as fresh:
        assert await text(fresh) == before


async def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'hub.playground.engine', "
        "'--socket', sys.argv[1]], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "s")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while _runs(child) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    """Whether the process lives; one that is dead but not yet collected has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


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
    with pytest.raises(Refused, match=r"needs about .* are free. Stop other programs"):
        await leased(small, "one")


async def test_models_that_do_not_fit_together_run_one_after_another(
    two: tuple[Path, int],
) -> None:
    place, size = two
    loop = Loop()
    loop.start()
    shelf = Shelf([place], loop, budget=(128 << 20) + int(size * 2.5))
    first = await leased(shelf, "one")
    second, third = shelf.lease("two"), None
    for _ in range(200):
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
