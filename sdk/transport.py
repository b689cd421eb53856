"""The way to the network; another HTTP library needs another one of it."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from sdk.flow import Ask, Reply

if TYPE_CHECKING:
    import logging
    import socket
    import ssl

    import httpx

CONNECT_S, WAIT_S, WHOLE_S = 2.0, 5.0, 10.0
LARGEST = 8 * 1024 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_importing = threading.Lock()
"""Held during an import: a child forked in the middle of one could never import it."""


class Transport:
    """A connection pool to one hub, opened when it is first needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._here = url.partition("://")[2].partition("/")[0].startswith(_LOOPBACK)
        self._client: httpx.Client | None = None
        self._trusted: ssl.SSLContext | None = None
        self._straight: Callable[..., Iterator[bytes]] | None = None
        """How to listen without a proxy, and so without httpx."""
        self._lock = threading.Lock()
        self._closed = False
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def get(
        self, ask: Ask, largest: int = LARGEST, whole: float = WHOLE_S, wait: float = WAIT_S
    ) -> Reply:
        """Ask, and read the whole answer. Raises what the HTTP library raises."""
        ends = monotonic() + whole
        limits = {"connect": CONNECT_S, "read": wait, "write": wait, "pool": wait}
        more = {"trace": self._note, "timeout": limits}
        with self._open().stream(
            "GET", ask.url, headers=dict(ask.headers), extensions=more
        ) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > largest:
                    raise ValueError(f"the answer is larger than {largest >> 20} MiB")
                if monotonic() > ends:
                    raise TimeoutError("the answer never ends")
            return Reply(response.status_code, dict(response.headers), bytes(body))

    def post(self, ask: Ask, body: bytes) -> int:
        """Send, and say with what status it was met."""
        headers = {**ask.headers, "Content-Type": "application/json"}
        more = {"trace": self._note}
        answer = self._open().post(ask.url, headers=headers, content=body, extensions=more)
        return answer.status_code

    def stream(self, ask: Ask, silence: float, opened: Callable[[Reply], None]) -> Iterator[bytes]:
        """What arrives, as it arrives; `opened` is told the status and headers first."""
        client = self._open()
        if self._straight is not None:
            yield from self._straight(
                ask, connect=CONNECT_S, wait=WAIT_S, silence=silence, tls=self._authorities,
                note=self._remember, opened=opened,
            )  # fmt: skip
            return
        import httpx

        limits = httpx.Timeout(WAIT_S, connect=CONNECT_S, read=silence)
        more: dict[str, Any] = {"trace": self._note, "timeout": limits.as_dict()}
        with client.stream("GET", ask.url, headers=dict(ask.headers), extensions=more) as response:
            body = b"" if response.status_code == 200 else response.read()[:10_000]
            opened(Reply(response.status_code, dict(response.headers), body))
            if response.status_code == 200:
                yield from response.iter_raw()

    def close(self) -> None:
        """End all connections; no request opens one any more."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        self.cut()
        if client is not None:
            with suppress(Exception):  # somebody may be in the middle of a request
                client.close()

    def cut(self) -> None:
        """End all connections now, whoever waits on them; the next request opens new ones."""
        import socket

        for one in list(self._sockets):
            with suppress(OSError, ValueError):  # TLS says no goodbye: nobody may be listening
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def _note(self, event: str, info: dict[str, Any]) -> None:
        if event in _CONNECTED:
            self._remember(info["return_value"].get_extra_info("socket"))

    def _remember(self, one: socket.socket) -> None:
        """Shutting a socket down is how to wake a thread that reads from it."""
        self._sockets.add(one)
        if self._closed:
            self.cut()

    def _authorities(self) -> ssl.SSLContext:
        """Whom httpx trusts, so that the stream trusts nobody else."""
        if self._trusted is None:
            import httpx

            self._trusted = httpx.create_ssl_context()
        return self._trusted

    def _open(self) -> httpx.Client:
        with self._lock:
            if self._closed:
                raise ConnectionError("closed")
            if self._client is None:
                with _importing:
                    import httpx  # 100 ms; a program that reads no prompt never pays it

                    from sdk import direct
                if self._here or direct.goes_straight():
                    self._straight = direct.stream
                # Reading the authorities takes 20 ms, and plain HTTP to here has no use for them.
                plain = self._here and self._url.startswith("http://")
                self._client = httpx.Client(
                    timeout=httpx.Timeout(WAIT_S, connect=CONNECT_S),
                    limits=httpx.Limits(keepalive_expiry=30),
                    trust_env=not self._here,
                    verify=False if plain else self._authorities(),
                )
                _quieten(self._url)
            return self._client


_CONNECTED = frozenset(
    f"{kind}.{what}.complete"
    for kind in ("connection", "http11", "http2", "proxy", "socks")
    for what in ("connect_tcp", "start_tls", "connect_unix_socket")
)


_quiet: set[str] = set()


def _quieten(url: str) -> None:
    """httpx logs every request; the looks for new versions would fill the program's log."""
    if url in _quiet:
        return
    _quiet.add(url)
    import logging

    ours = f"{url}/api/v1/"

    def others(record: logging.LogRecord) -> bool:
        args = record.args
        return not (isinstance(args, tuple) and len(args) > 1 and str(args[1]).startswith(ours))

    logging.getLogger("httpx").addFilter(others)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )
