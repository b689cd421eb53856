"""An app that listens to a hub, byte by byte, as `docs/protocol.md` says it: for tests."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from hub.operating import find_workspace
from hub.parts import Parts, open_parts
from hub.people.policy import WorkspaceRef
from hub.settings import Settings


class Ended(Exception):
    """The hub closed the connection."""


@dataclass
class Event:
    """One server-sent event; `kind` is `beat` for a heartbeat."""

    kind: str
    data: dict[str, Any] = field(default_factory=dict)
    id: str = ""


class Line:
    """An open stream over a plain socket."""

    def __init__(self, url: str, key: str, query: str = "", *, last: str = "") -> None:
        place = urlsplit(url)
        self.socket = socket.create_connection((place.hostname, place.port), timeout=60)
        asked = [
            f"GET /api/v1/stream{'?' if query else ''}{query} HTTP/1.1", f"Host: {place.netloc}",
            f"Authorization: Bearer {key}", "Accept: text/event-stream",
        ]  # fmt: skip
        if last:
            asked.append(f"Last-Event-ID: {last}")
        self.socket.sendall(("\r\n".join(asked) + "\r\n\r\n").encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            self.headers[name.decode().lower()] = value.strip().decode()
        self._rest = b""

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()
            self.socket.close()

    def next(self, wait: float = 60) -> Event:
        """The next event.

        Raises:
            Ended: there is none any more.
            TimeoutError: it takes longer than `wait`.
        """
        self.socket.settimeout(wait)
        while b"\n\n" not in self._rest:
            self._rest += self._chunk()
        text, _, self._rest = self._rest.partition(b"\n\n")
        return _event(text.decode())

    def batch(self, wait: float = 60) -> list[Event]:
        """Events up to a commit (or an end). Left out: heartbeats, and a commit that stands alone,
        which comes with one and moves the place."""
        found: list[Event] = []
        while not found or found[-1].kind not in {"commit", "resync", "goodbye"}:
            event = self.next(wait)
            if event.kind != "beat" and (found or event.kind != "commit"):
                found.append(event)
        return found

    def _chunk(self) -> bytes:
        size = int(self._file.readline().strip() or b"0", 16)
        data = self._file.read(size)
        if size == 0 or len(data) < size:
            raise Ended
        self._file.readline()
        return data


def _event(text: str) -> Event:
    if text.startswith(":"):
        return Event("beat")
    fields = dict(line.split(": ", 1) for line in text.split("\n"))
    return Event(fields["event"], json.loads(fields["data"]), fields.get("id", ""))


@contextmanager
def listening(url: str, key: str, query: str = "", **more: Any) -> Iterator[Line]:
    line = Line(url, key, query, **more)
    try:
        yield line
    finally:
        line.close()


class Table:
    """What a client of the protocol holds: pointers, and objects by hash."""

    def __init__(self) -> None:
        self.epoch, self.revision = "", 0
        self.pointers: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[str, str] = {}

    @property
    def place(self) -> str:
        return f"{self.epoch}:{self.revision}"

    def load(self, answer: httpx.Response) -> Table:
        said = answer.json()
        assert said["schema"] == 1
        self.epoch, self.revision = said["epoch"], said["revision"]
        self.pointers = {(one["label"], one["name"]): one for one in said["pointers"]}
        self._take(said["objects"])
        return self

    def apply(self, events: list[Event]) -> None:
        """A whole batch."""
        for event in events:
            if event.kind == "put":
                self._take(event.data["objects"])
                self.pointers[event.data["label"], event.data["name"]] = event.data
            elif event.kind == "delete":
                self.pointers.pop((event.data["label"], event.data["name"]), None)
            elif event.kind == "commit":
                self.epoch, self.revision = event.data["epoch"], event.data["revision"]
                assert event.id == self.place

    def _take(self, objects: dict[str, str]) -> None:
        for name, text in objects.items():
            assert hashlib.sha256(text.encode()).hexdigest() == name
            self.objects[name] = text

    def text(self, name: str, label: str = "production") -> str:
        pointer = self.pointers[label, name]
        return json.loads(self.objects[pointer["object"]])["document"]["messages"][0]["content"]

    def versions(self, label: str = "production") -> dict[str, int]:
        return {n: one["version"] for (at, n), one in self.pointers.items() if at == label}


class Team:
    """People who save and release, by the API, while apps listen."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60
        )
        self._bases: dict[str, str] = {}

    def save(self, name: str, text: str, **more: Any) -> dict[str, Any]:
        document = {"template": "jinja", "messages": [{"role": "user", "content": text}]} | more
        body = {"document": document, "base": self._bases.get(name), "message": "Because"}
        said = self._ok(self.http.post(f"/api/v1/versions/{name}", json=body)).json()
        self._bases[name] = said["hash"]
        return said

    def release(
        self, name: str, version: int | None, label: str = "production", **more: Any
    ) -> None:
        body = {"version": version, "reason": "It is better"} | more
        self._ok(self.http.put(f"/api/v1/labels/{label}/{name}", json=body))

    def put_live(self, name: str, text: str, **more: Any) -> int:
        """Save and release; the version."""
        version = self.save(name, text, **more)["version"]
        self.release(name, version)
        return version

    def take_off(self, name: str, label: str = "production") -> None:
        self.release(name, None, label)

    def release_all(self, moves: dict[str, int], label: str = "production") -> None:
        """Several prompts in one step."""
        asked = [{"label": label, "name": n, "version": v} for n, v in moves.items()]
        self._ok(self.http.put("/api/v1/releases", json={"moves": asked, "reason": "Together"}))

    def delete(self, name: str) -> None:
        self._ok(self.http.delete(f"/api/v1/prompts/{name}"))
        self._bases.pop(name, None)

    def snapshot(self, query: str = "", **headers: str) -> httpx.Response:
        return self.http.get(f"/api/v1/snapshot{'?' if query else ''}{query}", headers=headers)

    def table(self, query: str = "") -> Table:
        return Table().load(self._ok(self.snapshot(query)))

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def _ok(self, answer: httpx.Response) -> httpx.Response:
        assert answer.status_code < 300, answer.text
        return answer


def beside(settings: Settings, slug: str, work: Callable[[Parts, WorkspaceRef], Any]) -> None:
    """Do something in another process than the server's: a command beside a running hub."""

    async def run() -> None:
        async with open_parts(settings, guest=True) as parts:
            await work(parts, await find_workspace(parts, slug))

    asyncio.run(run())


def raw_get(url: str, path: str, key: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
    """An answer as it came, nothing unpacked."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=60) as sock:
        lines = [f"GET {path} HTTP/1.1", f"Host: {place.netloc}", "Connection: close", *headers]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    found = {one.partition(":")[0].lower(): one.partition(":")[2].strip() for one in rest}
    return int(first.split()[1]), found, body


def unpacked(data: bytes) -> bytes:
    return gzip.decompress(data)


def until(what: Any, wait: float = 60) -> Any:
    """The first true answer of `what`."""
    end = time.monotonic() + wait
    while not (answer := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
    return answer
