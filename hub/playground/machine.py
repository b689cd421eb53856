"""This machine's engine as people see it: what is loaded, what it holds, starting and unloading."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Literal

import httpx
import msgspec

from hub.errors import Conflict, Unavailable
from hub.playground.engine.folders import BUILTIN_NAME
from hub.playground.engine.memory import available
from hub.playground.engine.process import Engine

ONE_WORD = {
    "model": BUILTIN_NAME,
    "messages": [{"role": "user", "content": "yes"}],
    "max_tokens": 1,
}
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
        busy=sum(one["running"] + one["waiting"] for one in told["streams"].values()),
    )


def together(found: list[Machine]) -> Machine | None:
    """The devices of a machine as one: as ready as its readiest, holding what all of them hold."""
    if len(found) < 2:
        return found[0] if found else None
    order = ("ready", "starting", "failed", "off")
    first = min(found, key=lambda one: order.index(one.state))
    return Machine(
        state=first.state, sentence=first.sentence, memory=sum(one.memory for one in found),
        free=first.free, busy=sum(one.busy for one in found),
        held={name: size for one in found for name, size in one.held.items()},
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


async def unload(engine: Engine) -> None:
    """End the child, which gives all its memory back; the next run starts it again.

    Raises:
        Conflict: it is starting, or answers are being written.
    """
    machine = await look(engine)
    if machine.state == "starting":
        raise Conflict("The local model is starting just now. Unload it when it is ready.")
    if machine.busy:
        raise Conflict(
            f"{machine.busy} answer{'s are' if machine.busy > 1 else ' is'} being written on this "
            "machine. Stop them or wait for their end, then unload."
        )
    await engine.stop()


def _memory(told: dict[str, Any]) -> int:
    return int(told.get("memory") or 0)
