"""OpenAI responses: items in, typed events out; nothing is kept on their side (`store: false`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.playground.wire import asked as read
from hub.playground.wire.asked import Sent
from hub.playground.wire.events import Called, Delta, Event, Failed, Finish, Usage
from hub.playground.wire.openai_chat import base, headers, models_of
from hub.playground.wire.reading import CUT_OFF, Json, count, text, tree, trees
from hub.playground.wire.reading import Reader as _Reader

__all__ = ["MODELS", "Reader", "base", "headers", "models_of", "request"]

MODELS = "/models"
_KNOWN = (
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_logprobs", "tools",
    "tool_choice", "parallel_tool_calls", "reasoning_effort", "verbosity", "response_format",
)  # fmt: skip
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def request(asked: Mapping[str, Any], *, model: str) -> Sent:
    """Messages become items; settings get the names they have there."""
    body: Json = {
        "model": model,
        "input": [item for one in read.messages(asked) for item in _items(one)],
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "store": False,
    }
    same = ("temperature", "top_p", "top_logprobs", "parallel_tool_calls")
    body |= read.renamed(asked, {name: name for name in same})
    if (most := read.longest(asked)) is not None:
        body["max_output_tokens"] = most
    if effort := asked.get("reasoning_effort"):
        body["reasoning"] = {"effort": effort, "summary": "auto"}
    if tools := read.tools(asked):
        body["tools"] = [
            {"type": "function", "name": tool.name, "description": tool.description,
             "parameters": tool.parameters, "strict": bool(tool.strict)}
            for tool in tools
        ]  # fmt: skip
    if chosen := read.tool_choice(asked):
        named = {"type": "function", "name": chosen[1:]}
        body["tool_choice"] = named if chosen.startswith("=") else chosen
    if shape := _shape(asked):
        body["text"] = shape
    return Sent(path="/responses", body=body, ignored=read.ignored(asked, _KNOWN))


def _shape(asked: Mapping[str, Any]) -> Json:
    kind, _ = read.schema(asked)
    told: Json = {}
    if kind == "json_schema":
        named = tree(tree(asked["response_format"]).get("json_schema"))
        told["format"] = {"type": kind, "name": "answer", **named}
    elif kind:
        told["format"] = {"type": kind}
    return told | read.renamed(asked, {"verbosity": "verbosity"})


def _items(message: Json) -> Iterator[Json]:
    role = text(message.get("role"))
    if role == "tool":
        yield {
            "type": "function_call_output",
            "call_id": text(message.get("tool_call_id")),
            "output": read.words(message.get("content")),
        }
        return
    written = "output_text" if role == "assistant" else "input_text"
    content: list[Json] = [
        {"type": written, "text": part}
        if isinstance(part, str)
        else {"type": "input_image", "image_url": part.url, "detail": "auto"}
        for part in read.parts(message.get("content"))
    ]
    if content:
        yield {"type": "message", "role": role, "content": content}
    for call in read.tool_calls(message):
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }


class Reader(_Reader):
    language = "responses"

    def _data(self, data: str) -> Iterator[Event]:
        if data.strip() != "[DONE]":  # some servers that imitate it end so
            yield from super()._data(data)

    def _object(self, found: Json) -> Iterator[Event]:
        """`error` is also a field of every whole response, null or telling."""
        if found.get("object") == "response" or "type" in found:
            yield from self._told(found)
        else:
            yield from super()._object(found)

    def _told(self, found: Json) -> Iterator[Event]:
        kind = text(found.get("type"))
        self._understood = self._understood or kind.startswith("response.")
        match kind:
            case "response.output_text.delta" | "response.refusal.delta":
                yield Delta(text(found.get("delta")))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield Delta("", text(found.get("delta")))
            case "response.reasoning_summary_part.done":
                yield Delta("", "\n\n")
            case "response.output_item.done":
                yield from _called(tree(found.get("item")))
            case "response.completed" | "response.incomplete" | "response.failed":
                yield from self._ended(tree(found.get("response")))
            case "error":
                yield self._reported(found if "message" in found else found.get("error", found))
            case _ if found.get("object") == "response":
                self._understood = True
                for item in trees(found.get("output")):
                    yield from _whole(item)
                yield from self._ended(found)
            case _:
                pass

    def _ended(self, response: Json) -> Iterator[Event]:
        usage = tree(response.get("usage"))
        came, went = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
        if came is not None or went is not None:
            cache = tree(usage.get("input_tokens_details"))
            thought = tree(usage.get("output_tokens_details"))
            yield Usage(
                came,
                went,
                cached=count(cache.get("cached_tokens")),
                cache_written=count(cache.get("cache_write_tokens")),
                reasoning=count(thought.get("reasoning_tokens")),
            )
        status = text(response.get("status"))
        if status == "failed":
            yield self._reported({"error": response.get("error") or {}})
            return
        if status not in ("completed", "incomplete"):
            yield self._fail(CUT_OFF)
            return
        self._finished = self.over = True
        yield Finish(self._reason(response))

    def _reason(self, response: Json) -> str:
        why = text(tree(response.get("incomplete_details")).get("reason"))
        called = any(one.get("type") == "function_call" for one in trees(response.get("output")))
        return _REASONS.get(why, why)[:40] or ("tool_calls" if called else "stop")

    def _reported(self, found: Any) -> Failed:
        told = tree(found)
        if told.get("type") == "error":  # the event's own type says nothing of the cause
            found = {"error": {key: told.get(key) for key in ("message", "code", "param")}}
        return super()._reported(found)


def _called(item: Json) -> Iterator[Event]:
    if item.get("type") == "function_call":
        yield Called(
            text(item.get("name")),
            text(item.get("arguments")) or "{}",
            text(item.get("call_id")) or text(item.get("id")),
        )


def _whole(item: Json) -> Iterator[Event]:
    """An item of an answer that was not streamed."""
    for part in trees(item.get("summary")):
        yield Delta("", text(part.get("text")))
    if item.get("type") == "message":
        for part in trees(item.get("content")):
            yield Delta(text(part.get("text")) or text(part.get("refusal")))
    yield from _called(item)
