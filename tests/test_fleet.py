"""Several devices: an engine of its own for each, and a model stays where it is loaded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.errors import Invalid
from hub.front import Front
from hub.playground.engine.child import OFF, READY, State
from hub.playground.engine.fleet import Fleet, devices_of, surroundings
from hub.settings import Settings
from tests.cast import Browser
from tests.tiny_models import BUILTIN

TINY, OTHER = "prompthub/tiny", "other"


@dataclass(eq=False)
class Child:
    """What a fleet asks of an engine, without a process or a GPU."""

    device: str
    state: State = OFF
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    stopped: bool = False

    @property
    def pid(self) -> int | None:
        return 7 if self.state is READY else None

    async def health(self) -> dict[str, Any]:
        return self.told

    async def stop(self) -> None:
        self.stopped = True

    def holds(self, *models: str, free: int = 0, gpus: int = 2) -> None:
        self.state = READY
        self.told = {"models": {key: {} for key in models}, "free": free, "gpus": gpus}


def fleet(*devices: str) -> Any:
    return Fleet(Child, devices)  # pyright: ignore[reportArgumentType]  # a child of the test


async def test_a_model_stays_where_it_is_and_a_new_one_goes_where_there_is_room() -> None:
    made = fleet("cuda:0", "cuda:1", "cuda:2")
    one, two, three = made.engines
    one.holds("a", free=10)
    assert await made.place("a") is one
    two.holds(free=0)
    assert await made.place("b") is two, "one that runs and is empty, before one to be started"
    assert await made.place("c") is three, "b may still be loading there"
    two.holds("b", free=30)
    three.holds("c", free=20)
    assert await made.place("d") is two, "all hold something: the most memory"
    three.holds("c", "b", free=20)
    assert await made.place("c") is three
    three.told, three.state = {}, State("failed", "It does not start.")
    two.holds("b", free=1)
    assert await made.place("e") is one, "not where nothing starts"
    await made.stop()
    assert all(child.stopped for child in made.engines)


async def test_the_first_engine_says_how_many_gpus_there_are() -> None:
    made = fleet()
    assert [child.device for child in made.engines] == [""]
    assert await made.place("a") is made.first
    made.first.holds("a", gpus=3)
    assert await made.place("a") is made.first
    assert [child.device for child in made.engines] == ["", "cuda:1", "cuda:2"]
    assert (await made.place("b")).device == "cuda:1"
    alone = fleet()
    alone.first.holds("a", gpus=0)
    assert await alone.place("b") is alone.first
    assert len(alone.engines) == 1


def test_each_engine_sees_its_own_device() -> None:
    given = {"CUDA_VISIBLE_DEVICES": "4,GPU-ab12", "TZ": "UTC"}
    assert surroundings("", given) == given
    assert surroundings("cpu", given)["CUDA_VISIBLE_DEVICES"] == ""
    assert surroundings("cuda:1", given) == {"CUDA_VISIBLE_DEVICES": "GPU-ab12", "TZ": "UTC"}
    assert surroundings("cuda:3", {})["CUDA_VISIBLE_DEVICES"] == "3"
    assert devices_of(" cpu, CUDA:1 ,") == ["cpu", "cuda:1"]
    with pytest.raises(Invalid, match="tpu is no device"):
        devices_of("cpu,tpu")


class TestTwoProcesses:
    @pytest.fixture
    def settings(self, settings: Settings, tmp_path: Path) -> Settings:
        """Two engines, and two models: the built-in one, and the same under another name."""
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / OTHER).symlink_to(BUILTIN)
        folders = str(tmp_path / "models")
        return msgspec.structs.replace(settings, engine_devices="cpu,cpu", model_folders=folders)

    async def test_two_models_run_side_by_side_in_two_processes(
        self, hub: Front, ana: Browser, maria: Browser
    ) -> None:
        playground = hub.state.playground
        word = {"messages": [{"role": "user", "content": "yes"}], "max_tokens": 2, "temperature": 0}

        async def ask(model: str) -> str:
            client = await playground.local(model).client()
            answer = await client.post(
                "http://engine/v1/chat/completions", json=word | {"model": model}
            )
            return answer.json()["choices"][0]["message"]["content"]

        said = await asyncio.gather(ask(TINY), ask(OTHER))
        assert said[0] == said[1] == await ask(TINY)
        one, two = playground.fleet.engines
        assert one.pid != two.pid
        held = [set((await engine.health())["models"]) for engine in (one, two)]
        assert sorted(map(sorted, held)) == [[OTHER], [TINY]]
        page = (await ana.get("/clinic/models")).text
        assert ("1 of 2" in page, "2 of 2" in page) == (True, True)
        assert (await maria.post_form("/clinic/models/unload")).status_code == 303
        assert (one.pid, two.pid) == (None, None)
