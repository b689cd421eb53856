"""A real engine's child for tests, with models good and bad, and how it is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from math import nan
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from safetensors.torch import load_file, save_file
from torch import Tensor

from hub.playground.engine.process import Engine
from tests.tiny_models import NO_SYSTEM, save

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
    spoil(save(place / "lacking"), lambda name, weights: "mlp.up" not in name)
    spoil(save(place / "numberless"), lambda name, weights: weights.fill_(nan) is weights)
    (place / "photos").mkdir()
    (place / "photos" / "cat.jpg").write_bytes(b"\xff\xd8")
    return place


def spoil(folder: Path, keep: Callable[[str, Tensor], bool]) -> None:
    """Write a folder's weights anew, those that are kept."""
    held = load_file(folder / "model.safetensors")
    kept = {name: weights for name, weights in held.items() if keep(name, weights)}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(models: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("engine"), [models, models / "gone"], threads=1)
    yield made
    await made.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    await engine.address()
    async with engine.client(250) as made:
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
