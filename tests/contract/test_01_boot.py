"""1–5: how a program starts with a hub."""

import sys
import threading
import time
from pathlib import Path

import pytest

import sdk
from tests.contract.conftest import PATIENCE, Refused
from tests.contract.far import KEY
from tests.contract.faults import answer
from tests.contract.running import until

OTHER = "ph_another_key"
NO_WAIT = 5_000
"""Milliseconds: a busy machine takes them, whoever waits for what hangs takes longer."""


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def test_01_a_warm_read_makes_no_request_and_takes_no_lock(far):
    hub = sdk.Hub(far.url, KEY, snapshot=None, boot_wait=PATIENCE)
    hub.get_prompt("a/b")
    hub.wait_ready(60)
    asked = far.asked["snapshot"]
    calls: list[str] = []

    def watch(frame, event, what):
        if event == "c_call" and what.__name__ not in ("next", "setprofile"):
            calls.append(what.__name__)

    with hub.shelf.lock:  # a reader that wanted it would wait for ever
        sys.setprofile(watch)
        try:
            for _ in range(1000):
                hub.get_prompt("a/b")
        finally:
            sys.setprofile(None)
    assert calls == []
    assert far.asked["snapshot"] == asked
    hub.close(2)


def test_02_what_is_returned_cannot_be_changed(far):
    hub = sdk.Hub(far.url, KEY, snapshot=None, boot_wait=PATIENCE)
    prompt = hub.get_prompt("a/b")
    for change in (
        lambda: setattr(prompt, "version", 2), lambda: delattr(prompt, "name"),
        lambda: setattr(prompt, "other", 1),
    ):  # fmt: skip
        with pytest.raises(AttributeError):
            change()
    with pytest.raises(TypeError):
        prompt.messages[0]["content"] = "y"
    prompt.render()[0]["content"] = "y"
    assert hub.get_prompt("a/b").text() == "One"
    hub.close(2)


def test_03_two_clients_share_nothing_in_memory_or_on_disk(connect, far, tmp_path):
    other = far.another()
    other.release("a/b", "First")
    other.release("a/b", "Of the other hub", 2)
    far.keys.add(OTHER)
    try:
        kinds = [{}, {"key": OTHER}, {"labels": ["production", "staging"]}, {"url": other.url}]
        seen = [connect(snapshot=str(tmp_path), **one).version() for one in kinds]
        assert seen == [1, 1, 1, 2]
        until(lambda: len(files(tmp_path)) == 4)
        far.keys = {OTHER}
        far.stop()
        stranger = connect(snapshot=str(tmp_path), key="ph_a_third_key", boot_wait=0.1)
        with pytest.raises(Refused, match="not at hand"):
            stranger.get("a/b")
    finally:
        other.close()


@pytest.mark.parametrize("name", ["a/b", "no/such"])
def test_04_a_hundred_cold_readers_make_one_request(connect, far, name):
    slow = threading.Event()
    far.faults["snapshot"] = lambda _: slow.wait(0.2)
    client = connect(stream=False, refresh=60)
    found = client.many(name, count=100)
    assert set(found) == ({1} if name == "a/b" else {"PromptNotFound"})
    assert len(found) == 100
    assert far.asked["snapshot"] == 1


def test_04_the_error_is_shared_too(connect, far):
    far.faults["snapshot"] = lambda _: (time.sleep(0.2), answer(500)(_))[1]
    client = connect(boot_wait=0.6, timing={"first_retry": 30, "longest_retry": 60})
    assert set(client.many("a/b", count=100)) == {"PromptUnavailable"}
    assert far.asked["snapshot"] <= 4  # again and again within `boot_wait`, for all together


@pytest.mark.parametrize("mood", ["refuse", "hang", "pass"])
def test_05_making_a_client_takes_no_time(connect, wire, mood):
    wire.mood = mood
    assert connect(wire.url, boot_wait=0).made_in_ms < NO_WAIT


def test_05_nor_while_the_name_server_hangs(connect):
    assert connect("http://hub.name.that.hangs.invalid", boot_wait=0).made_in_ms < NO_WAIT
