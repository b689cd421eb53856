"""A stream read without a library in between: a release is a few hundred bytes after a long
silence, and every layer that has gone cold meanwhile costs more than reading them.

Only for connections that go straight to the hub; through a proxy, httpx knows the way.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPSConnection
from io import BufferedReader
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from sdk.flow import Ask, Reply

if TYPE_CHECKING:
    from ssl import SSLContext

PIECE = 65_536
MOST_OF_A_REFUSAL = 10_000


def goes_straight() -> bool:
    """Whether this machine asks for no proxy."""
    return getproxies().keys().isdisjoint(("http", "https", "all"))


def stream(
    ask: Ask, *, connect: float, wait: float, silence: float, tls: Callable[[], SSLContext],
    note: Callable[[socket.socket], object], opened: Callable[[Reply], None],
) -> Iterator[bytes]:  # fmt: skip
    """What arrives, as it arrives.

    Args:
        connect, wait, silence: seconds for a connection, for the headers, and between two pieces.
        tls: how to check who the hub is; called for `https` alone.
        note: told of the socket before anything is waited for on it.
        opened: told the status and headers first.

    Raises:
        OSError, http.client.HTTPException: the connection, or what came over it, is no good.
    """
    url = urlsplit(ask.url)
    connection = _connected(url, connect, tls, note)
    try:
        target = f"{url.path}?{url.query}" if url.query else url.path
        wire = connection.sock  # it is forgotten where an answer ends with its connection
        wire.settimeout(wait)
        connection.request("GET", target, headers=dict(ask.headers))
        answer = connection.getresponse()
        with answer:
            body = b"" if answer.status == 200 else answer.read(MOST_OF_A_REFUSAL)
            headers = {name.lower(): value for name, value in answer.getheaders()}
            opened(Reply(answer.status, headers, body))
            if answer.status == 200:
                wire.settimeout(silence)
                yield from (
                    _chunks(answer.fp) if answer.chunked else iter(lambda: answer.read1(PIECE), b"")
                )
    finally:
        connection.close()


def _chunks(wire: BufferedReader) -> Iterator[bytes]:
    """What is in the chunks, as it arrives; most often one of them comes alone and whole.

    Raises:
        ValueError: these are no chunks.
        ConnectionError: they end before their end.
    """
    raw = b""
    while more := wire.read1(PIECE):
        raw = raw + more if raw else more
        while (at := raw.find(b"\r\n")) >= 0:
            size = int(raw[:at].partition(b";")[0], 16)
            if size == 0:
                return
            ends = at + 2 + size
            if len(raw) < ends + 2:
                break
            yield raw[at + 2 : ends]
            raw = raw[ends + 2 :]
    raise ConnectionError("the stream was cut")


def _connected(
    url: SplitResult, connect: float, tls: Callable[[], SSLContext],
    note: Callable[[socket.socket], object],
) -> HTTPConnection:  # fmt: skip
    """A connection whose socket is open: its own way to open one tells nobody of the socket."""
    host, secure = url.hostname or "", url.scheme == "https"
    context = tls() if secure else None
    made = HTTPSConnection(host, url.port, context=context) if secure else HTTPConnection(
        host, url.port)  # fmt: skip
    plain = socket.create_connection((made.host, made.port), connect)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        note(plain)
        made.sock = plain
        if context is not None:
            made.sock = context.wrap_socket(plain, server_hostname=host)
            note(made.sock)
    except BaseException:
        plain.close()
        raise
    return made
