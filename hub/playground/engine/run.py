"""One request from the model's name to its events; joins the shelf, the template and the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hub.playground.engine import chat
from hub.playground.engine.ask import MOST_TOKENS, Ask
from hub.playground.engine.grammar import one_of
from hub.playground.engine.loading import free
from hub.playground.engine.loop import Loop
from hub.playground.engine.refusal import Refused
from hub.playground.engine.sampling import Likely
from hub.playground.engine.shelf import Loaded, Shelf
from hub.playground.engine.stream import Event, Request

LAST = ("done", "failed", "cancelled")


@dataclass
class Engine:
    """What the server needs once torch is imported."""

    loop: Loop
    shelf: Shelf

    def health(self) -> dict[str, Any]:
        """`gpus`: of this machine, as far as this process may see them; `free`: bytes for models.

        Without a model nothing is said of the memory: asking a GPU would take some of it.
        """
        models = {name: model.facts() for name, model in tuple(self.shelf.loaded.items())}
        gpus = torch.cuda.device_count()
        return {
            "models": models, "streams": self.loop.facts(), "stuck": round(self.loop.stuck(), 1),
            "gpus": gpus, "free": free("cuda" if gpus else "cpu") if models or not gpus else 0,
        }  # fmt: skip


@dataclass
class Fitted:
    """A request made ready for one model."""

    prompt: chat.Prompt
    limit: int
    requests: list[Request] = field(default_factory=list[Request])


def fit(ask: Ask, model: Loaded) -> Fitted:
    """The prompt's tokens and how many may follow. Nothing is ever cut off silently."""
    prompt = chat.render_or_refuse(model.tokenizer, ask.messages, ask.tools)
    count = len(prompt.ids)
    if count >= model.context:
        raise Refused(
            f"The prompt is too long for this model: {count:,} tokens, and it reads "
            f"{model.context - 1:,}. Shorten it, or choose a model with a longer context."
        )
    if not count:
        raise Refused("The prompt is empty. Write something first.")
    room = model.context - count
    if ask.max_tokens and ask.max_tokens > room:
        prompt.notes.append(
            f"the longest answer was lowered to {room} tokens, all the model has room for"
        )
    fitted = Fitted(prompt, min(ask.max_tokens or MOST_TOKENS, room))
    schema = one_of(ask.tools) if ask.must_call else ask.schema
    for index in range(ask.count):
        bound = None if schema is None else model.guide().schema(schema)
        fitted.requests.append(
            Request(
                prompt.ids, _nowhere, fitted.limit, ask.sampling_of(index), ask.stop, ask.who,
                bound, ask.alone,
            )
        )  # fmt: skip
    return fitted


def _nowhere(event: Event) -> None:
    """Until a stream listens."""


class Stream:
    """The answers to one request, in the loop, seen from asyncio."""

    def __init__(self, engine: Engine, model: str, requests: list[Request]) -> None:
        self._engine = engine
        self._model = model
        self._home = asyncio.get_running_loop()
        self._events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self._open = dict(enumerate(requests))
        self._asked = time.monotonic()
        self.queued = 0.0
        """Seconds until the first answer was begun."""
        for index, request in self._open.items():
            request.emit = self._poster(index)

    def _poster(self, index: int) -> Any:
        def post(event: Event) -> None:
            try:
                self._home.call_soon_threadsafe(self._events.put_nowait, (index, event))
            except RuntimeError:
                return  # the server is shutting down; nobody listens

        return post

    def start(self) -> None:
        self._engine.loop.add(self._model, *self._open.values())

    def cancel(self) -> None:
        for request in self._open.values():
            self._engine.loop.cancel(self._model, request)

    async def events(self, pause: float = 1 / 60) -> AsyncIterator[tuple[int, Event]]:
        """Events until the last one of each; pieces of text that come at once are joined."""
        spoke = -1.0
        while self._open:
            first = await self._events.get()
            wait = spoke + pause - self._home.time()
            if first[1].kind == "delta" and wait > 0:
                await asyncio.sleep(wait)
            for index, event in _joined(first, self._events):
                if event.kind == "delta":
                    spoke = self._home.time()
                elif event.kind == "started":
                    self.queued = self.queued or time.monotonic() - self._asked
                elif event.kind in LAST:
                    self._open.pop(index, None)
                yield index, event


def _joined(
    first: tuple[int, Event], more: asyncio.Queue[tuple[int, Event]]
) -> list[tuple[int, Event]]:
    """What waits, in order; each answer's pieces of text are one."""
    found: list[tuple[int, Event]] = []
    texts: dict[int, list[str]] = {}
    likely: dict[int, list[tuple[int, Likely]]] = {}

    def close(index: int) -> None:
        parts, known = texts.pop(index, None), likely.pop(index, [])
        if parts is not None:
            found.append((index, Event("delta", "".join(parts), likely=tuple(known))))

    waiting = [first]
    while not more.empty():
        waiting.append(more.get_nowait())
    for index, event in waiting:
        if event.kind == "delta":
            texts.setdefault(index, []).append(event.text)
            likely.setdefault(index, []).extend(event.likely)
        else:
            close(index)
            found.append((index, event))
    for index in tuple(texts):
        close(index)
    return found


def build(places: list[Path], threads: int, budget: int | None) -> Engine:
    """Start the loop. The server imports this file on a thread: torch takes seconds to import."""
    torch.set_num_threads(threads)
    loop = Loop()
    loop.start()
    return Engine(loop, Shelf(places, loop, budget))
