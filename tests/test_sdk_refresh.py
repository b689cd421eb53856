"""A program that runs on: new releases reach it, and nothing that happens to the hub does."""

import json
import os
import threading
import time

import pytest

import sdk
from sdk import asking
from sdk import keeper as keeping
from sdk.prompt import Prompt
from tests.stand_in import KEY, NONSENSE, StandIn, record, until


@pytest.fixture
def stand_in():
    hub = StandIn()
    hub.put("a/b", 1, "One")
    hub.put("a/c", 1, "Two")
    yield hub
    hub.stop()


@pytest.fixture
def hub(stand_in):
    hub = sdk.Hub(stand_in.url, KEY, refresh=0.03, boot_wait=60)
    yield hub
    stand_in.stop()
    hub.close(5)


def rounds(stand_in, count=3):
    """Wait for that many more answers."""
    goal = len(stand_in.statuses) + count
    until(lambda: len(stand_in.statuses) >= goal)


def test_a_release_reaches_a_running_program(stand_in, hub):
    assert hub.get_prompt("a/b").text() == "One"
    stand_in.put("a/b", 2, "Newer")
    until(lambda: hub.get_prompt("a/b").text() == "Newer")
    assert hub.get_prompt("a/b").source == "cache"
    stand_in.prompts["production", "a/b"] = stand_in.prompts["1", "a/b"]  # rolled back
    until(lambda: hub.get_prompt("a/b").text() == "One")


def test_what_did_not_change_is_not_sent_again(stand_in, hub):
    prompt = hub.get_prompt("a/b")
    kept = hub.get_prompt("a/b")
    assert prompt.version == kept.version
    rounds(stand_in, 4)
    assert stand_in.statuses.count(200) == 1
    assert set(stand_in.statuses[1:]) == {304}
    assert stand_in.headers[-1]["if-none-match"] == '"h1"'
    assert hub.get_prompt("a/b") is kept


def test_a_version_never_changes_and_is_never_asked_for_again(stand_in, hub):
    hub.get_prompt("a/b", version=1)
    hub.get_prompt("a/c")
    asked = stand_in.asked["a/b"]
    rounds(stand_in, 4)
    assert stand_in.asked["a/b"] == asked


@pytest.mark.parametrize("mood", [*NONSENSE, "hang"])
def test_nothing_but_the_hubs_word_takes_a_prompt_away(stand_in, hub, mood):
    hub.get_prompt("a/b")
    asked = stand_in.asked["a/b"]
    stand_in.mood = mood
    until(lambda: stand_in.asked["a/b"] >= asked + (1 if mood == "hang" else 3))
    assert hub.get_prompt("a/b").text() == "One"


def test_nor_does_a_hub_that_goes_away_and_the_prompt_says_that_it_is_old(stand_in, hub):
    hub.get_prompt("a/b")
    pinned = hub.get_prompt("a/b", version=1)
    stand_in.stop()
    until(lambda: hub.get_prompt("a/b").source == "stale")
    assert hub.get_prompt("a/b").text() == "One"
    assert pinned.source == "hub"
    assert hub.get_prompt("a/b", version=1).source == "cache"
    stand_in.put("a/b", 2, "Newer")
    stand_in.start()
    until(lambda: hub.get_prompt("a/b").text() == "Newer")
    assert hub.get_prompt("a/b").source == "cache"


def test_an_answer_of_another_version_than_asked_is_refused(stand_in, hub):
    stand_in.prompts["5", "a/b"] = record("a/b", 6)
    with pytest.raises(sdk.PromptUnavailable, match="version 6 when asked for 5"):
        hub.get_prompt("a/b", version=5)


def test_a_deleted_prompt_is_gone_and_comes_back(stand_in, hub, monkeypatch):
    monkeypatch.setattr(keeping, "MISS_KNOWN_S", 0.05)
    hub.get_prompt("a/b")
    kept = stand_in.prompts.pop(("production", "a/b"))
    until(lambda: hub.get_prompt("a/b", default="Mine").text() == "Mine")
    with pytest.raises(sdk.PromptNotFound, match="no prompt a/b here"):
        hub.get_prompt("a/b")
    stand_in.prompts["production", "a/b"] = kept
    until(lambda: hub.get_prompt("a/b", default="Mine").text() == "One")


def test_a_miss_that_was_long_ago_waits_for_a_new_answer(stand_in, hub, monkeypatch):
    monkeypatch.setattr(keeping, "MISS_KNOWN_S", 0.0)
    monkeypatch.setattr(keeping, "MISS_SERVED_S", 0.0)
    with pytest.raises(sdk.PromptNotFound):
        hub.get_prompt("a/new")
    stand_in.put("a/new", 1, "New")
    assert hub.get_prompt("a/new").text() == "New"


def test_one_prompt_that_hangs_does_not_stop_the_others(stand_in, hub):
    hub.get_prompt("a/b")
    hub.get_prompt("a/c")
    asked = stand_in.asked["a/b"]
    stand_in.moods["a/b"] = "hang"
    until(lambda: stand_in.asked["a/b"] > asked)
    for number in range(2, 5):
        stand_in.put("a/c", number, f"Text {number}")
        until(lambda number=number: hub.get_prompt("a/c").version == number)
    assert hub.get_prompt("a/b").text() == "One"
    assert hub.get_prompt("a/c").source == "cache"
    assert hub.get_prompt("a/d", default="x").source == "default"


def test_a_new_prompt_in_a_language_too_new_keeps_the_old_one(stand_in, hub):
    hub.get_prompt("a/b")
    stand_in.put("a/b", 2, "{% macro x() %}{% endmacro %}")
    rounds(stand_in, 3)
    assert hub.get_prompt("a/b").version == 1
    stand_in.put("a/b", 3, "Three")
    until(lambda: hub.get_prompt("a/b").version == 3)


def test_an_outage_is_not_hammered(stand_in):
    for number in range(20):
        stand_in.put(f"p/{number}", 1, "x")
    hub = sdk.Hub(stand_in.url, KEY, refresh=0.05, boot_wait=60)
    try:
        for number in range(20):
            hub.get_prompt(f"p/{number}")
        stand_in.mood = "away"
        until(lambda: hub.get_prompt("p/1").source == "stale")
        before, began = stand_in.asked.total(), time.monotonic()
        while time.monotonic() < began + 0.5:
            hub.get_prompt("p/1")
        # 200 requests if nothing held back; a few prompts ask for all, ever more rarely.
        took = time.monotonic() - began
        assert stand_in.asked.total() - before <= 8 * 5 * took / 0.5
        stand_in.mood = "well"
        until(lambda: all(hub.get_prompt(f"p/{n}").source == "cache" for n in range(20)))
    finally:
        hub.close(5)


def test_retry_after_is_obeyed(stand_in, hub, monkeypatch):
    reading = asking.reading

    def busy(reply, pin, name):
        said = reading(reply, pin, name)
        return said._replace(wait=0.4) if isinstance(said, sdk.flow.Failed) else said

    monkeypatch.setattr(asking, "reading", busy)
    hub.get_prompt("a/b")
    stand_in.mood = "away"
    asked = stand_in.asked.total()
    until(lambda: stand_in.asked.total() > asked)
    asked, began = stand_in.asked.total(), time.monotonic()
    time.sleep(0.25)
    assert stand_in.asked.total() - asked <= 1 + (time.monotonic() - began) / 0.4


def test_readers_see_whole_prompts_while_releases_rain(stand_in, hub):
    stand_in.put("a/b", 1, "v1 v1 v1")
    seen, wrong, stop = set(), [], threading.Event()

    def read():
        while not stop.is_set():
            prompt = hub.get_prompt("a/b")
            seen.add(prompt.version)
            if prompt.text() != " ".join([f"v{prompt.version}"] * 3):
                wrong.append(prompt)

    until(lambda: hub.get_prompt("a/b").text() == "v1 v1 v1")
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(2, 6):
        stand_in.put("a/b", number, " ".join([f"v{number}"] * 3))
        until(lambda number=number: number in seen)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_names_made_up_by_users_do_not_fill_the_memory(hub, monkeypatch):
    monkeypatch.setattr(keeping, "MOST_MISSES", 5)
    for number in range(12):
        hub.get_prompt(f"no/{number}", default="x")
    assert len(hub.keeper._misses) <= 5


def test_a_worker_survives_an_answer_nobody_foresaw(stand_in, hub, monkeypatch):
    def explode(record, source="hub"):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Prompt, "owning", explode)
        with pytest.raises(sdk.PromptUnavailable, match="MemoryError"):
            hub.get_prompt("a/b")
    until(lambda: hub.get_prompt("a/b", default="x").text() == "One")


def in_a_child(work):
    """Run `work` in a forked child; returns what it returned, as JSON."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(writer, json.dumps(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0
    return json.loads(said)


def wait_in_child(true):
    ends = time.monotonic() + 60
    while not true() and time.monotonic() < ends:
        time.sleep(0.01)
    return bool(true())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_is_kept_fresh_and_its_parent_unharmed(stand_in, hub, tmp_path):
    hub.get_prompt("a/b")
    has_read = tmp_path / "has read"

    def child():
        first = hub.get_prompt("a/b").version
        has_read.touch()
        return [first, wait_in_child(lambda: hub.get_prompt("a/b").version == 2)]

    def release():
        until(has_read.exists)
        stand_in.put("a/b", 2, "Newer")

    releasing = threading.Thread(target=release)
    releasing.start()
    with hub.shelf.lock:  # held at the fork, as it may be
        assert in_a_child(child) == [1, True]
    releasing.join()
    until(lambda: hub.get_prompt("a/b").version == 2)
    stand_in.put("a/b", 3, "Newest")
    until(lambda: hub.get_prompt("a/b").version == 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_forked_before_the_first_read_reads_for_itself(stand_in, hub):
    def child():
        with_default = hub.get_prompt("no/one", default="x").source
        grandchild = in_a_child(lambda: hub.get_prompt("a/c").text())
        return [hub.get_prompt("a/b").version, with_default, grandchild]

    assert in_a_child(child) == [1, "default", "Two"]
    assert hub.get_prompt("a/b").version == 1
