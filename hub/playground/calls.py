"""A model call as it stands: what everybody looks at while it goes.

The page that streams it reads it, the row that keeps it is written from it; `hub.playground.runs`
fills it in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import httpx
import msgspec

from hub.db import now
from hub.playground.wire.events import Delta, Event, Failed, Finish, Note, Remark, Usage
from hub.registry.tokens import estimate
from hub.settings import Secret

State = Literal["waiting", "running", "done", "failed", "stopped"]


class Patience(msgspec.Struct, frozen=True):
    """Seconds we wait for a model: for its first byte, between two pieces, and in all."""

    first_byte: float = 300
    idle: float = 120
    total: float = 600


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where one column's model answers."""

    name: str
    """As people call it: "This machine", "Acme"."""
    base_url: str
    client: Callable[[], Awaitable[httpx.AsyncClient]]
    """Gives (awaitably) the HTTP client; our own engine starts on first use."""
    key: Secret | None
    model: str
    local: bool
    slots: asyncio.Semaphore
    input_price: float | None = None
    output_price: float | None = None


@dataclass(slots=True)
class Call:
    """One cell of a grid, as it stands."""

    changed: Callable[[], None]
    state: State = "waiting"
    wait: str = ""
    """Why nothing is here yet."""
    output: str = ""
    reasoning: int = 0
    """Characters of reasoning that came before the answer; not kept."""
    notes: list[str] = field(default_factory=list[str])
    request: dict[str, Any] = field(default_factory=dict[str, Any])
    finish_reason: str | None = None
    error: str | None = None
    first_token_s: float | None = None
    total_s: float | None = None
    tokens_per_s: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    estimated: bool = False
    cost_usd: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    stage: int = 0
    """Counts the changes other than text, so that a reader knows what it has shown."""
    _sent: float = 0
    _waited: float = 0
    _first: float | None = None
    _last: float = 0

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "stopped")

    def tell(self, wait: str) -> None:
        """Say why nothing comes yet."""
        if wait != self.wait:
            self.wait = wait
            self._step()

    def begin(self) -> None:
        """The request goes out now; an earlier try does not count."""
        self._sent, self._waited = time.monotonic(), 0
        self.wait = ""
        if self.state == "waiting":
            self.state, self.started_at = "running", now()
        self._step()

    def take(self, event: Event) -> None:
        """Write down what the endpoint said."""
        match event:
            case Delta():
                self._delta(event)
            case Usage():
                self.tokens_in, self.tokens_out = event.tokens_in, event.tokens_out
            case Finish():
                self.finish_reason = event.reason
            case Note():
                # Queueing and loading are not the model's slowness; they are said apart.
                self._waited += time.monotonic() - self._sent
                self._sent = time.monotonic()
                self.tell(event.sentence)
            case Remark():
                if event.sentence not in self.notes:
                    self.notes.append(event.sentence)
                    self._step()
            case Failed():
                self.error = event.sentence

    def end(self, state: State, error: str | None = None) -> None:
        """Nothing more comes; count what came."""
        self.state, self.wait, self.finished_at = state, "", now()
        self.error = error or self.error
        if self._sent:
            self.total_s = time.monotonic() - self._sent
        if self._first is not None and self.tokens_out is None:
            self.estimated = True
            self.tokens_out = max(1, estimate(self.output) + round(self.reasoning / 4))
        lasted = self._last - (self._first or self._last)
        if (self.tokens_out or 0) >= RATED_TOKENS and lasted >= RATED_SECONDS:
            self.tokens_per_s = ((self.tokens_out or 0) - 1) / lasted
        if self._waited >= 0.5:
            self.notes.append(f"waited {self._waited:.1f} s before that")
        if self.reasoning:
            self.notes.append(f"thought first ({self.reasoning:,} characters, not kept)")
        self._step()

    def price(self, endpoint: Endpoint) -> None:
        """What it cost, when the connection has prices and something was answered."""
        prices = endpoint.input_price, endpoint.output_price
        if endpoint.local or None in prices or self.tokens_out is None:
            return
        if self.tokens_in is None:
            self.estimated = True
            messages = self.request.get("messages", [])
            self.tokens_in = sum(estimate(str(one.get("content"))) for one in messages)
        paid = self.tokens_in * (prices[0] or 0) + self.tokens_out * (prices[1] or 0)
        self.cost_usd = paid / 1_000_000

    def _delta(self, event: Delta) -> None:
        self._last = time.monotonic()
        if self._first is None:
            self._first, self.wait = self._last, ""
            self.first_token_s = self._last - self._sent
            self.stage += 1
        if event.reasoning and not self.output:
            self.reasoning += len(event.reasoning)
            self.wait = "Thinking…"
        if event.text and not self.output:
            self.wait = ""
            self.stage += 1
        self.output += event.text
        self.changed()

    def _step(self) -> None:
        self.stage += 1
        self.changed()


PATIENCE = Patience()
RATED_TOKENS, RATED_SECONDS = 8, 0.01
"""A speed is read off no fewer and no less: two tokens in one packet would make thousands a
second."""
