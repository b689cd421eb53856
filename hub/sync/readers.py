"""What other tools' clients read: they report nothing, so the doors they come by note it down.

A key's reads through one tool count as one program, since nobody can tell how many are behind it.
Its name on the pages is the tool's, its environment the key's name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from hub import web
from hub.people.keys import KeyGrant
from hub.people.policy import Actor, WorkspaceRef
from hub.registry.reading.record import VersionView
from hub.sync.usage import MOST_VARIABLES, Inbox, Report, Use

EVERY = 2.0
"""Seconds between two looks at what was read."""
MOST = 5_000
"""Versions under labels that may wait to be written; others are not counted."""
SHORTEST, LONGEST = 60.0, 86_400.0
"""Seconds that a count is of: who asks once has not asked thirty times a minute."""


class _Reader(msgspec.Struct, frozen=True):
    workspace: WorkspaceRef
    key_id: str
    key_name: str
    tool: str

    @property
    def instance(self) -> str:
        return f"{self.tool.split()[0].lower()}.{self.key_id}"


_What = tuple[str, str, int]
"""A prompt's name, the label it was asked by, the version."""


class Readers:
    """One per process."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._counts: dict[_Reader, dict[_What, int]] = {}
        self._passed: dict[tuple[_Reader, _What], set[str]] = {}
        self._waiting = 0
        self._told: dict[_Reader, float] = {}
        self._come = asyncio.Event()

    def note(
        self, tool: str, actor: Actor, workspace: WorkspaceRef, view: VersionView,
        variables: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        """`tool`: as people call it, "Langfuse client"; `variables`: those a program passed, if
        they are its own and not a person's at a keyboard."""
        if actor.key_id is None:
            return
        name = actor.name.removeprefix("key ")[:80]
        reader = _Reader(workspace, actor.key_id, name, tool)
        what = (view.name, view.label or "", view.number)
        counts = self._counts.setdefault(reader, {})
        if what not in counts:
            if self._waiting >= MOST:
                return
            self._waiting += 1
        counts[what] = counts.get(what, 0) + 1
        if variables is not None:
            self._passed.setdefault((reader, what), set()).update(variables)
        self._come.set()

    async def run(self) -> None:
        """Hand on what came; until cancelled."""
        while True:
            await self._come.wait()
            await asyncio.sleep(EVERY)
            self.hand_on()

    def hand_on(self) -> None:
        """Make reports of it."""
        self._come.clear()
        at, counts, passed = time.monotonic(), self._counts, self._passed
        self._counts, self._passed, self._waiting = {}, {}, 0
        for reader, found in counts.items():
            seconds = min(max(at - self._told.get(reader, at), SHORTEST), LONGEST)
            self._told[reader] = at
            uses = [
                Use(
                    name=name, label=label, version=version, source="hub", calls=calls,
                    variables=_known(passed.get((reader, (name, label, version)))),
                )
                for (name, label, version), calls in found.items()
            ]  # fmt: skip
            report = Report(
                app=reader.tool, instance=reader.instance, environment=reader.key_name,
                state="asks", seconds=seconds, prompts=uses,
            )  # fmt: skip
            grant = KeyGrant(
                key_id=reader.key_id, name=reader.key_name, scope="read",
                workspace=reader.workspace,
            )  # fmt: skip
            self._inbox.put(grant, report)
        self._told = {one: told for one, told in self._told.items() if at - told < LONGEST}


def readers_of(request: web.Ask) -> Readers:
    """Those of this process."""
    return cast("Any", request.app.state).carrier.readers


def _known(passed: set[str] | None) -> list[str] | None:
    return None if passed is None else sorted(passed)[:MOST_VARIABLES]
