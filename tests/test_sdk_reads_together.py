"""Reads from many threads, tasks, loops and hubs at once; the module's own hub."""

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import sdk
from tests.contract.running import beats
from tests.stand_in import KEY, StandIn
from tests.test_sdk_reads import connect, stand_in

__all__ = ["connect", "stand_in"]


def test_a_hundred_threads_ask_once(stand_in, connect):
    stand_in.slowly = 0.1
    hub = connect(refresh=60, boot_wait=60)
    gate = threading.Barrier(100)

    def read(name):
        gate.wait()
        try:
            return hub.get_prompt(name).version
        except sdk.PromptNotFound as error:
            return str(error)

    with ThreadPoolExecutor(100) as pool:
        assert set(pool.map(read, ["support/triage"] * 100)) == {7}
        sentences = set(pool.map(read, ["nobody/here"] * 100))
    assert len(sentences) == 1
    assert "no prompt nobody/here" in sentences.pop()
    assert stand_in.asked == {"support/triage": 1, "nobody/here": 1}


def test_a_hundred_tasks_ask_once(stand_in, connect):
    stand_in.slowly = 0.05
    hub = connect(refresh=60, boot_wait=60)

    async def main():
        prompts = await asyncio.gather(*[hub.aget_prompt("support/triage") for _ in range(100)])
        errors = await asyncio.gather(
            *[hub.aget_prompt("nobody/here") for _ in range(100)], return_exceptions=True
        )
        return {one.version for one in prompts}, {str(error) for error in errors}

    versions, errors = asyncio.run(main())
    assert versions == {7}
    assert len(errors) == 1
    assert stand_in.asked == {"support/triage": 1, "nobody/here": 1}


def test_two_event_loops_one_after_the_other(connect):
    hub = connect(boot_wait=60)
    assert asyncio.run(hub.aget_prompt("support/triage")).source == "hub"
    assert asyncio.run(hub.aget_prompt("support/triage")).version == 7
    assert asyncio.run(hub.aget_prompt("nobody/here", default="Hi")).text() == "Hi"


async def test_who_is_cancelled_takes_nothing_from_the_others(stand_in, connect):
    stand_in.held = threading.Event()
    hub = connect(refresh=60, boot_wait=60)
    first, second = (asyncio.create_task(hub.aget_prompt("support/triage")) for _ in range(2))
    while not stand_in.asked:
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait({first})
    stand_in.held.set()
    assert (await second).version == 7
    assert first.cancelled()
    assert stand_in.asked.total() == 1


async def test_an_event_loop_never_waits_for_the_hub(stand_in, connect):
    import httpx

    assert httpx  # its import, once in a program's life, is not what is measured
    stand_in.mood = "hang"

    async def read():
        hub = connect(boot_wait=1.2)
        with pytest.raises(sdk.PromptUnavailable):
            await hub.aget_prompt("support/triage")
        assert (await hub.aget_prompt("support/triage", default="x")).source == "default"
        hub.close()

    assert max(await beats(read, enough=600)) < 600  # blocked, one would be 1,200


def test_two_hubs_share_nothing(stand_in, connect):
    other = StandIn()
    other.put("support/triage", 1, "Of the other hub")
    try:
        assert connect(boot_wait=60).get_prompt("support/triage").version == 7
        assert connect(other.url, boot_wait=60).get_prompt("support/triage").version == 1
    finally:
        other.stop()


@pytest.fixture
def fresh_module(monkeypatch):
    before = sdk.use(None)
    for name in ("PROMPTHUB_URL", "PROMPTHUB_KEY"):
        monkeypatch.delenv(name, raising=False)
    yield monkeypatch
    sdk.close(5)
    sdk.use(before)


def test_the_module_reads_the_environment(fresh_module, stand_in):
    fresh_module.setenv("PROMPTHUB_URL", stand_in.url + "/")
    fresh_module.setenv("PROMPTHUB_KEY", KEY + "\n")
    assert sdk.get_prompt("support/triage").version == 7
    assert asyncio.run(sdk.aget_prompt("support/triage")).version == 7
    assert stand_in.headers[0]["authorization"] == f"Bearer {KEY}"


def test_configure_says_what_is_missing_and_replaces_the_hub(fresh_module, stand_in):
    with pytest.raises(sdk.PromptHubError, match="PROMPTHUB_URL"):
        sdk.get_prompt("support/triage")
    first = sdk.configure(stand_in.url, KEY, boot_wait=60)
    assert sdk.get_prompt("support/triage").version == 7
    second = sdk.configure(stand_in.url, KEY, boot_wait=60)
    assert first is not second
    assert first.feed.closed
    assert sdk.get_prompt("support/triage").source == "hub"


def test_threads_that_come_first_together_make_one_hub(fresh_module, stand_in):
    fresh_module.setenv("PROMPTHUB_URL", stand_in.url)
    gate = threading.Barrier(20)

    def read(_):
        gate.wait()
        return sdk.get_prompt("support/triage").version

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(read, range(20))) == {7}
    finally:
        sys.setswitchinterval(interval)
    assert stand_in.asked["support/triage"] <= 2  # one cold, perhaps one refresh
