"""The way to the network: straight to the hub (sdk.direct), or through a proxy (sdk.proxied)."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from sdk.flow import Ask, Reply

if TYPE_CHECKING:
    import socket
    import ssl

    from sdk.direct import Straight
    from sdk.proxied import Proxied

CONNECT_S, WAIT_S, WHOLE_S = 2.0, 5.0, 10.0
LARGEST = 8 * 1024 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_importing = threading.Lock()
"""Held during an import: a child forked in the middle of one could never import it."""


class Transport:
    """The connections to one hub, opened when they are first needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._here = url.partition("://")[2].partition("/")[0].startswith(_LOOPBACK)
        self._way: Straight | Proxied | None = None
        self._trusted: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def get(
        self, ask: Ask, largest: int = LARGEST, whole: float = WHOLE_S, wait: float = WAIT_S
    ) -> Reply:
        """Ask, and read the whole answer. Raises whatever goes wrong with it."""
        return self._ask(ask, None, largest, whole, wait)

    def post(self, ask: Ask, body: bytes) -> int:
        """Send, and say with what status it was met."""
        headers = {**ask.headers, "Content-Type": "application/json"}
        return self._ask(Ask(ask.url, headers), body, LARGEST, WHOLE_S, WAIT_S).status

    def stream(self, ask: Ask, silence: float, opened: Callable[[Reply], None]) -> Iterator[bytes]:
        """What arrives, as it arrives; `opened` is told the status and headers first."""
        return self._open().stream(ask, CONNECT_S, WAIT_S, silence, opened)

    def close(self) -> None:
        """End all connections; no request opens one any more."""
        with self._lock:
            self._closed = True
            way, self._way = self._way, None
        self.cut()
        if way is not None:
            way.close()

    def cut(self) -> None:
        """End all connections now, whoever waits on them; the next request opens new ones."""
        import socket

        for one in list(self._sockets):
            with suppress(OSError, ValueError):  # TLS says no goodbye: nobody may be listening
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def _ask(self, ask: Ask, body: bytes | None, largest: int, whole: float, wait: float) -> Reply:
        way = self._open()
        from sdk.direct import Limits  # by now it is there

        return way.ask(ask, Limits(CONNECT_S, wait, whole, largest), body)

    def _remember(self, one: socket.socket) -> None:
        """Shutting a socket down is how to wake a thread that reads from it."""
        self._sockets.add(one)
        if self._closed:
            self.cut()

    def _authorities(self) -> ssl.SSLContext:
        """Whom httpx trusts; reading them takes 20 ms."""
        if self._trusted is None:
            import httpx

            self._trusted = httpx.create_ssl_context()
        return self._trusted

    def _open(self) -> Straight | Proxied:
        with self._lock:
            if self._closed:
                raise ConnectionError("closed")
            if self._way is None:
                with _importing:  # a program that reads no prompt never pays for them
                    self._way = self._chosen()
            return self._way

    def _chosen(self) -> Straight | Proxied:
        from sdk import direct

        if not (self._here or direct.goes_straight()):
            from sdk.proxied import Proxied

            return Proxied(self._url, self._authorities, self._remember)
        if self._url.startswith("https:"):
            self._authorities()  # with what it imports, now and not in the middle of a request
        return direct.Straight(self._authorities, self._remember)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )
