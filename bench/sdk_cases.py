"""What `bench.sdk` measures beside single reads: starts, herds, releases and faults.

Each takes its own fake hub (the one of the contract's tests) on loopback.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sdk
from bench.sdk_peers import served_ms
from tests.contract.fake_hub import KEY, FakeHub, content, digest_of
from tests.contract.faults import answer
from tests.contract.proxy import FAULTS, Proxy
from tests.contract.running import held_up

WAIT = 0.5
Figures = dict[str, Any]


@contextmanager
def fake(prompts: int = 1) -> Iterator[FakeHub]:
    hub = FakeHub()
    hub.batch(lambda: [hub.release(f"p/{n}", "x" * 2000 + "{{ a }}") for n in range(prompts)])
    yield hub
    hub.stop()


def client(url: str, **more: Any) -> sdk.Hub:
    return sdk.Hub(url, KEY, **({"snapshot": None, "boot_wait": 20} | more))


def herd() -> Figures:
    """100 threads that come at once, and 1,000 prompts that nobody has read."""
    with fake() as hub:
        reader, gate = client(hub.url, stream=False), threading.Barrier(100)

        def read() -> None:
            gate.wait()
            reader.get_prompt("p/0")

        threads = [threading.Thread(target=read) for _ in range(100)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        calls = hub.asked["snapshot"] + hub.asked["prompts"]
        reader.close(1)
    best, asked = float("inf"), 0
    with fake(1000) as hub:
        for _ in range(5):
            before = hub.asked["snapshot"] + hub.asked["prompts"]
            reader = client(hub.url, stream=False)
            began = time.perf_counter()
            for number in range(1000):
                reader.get_prompt(f"p/{number}")
            best = min(best, (time.perf_counter() - began) * 1e3)
            asked = hub.asked["snapshot"] + hub.asked["prompts"] - before
            reader.close(1)
    return {
        "calls_of_100_cold_callers": calls, "ms_of_1000_cold_prompts": best,
        "calls_of_1000_cold_prompts": asked,
    }  # fmt: skip


def starts() -> Figures:
    """The first read while the hub refuses or hangs, with a table on disk and with nothing."""
    found: Figures = {}
    with fake(100) as hub, Proxy(hub.port) as wire, tempfile.TemporaryDirectory() as folder:
        first = client(wire.url, snapshot=folder)
        first.get_prompt("p/0")
        first.wait_ready()
        time.sleep(1.3)  # it is kept a second after it changed
        first.close(5)
        for mood in ("refuse", "hang"):
            wire.mood = mood
            found[f"ms_boot_{mood}_snapshot"] = min(_first_read(wire.url, folder) for _ in range(5))
            late = min(_first_read(wire.url, None) for _ in range(3)) - WAIT * 1000
            found[f"ms_past_boot_wait_{mood}_nothing"] = max(late, 0.0)
            wire.mood = "pass"
    return found


def _first_read(url: str, folder: str | None) -> float:
    reader = client(url, snapshot=folder, boot_wait=WAIT)
    began = time.perf_counter()
    try:
        reader.get_prompt("p/0")
    except sdk.PromptUnavailable:
        assert folder is None
    took = (time.perf_counter() - began) * 1e3
    reader.close()
    return took


def releases() -> Figures:
    """From a release to the first read that sees it.

    As with the peer's stub, the clock starts when the hub has the new version and begins to tell:
    how long saving one takes is another question (`bench.delivery`, `bench.saves`).
    """
    with fake() as hub:
        hub.heartbeat = 15  # the protocol's; in tests it is a fraction of a second
        reader = client(hub.url)
        reader.get_prompt("p/0")
        while reader.status().state != "live":
            time.sleep(0.01)
        versions = {version: _version(hub, version) for version in range(2, 62)}
        found = served_ms(
            lambda version: hub.point(("production", "p/0"), versions[version]),
            lambda: reader.get_prompt("p/0").version,
            lambda version: version,
        )
        reader.close(1)
    return {"served_ms": found}


def _version(hub: FakeHub, version: int) -> dict[str, Any]:
    text = content(f"Text {version}")
    digest = digest_of(text)
    hub.objects[digest] = text
    return hub.pointer("p/0", version, digest, "production")


def faults(seconds: float = 1.5) -> Figures:
    """The longest that 20 reads were held up while the hub does each wrong thing.

    Linux says how long a thread ran and how long it waited for a processor; what is left of the
    wall clock is what something in the program made it wait: a lock, the interpreter, the network.
    `none` is the same without a fault.
    """
    kinds = ["none", *FAULTS, "wrong key", "overloaded"]
    return {"longest_block_ms": {kind: _longest(kind, seconds) for kind in kinds}}


def _longest(kind: str, seconds: float) -> float:
    with fake(20) as hub, Proxy(hub.port) as wire:
        reader = client(wire.url, refresh=0.2, timing=sdk.states.Timing(polls_after=0.2))
        names = [f"p/{number}" for number in range(20)]
        for name in names:
            reader.get_prompt(name)
        while reader.status().state != "live":
            time.sleep(0.01)
        if kind in FAULTS:
            wire.mood = kind
        elif kind == "wrong key":
            hub.keys = set()
        elif kind == "overloaded":
            hub.faults["*"] = answer(503, Retry_After="1")
        if kind != "none":
            wire.cut()
        longest = held_up(lambda: [reader.get_prompt(name) for name in names], seconds)
        wire.mood = "pass"
        reader.close(1)
        return longest
