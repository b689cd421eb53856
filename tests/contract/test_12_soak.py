"""A program that runs on while everything goes wrong in turn: no exception, no growth.

A few seconds in the ordinary suite; `--soak` makes it two minutes, `SOAK_SECONDS=3600` an hour.
"""

import gc
import os
import random
import threading
import time
from collections import deque

import pytest

import sdk
from sdk.states import Timing
from tests.contract.fake_hub import KEY
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


def soak(fake, wire, folder, seconds):
    # The fake hub notes all that it is asked, which grew by 100 MB in an hour.
    fake.requests, fake.reports, fake.times = (deque(maxlen=100) for _ in range(3))
    for number in range(20):
        fake.release(f"p/{number}", f"Text {number} {{{{ name }}}}")
    hub = sdk.Hub(wire.url, KEY, boot_wait=20, refresh=0.2, timing=TIMING, snapshot=folder)
    handle = hub.prompt("p/0")
    assert handle.current.version == 1
    assert hub.wait_ready(20)  # what is promised is promised to a program that has begun
    errors, reads, marks = [], 0, []
    stop = threading.Event()

    def disturb():
        dice = random.Random(7)
        for version in range(2, 10**6):
            if stop.wait(dice.uniform(0.05, 0.4)):
                return
            what = dice.choice([*FAULTS, "release", "release", "cut", "wrong key", "500", "hang",
                                "half a body", "forget"])  # fmt: skip
            if what in FAULTS:
                wire.mood = what
            elif what == "release":
                fake.release(f"p/{dice.randrange(20)}", f"Text {version} {{{{ name }}}}", version)
            elif what == "cut":
                fake.cut()
            elif what == "forget":
                fake.forget_log()
            elif what == "wrong key":
                fake.keys = set()
            else:
                route = dice.choice(["snapshot", "stream", "usage", "*"])
                faults = {"500": answer(500), "hang": hang, "half a body": hang_after_headers}
                fake.faults[route] = faults[what]
            stop.wait(dice.uniform(0.05, 0.4))
            fake.faults.clear()
            fake.keys, wire.mood = {KEY}, "pass"

    thread = threading.Thread(target=disturb)
    thread.start()
    ends, mark = time.monotonic() + seconds, time.monotonic() + seconds / 4
    while time.monotonic() < ends:
        try:
            hub.get_prompt(f"p/{reads % 20}").text(name="Ada")
            handle.current.render(name="Bo")
        except Exception as error:
            errors.append(repr(error))
        reads += 1
        time.sleep(1 / READS_PER_SECOND)
        if time.monotonic() > mark:
            gc.collect()
            marks.append((memory(), descriptors(), threading.active_count()))
            mark += seconds / 4
    stop.set()
    thread.join()
    fake.release("p/1", "At last", 7_000_000)
    end = time.monotonic() + 60  # after many faults in a row the client lets the hub rest
    while hub.get_prompt("p/1").version != 7_000_000 and time.monotonic() < end:
        time.sleep(0.02)
    last = hub.get_prompt("p/1").version
    hub.close(2)
    return errors, last, marks


def judge(errors, last, marks):
    assert not errors
    assert last == 7_000_000
    first, final = marks[0], marks[-1]
    assert final[0] - first[0] < 30, marks
    assert final[1] - first[1] < 40, marks


def test_a_few_seconds_of_everything(fake, wire, tmp_path):
    judge(*soak(fake, wire, str(tmp_path), 4))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_long_time_of_everything(fake, wire, tmp_path):
    judge(*soak(fake, wire, str(tmp_path), float(os.environ.get("SOAK_SECONDS", "120"))))
