"""The far end of what `bench.sdk` measures: fake hub and bad wire in a process of their own, as a
hub is, so that nothing they do holds the interpreter of the program that is measured."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from bench.sdk_peers import Answers, Stub
from tests.contract.fake_hub import KEY, FakeHub, content, digest_of
from tests.contract.faults import answer
from tests.contract.proxy import FAULTS, Proxy

KINDS = (*FAULTS, "wrong key", "overloaded")


class _There:
    """What can be asked for, in the other process."""

    def __init__(self, prompts: int) -> None:
        self.hub = FakeHub()
        self.hub.release_many({f"p/{n}": "x" * 2000 + "{{ a }}" for n in range(prompts)})
        self.wire = Proxy(self.hub.port)

    def urls(self) -> tuple[str, str]:
        return self.hub.url, self.wire.url

    def break_(self, kind: str) -> None:
        """What is open is cut, and then this is wrong until `mend`."""
        if kind in FAULTS:
            self.wire.mood = kind
        elif kind == "wrong key":
            self.hub.keys = set()
        elif kind == "overloaded":
            self.hub.faults["*"] = answer(503, Retry_After="1")
        self.wire.cut()

    def mend(self) -> None:
        self.wire.mood, self.hub.keys = "pass", {KEY}
        self.hub.faults.clear()


class Away:
    """The handle on it: what is done there, and what it answers."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def do(self, what: str, *given: Any) -> Any:
        self._pipe.send((what, given))
        return self._pipe.recv()


def _serve(pipe: Connection, prompts: int) -> None:
    there = _There(prompts)
    with suppress(EOFError):  # who asked is gone
        while True:
            what, given = pipe.recv()
            pipe.send(getattr(there, what)(*given))


@contextmanager
def away(prompts: int = 1) -> Iterator[Away]:
    """A far end; it is gone afterwards."""
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    process = processes.Process(target=_serve, args=(there, prompts), daemon=True)
    process.start()
    there.close()
    try:
        yield Away(here)
    finally:
        here.close()
        process.join(10)


# ── releases: the stub that the peer has, in our protocol's words ───────────────────────────────


class _OurAnswers(Answers):
    """A version is said in one write, as the hub does it; each is made when it is told of."""

    def do_GET(self) -> None:
        if "/stream" in self.path:
            self._stream()
            return
        put = self._put(1)
        objects = put.pop("objects")
        self._say({"schema": 1, "epoch": "e1", "revision": 1, "pointers": [put],
                   "objects": objects})  # fmt: skip

    def _put(self, version: int) -> dict[str, Any]:
        digest, text = _TEXTS[version]
        return {"label": "production", "name": "p/0", "id": "p4x7c2m9q1", "version": version,
                "hash": "5" * 64, "commit": "9" * 40, "object": digest,
                "objects": {digest: text}}  # fmt: skip

    def _stream(self) -> None:
        stub, here = self.server, 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        place = {"epoch": "e1", "revision": 1}
        self._chunk(_event("hello", {"schema": 1, "heartbeat": 15} | place)
                    + _event("commit", place))  # fmt: skip
        while True:
            with stub.changed:
                while stub.version == here:
                    stub.changed.wait()
                here = stub.version
            place = {"epoch": "e1", "revision": here}
            self._chunk(_event("put", self._put(here)) + _event("commit", place, f"e1:{here}"))

    def _chunk(self, text: str) -> None:
        raw = text.encode()
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()


def _event(kind: str, data: dict[str, Any], at: str = "") -> str:
    place = f"id: {at}\n" if at else ""
    return f"{place}event: {kind}\ndata: {json.dumps(data)}\n\n"


_TEXTS = [(digest_of(text), text) for text in (content(f"Text {n}") for n in range(400))]


def our_stub() -> Stub:
    return Stub(_OurAnswers)
