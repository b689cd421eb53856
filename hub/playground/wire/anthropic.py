"""Anthropic messages: blocks that open, grow and close; the system text stands apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.playground.wire import asked as read
from hub.playground.wire.asked import Image, Sent
from hub.playground.wire.events import Called, Delta, Event, Finish, Remark, Usage
from hub.playground.wire.reading import (
    Json,
    Listed,
    count,
    decode,
    listed,
    text,
    total,
    tree,
    trees,
)
from hub.playground.wire.reading import Reader as _Reader

MODELS = "/models?limit=1000"
LONGEST = 4096
"""It wants to be told the longest answer; this is it where the prompt does not say."""
_KNOWN = (
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "tools",
    "tool_choice", "parallel_tool_calls", "reasoning_effort", "response_format",
)  # fmt: skip
_REASONS = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
    "refusal": "content_filter", "model_context_window_exceeded": "length",
}  # fmt: skip
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def base(url: str) -> str:
    return url if url.endswith("/v1") else f"{url}/v1"


def headers(key: str | None) -> dict[str, str]:
    return {"anthropic-version": "2023-06-01"} | ({"x-api-key": key} if key else {})


def request(asked: Mapping[str, Any], *, model: str) -> Sent:
    """System text apart, turns of one side joined, tools and schema under their names there."""
    told, rest = read.system(asked)
    body: Json = {
        "model": model,
        "max_tokens": read.longest(asked) or LONGEST,
        "messages": _turns(rest),
        "stream": True,
    }
    if told:
        body["system"] = told
    body |= read.renamed(asked, {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k"})
    if stops := read.stops(asked):
        body["stop_sequences"] = stops
    ignored = read.ignored(asked, _KNOWN)
    heat = body.get("temperature")
    if isinstance(heat, int | float) and heat > 1:
        body["temperature"] = 1
        ignored.append("temperature above 1")
    _tools(asked, body)
    shape: Json = {}
    if effort := asked.get("reasoning_effort"):
        shape["effort"] = effort
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
    kind, schema = read.schema(asked)
    if kind == "json_schema":
        shape["format"] = {"type": kind, "schema": schema or {"type": "object"}}
    elif kind:
        ignored.append("response_format")
    if shape:
        body["output_config"] = shape
    return Sent(path="/messages", body=body, ignored=ignored)


def models_of(data: bytes) -> list[Listed] | None:
    return listed(tree(decode(data)).get("data"), "id")


def _tools(asked: Mapping[str, Any], body: Json) -> None:
    tools = read.tools(asked)
    if not tools:
        return
    body["tools"] = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
        | ({"strict": True} if tool.strict else {})
        for tool in tools
    ]
    chosen = read.tool_choice(asked)
    kind: Json = {"type": _CHOICES.get(chosen, "auto")}
    if chosen.startswith("="):
        kind = {"type": "tool", "name": chosen[1:]}
    if asked.get("parallel_tool_calls") is False and kind["type"] != "none":
        kind["disable_parallel_tool_use"] = True
    if chosen or len(kind) > 1:
        body["tool_choice"] = kind


def _turns(messages: list[Json]) -> list[Json]:
    """Two messages of one side in a row are one turn; answers of tools are the user's."""
    turns: list[Json] = []
    for message in messages:
        role = "assistant" if message.get("role") == "assistant" else "user"
        blocks = _blocks(message)
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Json) -> list[Json]:
    blocks: list[Json] = [_block(part) for part in read.parts(message.get("content"))]
    if message.get("role") == "tool":
        id = text(message.get("tool_call_id"))
        return [{"type": "tool_result", "tool_use_id": id, "content": blocks}]
    for call in read.tool_calls(message):
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": call.given})
    return blocks


def _block(part: read.Part) -> Json:
    if not isinstance(part, Image):
        return {"type": "text", "text": part}
    source = (
        {"type": "base64", "media_type": part.kind, "data": part.data}
        if part.data
        else {"type": "url", "url": part.url}
    )
    return {"type": "image", "source": source}


class Reader(_Reader):
    language = "messages"
    hint = "Check the address."

    def __init__(self, *, streamed: bool = True) -> None:
        super().__init__(streamed=streamed)
        self._blocks: dict[int, list[str]] = {}
        self._usage: Json = {}

    def _told(self, found: Json) -> Iterator[Event]:
        kind = text(found.get("type"))
        match kind:
            case "message_start":
                self._understood = True
                yield from self._counted(tree(tree(found.get("message")).get("usage")), begun=True)
            case "content_block_start":
                block = tree(found.get("content_block"))
                if block.get("type") == "tool_use":
                    self._blocks[_index(found)] = [text(block.get("name")), "", _id(block)]
                yield from _text(block)
            case "content_block_delta":
                yield from self._grown(_index(found), tree(found.get("delta")))
            case "content_block_stop":
                if (made := self._blocks.pop(_index(found), None)) is not None:
                    yield Called(made[0], made[1] or "{}", made[2])
            case "message_delta":
                yield from self._counted(tree(found.get("usage")))
                yield from self._stopped(text(tree(found.get("delta")).get("stop_reason")))
            case "message_stop":
                self.over = self._finished
            case "message":
                yield from self._message(found)
            case _:  # ping, and what is yet to be invented
                pass

    def _grown(self, index: int, delta: Json) -> Iterator[Event]:
        if delta.get("type") == "input_json_delta":
            if index in self._blocks:
                self._blocks[index][1] += text(delta.get("partial_json"))
            return
        yield from _text(delta)

    def _counted(self, more: Json, *, begun: bool = False) -> Iterator[Event]:
        """Counts are cumulative; a null leaves what was said before.

        The output of a message that has just begun is no count yet.
        """
        self._usage |= {key: value for key, value in more.items() if value is not None}
        read_, wrote = (
            count(self._usage.get(f"cache_{what}_input_tokens")) for what in ("read", "creation")
        )
        came = total(count(self._usage.get("input_tokens")), read_, wrote)
        went = None if begun else count(self._usage.get("output_tokens"))
        if came is not None or went is not None:
            thought = tree(self._usage.get("output_tokens_details")).get("thinking_tokens")
            yield Usage(came, went, cached=read_, cache_written=wrote, reasoning=count(thought))

    def _stopped(self, reason: str) -> Iterator[Event]:
        if reason and not self._finished:
            self._finished = True
            if reason == "model_context_window_exceeded":
                yield Remark("the model's context was full")
            yield Finish(_REASONS.get(reason, reason)[:40])

    def _message(self, found: Json) -> Iterator[Event]:
        """A whole message, not streamed."""
        self._understood = True
        for block in trees(found.get("content")):
            if block.get("type") == "tool_use":
                given = read.given_text(block.get("input"))
                yield Called(text(block.get("name")), given, _id(block))
            yield from _text(block)
        yield from self._counted(tree(found.get("usage")))
        yield from self._stopped(text(found.get("stop_reason")))


def _text(piece: Json) -> Iterator[Event]:
    said, thought = text(piece.get("text")), text(piece.get("thinking"))
    if said or thought:
        yield Delta(said, thought)


def _index(found: Json) -> int:
    index = found.get("index")
    return index if isinstance(index, int) else 0


def _id(block: Json) -> str:
    return text(block.get("id"))
