"""What several tests of the contract use."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

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


def run(code, *arguments, python=sys.executable, timeout=110):
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
    """What this thread did since the last time that it was asked, whatever else the machine ran."""

    def __init__(self) -> None:
        path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115  closed with this
        self._now, (self._ran, self._waited) = time.perf_counter() * 1e3, self._read()

    def __del__(self) -> None:
        self._file.close()

    def _read(self) -> tuple[float, float]:
        self._file.seek(0)
        ran, waited, _ = self._file.read().split()
        return int(ran) / 1e6, int(waited) / 1e6

    def took(self) -> tuple[float, float]:
        """For how long it ran, and for how long it neither ran nor could: milliseconds."""
        now, (ran, waited) = time.perf_counter() * 1e3, self._read()
        worked, all_of_it = ran - self._ran, now - self._now
        idle = all_of_it - worked - (waited - self._waited)
        self._now, self._ran, self._waited = now, ran, waited
        return worked, idle

    def held_up(self) -> float:
        """For how long it waited for something else than its turn."""
        return self.took()[1]


def held_up(work: Callable[[], object], seconds: float) -> float:
    """Milliseconds of the longest turn in which this thread neither ran nor waited to run."""
    turn, longest, ends = Turn(), 0.0, time.monotonic() + seconds
    while time.monotonic() < ends:
        work()
        longest = max(longest, turn.held_up())
    return longest
