"""OpenAI chat completions: also vLLM, SGLang, llama.cpp, LM Studio, OpenRouter and our engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from hub.playground.wire.asked import Sent
from hub.playground.wire.events import (
    Called,
    Delta,
    Event,
    Finish,
    Note,
    Remark,
    Timing,
    Usage,
)
from hub.playground.wire.reading import (
    Json,
    Listed,
    amount,
    count,
    decode,
    listed,
    ordinal,
    text,
    tree,
    trees,
)
from hub.playground.wire.reading import Reader as _Reader

MODELS = "/models"


def base(url: str) -> str:
    """The address as entered; its routes begin right behind it."""
    return url


def headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def request(asked: Mapping[str, Any], *, model: str) -> Sent:
    """The request as it is sent: streamed, with the token counts at the end."""
    body = {
        **asked,
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return Sent(path="/chat/completions", body=body, ignored=[])


def models_of(data: bytes) -> list[Listed] | None:
    """The models in an answer to `GET /models`; None: that is not such an answer."""
    found = decode(data)
    told = tree(found)
    return listed(told.get("data", told.get("models")) if told else found, "id", "name")


class Reader(_Reader):
    def __init__(self, *, streamed: bool = True) -> None:
        super().__init__(streamed=streamed)
        self._calls: dict[int, list[str]] = {}

    def _data(self, data: str) -> Iterator[Event]:
        if data.strip() != "[DONE]":
            yield from super()._data(data)
            return
        if not self._understood:
            yield self._fail(self._other_language())
        elif not self._finished:
            yield from self._finish("stop")
        self.over = True

    def _told(self, found: Json) -> Iterator[Event]:
        """One chunk of a stream, or a whole answer; both have `choices` and `usage`."""
        if isinstance(found.get("prompthub"), dict):
            yield from _ours(found["prompthub"])
        choices = found.get("choices")
        if isinstance(choices, list):
            self._understood = True
            for choice in cast("list[Any]", choices)[:1]:
                yield from self._choice(tree(choice))
        if (usage := _usage(tree(found.get("usage")))) is not None:
            yield usage

    def _choice(self, choice: Json) -> Iterator[Event]:
        piece = tree(choice.get("delta") or choice.get("message"))
        said, thought = _parts(piece.get("content"))
        said += text(piece.get("refusal")) or text(choice.get("text"))
        thought += text(piece.get("reasoning")) or text(piece.get("reasoning_content"))
        if said or thought:
            yield Delta(said, thought)
        self._collect(piece.get("tool_calls"))
        if reason := text(choice.get("finish_reason")):
            if reason == "error":
                yield self._fail("It stopped with an error of its own. Run it again.", again=True)
            elif not self._finished:
                yield from self._finish(reason)

    def _collect(self, calls: Any) -> None:
        """Tool calls come in splinters; they are told whole at the end."""
        for call in trees(calls):
            function = call.get("function")
            if not isinstance(function, dict):
                continue
            index = call.get("index")
            place = index if isinstance(index, int) else len(self._calls)
            named = tree(function)
            made = self._calls.setdefault(place, ["", "", ""])
            made[0] += text(named.get("name"))
            made[1] += text(named.get("arguments"))
            made[2] = made[2] or text(call.get("id"))

    def _finish(self, reason: str) -> Iterator[Event]:
        for name, arguments, id in self._calls.values():
            yield Called(name, arguments or "{}", id)
        self._calls = {}
        self._finished = True
        yield Finish(reason[:40])


def _parts(content: Any) -> tuple[str, str]:
    """Text and reasoning; some servers send a list of typed parts in place of a string."""
    if not isinstance(content, list):
        return text(content), ""
    said = thought = ""
    for piece in trees(content):
        said += text(piece.get("text"))
        thought += _parts(piece.get("thinking"))[0]
    return said, thought


def _usage(told: Json) -> Usage | None:
    came, went = count(told.get("prompt_tokens")), count(told.get("completion_tokens"))
    cost = amount(told.get("cost"))
    if came is None and went is None and cost is None:
        return None
    read = tree(told.get("prompt_tokens_details"))
    return Usage(
        came,
        went,
        cached=count(read.get("cached_tokens", told.get("prompt_cache_hit_tokens"))),
        cache_written=count(read.get("cache_write_tokens")),
        reasoning=count(tree(told.get("completion_tokens_details")).get("reasoning_tokens")),
        cost=cost,
    )


def _ours(told: Json) -> Iterator[Event]:
    """Our own engine says where a request stands, and what it did differently."""
    loading, queued = told.get("loading"), told.get("queued")
    if isinstance(loading, int | float) and loading < 1:
        at = f"Loading the model: {round(loading * 100)} %"
        yield Note(at if loading > 0 else "The local model is starting…", "load")
    elif isinstance(queued, int) and queued > 0:
        yield Note(f"{ordinal(queued)} in line on this machine")
    if remark := text(told.get("note"))[:300].strip():
        yield Remark(remark)
    timing = Timing(
        amount(told.get("queue_s")), amount(told.get("load_s")), text(told.get("device"))[:20]
    )
    if timing != Timing():
        yield timing
