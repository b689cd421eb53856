"""The first read and the first document, in every order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

import sdk
from sdk.prompt import Prompt
from tests.contract.fake_hub import KEY, FakeHub


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    hub = FakeHub()
    hub.release("a/b", "One")
    yield hub
    hub.stop()


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_a_document_that_lands_while_somebody_looks_is_looked_at_again(
    fake: FakeHub, monkeypatch: pytest.MonkeyPatch
):
    hub = sdk.Hub(fake.url, KEY, snapshot=None, boot_wait=60)
    shelf, feed, looks = hub.shelf, hub._finding._feed, []
    really = shelf.find

    def find(pin: str, name: str) -> Prompt | None:
        looks.append(name)
        found = really(pin, name)
        if len(looks) == 1:
            until(lambda: feed.confirmed)
        return found

    monkeypatch.setattr(shelf, "find", find)
    assert hub.get_prompt("a/b").version == 1
    assert len(looks) == 2
    hub.close()


def test_whoever_sees_that_the_document_is_there_finds_its_rows(fake: FakeHub):
    for _ in range(20):
        hub = sdk.Hub(fake.url, KEY, snapshot=None, boot_wait=60)
        hub._finding.begin()
        feed = hub._finding._feed
        while not feed.confirmed:
            pass
        assert hub.shelf.find("production", "a/b") is not None
        hub.close(timeout=0)
