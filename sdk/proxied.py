"""The way to the hub through a proxy: httpx knows it, and what the environment says of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx

from sdk.direct import MOST_OF_A_REFUSAL, Limits
from sdk.flow import Ask, Reply

if TYPE_CHECKING:
    import logging
    import ssl


class Proxied:
    """A connection pool; as `sdk.direct.Straight`, which says more."""

    def __init__(
        self, url: str, tls: Callable[[], ssl.SSLContext], note: Callable[[socket.socket], object]
    ) -> None:
        limits = httpx.Limits(keepalive_expiry=30)
        self._client = httpx.Client(limits=limits, verify=tls())
        self._remember = note
        _quieten(url)

    def ask(self, ask: Ask, limits: Limits, body: bytes | None = None) -> Reply:
        """Ask, with a `body` by POST, and read the whole answer. Raises what httpx raises."""
        ends = monotonic() + limits.whole
        timeout = httpx.Timeout(limits.wait, connect=limits.connect)
        more: dict[str, Any] = {"trace": self._note, "timeout": timeout.as_dict()}
        method, headers = "GET" if body is None else "POST", dict(ask.headers)
        with self._client.stream(
            method, ask.url, headers=headers, content=body, extensions=more
        ) as response:
            read = bytearray()
            for chunk in response.iter_bytes():
                read += chunk
                if len(read) > limits.largest:
                    raise ValueError(f"the answer is larger than {limits.largest >> 20} MiB")
                if monotonic() > ends:
                    raise TimeoutError("the answer never ends")
            return Reply(response.status_code, dict(response.headers), bytes(read))

    def stream(
        self, ask: Ask, connect: float, wait: float, silence: float, opened: Callable[[Reply], None]
    ) -> Iterator[bytes]:
        """What arrives, as it arrives; `opened` is told the status and headers first."""
        limits = httpx.Timeout(wait, connect=connect, read=silence)
        more: dict[str, Any] = {"trace": self._note, "timeout": limits.as_dict()}
        headers = dict(ask.headers)
        with self._client.stream("GET", ask.url, headers=headers, extensions=more) as response:
            said = response.status_code
            body = b"" if said == 200 else response.read()[:MOST_OF_A_REFUSAL]
            opened(Reply(said, dict(response.headers), body))
            if said == 200:
                yield from response.iter_raw()

    def close(self) -> None:
        with suppress(Exception):  # somebody may be in the middle of a request
            self._client.close()

    def _note(self, event: str, info: dict[str, Any]) -> None:
        if event in _CONNECTED:
            self._remember(info["return_value"].get_extra_info("socket"))


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
