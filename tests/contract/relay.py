"""What passes everything on to a real hub, byte by byte, but for what a test wants done to it."""

from __future__ import annotations

import json
import re
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from tests.contract.far import Handler, event_of

if TYPE_CHECKING:
    from tests.contract.real_hub import RealHub

OURS = frozenset({"connection", "content-length", "date", "host", "server", "transfer-encoding"})
"""Headers that belong to one connection."""


class Relay(Handler):
    """One connection to the real hub."""

    hub: RealHub

    def work(self) -> None:
        asked = {n: v for n, v in self.headers.items() if n.lower() not in OURS}
        if asked.get("Authorization", "").removeprefix("Bearer ") in self.hub.keys:
            asked["Authorization"] = f"Bearer {self.hub.read_key}"
        path = self.path
        if self.hub.old and self.route != "prompts":
            path = "/api/v1/nowhere"  # a real hub's own words for a page that it does not have
        elif self.route == "stream":
            return self._stream(path, asked)
        return self._once(path, asked)

    def _once(self, path: str, asked: dict[str, str]) -> None:
        hub = self.hub
        if hub.changes:
            asked = {n: v for n, v in asked.items()
                     if n.lower() not in ("if-none-match", "accept-encoding")}  # fmt: skip
        if self.route == "objects" and self.rest in hub.texts:
            self.answer(200, "application/json", hub.texts[self.rest])
            return
        there = HTTPConnection("127.0.0.1", hub.real.settings.port, timeout=60)
        try:
            there.request(self.command, path, self.body or None, asked)
            response = there.getresponse()
            raw, status = response.read(), response.status
            said = {n: v for n, v in response.getheaders() if n.lower() not in OURS}
        finally:
            there.close()
        if self.route == "usage" and status == 202:
            hub.reports.append(json.loads(self.body))
        if self.route == "snapshot" and status == 200 and hub.changes:
            raw = json.dumps(self._changed(json.loads(raw))).encode()
        self.deliver(status, said, raw)

    def _changed(self, tree: dict[str, Any]) -> dict[str, Any]:
        """A document, or the data of a `put`, as the test wants it."""
        hub = self.hub
        for pointer in tree.get("pointers", [tree]):
            if digest := hub.forged.get((pointer["name"], pointer["version"])):
                tree["objects"].pop(pointer["object"], None)
                pointer["object"], tree["objects"][digest] = digest, hub.texts[digest]
        if "pointers" not in tree and not hub.inline:
            tree["objects"] = {}
        return tree | ({"of_the_future": [1, {"x": 2}]} if hub.future else {})

    # ── the stream ──────────────────────────────────────────────────────────────────────────────

    def _stream(self, path: str, asked: dict[str, str]) -> None:
        hub = self.hub
        asked = {n: hub.known_place(v) if n.lower() == "last-event-id" else v
                 for n, v in asked.items()}  # fmt: skip
        path = re.sub(r"(since=)([^&]*)", lambda m: m[1] + hub.known_place(m[2]), path)
        host = f"Host: 127.0.0.1:{hub.real.settings.port}"
        lines = [f"GET {path} HTTP/1.1", host, *(f"{n}: {v}" for n, v in asked.items())]
        with socket.create_connection(("127.0.0.1", hub.real.settings.port), 30) as there:
            hub._connections.add(there)
            try:
                there.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
                self._pass_on(there)
            finally:
                hub._connections.discard(there)
                self.close_connection = True

    def _pass_on(self, there: socket.socket) -> None:
        head, rest = b"", b""
        while b"\r\n\r\n" not in head:
            data = there.recv(65_536)
            if not data:
                return
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1] != b"200":
            with suppress(TimeoutError):
                there.settimeout(0.2)
                while data := there.recv(65_536):
                    rest += data
            self.deliver(int(head.split(b" ", 2)[1]), {"Content-Type": "application/json"}, rest)
            return
        self.begin_stream()
        gathered = b""
        for piece in self._pieces(there, rest):
            if piece is None:
                self.write(":\n\n")
                continue
            *whole, gathered = (gathered + piece).split(b"\n\n")
            made = b"".join(self._event(one) for one in whole if not one.startswith(b":"))
            if made:
                self.write_bytes(made)
        self.write("")

    def _pieces(self, there: socket.socket, raw: bytes) -> Iterator[bytes | None]:
        """The chunks of the answer; None where the hub was silent for a heartbeat."""
        while True:
            size, found, after = raw.partition(b"\r\n")
            if found and len(after) >= (length := int(size, 16)) + 2:
                if length == 0:
                    return
                raw = after[length + 2 :]
                yield after[:length]
                continue
            if self.hub._wake.is_set():
                return
            if not select.select([there], [], [], self.hub.heartbeat)[0]:
                yield None
                continue
            data = there.recv(65_536)
            if not data:
                raise OSError("the real hub hung up")
            raw += data

    def _event(self, raw: bytes) -> bytes:
        hub = self.hub
        made = raw + b"\n\n"
        if hub.future:
            made = event_of("of_the_future", anything=[1, 2]).encode() + made
        if raw.startswith(b"event: put") and hub.changes:
            data = json.loads(raw.partition(b"\ndata: ")[2])
            made = event_of("put", **self._changed(data)).encode()
        return made
