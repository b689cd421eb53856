"""OpenAI chat completions: also vLLM, SGLang, llama.cpp, Ollama, OpenRouter and our own engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from hub.playground.wire import sse
from hub.playground.wire.events import Delta, Event, Failed, Finish, Note, Remark, Usage

NOT_THIS_DIALECT = (
    "It answered, but not in the chat-completions language. Check the base URL; "
    "it usually ends in /v1."
)
CUT_OFF = "The connection broke in the middle of the answer. What came is kept; run it again."
MOST_TOKENS = 2**31 - 1
"""More than that is no count; a database could not keep it, and the run would be lost."""
WEB_PAGE = (
    "It answered with a web page instead of a model's answer. Check the base URL; "
    "it usually ends in /v1."
)


def body(request: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """The request as it is sent: streamed, with the token counts at the end."""
    return {
        **request,
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


class Reader:
    """Feed it the bytes of an answer with status 200; it gives events.

    `streamed` is False for an endpoint that ignored `stream` and sent one JSON object.
    """

    def __init__(self, *, streamed: bool = True) -> None:
        self._streamed = streamed
        self._lines = sse.Reader()
        self._whole = bytearray()
        self._calls: dict[int, list[str]] = {}
        self._understood = False
        self._finished = False
        self.over = False
        """Nothing further counts: the endpoint said so, or it failed."""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes."""
        if not self._streamed:
            self._whole += chunk
            if len(self._whole) > sse.LONGEST_LINE:
                yield self._fail(NOT_THIS_DIALECT)
            return
        try:
            for data in self._lines.feed(chunk):
                if self.over:
                    return
                yield from self._event(data)
        except sse.TooLong:
            yield self._fail("It sent a line without an end, which is no answer of a model.")

    def end(self) -> Iterator[Event]:
        """The connection closed: what was still open, and whether the answer is whole."""
        if self.over:
            return
        if not self._streamed:
            yield from self._object(_decode(bytes(self._whole)))
        elif (last := self._lines.end()) is not None and _decode(last) is not None:
            yield from self._event(last)
        if self.over:
            return
        self.over = True
        if self._finished:
            return
        if not self._understood:
            yield Failed(NOT_THIS_DIALECT)
        else:
            yield Failed(CUT_OFF)

    def _event(self, data: str) -> Iterator[Event]:
        if data.strip() == "[DONE]":
            self.over = True
            if not self._understood:
                yield Failed(NOT_THIS_DIALECT)
            elif not self._finished:
                yield from self._finish("stop")
            return
        found = _decode(data)
        if not isinstance(found, dict):
            yield self._fail(NOT_THIS_DIALECT if not self._understood else CUT_OFF)
            return
        yield from self._object(cast("dict[str, Any]", found))

    def _object(self, found: Any) -> Iterator[Event]:
        """One chunk of a stream, or a whole answer; both have `choices` and `usage`."""
        if not isinstance(found, dict):
            yield self._fail(NOT_THIS_DIALECT)
            return
        chunk = cast("dict[str, Any]", found)
        if chunk.get("error"):
            yield self._fail(f"It reported an error: {error_of(chunk) or 'it did not say which.'}")
            return
        if isinstance(chunk.get("prompthub"), dict):
            yield from _ours(chunk["prompthub"])
        choices = chunk.get("choices")
        if isinstance(choices, list):
            self._understood = True
            for choice in cast("list[Any]", choices)[:1]:
                yield from self._choice(choice if isinstance(choice, dict) else {})
        if (usage := _usage(chunk.get("usage"))) is not None:
            yield usage

    def _choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        delta: Any = choice.get("delta") or choice.get("message") or {}
        if isinstance(delta, dict):
            piece = cast("dict[str, Any]", delta)
            text, thought = _parts(piece.get("content"))
            text += _text(piece.get("refusal")) or _text(choice.get("text"))
            thought += _text(piece.get("reasoning")) or _text(piece.get("reasoning_content"))
            if text or thought:
                yield Delta(text, thought)
            self._collect(piece.get("tool_calls"))
        if reason := _text(choice.get("finish_reason")):
            if reason == "error":
                yield self._fail("It stopped with an error of its own. Run it again.")
            elif not self._finished:
                yield from self._finish(reason)

    def _collect(self, calls: Any) -> None:
        """Tool calls come in splinters; they are shown whole at the end."""
        for call in cast("list[Any]", calls) if isinstance(calls, list) else []:
            function: Any = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                continue
            index = call.get("index")
            place = index if isinstance(index, int) else len(self._calls)
            name, arguments = self._calls.setdefault(place, ["", ""])
            named = cast("dict[str, Any]", function)
            self._calls[place] = [
                name + _text(named.get("name")),
                arguments + _text(named.get("arguments")),
            ]

    def _finish(self, reason: str) -> Iterator[Event]:
        for name, arguments in self._calls.values():
            yield Delta(f"[calls the tool {name} with {arguments or '{}'}]\n")
        self._calls = {}
        self._finished = True
        yield Finish(reason[:40])

    def _fail(self, sentence: str) -> Failed:
        self.over = True
        return Failed(sentence)


def error_of(found: Any) -> str:
    """The message inside an error object, at most 300 characters of plain text."""
    error: Any = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(error, dict):
        told = cast("dict[str, Any]", error)
        error = told.get("message") or told.get("detail") or told.get("code")
    text = "".join(c if c.isprintable() else " " for c in str(error or "")).strip()
    return text if len(text) <= 300 else text[:299] + "…"


def models_of(data: bytes) -> list[str] | None:
    """The ids in an answer to `GET /models`; None: that is not such an answer."""
    found = _decode(data)
    rows: Any = found.get("data", found.get("models")) if isinstance(found, dict) else found
    if not isinstance(rows, list):
        return None
    ids: list[str] = []
    for row in cast("list[Any]", rows):
        name = row.get("id") or row.get("name") if isinstance(row, dict) else row
        if isinstance(name, str) and 0 < len(name) <= 200:
            ids.append(name)
    return sorted(set(ids))


def _decode(data: bytes | str) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        # Some servers cut an emoji into two halves, which only the lenient reader takes.
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str:
    """A string that can be stored and sent: no half characters, no NUL."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _parts(content: Any) -> tuple[str, str]:
    """Text and reasoning; some servers send a list of typed parts in place of a string."""
    if not isinstance(content, list):
        return _text(content), ""
    text = thought = ""
    for part in cast("list[Any]", content):
        if isinstance(part, dict):
            piece = cast("dict[str, Any]", part)
            text += _text(piece.get("text"))
            thought += _parts(piece.get("thinking"))[0]
    return text, thought


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    told = cast("dict[str, Any]", value)
    numbers = [told.get(key) for key in ("prompt_tokens", "completion_tokens")]
    clean = [
        n if isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= MOST_TOKENS else None
        for n in numbers
    ]
    return Usage(*clean) if any(n is not None for n in clean) else None


def _ours(told: dict[str, Any]) -> Iterator[Event]:
    """Our own engine says where a request stands, and what it did differently."""
    loading, queued = told.get("loading"), told.get("queued")
    if isinstance(loading, int | float) and loading < 1:
        at = f"Loading the model: {round(loading * 100)} %"
        yield Note(at if loading > 0 else "The local model is starting…")
    elif isinstance(queued, int) and queued > 0:
        yield Note(f"{_ordinal(queued)} in line on this machine")
    if remark := _text(told.get("note"))[:300].strip():
        yield Remark(remark)


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
