"""14–21: how a program follows the hub."""

import threading
import time

import pytest

from tests.contract.conftest import Refused
from tests.contract.fake_hub import KEY
from tests.contract.faults import script, times
from tests.contract.running import put, sse


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
