"""What several tests of the contract use."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sdk.states import Timing
from tests.contract.fake_hub import KEY, content, digest_of


def sse(event, **data):
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def put(far, name, version, text):
    digest = digest_of(content(text))
    pointer = far.pointer(name, version, digest, "production")
    return sse("put", **pointer, objects={digest: content(text)})


QUICK = Timing(
    silence=1, greeting=1, polls_after=0.3, stale_after=0.3, first_retry=0.05, longest_retry=0.3,
    healthy=0.5, refused=0.3, longest_refused=0.5, look_at_key=0.05, save_after=0.05, report=0.2,
    report_soon=0.1, miss=0.2,
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        time.sleep(0.005)


def run(code, *arguments, python=sys.executable, timeout=200):
    done = subprocess.run(
        [python, "-c", code, *arguments], capture_output=True, text=True, timeout=timeout,
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    return done.stdout.strip()


PRELUDE = """
import os, sys, time, json, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import sdk
hub = sdk.Hub(sys.argv[1], sys.argv[2], snapshot=None, boot_wait=60)
def until(true):
    end = time.monotonic() + 60
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(true())
"""


class Turn:
    """What this thread did since the last time that it was asked, whatever else the machine ran.

    A machine that is itself a guest loses whole milliseconds that nobody in it can account for, so
    a turn in which the thread never gave up its processor by itself was held up by nothing of ours.
    """

    def __init__(self) -> None:
        path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115  closed with this
        self._last = self._read()
        self._gave_up = self._last.gave_up

    def __del__(self) -> None:
        self._file.close()

    def _read(self) -> _Reading:
        now, ran = time.perf_counter(), time.thread_time()
        gave_up = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        self._file.seek(0)
        queued = int(self._file.read().split()[1]) / 1e9
        return _Reading(now * 1e3, ran * 1e3, queued * 1e3, gave_up)

    def took(self) -> tuple[float, float]:
        """For how long it ran, and for how long it neither ran nor could: milliseconds."""
        was, self._last = self._last, self._read()
        worked = self._last.ran - was.ran
        idle = self._last.now - was.now - worked - (self._last.queued - was.queued)
        self._waited = self._last.gave_up != self._gave_up
        self._gave_up = was.gave_up  # what happens between two clocks counts for either turn
        return worked, idle

    def held_up(self) -> float:
        """For how long it waited for something else than its turn."""
        idle = self.took()[1]
        return idle if self._waited else 0.0


class _Reading(NamedTuple):
    now: float
    ran: float
    queued: float
    """Milliseconds that it could have run and another program did."""
    gave_up: int
    """So often it had to wait for something: a lock, the interpreter, the network, a page."""


def held_up(work: Callable[[], object], seconds: float) -> float:
    """Milliseconds of the longest turn in which this thread neither ran nor waited to run."""
    turn, longest, ends = Turn(), 0.0, time.monotonic() + seconds
    while time.monotonic() < ends:
        work()
        longest = max(longest, turn.held_up())
    return longest


async def beats(doing: Callable[[], Awaitable[object]], enough: float) -> list[float]:
    """Milliseconds that the loop was held up between its beats while something went on.

    What blocks does so each time, a machine that stands still does it now and then: of several
    times the first that had nothing longer than `enough`, else the last.
    """
    gaps: list[float] = []
    for _ in range(4):
        gaps = await _gaps(doing())
        if max(gaps) < enough:
            break
    return gaps


async def _gaps(doing: Awaitable[object]) -> list[float]:
    gaps: list[float] = []

    async def beat() -> None:
        turn = Turn()
        while True:
            await asyncio.sleep(0.001)
            gaps.append(turn.held_up())

    beating = asyncio.create_task(beat())
    await doing
    await asyncio.sleep(0.02)
    beating.cancel()
    return gaps
