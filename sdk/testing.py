"""Prompts for tests: from a dictionary, without a hub, a network or a thread.

    from sdk.testing import serving

    def test_triage():
        with serving({"support/triage": "Sort this ticket: {{ text }}"}):
            assert my_program.triage("a fall") == …

With pytest, put `pytest_plugins = ["sdk.pytest_plugin"]` into the top `conftest.py` and take the
fixture `prompts`. What is served goes the same way as in production: the same errors, the same
rendering, the same handles and listeners.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from json import dumps
from typing import Any

import sdk
from sdk.client import Hub
from sdk.flow import Failed, Gone
from sdk.keeper import Key
from sdk.prompt import Prompt
from sdk.states import Event, State
from sdk.table import Pointer, Share, Table, prompt_of

Text = str | Mapping[str, Any]
"""One user message, or a whole document (`{"messages": […], "variables": […], …}`)."""


class FakeHub(Hub):
    """A hub that holds what a test gives it; everything is live at once.

    >>> hub = FakeHub({"support/triage": "Sort: {{ text }}"})
    >>> hub.get_prompt("support/triage").text(text="a fall")
    'Sort: a fall'
    >>> hub.release("support/triage", "Sort well: {{ text }}").version
    2
    """

    def __init__(
        self,
        prompts: Mapping[str, Text] | None = None,
        *,
        labels: tuple[str, ...] = ("production",),
    ) -> None:
        super().__init__("http://testing.invalid", snapshot=None, telemetry=False, labels=labels,
                         stream=False, app="tests")  # fmt: skip
        self._finding.stay_offline(self._one_by_one)
        self.feed.confirmed, self.feed.state = True, "live"
        self._versions: dict[str, dict[int, Pointer]] = {}
        self._objects: dict[str, str] = {}
        self._labels = labels
        for name, text in (prompts or {}).items():
            for label in labels:
                self.release(name, text, version=1, label=label)

    def release(
        self, name: str, text: Text, *, version: int | None = None, label: str = "production"
    ) -> Prompt:
        """Point `label` at a version with this text; without a number, at the next one."""
        known = self._versions.setdefault(name, {})
        number = version or max(known, default=0) + 1
        known[number] = self._pointer(name, text, number, label)
        self._serve({(label, name): known[number]})
        return self.get_prompt(name, label)

    def split(self, name: str, parts: Mapping[int, int], *, label: str = "production") -> None:
        """A gradual release: buckets of 10,000 by version, as `{8: 1000, 7: 9000}`."""
        known = self._versions[name]
        shares = tuple(
            Share(number, known[number].hash, known[number].commit, known[number].object, share)
            for number, share in parts.items()
        )
        main = known[max(parts, key=lambda number: parts[number])]
        self._serve({(label, name): main._replace(label=label, split=shares)})

    def remove(self, name: str, *, label: str = "production") -> None:
        """Take the label off."""
        self._serve({(label, name): None})

    def fall_silent(self, state: State = "stale") -> None:
        """As if the hub had not answered for a long time."""
        self.feed.state, self.feed.life.stale = state, True
        self._tell(Event("state", state, ()))

    def _pointer(self, name: str, text: Text, version: int, label: str) -> Pointer:
        document: Mapping[str, Any] = text if isinstance(text, Mapping) else {
            "template": "jinja", "messages": [{"role": "user", "content": text}],
        }  # fmt: skip
        content = dumps({"document": dict(document), "snippets": {}})
        digest = sha256(content.encode()).hexdigest()
        self._objects[digest] = content
        return Pointer(label, name, f"test_{name.replace('/', '_')}", version, digest, "", digest)

    def _serve(self, changes: Mapping[tuple[str, str], Pointer | None]) -> None:
        pointers = {**self.shelf.table.pointers, **changes}
        kept = {place: one for place, one in pointers.items() if one is not None}
        table = Table("tests", self.feed.table.revision + 1, kept, self._objects)
        self.feed.table = table
        self.shelf.take(table, self._labels, "stream", self.feed.life)
        self._finding.heard()
        self._tell(Event("changed", self.feed.state, tuple(changes)))

    def _one_by_one(self, key: Key) -> Gone | Failed | Prompt:
        """A version by its number; another label has nothing."""
        pin, name = key
        pointer = self._versions.get(name, {}).get(pin) if isinstance(pin, int) else None
        if pointer is None:
            which = f"version {pin}" if isinstance(pin, int) else f"label {pin}"
            return Gone(f"There is no prompt {name} with the {which} in this test.")
        return prompt_of(self.feed.table, pointer, "hub")


@contextmanager
def serving(prompts: Mapping[str, Text] | None = None) -> Generator[FakeHub]:
    """Have `sdk.get_prompt` and its kin read from these prompts; puts back what was there."""
    hub = FakeHub(prompts)
    before = sdk.use(hub)
    try:
        yield hub
    finally:
        sdk.use(before)
        hub.close()
