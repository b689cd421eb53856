"""The one function that touches the network; another HTTP library needs another one of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sdk.flow import Ask, Reply

if TYPE_CHECKING:
    import httpx

CONNECT_S, WHOLE_S = 2.0, 5.0
LARGEST = 8 * 1024 * 1024
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Transport:
    """A connection pool to one hub, opened when it is first needed."""

    def __init__(self, url: str) -> None:
        self._direct = (urlsplit(url).hostname or "") in _LOOPBACK
        self._client: httpx.Client | None = None

    def get(self, ask: Ask) -> Reply:
        """Ask, and read the whole answer. Raises what the HTTP library raises."""
        import httpx  # 100 ms to import; an app that only reads its snapshot never pays it

        if self._client is None:
            self._client = httpx.Client(
                timeout=httpx.Timeout(WHOLE_S, connect=CONNECT_S), trust_env=not self._direct
            )
        with self._client.stream("GET", ask.url, headers=dict(ask.headers)) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    raise ValueError("the answer is larger than 8 MiB")
            return Reply(response.status_code, dict(response.headers), bytes(body))

    def drop(self) -> None:
        """Forget the pool without a word on its sockets: after a fork they are the parent's."""
        self._client = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
