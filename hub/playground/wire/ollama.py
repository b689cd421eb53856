"""Ollama `/api/chat`: a JSON object a line; it counts in its own words and measures itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.playground.wire import asked as read
from hub.playground.wire import ndjson
from hub.playground.wire.asked import Image, Sent
from hub.playground.wire.events import Called, Delta, Event, Finish, Timing, Usage
from hub.playground.wire.reading import (
    Json,
    Lines,
    Listed,
    amount,
    count,
    decode,
    listed,
    text,
    tree,
    trees,
)
from hub.playground.wire.reading import Reader as _Reader

MODELS = "/api/tags"
_OPTIONS = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p",
    "seed": "seed", "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty", "repetition_penalty": "repeat_penalty",
}  # fmt: skip
_KNOWN = (
    *_OPTIONS, "max_tokens", "max_completion_tokens", "stop", "tools", "reasoning_effort",
    "response_format",
)  # fmt: skip
_SMALL_CONTEXT = 4096
"""What a model gets there when nobody says; a longer prompt would lose its beginning unsaid."""


def base(url: str) -> str:
    """Where it listens: an address meant for its OpenAI side, or its `/api`, leads there too."""
    return url.removesuffix("/v1").removesuffix("/api")


def headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def request(asked: Mapping[str, Any], *, model: str) -> Sent:
    """Settings go under `options`; a prompt too long for the model is an error, never cut."""
    ignored = read.ignored(asked, _KNOWN)
    messages = [_message(one, ignored) for one in read.messages(asked)]
    body: Json = {"model": model, "messages": messages, "stream": True, "truncate": False}
    options = read.renamed(asked, _OPTIONS)
    if (most := read.longest(asked)) is not None:
        options["num_predict"] = most
    if stops := read.stops(asked):
        options["stop"] = stops
    # A token is rarely under three bytes, so this is more than enough.
    needed = sum(len(str(one.get("content")).encode()) for one in messages) // 3
    needed += most if isinstance(most, int) else 1024
    if needed > _SMALL_CONTEXT:
        options["num_ctx"] = 1 << (needed - 1).bit_length()
    if options:
        body["options"] = options
    if asked.get("tools"):
        body["tools"] = asked["tools"]
    if effort := text(asked.get("reasoning_effort")):
        body["think"] = False if effort == "none" else effort if "gpt-oss" in model else True
    kind, schema = read.schema(asked)
    if kind:
        body["format"] = schema or "json"
    return Sent(path="/api/chat", body=body, ignored=ignored)


def models_of(data: bytes) -> list[Listed] | None:
    return listed(tree(decode(data)).get("models"), "model", "name")


def _message(message: Json, ignored: list[str]) -> Json:
    made: Json = {"role": message.get("role"), "content": read.words(message.get("content"))}
    pictures: list[Image] = read.images(message.get("content"))
    if any(not one.data for one in pictures):
        ignored.append("pictures given by their address")
    if here := [one.data for one in pictures if one.data]:
        made["images"] = here
    if calls := read.tool_calls(message):
        made["tool_calls"] = [
            {"function": {"name": call.name, "arguments": call.given}} for call in calls
        ]
    if message.get("role") == "tool" and (name := text(message.get("name"))):
        made["tool_name"] = name
    return made


class Reader(_Reader):
    language = "Ollama"
    hint = "Check the address; it usually ends in :11434."

    def __init__(self, *, streamed: bool = True) -> None:
        super().__init__(streamed=streamed)
        self._called = False

    def _framing(self) -> Lines:
        return ndjson.Reader()

    def _told(self, found: Json) -> Iterator[Event]:
        message = found.get("message")
        self._understood = self._understood or isinstance(message, dict) or "done" in found
        piece = tree(message)
        said, thought = text(piece.get("content")), text(piece.get("thinking"))
        if said or thought:
            yield Delta(said, thought)
        for call in trees(piece.get("tool_calls")):
            function = tree(call.get("function"))
            self._called = True
            given = read.given_text(function.get("arguments"))
            yield Called(text(function.get("name")), given, text(call.get("id")))
        if found.get("done") is True:
            yield from self._done(found)

    def _done(self, found: Json) -> Iterator[Event]:
        came, went = count(found.get("prompt_eval_count")), count(found.get("eval_count"))
        if came is not None or went is not None:
            yield Usage(came, went)
        if (loaded := amount(found.get("load_duration"))) is not None:
            yield Timing(loaded=loaded / 1e9)
        self._finished = self.over = True
        reason = text(found.get("done_reason")) or "stop"
        if reason in ("stop", "load"):
            reason = "tool_calls" if self._called else "stop"
        yield Finish(reason[:40])
