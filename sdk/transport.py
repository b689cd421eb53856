"""The one function that touches the network; another HTTP library needs another one of it."""

from __future__ import annotations

import os
import threading
from time import monotonic
from typing import TYPE_CHECKING

from sdk.flow import Ask, Reply

if TYPE_CHECKING:
    import logging

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
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def get(self, ask: Ask) -> Reply:
        """Ask, and read the whole answer. Raises what the HTTP library raises."""
        ends = monotonic() + WHOLE_S
        with self._open().stream("GET", ask.url, headers=dict(ask.headers)) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    raise ValueError("the answer is larger than 8 MiB")
                if monotonic() > ends:
                    raise TimeoutError("the answer never ends")
            return Reply(response.status_code, dict(response.headers), bytes(body))

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                with _importing:
                    import httpx  # 100 ms; a program that reads no prompt never pays it
                host = self._url.partition("://")[2].partition("/")[0]
                here = host.startswith(_LOOPBACK)
                self._client = httpx.Client(
                    timeout=httpx.Timeout(WAIT_S, connect=CONNECT_S),
                    limits=httpx.Limits(keepalive_expiry=30),
                    trust_env=not here,
                )
                _quieten(self._url)
            return self._client


_quiet: set[str] = set()


def _quieten(url: str) -> None:
    """httpx logs every request; the looks for new versions would fill the program's log."""
    if url in _quiet:
        return
    _quiet.add(url)
    import logging

    ours = f"{url}/api/v1/prompts/"

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
