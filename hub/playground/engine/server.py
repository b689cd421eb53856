"""The engine's HTTP: `/v1/models`, `/v1/chat/completions`, `/health`, `/unload`, as bare ASGI."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.playground.engine import ask, folders
from hub.playground.engine.memory import resident
from hub.playground.engine.refusal import Refused

if TYPE_CHECKING:
    from hub.playground.engine.run import Engine

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
LARGEST = 8 << 20
JSON = (b"content-type", b"application/json")
NO_KEY = "This engine wants its key: Authorization: Bearer …, as it was printed at its start."


class Server:
    """One ASGI app. `engine` resolves when torch is imported; until then requests wait."""

    def __init__(self, engine: Future[Engine], places: list[Path], token: str = "") -> None:
        self._engine = engine
        self._places = places
        self._token = token.encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            self._admit(scope)
            await self._route(scope, receive, send)
        except Refused as refusal:
            await send_json(send, refusal.as_json(), refusal.status)

    async def engine(self) -> Engine:
        return await asyncio.wrap_future(self._engine)

    def progress(self, name: str) -> tuple[float, str]:
        """0 while torch is being imported, then how much of the model is in memory."""
        if not self._engine.done():
            return 0.0, ""
        share, why = self._engine.result().shelf.progress(name)
        return round(share, 2), why

    def _admit(self, scope: Message) -> None:
        """Over TCP nobody gets in without the token; on a Unix socket the file system decides."""
        if not self._token:
            return
        given = next((v for k, v in scope["headers"] if k.lower() == b"authorization"), b"")
        kind, _, key = bytes(given).partition(b" ")
        if kind.lower() != b"bearer" or not hmac.compare_digest(key.strip(), self._token):
            raise Refused(NO_KEY, 401, "authentication_error")

    async def _route(self, scope: Message, receive: Receive, send: Send) -> None:
        from hub.playground.engine.reply import Reply

        match (scope["method"], scope["path"]):
            case ("POST", "/v1/chat/completions"):
                await Reply(self, receive, send).answer(ask.read(await _body(receive)))
            case ("GET", "/v1/models"):
                await send_json(send, await asyncio.to_thread(self._models))
            case ("GET", "/health"):
                await send_json(send, self._health())
            case ("POST", "/unload"):
                await send_json(send, await self._unload(await _body(receive)))
            case _:
                raise Refused("The engine has no such address.", 404)

    def _models(self) -> dict[str, Any]:
        loaded = self._engine.result().shelf.loaded if self._engine.done() else {}
        listed: list[dict[str, Any]] = []
        for name, found in folders.find(self._places).items():
            here = loaded.get(name)
            more = {"loaded": here is not None, "problem": found.problem, "bytes": found.bytes,
                    "context": found.context, "folder": str(found.folder)}  # fmt: skip
            more |= here.facts() if here else {}
            listed.append(
                {"id": name, "object": "model", "created": 0, "owned_by": "local",
                 "context_length": found.context, "prompthub": more}
            )  # fmt: skip
        return {"object": "list", "data": listed}

    def _health(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"status": "starting", "models": {}, "streams": {}}
        if self._engine.done():
            facts |= {"status": "ok", **self._engine.result().health()}
        return facts | {"pid": os.getpid(), "memory": resident(), "at": time.time()}

    async def _unload(self, body: bytes) -> dict[str, Any]:
        try:
            name = json.loads(body)["model"]
        except (ValueError, TypeError, KeyError) as error:
            raise Refused('Say which model: {"model": "…"}.') from error
        engine = await self.engine()
        return {"unloaded": await asyncio.to_thread(engine.shelf.unload, str(name))}


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST:
            raise Refused("The request is larger than 8 MB.", 413)
        if not message.get("more_body"):
            return bytes(body)


async def send_json(send: Send, value: Any, status: int = 200) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [JSON, length]})
    await send({"type": "http.response.body", "body": body})
