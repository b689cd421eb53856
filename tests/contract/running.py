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


def run(code, *arguments, python=sys.executable, timeout=40):
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
hub = sdk.Hub(sys.argv[1], sys.argv[2], snapshot=None, boot_wait=15)
def until(true):
    end = time.monotonic() + 8
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(true())
"""


def held_up(work: Callable[[], object], seconds: float) -> float:
    """Milliseconds of the longest turn in which this thread neither ran nor waited to run."""
    path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
    with open(path, "rb", buffering=0) as file:

        def used() -> float:
            file.seek(0)
            ran, waited, _ = file.read().split()
            return (int(ran) + int(waited)) / 1e6

        longest, clock = 0.0, time.perf_counter
        ends, before = clock() + seconds, used()
        while (began := clock()) < ends:
            work()
            took, after = (clock() - began) * 1e3, used()
            longest, before = max(longest, took - (after - before)), after
    return longest
