"""14–30: how a program follows the hub, and what does not disturb it."""

import json
import threading
import time

import pytest

from tests.contract.conftest import Refused
from tests.contract.fake_hub import (
    KEY,
    PAGE,
    answer,
    content,
    digest_of,
    hang,
    hang_after_headers,
    script,
    times,
)

HTML = answer(200, "<h1>Sign in</h1>", PAGE)


@pytest.fixture
def live(connect, wire):
    """A client that is live, its wire between."""
    client = connect(wire.url)
    assert client.version() == 1
    client.state("live")
    return client


# ── 14–21: what the stream says ─────────────────────────────────────────────────────────────────


def test_14_a_release_is_seen_at_once(live, fake):
    took = []
    for version in range(2, 8):
        fake.release("a/b", f"Text {version}", version)
        took.append(live.until(lambda version=version: live.version() == version))
    assert sorted(took)[len(took) // 2] < 0.25
    assert live.get("a/b")["source"] == "stream"
    assert fake.asked["snapshot"] == 1
    handle = live.handle("a/b")
    fake.release("a/b", "Text 9", 9)
    live.until(lambda: live.handle("a/b")["version"] == 9)
    assert handle["version"] == 7


def test_15_a_commit_is_applied_whole(fake):
    import sdk

    hub = sdk.Hub(fake.url, KEY, snapshot=None)
    first, second = hub.prompt("a/b"), hub.prompt("a/c")
    assert (first.current.version, second.current.version) == (1, 1)
    wrong, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            early, late = hub.get_prompt("a/b").version, hub.get_prompt("a/c").version
            if late < early:
                wrong.append((early, late))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for one in threads:
        one.start()

    def both(version):
        fake.release("a/b", f"B {version}", version)
        fake.release("a/c", f"C {version}", version)

    for version in range(2, 40):
        fake.batch(lambda version=version: both(version))
        time.sleep(0.005)
    end = time.monotonic() + 5
    while hub.get_prompt("a/c").version != 39 and time.monotonic() < end:
        time.sleep(0.01)
    stop.set()
    for one in threads:
        one.join()
    hub.close(1)
    assert not wrong
    assert first.current.version == 39


def sse(event, **data):
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def put(fake, name, version, text):
    digest = digest_of(content(text))
    pointer = fake.pointer(name, version, digest, "production")
    return sse("put", **pointer, objects={digest: content(text)})


def test_16_a_revision_that_is_not_newer_is_dropped(connect, fake):
    here = fake.revision
    fake.faults["stream"] = times(1, script(
        sse("hello", schema=1, epoch="e1", revision=here), sse("commit", epoch="e1", revision=here),
        put(fake, "a/b", 5, "Older"), sse("commit", epoch="e1", revision=here),
        put(fake, "a/b", 6, "Older"), sse("commit", epoch="e1", revision=here - 1),
        put(fake, "a/c", 7, "Newer"), sse("commit", epoch="e1", revision=here + 1),
    ))  # fmt: skip
    client = connect()
    client.until(lambda: client.version("a/c") == 7)
    assert client.version() == 1


def test_17_it_comes_back_with_its_place_and_gets_the_gap(live, fake, wire):
    before = fake.revision
    wire.mood = "refuse"
    fake.release("a/b", "Two", 2)
    fake.release("a/new", "New", 1)
    time.sleep(0.1)
    assert live.version() == 1
    wire.mood = "pass"
    live.until(lambda: live.version() == 2)
    assert live.version("a/new") == 1
    live.state("live")
    sent = [headers["last-event-id"] for path, headers in fake.requests if "stream" in path]
    assert sent[0] == sent[1] == f"e1:{before}" or fake.asked["snapshot"] > 1
    paths = [path for path, _ in fake.requests if "/stream" in path]
    assert f"since=e1:{before}" in paths[0]


def test_18_a_place_too_old_means_loading_everything(live, fake, wire):
    wire.mood = "refuse"
    fake.release("a/b", "Two", 2)
    fake.remove("a/c")
    fake.forget_log()
    wire.mood = "pass"
    live.until(lambda: live.version() == 2)
    with pytest.raises(Refused) as caught:
        live.get("a/c")
    assert caught.value.kind == "PromptNotFound"
    live.state("live")
    fake.release("a/b", "Three", 3)
    live.until(lambda: live.version() == 3)


def test_19_another_epoch_replaces_everything(live, fake):
    fake.pointers.clear()
    fake.release("a/b", "Restored", 4)
    fake.new_epoch("e2", 5)
    fake.cut()
    live.until(lambda: live.version() == 4)
    live.until(lambda: live.status()["epoch"] == "e2")
    assert live.status()["revision"] <= 20
    with pytest.raises(Refused):
        live.get("a/c")
    live.state("live")
    fake.release("a/b", "On", 5)
    live.until(lambda: live.version() == 5)


def test_20_back_to_an_earlier_version_fetches_nothing(live, fake):
    fake.inline = 0  # nothing comes along
    fake.release("a/b", "Newer", 2)
    live.until(lambda: live.version() == 2)
    assert fake.asked["objects"] == 1
    fake.release("a/b", "One", 1)
    live.until(lambda: live.version() == 1)
    assert fake.asked["objects"] == 1
    assert live.get("a/b")["messages"][0]["content"] == "One"


def test_21_what_is_taken_away_is_gone_and_comes_back(live, fake):
    handle = live.handle("a/c")
    assert handle["version"] == 1
    fake.remove("a/c")
    live.until(lambda: live.get("a/c", default="Mine")["source"] == "default")
    for ask in (live.get, live.handle):
        with pytest.raises(Refused, match="There is no prompt a/c") as caught:
            ask("a/c")
        assert caught.value.kind == "PromptNotFound"
    fake.release("a/c", "Back", 3)
    live.until(lambda: live.get("a/c", default="Mine")["version"] == 3)
    assert live.handle("a/c")["version"] == 3


# ── 22–26: what is wrong with the wire ──────────────────────────────────────────────────────────


def test_22_a_silent_stream_is_noticed(live, fake, wire):
    fake.heartbeat = 60
    took = live.until(lambda: live.status()["state"] != "live", 10)
    assert took < 3  # the test's `silence` is 1 s; the protocol's is 45 s
    live.state("live")
    fake.heartbeat = 0.2


def test_22_the_protocols_silence_is_45_seconds():
    from sdk.states import Timing

    assert (Timing().silence, Timing().polls_after, Timing().stale_after) == (45, 30, 60)


def test_23_where_no_stream_comes_through_it_polls_and_later_returns(connect, fake, wire):
    wire.mood = "hold streams"
    client = connect(wire.url)
    assert client.version() == 1
    for version in (2, 3):
        fake.release("a/b", f"Text {version}", version)
        client.until(lambda version=version: client.version() == version)
        assert client.status()["state"] != "live"
    assert client.get("a/b")["source"] == "poll"
    wire.mood = "pass"
    client.state("live")


def test_23_a_hub_without_streams_is_polled(connect, fake):
    fake.faults["stream"] = answer(404)
    client = connect()
    assert client.version() == 1
    fake.release("a/b", "Newer", 2)
    client.until(lambda: client.version() == 2)
    fake.remove("a/c")
    client.until(lambda: client.get("a/c", default="x")["source"] == "default")
    asked = fake.asked["snapshot"]
    client.until(lambda: fake.asked["snapshot"] > asked + 2)
    polls = [headers for path, headers in fake.requests if "/snapshot" in path]
    assert polls[-1].get("if-none-match")
    del fake.faults["stream"]
    client.state("live")


BAD = {
    "no JSON": lambda f: 'event: put\ndata: {"label": "product\n\n',
    "a list": lambda f: "event: put\ndata: [1]\n\n",
    "wrong shape": lambda f: sse("put", label="production", name="a/b"),
    "wrong types": lambda f: sse("put", **{
        **f.pointer("a/b", 2, "x" * 64, "production"), "version": "2"}),
    "wrong hash": lambda f: sse("put", **f.pointer("a/b", 2, "ab" * 32, "production"),
                                objects={"ab" * 32: content("Forged")}),
    "no text for it": lambda f: sse("put", **f.pointer("a/b", 2, "cd" * 32, "production")),
    "not UTF-8 at all": lambda f: "event: put\ndata: \udcff\n\n",
    "no revision": lambda f: sse("commit", epoch="e1"),
    "delete of nothing": lambda f: sse("delete", label=3),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_24_nonsense_in_the_stream_changes_nothing(connect, fake, what):
    def fault(handler):
        here = fake.revision
        handler.begin_stream()
        handler.write(sse("hello", schema=1, epoch="e1", revision=here))
        handler.write(sse("commit", epoch="e1", revision=here))
        handler.write(put(fake, "a/c", 66, "In the same batch"))
        raw = BAD[what](fake).encode("utf-8", "surrogateescape")
        handler.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        handler.write(sse("commit", epoch="e1", revision=here + 1))
        handler.hub.hang(0.5)
        return True

    fake.faults["stream"] = times(1, fault)
    client = connect()
    assert client.version() == 1
    client.until(lambda: fake.asked["stream"] >= 2)
    assert (client.version(), client.version("a/c")) == (1, 1)
    client.state("live")
    assert fake.asked["snapshot"] >= 2
    fake.release("a/b", "Good", 3)
    client.until(lambda: client.version() == 3)


BROKEN = {
    "half": '{"schema": 1, "epoch": "e1", "revision": 5, "pointers": [',
    "no pointers": '{"schema": 1, "epoch": "e1", "revision": 9999}',
    "a list": "[]",
    "newer schema": '{"schema": 2, "epoch": "e1", "revision": 9999, "pointers": [], "objects": {}}',
    "text for number": '{"schema": 1, "epoch": "e1", "revision": "9", "pointers": [], '
                       '"objects": {}}',
    "wrong hash": '{"schema": 1, "epoch": "e1", "revision": 9999, "pointers": [], '
                  '"objects": {"ab": "x"}}',
    "deep": "[" * 100_000,
    "two documents": '{"schema": 1, "epoch": "e1", "revision": 9999, "pointers": [], '
                     '"objects": {}} {}',
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_24_nor_does_a_document_that_is_none(connect, fake, what):
    client = connect(stream=False, refresh=0.05)
    assert client.version() == 1
    fake.faults["snapshot"] = answer(200, BROKEN[what], "application/json")
    asked = fake.asked["snapshot"]
    client.until(lambda: fake.asked["snapshot"] >= asked + 2)
    assert (client.version(), client.version("a/c")) == (1, 1)
    del fake.faults["snapshot"]
    fake.release("a/b", "Good", 3)
    client.until(lambda: client.version() == 3)


def test_24_a_prompt_in_a_language_too_new_keeps_the_one_before(live, fake):
    fake.release("a/b", "{% macro x() %}{% endmacro %}", 2)
    fake.release("a/c", "Newer", 2)
    live.until(lambda: live.version("a/c") == 2)
    assert live.version() == 1
    fake.release("a/b", "Good", 3)
    live.until(lambda: live.version() == 3)


def test_25_what_is_of_the_future_is_left_alone(live, fake):
    """The fake hub says an event and fields that nobody knows, in every stream and document."""
    fake.release("a/b", "Newer", 2)
    live.until(lambda: live.version() == 2)
    assert live.status()["state"] == "live"


@pytest.mark.parametrize("route", ["snapshot", "stream", "*"])
def test_26_a_web_page_replaces_nothing(connect, fake, route):
    client = connect(refresh=0.05)
    assert client.version() == 1
    fake.faults[route] = HTML
    fake.cut()
    asked = fake.asked.total()
    client.until(lambda: fake.asked.total() >= asked + 4)
    assert (client.version(), client.version("a/c")) == (1, 1)
    del fake.faults[route]
    fake.release("a/b", "Newer", 2)
    client.until(lambda: client.version() == 2)


# ── 27–30: refusals and outages ─────────────────────────────────────────────────────────────────


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
