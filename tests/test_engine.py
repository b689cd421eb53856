"""The local engine as the hub uses it: a real child process, real sockets, real models."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.playground.engine.chat import NO_TOOLS
from hub.playground.engine.process import Engine
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
    for _ in range(6000):
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
    for name, why in (
        ("torn", "The weights of torn are damaged or not all there"),
        ("lacking", "layers.0.mlp.up_proj.weight is missing. Copy its folder here once more."),
        ("numberless", "Its weights give no numbers. They are damaged, or not made for float32"),
    ):
        status, answer = await ask(client, model=name)
        assert (status, why in answer["error"]["message"]) == (400, True), answer
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
    # Its priority is low: on a busy machine it takes seconds to die, and answers nobody meanwhile.
    deadline = time.monotonic() + 60
    while _runs(killed) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    await engine.address()
    assert engine.pid not in (None, killed)
    assert engine.state.name == "ready"
    async with engine.client(250) as fresh:
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
    deadline = time.monotonic() + 60
    while _runs(child) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    """Whether the process lives; one that is dead but not yet collected has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False
