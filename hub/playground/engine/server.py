"""The engine's HTTP: `/v1/models`, `/v1/chat/completions`, `/health`, `/unload`, as bare ASGI."""

from __future__ import annotations

import asyncio
import json
import os
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hub.playground.engine import ask, folders
from hub.playground.engine.memory import resident
from hub.playground.engine.refusal import Refused, broken

if TYPE_CHECKING:
    from hub.playground.engine.run import Engine, Stream
    from hub.playground.engine.shelf import Loaded

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
LARGEST = 8 << 20
JSON = (b"content-type", b"application/json")
SSE = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


class Server:
    """One ASGI app. `engine` resolves when torch is imported; until then requests wait."""

    def __init__(self, engine: Future[Engine], places: list[Path]) -> None:
        self._engine = engine
        self._places = places
        self._started = time.monotonic()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        route = (scope["method"], scope["path"])
        try:
            if route == ("POST", "/v1/chat/completions"):
                await Reply(self, receive, send).answer(ask.read(await _body(receive)))
            elif route == ("GET", "/v1/models"):
                await _json(send, await asyncio.to_thread(self._models))
            elif route == ("GET", "/health"):
                await _json(send, self._health())
            elif route == ("POST", "/unload"):
                await _json(send, await self._unload(await _body(receive)))
            else:
                raise Refused("The engine has no such address.", 404)
        except Refused as refusal:
            await _json(send, refusal.as_json(), refusal.status)

    async def engine(self) -> Engine:
        return await asyncio.wrap_future(self._engine)

    async def model(self, name: str) -> Loaded:
        engine = await self.engine()
        return await asyncio.wrap_future(engine.shelf.get(name))

    def progress(self) -> float:
        """0 while torch is being imported, then how much of the model is in memory."""
        return round(self._engine.result().shelf.progress(), 2) if self._engine.done() else 0.0

    def _models(self) -> dict[str, Any]:
        loaded = self._engine.result().shelf.loaded if self._engine.done() else {}
        listed: list[dict[str, Any]] = []
        for name, found in folders.find(self._places).items():
            here = loaded.get(name)
            more = {"loaded": here is not None, "problem": found.problem, "bytes": found.bytes,
                    "context": found.context, "folder": str(found.folder)}  # fmt: skip
            more |= here.facts() if here else {}
            listed.append(
                {
                    "id": name,
                    "object": "model",
                    "created": 0,
                    "owned_by": "local",
                    "prompthub": more,
                }
            )
        return {"object": "list", "data": listed}

    def _health(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"status": "starting", "models": {}, "streams": {}}
        if self._engine.done():
            facts |= {"status": "ok", **self._engine.result().health()}
        return facts | {"pid": os.getpid(), "memory": resident()}

    async def _unload(self, body: bytes) -> dict[str, Any]:
        try:
            name = json.loads(body)["model"]
        except (ValueError, TypeError, KeyError) as error:
            raise Refused('Say which model: {"model": "…"}.') from error
        engine = await self.engine()
        return {"unloaded": await asyncio.to_thread(engine.shelf.unload, str(name))}


class Reply:
    """One chat completion, streamed or whole."""

    def __init__(self, server: Server, receive: Receive, send: Send) -> None:
        self._server = server
        self._receive = receive
        self._send = send
        self._begun = False
        self._base: dict[str, Any] = {}

    async def answer(self, given: ask.Ask) -> None:
        """Run it; when the caller goes away the run is cancelled, wherever it stands."""
        work = asyncio.create_task(self._run(given))
        gone = asyncio.create_task(self._gone())
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not work.done():
            work.cancel()
        with suppress(asyncio.CancelledError):
            try:
                await work
            except Refused as refusal:
                await self._refuse(refusal)
            except Exception as error:
                traceback.print_exc()
                await self._refuse(broken(f"The engine failed: {type(error).__name__}: {error}"))

    async def _refuse(self, refusal: Refused) -> None:
        """As a status if nothing was sent yet, else as the last event of the stream."""
        if not self._begun:
            raise refusal
        await self._event(refusal.as_json())
        await self._end()

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _run(self, given: ask.Ask) -> None:
        from hub.playground.engine.run import Stream, fit

        self._base = {
            "id": f"chatcmpl-{uuid4().hex}",
            "created": int(time.time()),
            "model": given.model,
        }
        model = await self._load(given)
        prompt, limit = await asyncio.to_thread(fit, given, model)
        stream = Stream(await self._server.engine(), given, prompt, limit)
        notes = [*given.notes, *prompt.notes]
        stream.start()
        try:
            await (
                self._streamed(given, stream, notes) if given.stream else self._whole(stream, notes)
            )
        finally:
            stream.cancel()

    async def _load(self, given: ask.Ask) -> Loaded:
        """Wait for the model; a streaming caller hears that it is loading."""
        task = asyncio.create_task(self._server.model(given.model))
        while not task.done():
            await asyncio.wait((task,), timeout=0.4)
            if not task.done() and given.stream:
                await self._chunk({}, prompthub={"loading": self._server.progress()})
        return task.result()

    async def _streamed(self, given: ask.Ask, stream: Stream, notes: list[str]) -> None:
        first = True
        async for event in stream.events():
            if event.kind == "queued":
                await self._chunk({}, prompthub={"queued": event.place})
            elif event.kind == "failed":
                raise broken(event.text)
            elif event.kind == "delta":
                role = {"role": "assistant"} if first else {}
                extra = _noted(notes if first else [])
                first = False
                await self._chunk({**role, "content": event.text}, **extra)
            elif event.kind == "done":
                extra = _noted(notes if first else [])
                if event.stopped_by is not None:
                    extra.setdefault("prompthub", {})["stopped_by"] = event.stopped_by
                await self._chunk({}, finish=event.text, **extra)
                if given.usage:
                    await self._event(
                        {**self._base, "object": "chat.completion.chunk", "choices": [],
                         "usage": _usage(event.prompt_tokens, event.completion_tokens)}
                    )  # fmt: skip
                await self._end()

    async def _whole(self, stream: Stream, notes: list[str]) -> None:
        parts: list[str] = []
        async for event in stream.events():
            if event.kind == "delta":
                parts.append(event.text)
            elif event.kind == "failed":
                raise broken(event.text)
            elif event.kind == "done":
                message = {"role": "assistant", "content": "".join(parts)}
                choice = {"index": 0, "message": message, "finish_reason": event.text}
                more = _noted(notes)
                usage = _usage(event.prompt_tokens, event.completion_tokens)
                await _json(
                    self._send,
                    {
                        **self._base,
                        "object": "chat.completion",
                        "choices": [choice],
                        "usage": usage,
                        **more,
                    },
                )

    async def _chunk(self, delta: dict[str, str], finish: str | None = None, **more: Any) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        choices = [choice] if delta or finish else []
        await self._event(
            {**self._base, "object": "chat.completion.chunk", "choices": choices, **more}
        )

    async def _event(self, value: Any) -> None:
        if not self._begun:
            self._begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": SSE})
        data = b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _end(self) -> None:
        await self._send(
            {"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False}
        )


def _noted(notes: list[str]) -> dict[str, Any]:
    return {"prompthub": {"note": "; ".join(notes)}} if notes else {}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST:
            raise Refused("The request is larger than 8 MB.", 413)
        if not message.get("more_body"):
            return bytes(body)


async def _json(send: Send, value: Any, status: int = 200) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [JSON, length]})
    await send({"type": "http.response.body", "body": body})
