"""Five vendors on loopback, each in its own language, behaving as the model's name says.

Real sockets; answers are cut into pieces of a few bytes, with pings and comments in between, as
none of them would do and all of them may.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.loopback import in_a_thread, listening

KEY = "sk-of-the-vendor"
KINDS = ("openai", "responses", "anthropic", "gemini", "ollama")
MODELS = ("plain", "slow")
WORDS = "Now 👩🏽‍⚕️ at\u2028once"
THOUGHT = "It hurts."
PIECE = 11
HEADS = {
    "openai": ("authorization", f"Bearer {KEY}"), "responses": ("authorization", f"Bearer {KEY}"),
    "anthropic": ("x-api-key", KEY), "gemini": ("x-goog-api-key", KEY),
    "ollama": ("authorization", f"Bearer {KEY}"),
}  # fmt: skip


@dataclass
class Vendors:
    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)
    hung_up: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    down: set[str] = field(default_factory=set)
    """Kinds that answer 503 until they are taken out."""

    def address(self, kind: str) -> str:
        path = {"anthropic": "/v1", "gemini": "/v1beta", "ollama": ""}.get(kind, "/v1")
        return f"http://127.0.0.1:{self.port}/{kind}{path}"


@asynccontextmanager
async def running_vendors() -> AsyncIterator[Vendors]:
    vendors = Vendors()
    async with listening(partial(_serve, vendors)) as vendors.port:
        yield vendors


def vendors_in_a_thread() -> AbstractContextManager[Vendors]:
    """The same with a loop of its own, for tests that have none to lend."""
    return in_a_thread(running_vendors)


async def _serve(vendors: Vendors, reader: Any, writer: Any) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *rest = head.split("\r\n")
    headers = {
        name.lower(): value for name, _, value in (one.partition(": ") for one in rest) if name
    }
    _, kind, *path = first.split(" ")[1].split("/")
    name, value = HEADS[kind]
    if headers.get(name) != value:
        await _plain(writer, 401, _error(kind, "auth", f"bad key {headers.get(name)}", 401))
    elif first.startswith("GET"):
        await _plain(writer, 200, json.dumps(_models(kind)))
    else:
        asked = json.loads(await reader.readexactly(int(headers["content-length"])))
        model = asked.get("model") or path[-1].partition(":")[0]
        asked["_kind"], asked["_model"] = kind, model
        vendors.asked.append(asked)
        vendors.at_once += 1
        vendors.most_at_once = max(vendors.most_at_once, vendors.at_once)
        try:
            await _answer(vendors, kind, model, asked, reader, writer)
        finally:
            vendors.at_once -= 1


async def _answer(
    vendors: Vendors, kind: str, model: str, asked: Any, reader: Any, writer: Any
) -> None:
    tries = vendors.tries[f"{kind}/{model}"] = vendors.tries.get(f"{kind}/{model}", 0) + 1
    if kind in vendors.down:
        await _plain(writer, 503, _error(kind, "api_error", "down for repairs", 503))
    elif model == "broke":
        await _plain(writer, 402, _error(kind, "billing_error", "no credit", 402))
    elif model == "busy" and tries == 1:
        wait = "" if kind == "gemini" else "Retry-After: 1\r\n"
        await _plain(writer, 429, _error(kind, "rate_limit_error", "too fast", 429), wait)
    elif model == "storm":
        await _plain(writer, 429, _error(kind, "rate_limit_error", "too fast", 429, "0.1s"),
                     "retry-after-ms: 100\r\n")  # fmt: skip
    elif model == "picky" and "temperature" in json.dumps(asked):
        told = "`temperature` is deprecated for this model."
        await _plain(writer, 400, _error(kind, "invalid_request_error", told, 400))
    elif model == "blind" and "iVBOR" in json.dumps(asked):
        told = "image input is not supported"
        await _plain(writer, 400, _error(kind, "invalid_request_error", told, 400))
    elif model == "whole":
        await _plain(writer, 200, json.dumps(_whole(kind)))
    elif model == "overloaded" and tries == 1:
        await _stream(writer, kind, [_inside(kind)])
    else:
        await _streamed(vendors, kind, model, reader, writer)


async def _streamed(vendors: Vendors, kind: str, model: str, reader: Any, writer: Any) -> None:
    pieces = _pieces(kind, tool=model == "tool")
    unfinished = pieces[: -3 if kind == "openai" else -2]
    if model == "dies":
        await _stream(writer, kind, unfinished, end=False)
        writer.transport.abort()
    elif model == "slow":
        await _stream(writer, kind, unfinished, end=False)
        await reader.read()
        vendors.hung_up.append(kind)
    else:
        await _stream(writer, kind, pieces)


def _pieces(kind: str, *, tool: bool = False) -> list[Any]:
    """One answer: a thought, the words (or a tool), the end and the counts; the last two are it."""
    text, call = "" if tool else WORDS, {"name": "book", "args": {"bed": 4}}
    match kind:
        case "openai":
            delta = {"content": text} if text else {"tool_calls": [{"index": 0, "function": {
                "name": "book", "arguments": '{"bed": 4}'}}]}  # fmt: skip
            end = "tool_calls" if tool else "stop"
            usage = {"prompt_tokens": 20, "completion_tokens": 8, "cost": 0.0125}
            return [
                {"choices": [{"delta": {"reasoning": THOUGHT}}]}, {"choices": [{"delta": delta}]},
                {"choices": [{"delta": {}, "finish_reason": end}]},
                {"choices": [], "usage": usage}, "[DONE]",
            ]  # fmt: skip
        case "responses":
            item = {"type": "function_call", "name": "book", "arguments": '{"bed": 4}'}
            done = {"status": "completed", "object": "response", "output": [item] if tool else [],
                    "usage": {"input_tokens": 20, "output_tokens": 8}}  # fmt: skip
            return [
                {"type": "response.created", "response": {"status": "in_progress"}},
                {"type": "response.reasoning_summary_text.delta", "delta": THOUGHT},
                {"type": "response.output_item.done", "item": item} if tool
                else {"type": "response.output_text.delta", "delta": text},
                {"type": "response.output_text.done"},
                {"type": "response.completed", "response": done},
            ]  # fmt: skip
        case "anthropic":
            usage = {"input_tokens": 5, "cache_read_input_tokens": 15, "output_tokens": 1}
            block = {"type": "tool_use", "id": "t", "name": "book"} if tool else {"type": "text"}
            grown = (
                {"type": "input_json_delta", "partial_json": '{"bed": 4}'}
                if tool
                else {"type": "text_delta", "text": text}
            )
            stop = {"stop_reason": "tool_use" if tool else "end_turn"}
            return [
                {"type": "message_start", "message": {"usage": usage}},
                {"type": "content_block_delta", "index": 0,
                 "delta": {"type": "thinking_delta", "thinking": THOUGHT}},
                {"type": "content_block_start", "index": 1, "content_block": block},
                {"type": "content_block_delta", "index": 1, "delta": grown},
                {"type": "content_block_stop", "index": 1},
                {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 8}},
                {"type": "message_stop"},
            ]  # fmt: skip
        case "gemini":
            part = {"functionCall": call} if tool else {"text": text}
            counts = {"promptTokenCount": 20, "candidatesTokenCount": 5, "thoughtsTokenCount": 3}
            return [
                {"candidates": [{"content": {"parts": [{"text": THOUGHT, "thought": True}]}}]},
                {"candidates": [{"content": {"parts": [part]}}]},
                {"candidates": [{"content": {"parts": []}}]},
                {"candidates": [{"finishReason": "STOP"}], "usageMetadata": counts},
            ]
        case _:
            told = {"tool_calls": [{"function": {"name": "book", "arguments": call["args"]}}]}
            return [
                {"message": {"content": "", "thinking": THOUGHT}, "done": False},
                {"message": told if tool else {"content": text}, "done": False},
                {"message": {"content": ""}, "done": False},
                {"message": {"content": ""}, "done": True, "done_reason": "stop",
                 "prompt_eval_count": 20, "eval_count": 8, "load_duration": 1_000_000},
            ]  # fmt: skip


def _whole(kind: str) -> Any:
    match kind:
        case "openai":
            return {"choices": [{"message": {"content": WORDS}, "finish_reason": "stop"}]}
        case "responses":
            said = {"type": "message", "content": [{"type": "output_text", "text": WORDS}]}
            return {"object": "response", "status": "completed", "error": None, "output": [said]}
        case "anthropic":
            said = [{"type": "text", "text": WORDS}]
            return {"type": "message", "content": said, "stop_reason": "end_turn"}
        case "gemini":
            said = {"parts": [{"text": WORDS}]}
            return [{"candidates": [{"content": said, "finishReason": "STOP"}]}]
        case _:
            return {"message": {"content": WORDS}, "done": True, "done_reason": "stop"}


def _models(kind: str) -> Any:
    if kind == "gemini":
        methods = ["generateContent"]
        return {"models": [{"name": f"models/{one}", "supportedGenerationMethods": methods}
                           for one in MODELS]}  # fmt: skip
    if kind == "ollama":
        return {"models": [{"name": one, "model": one} for one in MODELS]}
    return {"data": [{"id": one} for one in MODELS]}


def _error(kind: str, name: str, message: str, status: int, wait: str = "0.3s") -> str:
    if kind == "gemini":
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait}
        error = {"code": status, "message": message, "details": [detail]}
        return json.dumps([{"error": error}])
    if kind == "ollama":
        return json.dumps({"error": message})
    return json.dumps({"type": "error", "error": {"type": name, "message": message}})


def _inside(kind: str) -> Any:
    """A busy endpoint that says so after it said 200."""
    match kind:
        case "responses":
            return {"type": "error", "code": "server_error", "message": "Overloaded"}
        case "gemini":
            return {"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}
        case "ollama":
            return {"error": {"message": "server busy", "code": "busy"}}
        case _:
            return {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


async def _stream(writer: Any, kind: str, events: list[Any], *, end: bool = True) -> None:
    ours = "application/x-ndjson" if kind == "ollama" else "text/event-stream"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {ours}\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode())
    text = "" if kind == "ollama" else ": OPENROUTER PROCESSING\r\n\r\n"
    for one in events:
        data = one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
        if kind == "ollama":
            text += f"{data}\n"
        else:
            text += f"event: ping\r\n: comment\ndata: {data}\r\n\n"
    raw = text.encode()
    for at in range(0, len(raw), PIECE):
        piece = raw[at : at + PIECE]
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
    if end:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _plain(writer: Any, status: int, text: str, more: str = "") -> None:
    data = text.encode()
    head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n{more}"
    writer.write(f"{head}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
    await writer.drain()
