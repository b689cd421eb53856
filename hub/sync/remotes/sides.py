"""Both sides of a link as one round sees them, and how a round can end early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from hub.errors import HubError
from hub.people.policy import WorkspaceRef
from hub.registry.git.git_terms import MAIN
from hub.registry.git.repository import Repository
from hub.registry.writing.publish import Publisher
from hub.sync.remotes.models import Remote
from hub.sync.remotes.wire import Heads, Wire


class State(msgspec.Struct):
    """What a round reads of the row and may change."""

    main: str
    deploy: str
    takes_releases: bool
    mirror: bool
    agreed: dict[str, str]
    waiting: dict[str, Any] | None
    stopped: dict[str, Any] | None
    chosen: dict[str, Any] | None
    answers: list[int] = []
    """Accounts of those who linked it."""
    note: str = ""
    one_way: bool = False
    held: bool = False
    """Whether releases wait for a person."""
    even: str = ""
    """A tip over there that holds ours, and nothing that main has not."""
    ahead: int = 0
    behind: int = 0


def last_seen(state: State) -> Heads:
    """How it stood over there when it was last looked at, until it answers again."""
    for known in (state.stopped, state.waiting, {"tip": state.agreed.get("main")}):
        if known and known.get("tip"):
            return Heads({state.main: str(known["tip"])}, "")
    return Heads({}, "")


class Stop(Exception):
    """A person must choose; `facts` say what about."""

    def __init__(self, why: str, **facts: Any) -> None:
        super().__init__(why)
        self.facts: dict[str, Any] = {"why": why} | facts


class Unlinked(HubError):
    """A round ends here, and nobody need hear of it."""


class Again(Exception):
    """Something moved meanwhile: look anew."""


@dataclass
class Sides:
    """What a round works with."""

    publisher: Publisher
    workspace: WorkspaceRef
    repository: Repository
    wire: Wire
    name: str
    """Of the other side."""
    state: State
    link: tuple[str, datetime]
    """Address and moment of the link that it works for."""
    heads: Heads = field(default_factory=lambda: Heads({}, ""))

    @property
    def ours(self) -> str | None:
        """Where main is here."""
        return self.repository.tip(MAIN)

    async def push(
        self, moves: Mapping[str, tuple[str | None, str | None]], *, force: bool = False,
        atomic: bool = True,
    ) -> None:  # fmt: skip
        """Move branches over there, if it still is to be.

        Raises:
            Trouble: nothing moved.
        """
        await self.check_linked()
        await self.wire.push(self.repository, moves, force=force, atomic=atomic)

    async def check_linked(self) -> None:
        """A round takes its time: what was saved after somebody unlinked it is not its business.

        Raises:
            Unlinked: it is nobody's any more.
        """
        async with self.publisher.database.read() as db:
            row = await db.get(Remote, self.workspace.id)
        if row is None or (row.url, row.created_at) != self.link:
            raise Unlinked("It was unlinked meanwhile.")

    def sent(self, tips: dict[str, str]) -> None:
        """These branches are there now."""
        self.heads = Heads(dict(self.heads.tips) | tips, self.heads.default)
