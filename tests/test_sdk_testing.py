"""A program's own tests: prompts from a dictionary, no hub."""

import asyncio
import socket
import threading

import pytest

import sdk
from sdk.testing import FakeHub, serving

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(one, *_):
        one.close()  # nobody else would: it is no failure that callers know
        raise AssertionError("a test went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = {one for one in threading.enumerate() if "prompthub" in one.name}
    yield
    assert {one for one in threading.enumerate() if "prompthub" in one.name} <= before


def test_the_module_reads_from_the_dictionary_and_then_as_before():
    before = sdk.use(None)
    try:
        with serving({"support/triage": "Sort: {{ text }}"}) as hub:
            assert sdk.get_prompt("support/triage").text(text="x") == "Sort: x"
            assert asyncio.run(sdk.aget_prompt("support/triage")).version == 1
            with serving({"care/note": "Inner"}):
                assert sdk.get_prompt("care/note").text() == "Inner"
            assert sdk.get_prompt("support/triage") is hub.get_prompt("support/triage")
        with pytest.raises(sdk.PromptHubError, match="PROMPTHUB_URL"):
            sdk.get_prompt("support/triage")
    finally:
        sdk.use(before)


def test_releases_rollbacks_versions_and_labels():
    hub = FakeHub({"a/b": "One"}, labels=("production", "staging"))
    handle, told = hub.prompt("a/b"), []
    hub.subscribe(told.append)
    assert handle.current.version == 1
    assert hub.release("a/b", {"messages": [{"role": "system", "content": "Two"}]}).version == 2
    assert handle.current.render() == [{"role": "system", "content": "Two"}]
    assert hub.get_prompt("a/b", "staging").version == 1
    assert hub.get_prompt("a/b", version=1).text() == "One"
    hub.split("a/b", {2: 5000, 1: 5000})
    assert {hub.get_prompt("a/b", key=f"u{n}").version for n in range(50)} == {1, 2}
    hub.remove("a/b")
    with pytest.raises(sdk.PromptNotFound):
        hub.get_prompt("a/b")
    with pytest.raises(sdk.PromptNotFound, match="label nightly"):
        hub.get_prompt("a/b", "nightly")
    with pytest.raises(sdk.PromptNotFound, match="version 9"):
        hub.get_prompt("a/b", version=9)
    assert hub.get_prompt("a/b", default="Mine").text() == "Mine"
    hub.feed.listeners.finish(5)
    assert [one.kind for one in told] == ["changed"] * 3


def test_a_silent_hub_and_a_wrong_name():
    hub = FakeHub({"support/triage": "x"})
    prompt = hub.get_prompt("support/triage")
    assert not prompt.stale
    hub.fall_silent()
    assert prompt.stale
    assert hub.status().state == "stale"
    with pytest.raises(sdk.PromptNotFound, match="Did you mean support/triage"):
        hub.get_prompt("support/triag")


def test_the_fixture(pytester):
    pytester.makeconftest('pytest_plugins = ["sdk.pytest_plugin"]')
    pytester.makepyfile(
        "import sdk\n"
        "def test_it(prompts):\n"
        "    prompts.release('support/triage', 'Sort: {{ text }}')\n"
        "    assert sdk.get_prompt('support/triage').text(text='x') == 'Sort: x'\n"
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
