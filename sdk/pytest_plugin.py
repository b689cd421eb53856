"""The fixture `prompts`: `pytest_plugins = ["sdk.pytest_plugin"]` in the top `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sdk.testing import FakeHub, serving


@pytest.fixture
def prompts() -> Iterator[FakeHub]:
    """A hub that holds nothing yet: `prompts.release("support/triage", "Sort: {{ text }}")`."""
    with serving() as hub:
        yield hub
