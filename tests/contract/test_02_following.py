"""14–21: how a program follows the hub."""

import threading
import time

import pytest

from tests.contract.conftest import PATIENCE, STEADY, Refused
from tests.contract.fake_hub import FakeHub
from tests.contract.far import KEY
from tests.contract.faults import script, times
from tests.contract.running import QUICK, put, sse, until


def test_14_a_release_is_seen_at_once(live, far):
    for version in range(2, 8):
        far.release("a/b", f"Text {version}", version)
        live.until(lambda version=version: live.version() == version)
    assert live.get("a/b")["source"] == "stream"
    assert far.asked["snapshot"] == 1
    handle = live.handle("a/b")
    far.release("a/b", "Text 8", 8)
    live.until(lambda: live.handle("a/b")["version"] == 8)
    assert handle["version"] == 7


def test_15_a_commit_is_applied_whole(far):
    import sdk

    hub = sdk.Hub(far.url, KEY, snapshot=None, boot_wait=PATIENCE)
    first, second = hub.prompt("a/b"), hub.prompt("a/c")
    assert (first.current.version, second.current.version) == (1, 1)
    wrong, stop = [], threading.Event()
    last = 39 if isinstance(far, FakeHub) else 8  # the real one keeps each in git

    def read():
        while not stop.is_set():
            early, late = hub.get_prompt("a/b").version, hub.get_prompt("a/c").version
            if late < early:
                wrong.append((early, late))
            time.sleep(0.0002)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for one in threads:
        one.start()

    def both(version):
        far.release("a/b", f"B {version}", version)
        far.release("a/c", f"C {version}", version)

    for version in range(2, last + 1):
        far.batch(lambda version=version: both(version))
        time.sleep(0.005)
    until(lambda: hub.get_prompt("a/c").version == last)
    stop.set()
    for one in threads:
        one.join()
    hub.close(1)
    assert not wrong
    assert first.current.version == last


def test_16_a_revision_that_is_not_newer_is_dropped(connect, far):
    of, here = far.epoch, far.revision
    far.faults["stream"] = times(1, script(
        sse("hello", schema=1, epoch=of, revision=here), sse("commit", epoch=of, revision=here),
        put(far, "a/b", 5, "Older"), sse("commit", epoch=of, revision=here),
        put(far, "a/b", 6, "Older"), sse("commit", epoch=of, revision=here - 1),
        put(far, "a/c", 7, "Newer"), sse("commit", epoch=of, revision=here + 1),
    ))  # fmt: skip
    client = connect(timing=STEADY)  # the stream hangs with what it said
    client.until(lambda: client.version("a/c") == 7)
    assert client.version() == 1


def test_a_revision_damaged_on_the_way_does_not_end_the_following(far):
    """What the hub says next is older than that, and would be dropped for ever."""
    import sdk

    of, here = far.epoch, far.revision
    far.faults["stream"] = times(1, script(
        sse("hello", schema=1, epoch=of, revision=here), sse("commit", epoch=of, revision=here),
        put(far, "a/b", 2, "Two"), sse("commit", epoch=of, revision=here + 5000),
        put(far, "a/b", 3, "Three"), sse("commit", epoch=of, revision=here + 1),
    ))  # fmt: skip
    timing = QUICK._replace(silence=600)  # the stream lives: only a doubt ends it
    hub = sdk.Hub(far.url, KEY, snapshot=None, refresh=0.2, boot_wait=PATIENCE, timing=timing)
    assert hub.wait_ready(60)
    until(lambda: hub.status().revision == here + 5000)
    until(lambda: hub.status().revision < here + 5000)
    assert hub.get_prompt("a/b").version == 1, "what the hub itself has"
    hub.close(1)


def test_17_it_comes_back_with_its_place_and_gets_the_gap(live, far, wire):
    before = f"{far.epoch}:{far.revision}"
    wire.mood = "refuse"
    far.release("a/b", "Two", 2)
    far.release("a/new", "New", 1)
    time.sleep(0.1)
    assert live.version() == 1
    wire.mood = "pass"
    live.until(lambda: live.version() == 2)
    assert live.version("a/new") == 1
    live.state("live")
    sent = [headers["last-event-id"] for path, headers in far.requests if "stream" in path]
    assert sent[0] == sent[1] == before or far.asked["snapshot"] > 1
    paths = [path for path, _ in far.requests if "/stream" in path]
    assert f"since={before}" in paths[0]


def test_18_a_place_too_old_means_loading_everything(live, far, wire):
    wire.mood = "refuse"
    far.release("a/b", "Two", 2)
    far.remove("a/c")
    far.forget_log()
    wire.mood = "pass"
    live.until(lambda: live.version() == 2)
    with pytest.raises(Refused) as caught:
        live.get("a/c")
    assert caught.value.kind == "PromptNotFound"
    live.state("live")
    far.release("a/b", "Three", 3)
    live.until(lambda: live.version() == 3)


def test_19_another_epoch_replaces_everything(live, far, wire):
    before = live.status()["epoch"]
    wire.mood = "refuse"
    far.remove("a/c")
    far.release("a/b", "Restored", 2)
    far.new_epoch()
    wire.mood = "pass"
    live.until(lambda: live.version() == 2)
    live.until(lambda: live.status()["epoch"] == far.epoch)
    assert far.epoch != before
    assert live.status()["revision"] == far.revision  # of the fake hub a lower one
    with pytest.raises(Refused):
        live.get("a/c")
    live.state("live")
    far.release("a/b", "On", 3)
    live.until(lambda: live.version() == 3)


def test_20_back_to_an_earlier_version_fetches_nothing(live, far):
    far.inline = 0  # nothing comes along
    far.release("a/b", "Newer", 2)
    live.until(lambda: live.version() == 2)
    assert far.asked["objects"] == 1
    far.release("a/b", "One", 1)
    live.until(lambda: live.version() == 1)
    assert far.asked["objects"] == 1
    assert live.get("a/b")["messages"][0]["content"] == "One"


def test_21_what_is_taken_away_is_gone_and_comes_back(live, far):
    handle = live.handle("a/c")
    assert handle["version"] == 1
    far.remove("a/c")
    live.until(lambda: live.get("a/c", default="Mine")["source"] == "default")
    for ask in (live.get, live.handle):
        with pytest.raises(Refused, match="There is no prompt a/c") as caught:
            ask("a/c")
        assert caught.value.kind == "PromptNotFound"
    far.release("a/c", "Back", 2)
    live.until(lambda: live.get("a/c", default="Mine")["version"] == 2)
    assert live.handle("a/c")["version"] == 2
