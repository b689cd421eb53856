"""A wire between a program and a hub that can be made bad: refuse, hang, cut, garble, hold back.

    with Proxy(hub.port) as proxy: …; proxy.mood = "hang"

Moods hold for connections that are open and for new ones:

    pass            as a good wire
    refuse          nobody listens
    reset           accepted, then reset at once
    hang            accepted, nothing is ever passed on
    half            the answer stops after `half_after` bytes, the connection stays open
    drop            the answer stops after `half_after` bytes, and the connection ends
    hold            answers are held back until the connection ends (a proxy that gathers)
    hold streams    the same for event streams alone
    drip            one byte of the answer at a time
    garble          a byte of each piece of the answer is another one
    page            200 and HTML to every request
    away            503 and HTML to every request
    status 429      that status and a problem in JSON, as of a hub, to every request
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

PAGE = b"<html><h1>Sign in to the network</h1></html>"
PROBLEM = b'{"type": "about:blank", "title": "Broken", "detail": "Something broke."}'
FAULTS = ("refuse", "reset", "hang", "half", "drop", "hold", "drip", "garble", "page", "away")


class Proxy:
    """Listens on a port of its own; every connection is two threads."""

    def __init__(self, upstream: int, mood: str = "pass") -> None:
        self.upstream, self.half_after = upstream, 40
        self.passed = 0
        self.snapshots = 0
        """So many were asked for through it."""
        self._mood, self._over = mood, False
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self._listen()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._unlisten()
        self.cut()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def mood(self) -> str:
        return self._mood

    @mood.setter
    def mood(self, mood: str) -> None:
        was, self._mood = self._mood, mood
        if mood == "refuse":
            self._unlisten()
            self.cut()
        elif was == "refuse":
            self._listen()
        if mood == "reset" or _speaks(mood):
            self.cut()

    def cut(self) -> None:
        """End what is open."""
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _unlisten(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        if self._mood == "reset":
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            near.close()
            return
        self._sockets.add(near)
        far = socket.socket()
        try:
            far.connect(("127.0.0.1", self.upstream))
        except OSError:
            far.close()
            self._close(near)
            return
        self._sockets.add(far)
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._back, args=(far, near), daemon=True)
        back.start()
        self._forth(near, far)
        back.join()
        self._close(near)
        self._close(far)

    def _forth(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65_536):
                self.snapshots += data.startswith(b"GET /api/v1/snapshot")
                if _speaks(self._mood):
                    near.sendall(_page(self._mood))
                    continue
                if self._mood == "hang":
                    self._wait()
                far.sendall(data)
        with suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        said, held = 0, b""
        with suppress(OSError):
            while data := far.recv(65_536):
                mood = self._mood
                is_stream = b"text/event-stream" in held + data
                if mood == "hold" or (mood == "hold streams" and (is_stream or held)):
                    held += data
                    continue
                if mood == "hang":
                    self._wait()
                if mood in ("half", "drop"):
                    near.sendall(data[: max(0, self.half_after - said)])
                    if mood == "drop":
                        break
                    self._wait()
                    break
                said += len(data)
                self.passed += len(data)
                self._pass(near, data, mood)
        with suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)

    def _pass(self, near: socket.socket, data: bytes, mood: str) -> None:
        if mood == "garble" and data:
            at = len(data) * 2 // 3
            data = data[:at] + bytes([data[at] ^ 0x15]) + data[at + 1 :]
        if mood != "drip":
            near.sendall(data)
            return
        for at in range(len(data)):
            if self._mood != "drip":
                near.sendall(data[at:])
                return
            near.sendall(data[at : at + 1])
            time.sleep(0.002)

    def _wait(self) -> None:
        mood = self._mood
        while self._mood == mood and not self._over:
            time.sleep(0.02)
        if self._mood == "pass" and not self._over:
            return
        raise OSError("the wire is bad")

    def _close(self, one: socket.socket) -> None:
        self._sockets.discard(one)
        with suppress(OSError):
            one.close()


def _speaks(mood: str) -> bool:
    """Whether the wire answers by itself."""
    return mood in ("page", "away") or mood.startswith("status ")


def _page(mood: str) -> bytes:
    status, kind, body = b"200", b"text/html", PAGE
    if mood == "away":
        status = b"503"
    elif mood != "page":
        status, kind, body = mood[-3:].encode(), b"application/problem+json", PROBLEM
    head = b"HTTP/1.1 %b Said\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (status, kind, len(body)) + body
