"""A model call as it stands: what everybody looks at while it goes.

The page that streams it reads it, the row that keeps it is written from it; `hub.playground.runs`
fills it in. A field here that a row has too (`hub.playground.models.Run`) has the same name.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import httpx
import msgspec

from hub.db import now
from hub.playground.prices import Price, Spent
from hub.playground.turns import Turns
from hub.playground.wire import events
from hub.playground.wire.asked import words
from hub.playground.wire.dialects import OPENAI
from hub.playground.wire.events import Called, Delta, Event, Failed, Finish, Note, Remark, Timing
from hub.playground.wire.reading import trees
from hub.registry.prompt.tokens import estimate
from hub.settings import Secret

State = Literal["waiting", "running", "done", "failed", "stopped"]
THIS_MACHINE = "This machine"
MOST_REASONING = 256 * 1024
LONGEST_ID = 200
"""Of a tool's call; OpenAI's have thirty characters."""


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
    slots: Turns
    kind: str = OPENAI
    """The dialect it speaks, a name of `hub.playground.wire.dialects`."""
    owner: int | None = None
    """The account that runs it: free places go round among people."""
    price: Price | None = None
    hour_price: float | None = None
    """US dollars that an hour of its machine costs, where it is paid by the hour."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Several endpoints for one call: the next is asked when one does not answer."""

    name: str
    endpoints: list[Endpoint]


@dataclass(slots=True)
class Call:
    """One cell of a grid, as it stands."""

    changed: Callable[[], None]
    state: State = "waiting"
    wait: str = ""
    """Why nothing is here yet."""
    output: str = ""
    """The text; what a model asks of tools is told in it too, a line each."""
    reasoning: str = ""
    """What a model thought before it answered, where it says so."""
    tool_calls: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """`{id, name, arguments}`; the arguments are JSON as the model wrote it."""
    notes: list[str] = field(default_factory=list[str])
    request: dict[str, Any] = field(default_factory=dict[str, Any])
    """As it was sent, in the endpoint's dialect; pictures are shortened."""
    model: str = ""
    connection: str = ""
    """Who was asked; behind an alias, who answered."""
    local: bool = False
    finish_reason: str | None = None
    error: str | None = None
    queued_s: float | None = None
    load_s: float | None = None
    first_token_s: float | None = None
    """From the moment it was the call's turn: standing in line and loading are told apart."""
    total_s: float | None = None
    tokens_per_s: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    tokens_written: int | None = None
    """Of `tokens_in`: read from, and written to, the provider's cache."""
    tokens_reasoning: int | None = None
    estimated: bool = False
    cost_usd: float | None = None
    cost_from: str = ""
    """Whose figure the cost is: "list price of 2026-11-20", "reported by the provider"."""
    guards_s: float | None = None
    guards_usd: float | None = None
    device: str = ""
    """`cpu` or `gpu`, for a model of this machine."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    stage: int = 0
    """Counts the changes other than text, so that a reader knows what it has shown."""
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    """The request before it was put into anybody's dialect."""
    reported: float | None = None
    """What the provider itself says it charges."""
    pictures: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]] | None = None
    """Puts their bytes into the request when it goes out, where it was filled in with ours."""
    _sent: float = 0
    _why: str = ""
    _told: dict[str, float] = field(default_factory=dict[str, float])
    _first: float | None = None
    _last: float = 0

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "stopped")

    @property
    def note(self) -> str:
        """What its row keeps of the notes."""
        return " · ".join(self.notes)

    @property
    def begun(self) -> bool:
        """Something of the answer came, so nobody else is asked."""
        return self._first is not None

    def ask(self, endpoint: Endpoint) -> None:
        self.model, self.connection, self.local = endpoint.model, endpoint.name, endpoint.local

    def tell(self, wait: str) -> None:
        """Say why nothing comes yet."""
        if wait != self.wait:
            self.wait = wait
            self._step()

    def begin(self) -> None:
        """The request goes out now; an earlier try does not count."""
        self._sent, self._why, self._told = time.monotonic(), "", {}
        self.wait = ""
        if self.state == "waiting":
            self.state, self.started_at = "running", now()
        self._step()

    def waited(self, seconds: float, why: Literal["queued_s", "load_s"] = "queued_s") -> None:
        """Time that is not the model's slowness."""
        setattr(self, why, (getattr(self, why) or 0) + seconds)

    def take(self, event: Event) -> None:
        match event:
            case Delta():
                self._delta(event)
            case Called():
                self._called(event)
            case events.Usage():
                self._count(event)
            case Finish():
                self.finish_reason = event.reason
            case Note():
                self._noted(event)
            case Remark():
                self.remark(event.sentence)
            case Timing():
                self._timed(event)
            case Failed():
                self.error = event.sentence

    def remark(self, sentence: str) -> None:
        """Something to be read under the answer, said once."""
        if sentence not in self.notes:
            self.notes.append(sentence)
            self._step()

    def end(self, state: State, error: str | None = None) -> None:
        """Nothing more comes; count what came."""
        self.state, self.wait, self.finished_at = state, "", now()
        self.error = error or self.error
        if self._sent:
            self.total_s = time.monotonic() - self._sent
        if self.begun and self.tokens_out is None:
            self.estimated = True
            self.tokens_out = max(1, estimate(self.output) + round(len(self.reasoning) / 4))
        lasted = self._last - (self._first or self._last)
        if (self.tokens_out or 0) >= RATED_TOKENS and lasted >= RATED_SECONDS:
            self.tokens_per_s = ((self.tokens_out or 0) - 1) / lasted
        self._step()

    def price(self, endpoint: Endpoint) -> None:
        """What it cost, by the best source there is; unknown stays unknown and is never 0."""
        if self.reported is not None:
            self.cost_usd, self.cost_from = self.reported, "as the provider reports it"
        elif not self.begun and self.tokens_out is None:
            return
        elif endpoint.price is not None and not endpoint.price.of_list:
            self._by_tokens(endpoint.price)
        elif endpoint.hour_price is not None and self.total_s is not None:
            self.cost_usd = endpoint.hour_price * self.total_s / 3600
            self.cost_from = f"{self.total_s:.2f} s at ${endpoint.hour_price:g} an hour"
        elif endpoint.price is not None:
            self._by_tokens(endpoint.price)

    def _by_tokens(self, price: Price) -> None:
        if self.tokens_in is None:
            self.estimated = True
            told = (words(one.get("content")) for one in trees(self.asked.get("messages")))
            self.tokens_in = sum(estimate(one) for one in told)
        spent = Spent(
            self.tokens_in, self.tokens_out or 0, self.tokens_cached or 0, self.tokens_written or 0
        )
        self.cost_usd, self.cost_from = price.cost(spent), price.source

    def _delta(self, event: Delta) -> None:
        self._came()
        if event.reasoning:
            if not self.output:
                self.wait = "Thinking…"
            self.reasoning = (self.reasoning + event.reasoning)[:MOST_REASONING]
        if event.text and not self.output:
            self.wait = ""
            self.stage += 1
        self.output += event.text
        self.changed()

    def _called(self, event: Called) -> None:
        self._came()
        id = event.id[:LONGEST_ID]
        self.tool_calls.append({"id": id, "name": event.name, "arguments": event.arguments})
        apart = "\n" if self.output and not self.output.endswith("\n") else ""
        self.output += f"{apart}[calls the tool {event.name} with {event.arguments}]\n"
        self.wait = ""
        self._step()

    def _came(self) -> None:
        """A piece of the answer is here: the first one is what people wait for."""
        self._last = time.monotonic()
        if self._first is None:
            self._first, self.wait = self._last, ""
            self.first_token_s = self._last - self._sent
            self.stage += 1

    def _count(self, usage: events.Usage) -> None:
        for name, value in (
            ("tokens_in", usage.tokens_in), ("tokens_out", usage.tokens_out),
            ("tokens_cached", usage.cached), ("tokens_written", usage.cache_written),
            ("tokens_reasoning", usage.reasoning), ("reported", usage.cost),
        ):  # fmt: skip
            if value is not None:
                setattr(self, name, value)

    def _noted(self, note: Note) -> None:
        """The time since the note before was spent on what that one said."""
        at, spent = time.monotonic(), "load_s" if (self._why or note.kind) == "load" else "queued_s"
        self.waited(at - self._sent, spent)
        self._told[spent] = self._told.get(spent, 0) + at - self._sent
        self._sent, self._why = at, note.kind
        self.tell(note.sentence)

    def _timed(self, timing: Timing) -> None:
        """What the endpoint measured of itself is right; what was read off its notes was a guess.

        The difference was counted as the model's slowness, so it is taken out of that.
        """
        kind = timing.device.partition(":")[0]
        self.device = {"cuda": "gpu", "mps": "gpu"}.get(kind, kind) or self.device
        for name, seconds in (("load_s", timing.loaded), ("queued_s", timing.queued)):
            if seconds is None:
                continue
            more = seconds - self._told.get(name, 0)
            setattr(self, name, max(0.0, (getattr(self, name) or 0) + more))
            self._told[name] = seconds
            if self.first_token_s is not None and 0 < more <= self.first_token_s:
                self.first_token_s -= more
                self._sent += more

    def _step(self) -> None:
        self.stage += 1
        self.changed()


PATIENCE = Patience()
RATED_TOKENS, RATED_SECONDS = 8, 0.01
"""A speed is read off no fewer and no less: two tokens in one packet would make thousands a
second."""
