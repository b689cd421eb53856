"""A program reads prompts: first reads, warm reads, wrong names, a hub that is not there."""

import logging
import sys
import threading
import time
import traceback

import pytest

import sdk
from sdk import given
from tests.stand_in import KEY, NONSENSE, StandIn, until

WAIT = 1.0  # where it is waited for in vain


@pytest.fixture
def stand_in():
    hub = StandIn()
    hub.put("support/triage", 7, "Sort this: {{ text }}")
    yield hub
    hub.stop()


@pytest.fixture
def connect(stand_in):
    made = []

    def connect(url=None, **more):
        more = {"refresh": 0.05, "boot_wait": 60} | more
        made.append(sdk.Hub(url or stand_in.url, KEY, **more))
        return made[-1]

    yield connect
    stand_in.stop()  # ends what hangs
    for hub in made:
        hub.close(5)


def test_the_first_read_asks_the_hub(connect):
    prompt = connect().get_prompt("support/triage")
    assert (prompt.name, prompt.version, prompt.source) == ("support/triage", 7, "hub")
    assert prompt.text(text="a fall") == "Sort this: a fall"
    assert (prompt.label, prompt.labels, prompt.hash) == ("production", ("production",), "h7")


def test_a_version_can_be_read_by_its_number(connect, stand_in):
    stand_in.put("support/triage", 8, "Newer")
    hub = connect()
    assert hub.get_prompt("support/triage", version=7).text(text="x") == "Sort this: x"
    assert hub.get_prompt("support/triage").text() == "Newer"


def test_a_warm_read_makes_no_request_and_takes_no_lock(connect, stand_in):
    hub = connect(refresh=60)
    hub.get_prompt("support/triage")
    before = stand_in.asked.total()
    held = hub.shelf.lock
    with held:  # a reader that wanted it would wait for ever
        for _ in range(1000):
            prompt = hub.get_prompt("support/triage")
    assert prompt.source == "cache"
    assert stand_in.asked.total() == before


def test_a_wrong_name_is_said_in_the_hubs_words(connect):
    with pytest.raises(sdk.PromptNotFound, match=r"There is no prompt support/triag here\. Look"):
        connect().get_prompt("support/triag")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("Support Triage", {}), ("../../healthz", {}), ("", {}), ("a//b", {}), ("a/b\n", {}),
        ("a?x=1", {}), ("x" * 5000, {}), ("é", {}), (None, {}), (7, {}), ("\ud800", {}),
        ("a/b", {"version": 0}), ("a/b", {"version": -1}), ("a/b", {"version": "7&x"}),
        ("a/b", {"label": ""}), ("a/b", {"label": "a b"}), ("a/b", {"label": None}),
        ("a/b", {"label": "pro\r\nduction"}),
    ],
)  # fmt: skip
def test_what_can_be_no_name_never_leaves_the_program(connect, stand_in, name, more):
    hub = connect()
    with pytest.raises(sdk.PromptNotFound, match="There is no "):
        hub.get_prompt(name, **more)
    assert hub.get_prompt(name, **more, default="Hi").text() == "Hi"
    assert stand_in.asked.total() == 0


def test_a_name_asked_in_a_loop_is_asked_once(connect, stand_in):
    hub = connect()
    for _ in range(50):
        with pytest.raises(sdk.PromptNotFound):
            hub.get_prompt("nobody/here")
    time.sleep(0.2)  # four refreshes: nor is it polled behind the program's back
    assert stand_in.asked["nobody/here"] == 1


def test_a_default_stands_in_for_a_missing_prompt(connect):
    hub = connect()
    assert hub.get_prompt("nobody/here", default="Hi {{ name }}").text(name="Bo") == "Hi Bo"
    own = sdk.Prompt.from_record(
        {"name": "own", "version": 3, "document": {"messages": []}}, "default"
    )
    assert hub.get_prompt("nobody/here", default=own) is own
    assert hub.get_prompt("nobody/here", default="").source == "default"


def test_a_default_that_is_a_function_is_called_only_when_needed(connect):
    called = []

    def make():
        called.append(1)
        return "made"

    hub = connect()
    assert hub.get_prompt("support/triage", default=make).version == 7
    assert not called
    assert hub.get_prompt("nobody/here", default=make).text() == "made"
    assert called == [1]


def test_nobody_listens(stand_in, connect):
    stand_in.stop()
    hub = connect(boot_wait=WAIT)
    with pytest.raises(sdk.PromptUnavailable, match=r"label production.*did not answer") as caught:
        hub.get_prompt("support/triage")
    assert "no default" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert "KeyError" not in shown  # whoever reads the log is told of the hub alone
    assert hub.get_prompt("support/triage", default="Hi").text() == "Hi"


def test_a_hub_that_hangs_holds_nobody_longer_than_boot_wait_in_all(stand_in, connect):
    stand_in.mood = "hang"
    hub = connect(refresh=30, boot_wait=WAIT)
    began = time.monotonic()
    for number in range(20):
        with pytest.raises(sdk.PromptUnavailable, match=f"within {WAIT:g} s"):
            hub.get_prompt(f"a/b{number}")
    assert WAIT * 0.9 < time.monotonic() - began < WAIT * 10  # each by itself would make it 20


def test_when_the_hub_comes_the_prompt_comes_by_itself(stand_in, connect):
    stand_in.stop()
    hub = connect(boot_wait=WAIT)
    assert hub.get_prompt("support/triage", default="x").source == "default"
    stand_in.start()
    until(lambda: hub.get_prompt("support/triage", default="x").version == 7)


@pytest.mark.parametrize("mood", NONSENSE)
def test_nonsense_at_the_first_read_is_no_prompt(stand_in, connect, mood):
    stand_in.mood = mood
    with pytest.raises(sdk.PromptUnavailable, match="is not at hand"):
        connect(boot_wait=WAIT).get_prompt("a/b")


def test_a_wrong_key_is_said(stand_in, connect):
    stand_in.mood = "wrong key"
    with pytest.raises(sdk.PromptUnavailable, match=r"401\. This key is not known here;"):
        connect().get_prompt("support/triage")


def test_every_prompt_is_told_why_not_only_the_first(stand_in, connect):
    stand_in.mood = "wrong key"
    hub = connect(refresh=30)
    for name in ("a/b", "a/c", "a/d"):
        with pytest.raises(sdk.PromptUnavailable, match="401"):
            hub.get_prompt(name)


def test_a_closed_hub_still_serves_what_it_has(stand_in, connect):
    others = set(threading.enumerate())  # of what ran before and is still coming to its end
    hub = connect()
    hub.get_prompt("support/triage")

    def ours():
        return [one for one in threading.enumerate() if "prompthub" in one.name and (
            one not in others)]  # fmt: skip

    assert ours()
    hub.close(5)
    assert hub.get_prompt("support/triage").version == 7
    with pytest.raises(sdk.PromptUnavailable, match="closed"):
        hub.get_prompt("other/one")
    until(lambda: not ours())
    asked = stand_in.asked.total()
    time.sleep(0.15)
    assert stand_in.asked.total() == asked


def test_closing_is_bounded_while_the_hub_hangs(stand_in, connect):
    stand_in.mood = "hang"
    hub = connect(boot_wait=WAIT)
    hub.get_prompt("support/triage", default="x")
    began = time.monotonic()
    hub.close(0.2)
    assert time.monotonic() - began < 30  # the stand-in hangs for ninety seconds


def test_the_key_is_sent_as_a_header_and_shown_nowhere(stand_in, connect, caplog):
    caplog.set_level(logging.DEBUG)
    hub = connect()
    hub.get_prompt("support/triage")
    stand_in.mood = "wrong key"
    with pytest.raises(sdk.PromptUnavailable) as caught:
        hub.get_prompt("other/one")
    assert stand_in.headers[0]["authorization"] == f"Bearer {KEY}"
    seen = [repr(hub), repr(hub.__dict__), str(caught.value), caplog.text, *stand_in.paths]
    seen += [repr(one) for one in vars(hub.keeper).values() if not isinstance(one, str)]
    assert not any(KEY in one for one in seen)
    # Looking for new versions each few seconds does not fill the program's own log.
    assert "httpx" not in {r.name for r in caplog.records if r.levelno >= logging.INFO}


@pytest.mark.parametrize(
    "address",
    ["", "prompts.example.org", "ftp://x", "http://", f"https://{KEY}@hub", f"https://h?key={KEY}"],
)
def test_an_address_that_cannot_be_meant(address):
    with pytest.raises(sdk.PromptHubError) as caught:
        sdk.Hub(address)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("started_as", "called"),
    [("/srv/app/worker.py", "worker.py"), ("-c", "python"), ("-m", "python"), ("", "python")],
)
def test_a_program_without_a_name_is_called_after_its_file(
    monkeypatch: pytest.MonkeyPatch, started_as: str, called: str
):
    monkeypatch.setattr(sys, "argv", [started_as])
    assert given.caller("http://127.0.0.1", ("production",), None, "", "").app == called
    assert given.caller("http://127.0.0.1", ("production",), None, "desk", "").app == "desk"
