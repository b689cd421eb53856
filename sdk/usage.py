"""What the program used, told to the hub once a minute: so that people see which version is live
where. Nothing depends on it; what fails is dropped."""

from __future__ import annotations

import threading
from json import dumps
from time import monotonic
from typing import Any

from sdk.notes import MOST_NAMES, Notes
from sdk.shelf import Shelf, Used
from sdk.states import Status
from sdk.table import SCHEMA
from sdk.wire import USER_AGENT, Who

MOST_PROMPTS = 2000
LARGEST = 262_144
MOST_DEFAULTS = 500


class Usage:
    """Gathers the counts of all prompts of a hub."""

    def __init__(self, who: Who, shelf: Shelf) -> None:
        self._who, self._shelf = who, shelf
        self._since = monotonic()
        self._gathering = threading.Lock()
        self._defaults: dict[tuple[str, str], Used] = {}

    def default(self, name: str, label: str) -> None:
        """The program's own text stood in."""
        used = self._defaults.get((label, name))
        if used is None:
            if len(self._defaults) >= MOST_DEFAULTS:
                return
            used = Used(name[:200], label[:36], 0, "default", Notes(()))
            used = self._defaults.setdefault((label, name), used)
        next(used.notes.reads)

    def report(self, status: Status) -> bytes:
        """What happened since the last report, as the hub wants it."""
        with self._gathering:
            now = monotonic()
            seconds, self._since = now - self._since, now
            prompts = self._prompts()
        body: dict[str, Any] = {
            "schema": SCHEMA, "app": self._who.app[:80] or "python",
            "environment": self._who.environment[:80], "sdk": USER_AGENT,
            "instance": self._who.instance, "state": status.state, "epoch": status.epoch,
            "revision": status.revision, "age": round(status.age, 3),
            "seconds": round(min(seconds, 86_400.0), 3), "prompts": prompts,
        }  # fmt: skip
        if not status.epoch:
            del body["epoch"], body["revision"]
        written = dumps(body).encode()
        while len(written) > LARGEST and prompts:
            del prompts[len(prompts) // 2 :]  # those used most come first
            written = dumps(body).encode()
        return written

    def _prompts(self) -> list[dict[str, Any]]:
        held = self._shelf.held()
        served = self._shelf.served()
        found: dict[tuple[str, str, int, str], dict[str, Any]] = {}
        kept: list[Used] = []
        with self._shelf.lock:
            used, self._shelf.used = self._shelf.used, []
        for one in [*used, *self._defaults.values()]:
            notes = one.notes
            reads, renders, errors = notes.since()
            is_served = id(notes) in served
            if one.source != "default" and (is_served or reads or renders):
                kept.append(one)
            by_handle = is_served and (one.label, one.name) in held
            if reads or renders or errors or by_handle:
                key = (one.name, one.label, one.version, one.source)
                _add(found, key, reads or renders, errors, notes.variables() if renders else [])
        with self._shelf.lock:
            self._shelf.used += kept
        most_used = sorted(found.values(), key=lambda one: -one["calls"])
        return most_used[:MOST_PROMPTS]


def _add(
    found: dict[tuple[str, str, int, str], dict[str, Any]], key: tuple[str, str, int, str],
    calls: int, errors: int, variables: list[str],
) -> None:  # fmt: skip
    name, label, version, source = key
    row = found.setdefault(
        key, {"name": name, "label": label, "version": version, "source": source,
              "calls": 0, "errors": 0}
    )  # fmt: skip
    row["calls"] += calls
    row["errors"] += errors
    if variables:
        known = dict.fromkeys((*row.get("variables", ()), *(one[:100] for one in variables)))
        row["variables"] = list(known)[:MOST_NAMES]
