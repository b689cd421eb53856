"""The decode loop: one thread, every model's rows once a tick, nothing a request does can end it.

It takes token ids and gives text; it knows no HTTP and no prompt. A request gets `queued` events
while it waits, `delta` events, and always exactly one last: `done`, `failed` or `cancelled`.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from tokenizers import Tokenizer

from hub.playground.engine.sampling import Sampler, Sampling, unusable
from hub.playground.engine.slots import Forward
from hub.playground.engine.writer import Writer

PREFILL = 1024
"""Prompt tokens read per tick, so that running streams never wait long for a newcomer."""

BROKEN_NUMBERS = (
    "The model produced numbers that cannot be used (not-a-number). "
    "Try another temperature, or another model."
)
NO_MEMORY = (
    "There is not enough memory left for this run. "
    "Try a shorter prompt, fewer columns at once, or a smaller model."
)


@dataclass(frozen=True)
class Event:
    kind: Literal["queued", "delta", "done", "failed", "cancelled"]
    text: str = ""
    """A piece of the answer, why it finished, or the sentence of a failure."""
    place: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    stopped_by: str | None = None


@dataclass(eq=False)
class Request:
    ids: Sequence[int]
    emit: Callable[[Event], None]
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    who: str = ""
    """Streams of one person take turns with those of others."""


class Row:
    """One running stream."""

    def __init__(self, request: Request, tokenizer: Tokenizer) -> None:
        self.request = request
        self.sampler = Sampler(request.sampling)
        self.writer = Writer(tokenizer, request.stop)
        self.last = -1
        self.count = 0

    def end(self, kind: Literal["done", "failed", "cancelled"], text: str) -> None:
        request = self.request
        request.emit(Event(kind, text, 0, len(request.ids), self.count, self.writer.stopped_by))


class Batch:
    """The streams of one model, running and waiting."""

    def __init__(self, forward: Forward, tokenizer: Tokenizer, ends: frozenset[int]) -> None:
        self.forward = forward
        self.tokenizer = tokenizer
        self.ends = ends
        self.rows: list[Row] = []
        self.waiting: deque[Request] = deque()

    def add(self, request: Request) -> None:
        """Queue it behind as many of this person's runs as others have, so all take turns."""
        turn = sum(one.who == request.who for one in self.waiting)
        seen: dict[str, int] = {}
        place = len(self.waiting)
        for index, one in enumerate(self.waiting):
            seen[one.who] = seen.get(one.who, 0) + 1
            if seen[one.who] > turn + 1:
                place = index
                break
        self.waiting.insert(place, request)

    def cancel(self, request: Request) -> None:
        if request in self.waiting:
            self.waiting.remove(request)
            request.emit(Event("cancelled", prompt_tokens=len(request.ids)))
            self.tell_places()
        for index, row in enumerate(self.rows):
            if row.request is request:
                self._remove(index)
                row.end("cancelled", "")
                break

    def tick(self) -> None:
        self._admit()
        if self.rows:
            self._decode()

    def tell_places(self) -> None:
        for place, request in enumerate(self.waiting, 1):
            request.emit(Event("queued", place=place))

    def _admit(self) -> None:
        budget = PREFILL
        before = len(self.waiting)
        while self.waiting and self.forward.room() > 0 and budget > 0:
            request = self.waiting.popleft()
            budget -= len(request.ids)
            row = Row(request, self.tokenizer)
            try:
                logits = self.forward.prefill(request.ids)
            except Exception as error:  # the loop must outlive any request
                row.end("failed", _sentence(error))
                continue
            self.rows.append(row)
            self._advance(logits[None], [len(self.rows) - 1])
        if before != len(self.waiting):
            self.tell_places()

    def _decode(self) -> None:
        try:
            logits = self.forward.decode([row.last for row in self.rows])
        except Exception as error:  # give up the newest stream, keep the others
            newest = len(self.rows) - 1
            row = self.rows[newest]
            self._remove(newest)
            row.end("failed", _sentence(error))
            return
        self._advance(logits, list(range(len(self.rows))))

    def _advance(self, logits: torch.Tensor, indices: list[int]) -> None:
        """Choose each row's next token, from the last row down: dropping moves the last row."""
        broken = unusable(logits).tolist()
        greedy: list[int] = logits.argmax(-1).tolist()
        for at in range(len(indices) - 1, -1, -1):
            row = self.rows[indices[at]]
            end: str | None
            if broken[at]:
                self._remove(indices[at])
                row.end("failed", BROKEN_NUMBERS)
                continue
            try:
                end = self._take(
                    row, greedy[at] if row.sampler.greedy else row.sampler.choose(logits[at])
                )
            except Exception as error:  # one stream's text must not end the others
                self._remove(indices[at])
                row.end("failed", _sentence(error))
                continue
            if end is not None:
                self._remove(indices[at])
                row.end("done", end)

    def _take(self, row: Row, token: int) -> str | None:
        """Write one token; the reason if it was the last one."""
        if token in self.ends:
            _say(row, row.writer.finish())
            return "stop"
        row.last = token
        row.count += 1
        _say(row, row.writer.push(token))
        if row.writer.stopped_by is not None:
            return "stop"
        if row.count >= row.request.max_tokens:
            _say(row, row.writer.finish())
            return "stop" if row.writer.stopped_by is not None else "length"
        return None

    def _remove(self, index: int) -> None:
        self.forward.drop(index)
        self.rows[index] = self.rows[-1]
        self.rows.pop()

    def fail_all(self, sentence: str) -> None:
        for request in self.waiting:
            request.emit(Event("failed", sentence, prompt_tokens=len(request.ids)))
        self.waiting.clear()
        while self.rows:
            row = self.rows[-1]
            self._remove(len(self.rows) - 1)
            row.end("failed", sentence)


def _say(row: Row, text: str) -> None:
    if text:
        row.request.emit(Event("delta", text))


def _sentence(error: Exception) -> str:
    memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate" in str(error)
    if memory:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return NO_MEMORY
    return f"The model failed while it was answering: {type(error).__name__}: {str(error)[:200]}"


class Loop:
    """The thread, and its inbox."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.batches: dict[str, Batch] = {}
        self.last_tick = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def do(self, action: Callable[[], None]) -> None:
        """Have the loop's own thread do something between two ticks."""
        self._inbox.put(action)

    def add(self, model: str, request: Request) -> None:
        def act() -> None:
            batch = self.batches.get(model)
            if batch is None:
                request.emit(Event("failed", "The model was unloaded meanwhile. Run it again."))
                return
            batch.add(request)
            if batch.forward.room() <= 0:
                batch.tell_places()

        self.do(act)

    def cancel(self, model: str, request: Request) -> None:
        def act() -> None:
            batch = self.batches.get(model)
            if batch is not None:
                batch.cancel(request)

        self.do(act)

    def busy(self, model: str) -> int:
        batch = self.batches.get(model)
        return len(batch.rows) + len(batch.waiting) if batch else 0

    def facts(self) -> dict[str, Any]:
        return {
            name: {"running": len(batch.rows), "waiting": len(batch.waiting)}
            for name, batch in tuple(self.batches.items())
        }

    def _run(self) -> None:
        with torch.inference_mode():
            while True:
                working = any(batch.rows or batch.waiting for batch in self.batches.values())
                self._drain(wait=not working)
                for batch in tuple(self.batches.values()):
                    try:
                        batch.tick()
                    except Exception as error:  # a fault of ours: say so, and go on
                        batch.fail_all(_sentence(error))
                self.last_tick = time.monotonic()

    def _drain(self, wait: bool) -> None:
        if wait:
            _perform(self._inbox.get())
        while True:
            try:
                action = self._inbox.get_nowait()
            except queue.Empty:
                return
            _perform(action)


def _perform(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:  # a fault of ours; the parent keeps the last lines of stderr
        traceback.print_exc()
