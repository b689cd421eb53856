"""Long files first: with `--dist loadfile`, a long one that comes last leaves the other idle."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.browsing import browses

LOADED = {"server", "clinic", "filled", "running", "told", "models"}
"""Fixtures that start a hub or load a model."""

LONG = {"test_fleet", "test_engine_remote", "test_machine", "test_wheel", "test_sdk_for_builds"}
"""Files with few tests that take long for other reasons."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """By what is known beforehand: who needs a browser or a hub, and how many tests there are."""
    heavy: Counter[str] = Counter()
    for item in items:
        heavy[file_of(item)] += cost(item)
    items.sort(key=lambda item: (-heavy[file_of(item)], file_of(item)))


def cost(item: pytest.Item) -> int:
    if browses(item):
        return 100
    patience = item.get_closest_marker("timeout")
    if item.path.stem in LONG or (patience and patience.args[0] > 200):
        return 60
    return 10 if LOADED & set(getattr(item, "fixturenames", ())) else 2


def file_of(item: pytest.Item) -> str:
    return item.nodeid.split("::", 1)[0]
