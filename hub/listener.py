"""How the hub reads requests: as uvicorn does, but not for ever and not without end.

uvicorn waits for as long as a client likes for the rest of a request, and keeps as many header
lines as it sends; a few hundred connections that say a byte now and then would take the hub away
from everybody. A timer runs only while a request is on its way in, so one that arrives whole, as
nearly all do, costs nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_SECONDS = 20.0
"""From the connection, or the first byte, to the end of the headers."""
BODY_SECONDS = 30.0
"""Between two pieces of a body; a large upload on a slow line may take hours, but not pause."""
MOST_HEADERS = 64 * 1024
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-length: 0\r\n\r\n"
)
AT_ONCE = 64 * 1024
"""Bytes from which on an answer waits for nothing more of itself."""


class Joined:
    """A transport that sends what is written in one turn of the event loop by one system call.

    Not `asyncio.Transport` by inheritance: whatever else uvicorn asks of it is the transport's own.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._pieces: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces and not self._transport.is_closing():
            self._transport.writelines(pieces)


class Listener(HttpToolsProtocol):
    """One connection."""

    _timer: asyncio.TimerHandle | None = None
    _coming = False
    """A request is on its way in."""
    _in_head = True
    _head_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        joined = Joined(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, joined))
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            self._disarm()
        elif self._in_head and self._head_size > MOST_HEADERS:
            self._refuse(_TOO_LARGE)
        elif not self._coming:
            self._disarm()
        elif not self._in_head:
            self._disarm()
            self._timer = self.loop.call_later(BODY_SECONDS, self._too_slow)
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def on_message_begin(self) -> None:
        self._coming = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._head_size = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._coming, self._in_head = False, True
        super().on_message_complete()

    def _too_slow(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # we are the slow ones: what came has not been taken yet
            self._timer = self.loop.call_later(BODY_SECONDS, self._too_slow)
        else:
            self._refuse(_TOO_SLOW)

    def _refuse(self, answer: bytes) -> None:
        self._disarm()
        if not self.transport.is_closing():
            # Before the first request there is no cycle, whatever uvicorn declares.
            cycle = cast(RequestResponseCycle | None, self.cycle)
            if self._in_head and (cycle is None or cycle.response_complete):
                self.transport.write(answer)
            self.transport.close()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
