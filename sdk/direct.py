"""Requests, and a stream, without a library in between: what is done behind a program's back is a
fraction of the work, and keeps its own threads from the interpreter for a fraction of the time. A
release is a few hundred bytes after a long silence, when every layer has gone cold.

Only for connections that go straight to the hub; through a proxy, httpx knows the way.
"""

from __future__ import annotations

import codecs
import os
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from io import BufferedReader
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from sdk.breath import breathe
from sdk.flow import Ask, Reply

if TYPE_CHECKING:
    from ssl import SSLContext

codecs.lookup("idna")  # else the first look-up of a host's name would import it
PIECE = 65_536
MOST_OF_A_REFUSAL = 10_000
KEPT_S = 30.0
"""An idle connection is used again for so long."""


def goes_straight() -> bool:
    """Whether this machine asks for no proxy."""
    return getproxies().keys().isdisjoint(("http", "https", "all"))


class Limits(NamedTuple):
    """Seconds for a connection, for each piece of an answer, and for all of it; and its bytes."""

    connect: float
    wait: float
    whole: float
    largest: int


class Straight:
    """Connections to one hub; those that are idle are used again."""

    def __init__(
        self, tls: Callable[[], SSLContext], note: Callable[[socket.socket], object]
    ) -> None:
        """
        Args:
            tls: how to check who the hub is; called for `https` alone.
            note: told of a socket before anything is waited for on it.
        """
        self._tls, self._note = tls, note
        self._kept: list[tuple[HTTPConnection, float]] = []
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, ask: Ask, limits: Limits, body: bytes | None = None) -> Reply:
        """Ask, with a `body` by POST, and read the whole answer.

        Raises:
            OSError, http.client.HTTPException, zlib.error: the connection, or what came over it,
                is no good.
            ValueError: the answer is too large.
        """
        ends = monotonic() + limits.whole
        connection = self._idle() or self._opened(ask, limits.connect)
        try:
            answer = self._sent(connection, ask, limits.wait, body)
            with answer:
                text = _body(answer, limits.largest, ends)
                reply = Reply(answer.status, _headers(answer), text)
        except BaseException:
            connection.close()
            raise
        self._keep(connection, answer)
        return reply

    def stream(
        self, ask: Ask, connect: float, wait: float, silence: float, opened: Callable[[Reply], None]
    ) -> Iterator[bytes]:
        """What arrives, as it arrives, on a connection of its own.

        Args:
            connect, wait, silence: seconds to connect, for the headers, and between two pieces.
            opened: told the status and headers first.

        Raises:
            OSError, http.client.HTTPException: the connection, or what came over it, is no good.
        """
        connection = self._opened(ask, connect)
        try:
            wire = connection.sock  # it is forgotten where an answer ends with its connection
            with self._sent(connection, ask, wait) as answer:
                body = b"" if answer.status == 200 else answer.read(MOST_OF_A_REFUSAL)
                opened(Reply(answer.status, _headers(answer), body))
                if answer.status == 200:
                    wire.settimeout(silence)
                    pieces = _pieces(answer.fp, wire, silence)
                    yield from _chunks(pieces) if answer.chunked else pieces
        finally:
            connection.close()

    def close(self) -> None:
        """End what is idle, and what is at work as soon as it is done."""
        with self._lock:
            self._closed = True
            kept, self._kept = self._kept, []
        for connection, _ in kept:
            connection.close()

    def _sent(
        self, connection: HTTPConnection, ask: Ask, wait: float, body: bytes | None = None
    ) -> HTTPResponse:
        breathe()
        connection.sock.settimeout(wait)
        url = urlsplit(ask.url)
        target = f"{url.path}?{url.query}" if url.query else url.path
        method = "GET" if body is None else "POST"
        connection.request(method, target, body, dict(ask.headers))
        answer = connection.getresponse()
        breathe()
        return answer

    def _opened(self, ask: Ask, connect: float) -> HTTPConnection:
        return _connected(urlsplit(ask.url), connect, self._tls, self._note)

    def _idle(self) -> HTTPConnection | None:
        """A connection that can be used again."""
        while True:
            with self._lock:
                if not self._kept:
                    return None
                connection, since = self._kept.pop()
            if monotonic() - since < KEPT_S and _is_quiet(connection.sock):
                return connection
            connection.close()

    def _keep(self, connection: HTTPConnection, answer: HTTPResponse) -> None:
        with self._lock:
            if not (self._closed or answer.will_close):
                self._kept.append((connection, monotonic()))
                return
        connection.close()


def _is_quiet(wire: socket.socket) -> bool:
    """Whether it is open and nothing lies there: nothing is due between two answers."""
    wire.settimeout(0)
    try:
        socket.socket.recv(wire, 1, socket.MSG_PEEK)  # below TLS, which does not know of peeking
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _headers(answer: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}


def _body(answer: HTTPResponse, largest: int, ends: float) -> bytes:
    """All of it, unpacked."""
    packed = answer.getheader("Content-Encoding", "").lower() == "gzip"
    unpacker = zlib.decompressobj(31) if packed else None
    body = bytearray()
    while piece := answer.read1(PIECE):
        body += unpacker.decompress(piece, largest + 1 - len(body)) if unpacker else piece
        if len(body) > largest:
            raise ValueError(f"the answer is larger than {largest >> 20} MiB")
        if monotonic() > ends:
            raise TimeoutError("the answer never ends")
    if answer.length or (body and unpacker and not unpacker.eof):
        raise ConnectionError("the answer was cut")
    return bytes(body)


def _pieces(begun: BufferedReader, wire: socket.socket, silence: float) -> Iterator[bytes]:
    """What arrives: first what was read with the headers, then from the socket itself."""
    if piece := begun.read1(PIECE):
        yield piece
        _be_patient(wire, silence)
        with suppress(BlockingIOError):  # TimeoutError says the same
            while piece := wire.recv(PIECE):
                yield piece
            return
        raise TimeoutError("the stream fell silent")


def _be_patient(wire: socket.socket, seconds: float) -> None:
    """Leave it to the system to wake us: with a time-out, Python asks it twice for each piece."""
    if os.name == "posix" and type(wire) is socket.socket:  # TLS is asked otherwise
        whole, part = divmod(seconds, 1)
        limit = struct.pack("@ll", int(whole), int(part * 1e6))
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        wire.settimeout(None)


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What is in the chunks, as it arrives; most often one of them comes alone and whole.

    Raises:
        ValueError: these are no chunks.
        ConnectionError: they end before their end.
    """
    raw = b""
    for more in pieces:
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
    made.auto_open = 0
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
