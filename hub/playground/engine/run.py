"""One request from the model's name to its events; joins the shelf, the template and the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hub.playground.engine import chat
from hub.playground.engine.ask import MOST_TOKENS, Ask
from hub.playground.engine.loop import Event, Loop, Request
from hub.playground.engine.refusal import Refused
from hub.playground.engine.shelf import Loaded, Shelf


@dataclass
class Engine:
    """What the server needs once torch is imported."""

    loop: Loop
    shelf: Shelf

    def health(self) -> dict[str, Any]:
        models = {name: model.facts() for name, model in tuple(self.shelf.loaded.items())}
        return {"models": models, "streams": self.loop.facts()}


def fit(ask: Ask, model: Loaded) -> tuple[chat.Prompt, int]:
    """The prompt's tokens and how many may follow. Nothing is ever cut off silently."""
    prompt = chat.render_or_refuse(model.tokenizer, ask.messages)
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
    return prompt, min(ask.max_tokens or MOST_TOKENS, room)


class Stream:
    """A request in the loop, seen from asyncio."""

    def __init__(self, engine: Engine, ask: Ask, prompt: chat.Prompt, limit: int) -> None:
        self._engine = engine
        self._model = ask.model
        self._home = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._ended = False
        self._request = Request(prompt.ids, self._post, limit, ask.sampling, ask.stop, ask.who)

    def _post(self, event: Event) -> None:
        try:
            self._home.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:
            return  # the server is shutting down; nobody listens

    def start(self) -> None:
        self._engine.loop.add(self._model, self._request)

    def cancel(self) -> None:
        if not self._ended:
            self._engine.loop.cancel(self._model, self._request)

    async def events(self, pause: float = 1 / 60) -> AsyncIterator[Event]:
        """Events until the last one; pieces of text that come at once are joined."""
        spoke = -1.0
        while not self._ended:
            event = await self._events.get()
            if event.kind == "delta":
                wait = spoke + pause - self._home.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                text, after = _join(event, self._events)
                spoke = self._home.time()
                yield Event("delta", text)
                if after is None:
                    continue
                event = after
            self._ended = event.kind in ("done", "failed", "cancelled")
            yield event


def _join(first: Event, waiting: asyncio.Queue[Event]) -> tuple[str, Event | None]:
    parts = [first.text]
    while not waiting.empty():
        event = waiting.get_nowait()
        if event.kind != "delta":
            return "".join(parts), event
        parts.append(event.text)
    return "".join(parts), None


def build(places: list[Path], threads: int, budget: int | None) -> Engine:
    """Start the loop. The server imports this file on a thread: torch takes seconds to import."""
    torch.set_num_threads(threads)
    loop = Loop()
    loop.start()
    return Engine(loop, Shelf(places, loop, budget))
