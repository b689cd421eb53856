"""A program that runs on while everything goes wrong in turn: no exception, no growth.

A few seconds in the ordinary suite; `--soak` makes it two minutes, `SOAK_SECONDS=3600` an hour;
`SOAK_SERIES=FILE` keeps seconds, megabytes, descriptors and threads. `-k real` for the real hub.
Under CI, scripts/test runs the two minutes against either hub beside all other tests. Nothing is
judged by speed: on a machine that stands still for seconds, what is late is not wrong.
"""

import gc
import json
import os
import random
import threading
import time
from collections import Counter, deque
from pathlib import Path

import pytest

import sdk
from sdk.states import Timing
from tests.contract.far import KEY
from tests.contract.faults import answer, hang, hang_after_headers
from tests.contract.proxy import FAULTS

TIMING = Timing(
    silence=1, greeting=1, polls_after=0.3, stale_after=0.5, first_retry=0.05, longest_retry=0.5,
    refused=0.3, longest_refused=0.5, save_after=0.1, report=0.5, report_soon=0.2,
)  # fmt: skip
READS_PER_SECOND = 100


def memory() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def soak(far, wire, folder, seconds):
    # The far end notes all that it is asked, which grew by 100 MB in an hour.
    far.requests, far.reports, far.times = (deque(maxlen=100) for _ in range(3))
    versions = dict.fromkeys((f"p/{number}" for number in range(20)), 1)
    far.release_many({name: f"Text 1 of {name} {{{{ name }}}}" for name in versions})
    hub = sdk.Hub(wire.url, KEY, boot_wait=60, refresh=0.2, timing=TIMING, snapshot=folder)
    handle = hub.prompt("p/0")
    assert handle.current.version == 1
    assert hub.wait_ready(60)  # what is promised is promised to a program that has begun
    disturbed = Disturbed(far, wire, versions)
    errors, reads, series, names = [], 0, [], list(versions)
    began = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        try:
            name = names[reads % 20]
            assert hub.get_prompt(name).text(name="Ada").endswith(f" of {name} Ada")
            assert handle.current.text(name="Bo").endswith(" of p/0 Bo")
        except Exception as error:
            errors.append(repr(error))
        reads += 1
        time.sleep(max(0, began + reads / READS_PER_SECOND - time.monotonic()))
        if now - began > max(1, seconds / 60) * len(series):
            gc.collect()
            series.append((round(now - began), memory(), descriptors(), threading.active_count()))
    disturbed.end()
    disturbed.release("p/1")
    end = time.monotonic() + 60  # after many faults in a row the client lets the hub rest
    while hub.get_prompt("p/1").version != versions["p/1"] and time.monotonic() < end:
        time.sleep(0.02)
    last = hub.get_prompt("p/1").version == versions["p/1"]
    hub.close(2)
    print(reads, "reads while these went on:", dict(disturbed.done))
    print("(s, MB, descriptors, threads):", series[0], series[len(series) // 3], series[-1])
    assert sum(disturbed.done.values()) > seconds / 10
    return errors, last, series


class Disturbed:
    """Does something wrong, and something else a moment later."""

    def __init__(self, far, wire, versions):
        self.far, self.wire, self.versions = far, wire, versions
        self.stop, self.dice, self.done = threading.Event(), random.Random(7), Counter()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def release(self, name):
        self.versions[name] += 1
        self.far.release(name, f"Text {self.versions[name]} of {name} {{{{ name }}}}",
                         self.versions[name])  # fmt: skip

    def run(self):
        while not self.stop.wait(self.dice.uniform(0.05, 0.4)):
            what = self.dice.choice([*FAULTS, "release", "release", "cut", "wrong key", "500",
                                     "hang", "half a body", "forget"])  # fmt: skip
            self.do(what)
            self.done[what] += 1
            self.stop.wait(self.dice.uniform(0.05, 0.4))
            self.far.faults.clear()
            self.far.keys, self.wire.mood = {KEY}, "pass"

    def do(self, what):
        far = self.far
        if what in FAULTS:
            self.wire.mood = what
        elif what == "release":
            self.release(f"p/{self.dice.randrange(20)}")
        elif what == "cut":
            far.cut()
        elif what == "forget":
            far.forget_log()
        elif what == "wrong key":
            far.keys = set()
        else:
            route = self.dice.choice(["snapshot", "stream", "usage", "*"])
            faults = {"500": answer(500), "hang": hang, "half a body": hang_after_headers}
            far.faults[route] = faults[what]

    def end(self):
        self.stop.set()
        self.thread.join()


def judge(errors, last, series):
    if path := os.environ.get("SOAK_SERIES"):
        Path(path).write_text(json.dumps(series))
    assert not errors
    assert last
    settled = series[len(series) // 3 :]
    grown = [late - early for early, late in zip(settled[0], settled[-1], strict=True)]
    assert grown[1] < (8 if grown[0] > 60 else 30), series  # megabytes
    assert max(one[2] for one in settled) - series[0][2] < 60, series
    assert grown[2] < 25, series
    assert grown[3] < 25, series


def test_a_few_seconds_of_everything(far, wire, tmp_path):
    judge(*soak(far, wire, str(tmp_path), 3))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_long_time_of_everything(far, wire, tmp_path):
    judge(*soak(far, wire, str(tmp_path), float(os.environ.get("SOAK_SECONDS", "120"))))
