"""The engine of this machine on the Models and Try pages: started ahead, looked at, unloaded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.errors import Conflict, NotFound
from hub.front import Front
from hub.playground import machine
from hub.playground.engine.child import OFF, READY, STARTING, State
from hub.settings import Settings
from tests.cast import Browser

MODELS = "/clinic/models"


@dataclass
class Child:
    """What `machine` asks of an engine, without a process."""

    state: State = OFF
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    stopped: bool = False

    async def health(self) -> dict[str, Any]:
        return self.told

    async def stop(self) -> None:
        self.stopped = True


def running(count: int) -> dict[str, Any]:
    streams = {"prompthub/tiny": {"running": count, "waiting": 0}}
    models = {"prompthub/tiny": {"bytes": 6_300_000}}
    return {"status": "ok", "memory": 263_000_000, "models": models, "streams": streams}


@pytest.mark.parametrize(
    ("child", "state"),
    [
        (Child(), "off"),
        (Child(STARTING), "starting"),
        (Child(READY, {"status": "starting", "memory": 9}), "starting"),
        (Child(READY, {}), "starting"),
        (Child(READY, running(0)), "ready"),
        (Child(State("failed", "It said: no.")), "failed"),
    ],
)
async def test_how_it_stands(child: Any, state: str):
    found = await machine.look(child)
    assert found.state == state
    assert found.sentence
    assert found.held == ({"prompthub/tiny": 6_300_000} if state == "ready" else {})


@pytest.mark.parametrize(
    ("child", "sentence"),
    [
        (Child(READY, running(2)), "2 answers are being written"),
        (Child(READY, running(1)), "1 answer is being written"),
        (Child(STARTING), "is starting just now"),
    ],
)
async def test_nobody_loses_an_answer_to_unloading(child: Any, sentence: str):
    with pytest.raises(Conflict, match=sentence):
        await machine.unload([Child(READY, running(0)), child])  # pyright: ignore[reportArgumentType]  # children of the test
    assert not child.stopped


class Slow(Child):
    """Ends when the others are ending too, and else never."""

    ending = 0
    together = asyncio.Event()

    async def stop(self) -> None:
        Slow.ending += 1
        if Slow.ending == 3:
            Slow.together.set()
        async with asyncio.timeout(60):
            await Slow.together.wait()
        self.stopped = True


async def test_devices_are_unloaded_side_by_side():
    devices: Any = [Slow(READY, running(0)) for _ in range(3)]
    await machine.unload(devices)
    assert all(one.stopped for one in devices)


async def test_of_several_devices_none_is_unloaded_while_one_writes():
    idle: Any = Child(READY, running(0))
    with pytest.raises(Conflict, match="2 answers are being written"):
        await machine.unload([idle, Child(READY, running(2))])  # pyright: ignore[reportArgumentType]  # children of the test
    assert not idle.stopped


async def test_a_model_that_writes_is_not_taken_from_under_its_answers():
    devices: Any = [Child(READY, running(0)), Child(READY, running(1))]
    with pytest.raises(Conflict, match="1 answer is being written by prompthub/tiny"):
        await machine.unload_model(devices, "prompthub/tiny")
    with pytest.raises(NotFound, match="not in memory any more"):
        await machine.unload_model(devices, "other")


async def test_it_starts_before_the_first_run_and_can_be_unloaded(
    hub: Front, maria: Browser, ana: Browser
):
    assert "starts by itself" in (await maria.get(MODELS)).text
    started = await ana.post_form(f"{MODELS}/start")
    assert started.status_code == 303
    part = await ana.get(f"{MODELS}/engine")
    assert "is starting" in part.text
    async with asyncio.timeout(200):
        while "is starting" in (await ana.get(f"{MODELS}/engine")).text:
            await asyncio.sleep(0.2)
    page = (await maria.get(MODELS)).text
    assert "nothing running" in page
    assert "MB of memory" in page
    assert (await ana.post_form(f"{MODELS}/unload")).status_code == 403
    assert "Unload" not in (await ana.get(MODELS)).text
    assert "holds 6.3 MB" in page or "holds 3." in page, "what each model holds"
    one = {"model": "prompthub/tiny"}
    assert (await ana.post_form(f"{MODELS}/unload", one)).status_code == 403
    gone = await maria.post_form(f"{MODELS}/unload", one)
    assert "prompthub/tiny is out of memory" in (await maria.get(gone.headers["location"])).text
    page = (await maria.get(MODELS)).text
    assert ("in memory</span>" in page, "nothing running" in page) == (False, True), "it still runs"
    again = await maria.post_form(f"{MODELS}/unload", one)
    assert "not in memory any more" in (await maria.get(again.headers["location"])).text
    assert (await maria.post_form(f"{MODELS}/unload")).status_code == 303
    assert "starts by itself" in (await maria.get(MODELS)).text


def test_the_engine_is_told_which_gpus_it_may_use_and_no_secret():
    ours = {"CUDA_VISIBLE_DEVICES": "1", "LD_LIBRARY_PATH": "/opt/cuda"}
    secrets = {"PROMPTHUB_SECRET_KEY": "x", "OPENAI_API_KEY": "y", "PGPASSWORD": "z"}
    assert Settings.engine_environment(ours | secrets) == ours


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """The hub of these tests has a folder whose weights say that they are four terabytes."""
    vast = tmp_path / "models" / "vast"
    vast.mkdir(parents=True)
    (vast / "config.json").write_text('{"model_type": "llama"}')
    (vast / "tokenizer.json").write_text("{}")
    with (vast / "model.safetensors").open("wb") as weights:
        weights.truncate(1 << 42)
    return msgspec.structs.replace(settings, model_folders=str(vast.parent))


async def test_a_model_that_cannot_fit_is_called_that_before_somebody_waits_for_it(
    hub: Front, ana: Browser
):
    page = (await ana.get(MODELS)).text
    assert page.count("it does not fit into the memory that is free") == 1
    assert "4398.0 GB" in page.split("does not fit")[1], "and not the built-in one above it"
