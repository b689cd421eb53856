"""This machine's engine as people see it: what is loaded, what it holds, starting and unloading."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

import httpx
import msgspec

from hub.errors import Conflict, NotFound, Unavailable
from hub.playground.engine.fleet import Fleet
from hub.playground.engine.folders import BUILTIN_NAME
from hub.playground.engine.memory import available
from hub.playground.engine.process import Engine

ONE_WORD = {
    "model": BUILTIN_NAME,
    "messages": [{"role": "user", "content": "yes"}],
    "max_tokens": 1,
}
UNLOAD_SECONDS = 30
IMPORTING = "The local model is starting."
HOLDS = "The local engine is running."


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine stands. Bytes where a name says memory, free or held."""

    state: Literal["off", "starting", "ready", "failed"]
    sentence: str
    memory: int = 0
    free: int = 0
    held: dict[str, int] = {}
    """Models in memory, with the bytes of their weights."""
    busy: int = 0
    """Answers being written or waiting."""


async def look(engine: Engine) -> Machine:
    """Ask the child; until its libraries are imported it answers, but cannot run anything."""
    state, free = engine.state, await asyncio.to_thread(available)
    if state.name in ("off", "failed"):
        return Machine(state=state.name, sentence=state.sentence, free=free)
    told = await engine.health() if state.name == "ready" else {}
    if told.get("status") != "ok":
        sentence = IMPORTING if state.name in ("ready", "starting") else state.sentence
        return Machine(state="starting", sentence=sentence, memory=_memory(told), free=free)
    return Machine(
        state="ready",
        sentence=HOLDS,
        memory=_memory(told),
        free=free,
        held={name: int(facts.get("bytes", 0)) for name, facts in told["models"].items()},
        busy=sum(_busy(told, name) for name in told["streams"]),
    )


def together(found: list[Machine]) -> Machine | None:
    """The devices of a machine as one: as ready as its readiest, holding what all of them hold."""
    if len(found) < 2:
        return found[0] if found else None
    order = ("ready", "starting", "failed", "off")
    first = min(found, key=lambda one: order.index(one.state))
    held = Counter[str]()
    for one in found:
        held.update(one.held)
    return Machine(
        state=first.state, sentence=first.sentence, memory=sum(one.memory for one in found),
        free=first.free, busy=sum(one.busy for one in found),
        held=dict(held),
    )  # fmt: skip


class Warmer:
    """Starts the engine ahead of the first run; who runs meanwhile waits for the same start."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    def warm(self) -> None:
        if not self.busy:
            self._task = asyncio.create_task(self._start())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _start(self) -> None:
        """One word of the built-in model brings in the rest of the libraries; others may be large
        and would push out what is in use."""
        with suppress(Unavailable):  # the engine's state keeps the sentence
            await self._engine.start()
            with suppress(httpx.HTTPError):
                async with self._engine.client(timeout=60) as client:
                    await client.post("/v1/chat/completions", json=ONE_WORD)


async def asked_to_unload(fleet: Fleet | None, model: str) -> str:
    """Unload a model, or without a name all of them; what was done.

    Raises:
        HubError: as `unload` and `unload_model`.
    """
    engines = fleet.engines if fleet else []
    if model:
        await unload_model(engines, model)
        return f"{model} is out of memory. The next run of it loads it again."
    await unload(engines)
    return "Unloaded. The next run on this machine loads its model again."


async def unload(engines: Sequence[Engine]) -> None:
    """End the children, which gives all their memory back; the next run starts one again.

    All of them or none, and side by side: each may take its seconds.

    Raises:
        Conflict: one is starting, or answers are being written.
    """
    found = await asyncio.gather(*map(look, engines))
    if any(one.state == "starting" for one in found):
        raise Conflict("The local model is starting just now. Unload it when it is ready.")
    _spare(sum(one.busy for one in found), "on this machine")
    await asyncio.gather(*(engine.stop() for engine in engines))


async def unload_model(engines: Sequence[Engine], model: str) -> None:
    """Take one model out of memory, wherever it is; the others stay.

    Raises:
        Conflict: it writes answers.
        NotFound: no device holds it.
        Unavailable: the engine does not answer.
    """
    told = await asyncio.gather(*(engine.health() for engine in engines))
    holding = [one for one, facts in zip(engines, told, strict=True)
               if model in facts.get("models", {})]  # fmt: skip
    if not holding:
        raise NotFound(f"{model} is not in memory any more.")
    _spare(sum(_busy(facts, model) for facts in told), f"by {model}")
    await asyncio.gather(*(_forget(engine, model) for engine in holding))


async def _forget(engine: Engine, model: str) -> None:
    try:
        async with engine.client(timeout=UNLOAD_SECONDS) as client:
            (await client.post("/unload", json={"model": model})).raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(f"{model} could not be unloaded. Try again in a moment.") from error


def _spare(busy: int, where: str) -> None:
    if busy:
        raise Conflict(
            f"{busy} answer{'s are' if busy > 1 else ' is'} being written {where}. Stop them or "
            "wait for their end, then unload."
        )


def _busy(told: dict[str, Any], model: str) -> int:
    """Answers that a model writes, or that wait for it."""
    streams = told.get("streams", {}).get(model, {})
    return int(streams.get("running", 0)) + int(streams.get("waiting", 0))


def _memory(told: dict[str, Any]) -> int:
    return int(told.get("memory") or 0)
