"""A receiver of webhooks on loopback: real sockets, answers as it is told to."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(status: int, *headers: str) -> bytes:
    """An answer without a body."""
    more = "".join(f"{one}\r\n" for one in headers)
    return f"HTTP/1.1 {status} So\r\n{more}Content-Length: 0\r\n\r\n".encode()


@dataclass
class Heard:
    """A request, whole."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """`heard`: the requests. `answers`: what the next ones get, then `usual`; None: silence."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    answers: list[bytes | None] = field(default_factory=list)
    usual: bytes | None = OK
    hold: asyncio.Event | None = None
    """While it is set to an event that has not come, answers wait for it."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def kinds(self) -> list[str]:
        return [one.json["type"] for one in self.heard]

    async def until(self, true: Callable[["Receiver"], object], seconds: float = 60) -> None:
        """Wait for what was meant, not for a time."""
        async with asyncio.timeout(seconds):
            while not true(self):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    tasks: set[asyncio.Task[None] | None] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            while await _one(receiver, reader, writer):
                pass
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)


async def _one(
    receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    receiver.heard.append(Heard(head[0].split(" ")[1], headers, body))
    said = receiver.answers.pop(0) if receiver.answers else receiver.usual
    if receiver.hold is not None:
        await receiver.hold.wait()
    if said is None:
        await asyncio.sleep(3600)
        return False
    writer.write(said)
    await writer.drain()
    return said == OK
