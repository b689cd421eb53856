"""What all dialects read alike: JSON that may be broken, counts that may be lies, errors in a 200.

A dialect's `Reader` says only what one decoded object means (`_told`); framing, cut bytes, a
connection that closes too early and whatever is no JSON at all are settled here.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol, cast

import msgspec

from hub.playground.wire import sse
from hub.playground.wire.events import Event, Failed

Json = dict[str, Any]

CUT_OFF = "The connection broke in the middle of the answer. What came is kept; run it again."
ENDLESS = "It sent a line without an end, which is no answer of a model."
WEB_PAGE = (
    "It answered with a web page instead of a model's answer. Check the address; "
    "OpenAI-like ones usually end in /v1."
)
MOST_TOKENS = 2**31 - 1
"""More than that is no count; a database could not keep it, and the run would be lost."""
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_PASSING = (
    "overloaded", "rate_limit", "server_error", "timeout", "unavailable", "api_error", "busy",
    "resource_exhausted", "internal",
)  # fmt: skip


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A model that an endpoint names; prices in US dollars per million tokens, if it says them."""

    id: str
    input_price: float | None = None
    output_price: float | None = None


class Lines(Protocol):
    """Bytes to pieces of text, each an event's data."""

    def feed(self, chunk: bytes) -> Iterator[str]: ...

    def end(self) -> str | None: ...


class Reader(ABC):
    """Feed it the bytes of an answer with status 200; it gives events.

    `streamed` is False for an endpoint that ignored `stream` and sent one JSON value.
    """

    language = "chat-completions"
    """As the sentence names it when something else comes."""
    hint = "Check the address; it usually ends in /v1."

    def __init__(self, *, streamed: bool = True) -> None:
        self._streamed = streamed
        self._lines = self._framing()
        self._whole = bytearray()
        self._understood = False
        self._finished = False
        self.over = False
        """Nothing further counts: the endpoint said so, or it failed."""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes."""
        if not self._streamed:
            self._whole += chunk
            if len(self._whole) > sse.LONGEST_LINE:
                yield self._fail(self._other_language())
            return
        try:
            for data in self._lines.feed(chunk):
                if self.over:
                    return
                yield from self._data(data)
        except sse.TooLong:
            yield self._fail(ENDLESS)

    def end(self) -> Iterator[Event]:
        """The connection closed: what was still open, and whether the answer is whole."""
        if self.over:
            return
        if not self._streamed:
            yield from self._all(decode(bytes(self._whole)))
        elif (last := self._lines.end()) is not None and decode(last) is not None:
            yield from self._data(last)
        if self.over:
            return
        self.over = True
        if self._finished:
            return
        yield Failed(CUT_OFF) if self._understood else Failed(self._other_language())

    def _framing(self) -> Lines:
        return sse.Reader()

    def _data(self, data: str) -> Iterator[Event]:
        """One event's data; a dialect with an end mark of its own looks for that first."""
        found = decode(data)
        if not isinstance(found, dict):
            yield self._fail(CUT_OFF if self._understood else self._other_language())
            return
        yield from self._object(cast("Json", found))

    def _all(self, found: Any) -> Iterator[Event]:
        """A whole answer that was not streamed."""
        for one in cast("list[Any]", found) if isinstance(found, list) and found else [found]:
            if self.over:
                return
            if not isinstance(one, dict):
                yield self._fail(self._other_language())
                return
            yield from self._object(cast("Json", one))

    def _object(self, found: Json) -> Iterator[Event]:
        if found.get("error"):
            yield self._reported(found)
            return
        yield from self._told(found)

    @abstractmethod
    def _told(self, found: Json) -> Iterator[Event]:
        """What one object of this dialect says."""

    def _reported(self, found: Any) -> Failed:
        """An error that came with status 200."""
        said = error_of(found) or "it did not say which."
        return self._fail(f"It reported an error: {said}", again=passing(found))

    def _other_language(self) -> str:
        return f"It answered, but not in the {self.language} language. {self.hint}"

    def _fail(self, sentence: str, *, again: bool = False) -> Failed:
        self.over = True
        return Failed(sentence, again)


def error_of(found: Any) -> str:
    """The message inside an error object, at most 300 characters of plain text."""
    error = _error_in(found)
    if isinstance(error, dict):
        told = cast("Json", error)
        error = told.get("message") or told.get("detail") or told.get("code") or told.get("type")
    shown = "".join(c if c.isprintable() else " " for c in str(error or "")).strip()
    return shown if len(shown) <= 300 else shown[:299] + "…"


def passing(found: Any) -> bool:
    """Whether an error speaks of a busy endpoint, so that asking again may help."""
    error = _error_in(found)
    if not isinstance(error, dict):
        return False
    told = cast("Json", error)
    marks = [told.get(key) for key in ("code", "status", "type")]
    if "insufficient_quota" in marks:
        return False
    words = [str(mark).lower() for mark in marks if mark is not None]
    return any(word.isdecimal() and int(word[:4]) in AGAIN for word in words) or any(
        one in word for word in words for one in _PASSING
    )


def error_object(data: bytes) -> Json:
    """The error in a refusal's body, whichever way it is wrapped; empty: there is none."""
    error = _error_in(decode(data))
    if isinstance(error, str):
        return {"message": error}
    return cast("Json", error) if isinstance(error, dict) else {}


def _error_in(found: Any) -> Any:
    """Gemini wraps its errors in a list when it was asked for a stream."""
    if isinstance(found, list) and found:
        found = cast("list[Any]", found)[0]
    if not isinstance(found, dict):
        return found
    told = cast("Json", found)
    return told.get("error", told)


def decode(data: bytes | str) -> Any:
    """JSON, also with an emoji cut into two halves; None: it is no JSON."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def text(value: Any) -> str:
    """A string that can be stored and sent: no half characters, no NUL."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def tree(value: Any) -> Json:
    """`value` if it is an object, else an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def trees(value: Any) -> list[Json]:
    """The objects in a list."""
    found = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("Json", one) for one in found if isinstance(one, dict)]


def count(value: Any) -> int | None:
    """A number of tokens that can be believed."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
        return value
    return None


def total(*values: int | None) -> int | None:
    """The sum of what is known; None: nothing is."""
    known = [value for value in values if value is not None]
    return min(sum(known), MOST_TOKENS) if known else None


def amount(value: Any) -> float | None:
    """A sum of money or of time that can be believed, also when it came as a string."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= 1e15 else None


def listed(rows: Any, *names: str) -> list[Listed] | None:
    """The models in `rows`, by the first of `names` that each has; None: that is no list."""
    if not isinstance(rows, list):
        return None
    found: dict[str, Listed] = {}
    for row in cast("list[Any]", rows):
        told = tree(row)
        name: Any = next((told[key] for key in names if told.get(key)), row)
        if isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable():
            prices = tree(told.get("pricing"))
            found[name] = Listed(
                id=name,
                input_price=_per_million(prices.get("prompt")),
                output_price=_per_million(prices.get("completion")),
            )
    return [found[name] for name in sorted(found)]


def ordinal(number: int) -> str:
    """`1st`, `12th`, `23rd`."""
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _per_million(value: Any) -> float | None:
    """OpenRouter's prices are strings in dollars per token."""
    price = amount(value)
    return round(price * 1_000_000, 6) if price is not None and price <= 1 else None
