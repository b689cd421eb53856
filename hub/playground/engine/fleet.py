"""One engine for each device of this machine, and which of them a model runs on.

The operator names the devices (`cpu,cpu` makes two engines), or else the first child, which has
torch, says how many GPUs there are. A model stays where it is loaded; a new one goes to an engine
that holds none, else to where most memory is free. What has to leave there, its own shelf decides.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.errors import Invalid
from hub.playground.engine.process import Engine

FRESH_SECONDS = 1.0
"""A choice this young stands: hundreds of calls do not each look at all the devices."""
LOADING_SECONDS = 120.0
"""A model that was sent somewhere this lately may still be loading there."""
_DEVICE = re.compile(r"cpu|cuda:[0-9]{1,2}")
Make = Callable[[str], Engine]
"""An engine on a device, not started; the empty name: on whatever it finds."""


def devices_of(text: str) -> list[str]:
    """`cuda:0,cuda:1` or `cpu,cpu`, as the operator wrote them.

    Raises:
        Invalid: something else.
    """
    named = [one.strip().lower() for one in text.split(",") if one.strip()]
    if wrong := [one for one in named if not _DEVICE.fullmatch(one)]:
        raise Invalid(f"PROMPTHUB_ENGINE_DEVICES: {wrong[0]} is no device; write cpu or cuda:0.")
    return named


def surroundings(device: str, given: Mapping[str, str]) -> dict[str, str]:
    """What an engine is started with so that it sees its own device alone."""
    if not device:
        return dict(given)
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return {**given, "CUDA_VISIBLE_DEVICES": ""}
    allowed = [one for one in given.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    at = int(number)
    mine = allowed[at].strip() if at < len(allowed) else number
    return {**given, "CUDA_VISIBLE_DEVICES": mine}


class Fleet:
    """The engines of this machine; one, on most."""

    def __init__(self, make: Make, devices: Sequence[str] = ()) -> None:
        self._make = make
        self.devices = list(devices) or [""]
        self.engines = [make(device) for device in self.devices]
        self._sent: dict[str, tuple[Engine, float]] = {}
        self._choosing = asyncio.Lock()
        self._counted = bool(devices)

    @property
    def first(self) -> Engine:
        return self.engines[0]

    async def place(self, model: str) -> Engine:
        """The engine that shall run it."""
        if not self._counted:
            await self._grow()
        if len(self.engines) == 1:
            return self.first
        async with self._choosing:
            engine, at = self._sent.get(model, (self.first, 0.0))
            if time.monotonic() - at < FRESH_SECONDS:
                return engine
            chosen = await self._choose(model)
            self._sent[model] = (chosen, time.monotonic())
            return chosen

    async def stop(self) -> None:
        await asyncio.gather(*(engine.stop() for engine in self.engines))
        self._sent.clear()

    async def _grow(self) -> None:
        """One more engine for each GPU beyond the first, once that knows of them."""
        if self.first.state.name != "ready":
            return
        told = await self.first.health()
        self._counted = "gpus" in told
        if (found := int(told.get("gpus", 0))) > 1:
            self.devices = [f"cuda:{at}" for at in range(found)]
            self.engines += [self._make(device) for device in self.devices[1:]]

    async def _choose(self, model: str) -> Engine:
        told = await asyncio.gather(*(engine.health() for engine in self.engines))
        for engine, one in zip(self.engines, told, strict=True):
            if model in one.get("models", {}):
                return engine
        since = time.monotonic() - LOADING_SECONDS
        lately = {name: engine for name, (engine, at) in self._sent.items() if at > since}
        if model in lately:
            return lately[model]
        ranks = [
            self._rank(engine, one, [name for name, where in lately.items() if where is engine])
            for engine, one in zip(self.engines, told, strict=True)
        ]
        return self.engines[ranks.index(max(ranks))]

    def _rank(self, engine: Engine, told: Mapping[str, Any], sent: list[str]) -> tuple[int, ...]:
        """Empty before full, running before not started, then by the bytes that are free; one that
        does not start comes last."""
        held = {*told.get("models", {}), *sent}
        runs = bool(told) and engine.pid is not None
        return (engine.state.name != "failed", not held, runs, int(told.get("free", 0)))
