"""What `bench.sdk` measures beside single reads: starts, herds, releases and faults.

Each takes its own fake hub (the one of the contract's tests) on loopback, for releases and faults
in a process of its own.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

import sdk
from bench.sdk_far import KINDS, away, our_stub
from bench.sdk_peers import Apart
from tests.contract.fake_hub import KEY, FakeHub
from tests.contract.proxy import Proxy
from tests.contract.running import Turn

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

    As with the peer, whose stub is the same but for the words, the clock starts when the server
    has the new version and begins to tell: how long saving one takes is another question
    (`bench.delivery`, `bench.saves`).
    """
    stub = Apart(our_stub)
    reader = client(stub.url)
    reader.get_prompt("p/0")
    while reader.status().state != "live":
        time.sleep(0.01)
    found = stub.served_ms(lambda: reader.get_prompt("p/0").version, lambda version: version)
    reader.close(1)
    return {"served_ms": found}


def faults(seconds: float = 1.5, rounds: int = 5) -> Figures:
    """The longest that 20 reads were held up while the hub does each wrong thing.

    Linux says how long a thread ran, how long it waited for a processor, and how often it gave its
    own up; what is left of the wall clock, where it did give it up, is what something made it wait:
    a lock, the interpreter, the network, or the machine itself, which may be a guest that is put
    aside meanwhile. What the machine does is seen by the same loop over a dictionary for as long,
    before each round, beside a thread that does nothing but wake up. `none` is an SDK without a
    fault. Medians of the rounds.
    """
    found: Figures = {}
    for kind in ("none", *KINDS):
        turns = [(_floor(seconds), _disturbed(kind, seconds)) for _ in range(rounds)]
        found[kind] = {
            "held_up_ms": median(one.held_up for _, one in turns),
            "wall_ms": median(one.wall for _, one in turns),
            "sdk_ran_ms": median(one.behind for _, one in turns),
            "floor_ms": median(floor.held_up for floor, _ in turns),
            "floor_wall_ms": median(floor.wall for floor, _ in turns),
            "rounds": turns,
        }
    return {"blocks": found}


class Longest(NamedTuple):
    """Milliseconds, each of the turn in which it was longest."""

    held_up: float
    """It neither ran nor waited for a processor."""
    wall: float
    """From its begin to its end, whatever was the matter."""
    behind: float
    """Processor time of the program's other threads, which are the SDK's."""


def _longest(work: Callable[[], object], seconds: float) -> Longest:
    turn, ends = Turn(), time.monotonic() + seconds
    held_up = wall = behind = 0.0
    while (began := time.monotonic()) < ends:
        others = time.process_time() - time.thread_time()
        work()
        behind = max(behind, time.process_time() - time.thread_time() - others)
        held_up = max(held_up, turn.held_up())
        wall = max(wall, time.monotonic() - began)
    return Longest(held_up, wall * 1e3, behind * 1e3)


def _floor(seconds: float) -> Longest:
    row, over = {f"p/{number}": number for number in range(20)}, threading.Event()

    def wake() -> None:
        while not over.is_set():
            time.sleep(0.01)

    beside = threading.Thread(target=wake)
    beside.start()
    try:
        return _longest(lambda: [row[name] for name in row], seconds)
    finally:
        over.set()
        beside.join()


def _disturbed(kind: str, seconds: float) -> Longest:
    with away(20) as far:
        _, url = far.do("urls")
        reader = client(url, refresh=0.2, timing=sdk.states.Timing(polls_after=0.2))
        names = [f"p/{number}" for number in range(20)]
        for name in names:
            reader.get_prompt(name)
        while reader.status().state != "live":
            time.sleep(0.01)
        if kind != "none":
            far.do("break_", kind)
        longest = _longest(lambda: [reader.get_prompt(name) for name in names], seconds)
        far.do("mend")
        reader.close(1)
        return longest
