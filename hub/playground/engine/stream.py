"""One stream of the loop: what is asked, what is told about it, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tokenizers import Tokenizer

from hub.playground.engine.sampling import Bound, Likely, Sampler, Sampling
from hub.playground.engine.writer import Writer

Last = Literal["done", "failed", "cancelled"]


@dataclass(frozen=True)
class Event:
    kind: Literal["queued", "started", "delta", "done", "failed", "cancelled"]
    text: str = ""
    """A piece of the answer, why it finished, or the sentence of a failure."""
    place: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    stopped_by: str | None = None
    likely: tuple[tuple[int, Likely], ...] = ()
    """The tokens behind this piece, where their log probabilities were asked for."""


@dataclass(eq=False)
class Request:
    ids: Sequence[int]
    emit: Callable[[Event], None]
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    who: str = ""
    """Streams of one person take turns with those of others."""
    bound: Bound | None = None
    alone: bool = False
    """Computed by itself, in fixed pieces: the same seed gives the same answer under any load."""
    number: int = 0
    """When it came, counted by the batch."""
    told: int = 0
    """The place in the queue it was last told."""


class Row:
    """One running stream: it reads its prompt, then writes."""

    def __init__(self, request: Request, tokenizer: Tokenizer, slot: int, known: int) -> None:
        self.request = request
        self.slot = slot
        self.read = self.cached = known
        self.sampler = Sampler(request.sampling, request.bound)
        self.writer = Writer(tokenizer, request.stop)
        self.last = -1
        self.count = 0

    @property
    def left(self) -> int:
        """Tokens of the prompt still to be read."""
        return len(self.request.ids) - self.read

    def next(self, most: int) -> Sequence[int]:
        """The tokens that go into the model next, at most so many of the prompt."""
        if not self.left:
            return [self.last]
        return self.request.ids[self.read : self.read + max(1, most)]

    def say(self, text: str, likely: tuple[tuple[int, Likely], ...] = ()) -> None:
        if text or likely:
            self.request.emit(Event("delta", text, likely=likely))

    def end(self, kind: Last, text: str) -> None:
        request = self.request
        request.emit(
            Event(
                kind, text, 0, len(request.ids), self.count, self.cached, self.writer.stopped_by
            )
        )  # fmt: skip
