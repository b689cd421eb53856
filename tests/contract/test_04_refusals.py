"""27–30: refusals and outages."""

import time

import pytest

from tests.contract.conftest import PATIENCE, STEADY
from tests.contract.faults import answer, hang, hang_after_headers, script


@pytest.mark.parametrize("status", [400, 408, 429, 500, 502, 503])
def test_27_an_outage_is_not_hammered(connect, far, status):
    client = connect(refresh=0.1)
    assert client.version() == 1
    client.state("live")
    far.faults["*"] = answer(status)
    far.cut()
    client.until(lambda: client.status()["state"] != "live")
    before, began = far.asked.total(), time.monotonic()
    while time.monotonic() - began < 0.6:
        assert client.version() == 1
    took = time.monotonic() - began
    assert far.asked.total() - before <= 24 * took / 0.6  # two routes, at ever longer distances
    del far.faults["*"]
    client.state("live")


def polls(far):
    """When the document was asked for; usage is told of in between."""
    return [at for at, route in far.times if route == "snapshot"]


def test_27_retry_after_is_obeyed(connect, far):
    client = connect(stream=False, refresh=0.05)
    assert client.version() == 1
    far.faults["snapshot"] = answer(503, Retry_After="1")
    before = len(polls(far))
    client.until(lambda: len(polls(far)) >= before + 2)
    refused, again = polls(far)[before : before + 2]
    assert again - refused >= 1.0


def test_27_the_pauses_are_not_the_same_for_two():
    from sdk.loading import chance

    seen = [chance() for _ in range(200)]
    assert len(set(seen)) > 190
    assert min(seen) < 0.1
    assert max(seen) > 0.9


@pytest.mark.parametrize("status", [401, 403])
def test_28_a_refused_key_keeps_what_there_is_and_comes_back(connect, far, status):
    client = connect()
    assert client.version() == 1
    client.state("live")
    far.faults["*"] = answer(status)
    far.cut()
    client.state("refused")
    prompt = client.get("a/b")
    assert (prompt["version"], prompt["stale"]) == (1, True)
    asked, began = far.asked.total(), time.monotonic()
    time.sleep(0.4)
    assert far.asked.total() - asked <= 2 + (time.monotonic() - began) / 0.2
    del far.faults["*"]
    far.release("a/b", "Newer", 2)
    client.until(lambda: client.version() == 2)
    client.state("live")
    client.until(lambda: client.get("a/b")["stale"] is False)


def test_28_a_new_key_is_tried_at_once(connect, far):
    client = connect(timing={"refused": 60, "longest_refused": 60})
    assert client.version() == 1
    far.keys = {"ph_new"}
    far.cut()
    client.state("refused")
    client.rotate(key="ph_new")
    client.state("live")


def test_28_the_protocols_patience_with_a_refusal_is_a_minute_to_five():
    from sdk.states import Timing

    assert (Timing().refused, Timing().longest_refused) == (60, 300)


def test_29_a_route_that_is_not_there_takes_nothing_away(connect, far):
    client = connect()
    assert client.version() == 1
    client.state("live")
    far.old = True
    far.cut()
    client.state("refused")
    assert (client.version(), client.version("a/c")) == (1, 1)
    far.old = False
    client.state("live")


HANGS = {
    "before the answer": ("snapshot", hang), "in the body": ("snapshot", hang_after_headers),
    "stream before the answer": ("stream", hang), "stream after the headers": ("stream", script()),
    "in the middle of an event": ("stream", script("event: hello\ndata: {\"sche")),
    "everywhere": ("*", hang),
}  # fmt: skip


@pytest.mark.parametrize("where", HANGS)
def test_30_a_hang_blocks_no_reader(connect, far, where):
    client = connect(refresh=0.05, timing=STEADY)
    assert client.version() == 1
    route, fault = HANGS[where]
    far.faults[route] = fault
    far.cut()
    slowest, began = 0.0, time.monotonic()
    while time.monotonic() - began < 0.7:
        assert client.version() == 1
        slowest = max(slowest, client.ms)
    assert slowest < PATIENCE * 500, "a thread of a busy machine may be late; a hang is a minute"
    del far.faults[route]


def test_30_one_text_that_hangs_does_not_stop_the_others(live, far):
    far.inline = 0
    far.faults["objects"] = hang
    far.release("a/b", "Newer", 2)
    live.until(lambda: far.asked["objects"] >= 1)
    far.inline = 65_536
    far.release("a/c", "Newer too", 2)
    live.until(lambda: live.version("a/c") == 2)
    assert live.version() == 2  # the document brought it
