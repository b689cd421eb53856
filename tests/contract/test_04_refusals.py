"""27–30: refusals and outages."""

import time

import pytest

from tests.contract.faults import answer, hang, hang_after_headers, script


@pytest.mark.parametrize("status", [400, 408, 429, 500, 502, 503])
def test_27_an_outage_is_not_hammered(connect, fake, status):
    client = connect(refresh=0.1)
    assert client.version() == 1
    client.state("live")
    fake.faults["*"] = answer(status)
    fake.cut()
    client.until(lambda: client.status()["state"] != "live")
    before, began = fake.asked.total(), time.monotonic()
    while time.monotonic() - began < 0.6:
        assert client.version() == 1
    assert fake.asked.total() - before <= 24  # two routes, at ever longer distances
    del fake.faults["*"]
    client.state("live")


def test_27_retry_after_is_obeyed(connect, fake):
    client = connect(stream=False, refresh=0.05)
    assert client.version() == 1
    fake.faults["snapshot"] = answer(503, Retry_After="1")
    asked = fake.asked["snapshot"]
    client.until(lambda: fake.asked["snapshot"] > asked)
    at = fake.times[-1][0]
    client.until(lambda: fake.asked["snapshot"] > asked + 1)
    assert fake.times[-1][0] - at >= 1.0


def test_27_the_pauses_are_not_the_same_for_two():
    from sdk.loading import chance

    seen = [chance() for _ in range(200)]
    assert len(set(seen)) > 190
    assert min(seen) < 0.1
    assert max(seen) > 0.9


@pytest.mark.parametrize("status", [401, 403])
def test_28_a_refused_key_keeps_what_there_is_and_comes_back(connect, fake, status):
    client = connect()
    assert client.version() == 1
    client.state("live")
    fake.faults["*"] = answer(status)
    fake.cut()
    client.state("refused")
    prompt = client.get("a/b")
    assert (prompt["version"], prompt["stale"]) == (1, True)
    asked, began = fake.asked.total(), time.monotonic()
    time.sleep(0.4)
    assert fake.asked.total() - asked <= 2 + (time.monotonic() - began) / 0.2
    del fake.faults["*"]
    fake.release("a/b", "Newer", 2)
    client.until(lambda: client.version() == 2)
    client.state("live")
    assert client.get("a/b")["stale"] is False


def test_28_a_new_key_is_tried_at_once(connect, fake):
    client = connect(timing={"refused": 60, "longest_refused": 60})
    assert client.version() == 1
    fake.keys = {"ph_new"}
    fake.cut()
    client.state("refused")
    client.rotate(key="ph_new")
    client.state("live")


def test_28_the_protocols_patience_with_a_refusal_is_a_minute_to_five():
    from sdk.states import Timing

    assert (Timing().refused, Timing().longest_refused) == (60, 300)


def test_29_a_route_that_is_not_there_takes_nothing_away(connect, fake):
    client = connect()
    assert client.version() == 1
    client.state("live")
    fake.old = True
    fake.cut()
    client.state("refused")
    assert (client.version(), client.version("a/c")) == (1, 1)
    fake.old = False
    client.state("live")


HANGS = {
    "before the answer": ("snapshot", hang), "in the body": ("snapshot", hang_after_headers),
    "stream before the answer": ("stream", hang), "stream after the headers": ("stream", script()),
    "in the middle of an event": ("stream", script("event: hello\ndata: {\"sche")),
    "everywhere": ("*", hang),
}  # fmt: skip


@pytest.mark.parametrize("where", HANGS)
def test_30_a_hang_blocks_no_reader(connect, fake, where):
    client = connect(refresh=0.05)
    assert client.version() == 1
    route, fault = HANGS[where]
    fake.faults[route] = fault
    fake.cut()
    slowest, began = 0.0, time.monotonic()
    while time.monotonic() - began < 0.7:
        assert client.version() == 1
        slowest = max(slowest, client.ms)
    assert slowest < 100  # a thread of a busy machine may be late; a hang is seconds
    del fake.faults[route]


def test_30_one_text_that_hangs_does_not_stop_the_others(live, fake):
    fake.inline = 0
    fake.faults["objects"] = hang
    fake.release("a/b", "Newer", 2)
    live.until(lambda: fake.asked["objects"] >= 1)
    fake.inline = 65_536
    fake.release("a/c", "Newer too", 2)
    live.until(lambda: live.version("a/c") == 2, 12)
    assert live.version() == 2  # the document brought it
