"""A model endpoint on loopback that behaves, or misbehaves, as its model's name says.

Real sockets, so that what is tested is what happens: refusing, hanging, dying in the middle.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sdk.pictures import told
from tests.loopback import in_a_thread, listening

KEY = "sk-of-the-endpoint"


@dataclass
class FakeEndpoint:
    """`base_url` to connect to, `asked` (the requests), `hung_up` (calls whose client left)."""

    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


MODELS = ["echo", "slow", "dies", "no-usage", "e401"]


@asynccontextmanager
async def running_endpoint() -> AsyncIterator[FakeEndpoint]:
    fake = FakeEndpoint()
    async with listening(partial(_serve, fake)) as fake.port:
        yield fake


def endpoint_in_a_thread() -> AbstractContextManager[FakeEndpoint]:
    """The same with a loop of its own, for tests that have none to lend."""
    return in_a_thread(running_endpoint)


async def _serve(fake: FakeEndpoint, reader: Any, writer: Any) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *rest = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest if ": " in line)
    fake.headers.append(headers)
    if first.startswith("GET"):
        listed = {"object": "list", "data": [{"id": name} for name in MODELS]}
        await _plain(writer, 200, json.dumps(listed))
        return
    asked = json.loads(await reader.readexactly(int(headers["content-length"])))
    fake.asked.append(asked)
    model = asked["model"]
    fake.tries[model] = fake.tries.get(model, 0) + 1
    fake.at_once += 1
    fake.most_at_once = max(fake.most_at_once, fake.at_once)
    try:
        await _answer(fake, model, asked, reader, writer)
    finally:
        fake.at_once -= 1


async def _answer(fake: FakeEndpoint, model: str, asked: Any, reader: Any, writer: Any) -> None:
    said = told(asked["messages"][-1]["content"])
    if model == "long":  # goes on for as long as it was allowed to
        model = "slow" if asked.get("max_tokens", 0) > 1 else "echo"
    match model:
        case "e401" | "e404" | "e500":
            error = {"error": {"message": f"no {model[1:]}", "code": "nope"}}
            await _plain(writer, int(model[1:]), json.dumps(error))
        case "tells":
            error = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
            await _plain(writer, 401, json.dumps(error))
        case "storm":
            await _plain(writer, 429, "{}", "Retry-After: 1\r\n")
        case "e429" if fake.tries[model] == 1:
            await _plain(writer, 429, "{}", "Retry-After: 0.05\r\n")
        case "fussy" if "temperature" in asked:
            error = {"message": "Unsupported value", "param": "temperature"}
            await _plain(writer, 400, json.dumps({"error": error}))
        case "redirect":
            await _plain(writer, 302, "", "Location: http://169.254.169.254/\r\n")
        case "html":
            await _plain(writer, 200, "<html>Welcome</html>", kind="text/html")
        case "whole":
            choice = {"message": {"content": said}, "finish_reason": "stop"}
            await _plain(writer, 200, json.dumps({"choices": [choice]}))
        case "hang":
            await reader.read()
            fake.hung_up.append(model)
        case "closes":
            return
        case _:
            await _stream(fake, model, said, reader, writer)


async def _stream(fake: FakeEndpoint, model: str, said: str, reader: Any, writer: Any) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    if model == "garbage":
        await _chunk(writer, "data: \x01{not json\n\n")
        await _chunk(writer, "", last=True)
        return
    if model in ("slow", "silent", "dies", "error200"):
        await _chunk(writer, _delta("Well, "))
        await _chunk(writer, _delta("then"))
    if model == "dies":
        writer.transport.abort()
        return
    if model == "error200":
        await _chunk(writer, 'data: {"error": {"message": "out of memory"}}\n\n')
        return
    if model in ("slow", "silent"):
        await _until_left(fake, model, reader, writer, talking=model == "slow")
        return
    if model == "thinks":
        await _chunk(writer, _thought("As the model thinks I am"))
        await asyncio.sleep(0.2)
        await _chunk(writer, _thought(", I think on"))
        await asyncio.sleep(0.2)
    if model == "judge":
        said = "unsafe\nS9" if "bomb" in said else "safe"
    if model == "shout":
        said = said.upper()
    if model == "counts":
        said = f"{said} {fake.tries[model]}"
    if model == "notes":  # as an engine of ours says what it did differently
        told = {"choices": [], "prompthub": {"note": "the longest answer was lowered to 12 tokens"}}
        await _chunk(writer, f"data: {json.dumps(told)}\n\n")
    words = said.split(" ")
    for at, word in enumerate(words):
        await _chunk(writer, _delta(word + (" " if at + 1 < len(words) else "")))
    await _chunk(writer, _delta("", finish="stop"))
    if model != "no-usage":
        usage = {"prompt_tokens": 10, "completion_tokens": len(words)}
        if model == "many":
            usage = {"prompt_tokens": 1500, "completion_tokens": 3000}
        await _chunk(writer, f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n")
    await _chunk(writer, "data: [DONE]\n\n")
    await _chunk(writer, "", last=True)


async def _until_left(
    fake: FakeEndpoint, model: str, reader: Any, writer: Any, *, talking: bool
) -> None:
    """Go on until the client closes the connection, and remember that it did."""
    left = asyncio.create_task(reader.read())
    try:
        while not left.done():
            await asyncio.wait({left}, timeout=0.02)
            if talking:
                await _chunk(writer, _delta(" and"))
    finally:
        left.cancel()
        fake.hung_up.append(model)


def _delta(text: str, finish: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n"


def _thought(text: str) -> str:
    choice = {"index": 0, "delta": {"reasoning_content": text}, "finish_reason": None}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


async def _chunk(writer: Any, text: str, *, last: bool = False) -> None:
    data = text.encode()
    if data:
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    if last:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _plain(
    writer: Any, status: int, text: str, more: str = "", kind: str = "application/json"
) -> None:
    data = text.encode()
    head = f"HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
    writer.write((head + more + "Connection: close\r\n\r\n").encode() + data)
    await writer.drain()
