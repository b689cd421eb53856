"""Versions and labels that Langfuse's clients make, through the gate that everybody meets."""

from __future__ import annotations

from dataclasses import dataclass

from hub.db import Database
from hub.errors import Conflict, Forbidden, HubError
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry import catalog, labels, names, versions
from hub.registry.aside import aside
from hub.registry.asks import BaseMoved
from hub.registry.publish import Publisher
from hub.registry.record import VersionView
from hub.sync.foreign.langfuse_shape import CreatePrompt, document_of

TRIES = 3
"""How often a version is made on top of what somebody else saved meanwhile."""


@dataclass(frozen=True)
class Desk:
    """Where somebody writes."""

    publisher: Publisher
    database: Database
    workspace: WorkspaceRef
    actor: Actor

    async def create(self, given: CreatePrompt, size: int) -> VersionView:
        """A new version, and its labels; `size`: bytes of the request.

        Raises:
            NeedsReview: the rules of the workspace ask for a proposal, or for approvals.
            Forbidden, Conflict: also when it was saved and a label could not be moved.
        """
        names.check_name(given.name)
        wanted = self._wanted(given.labels or [])
        saved = await self._save(given, size)
        try:
            await self._move(saved.name, saved.version, wanted, given.commit_message or "")
        except HubError as refused:
            said = f"Version {saved.version} was saved, but no label was moved: {refused.sentence}"
            raise (Forbidden if isinstance(refused, Forbidden) else Conflict)(said) from None
        return await self._view(saved.name, saved.version)

    async def label(self, name: str, number: int, wanted: list[str]) -> VersionView:
        """Put labels on a version, all or none; it keeps those that it has."""
        await self._move(name, number, self._wanted(wanted), "")
        return await self._view(name, number)

    async def _save(self, given: CreatePrompt, size: int) -> versions.Saved:
        """On top of the newest version, whichever that is: Langfuse's versions know no base."""
        tries = 0
        while True:
            now = await self._newest(given.name)
            before = now.document if now else None
            document = await aside(size, lambda before=before: document_of(given, before))
            try:
                return await versions.save(
                    self.publisher, self.workspace, given.name, document,
                    base=now.hash if now else None, actor=self.actor,
                    message=given.commit_message or "",
                )  # fmt: skip
            except BaseMoved:
                tries += 1
                if tries == TRIES:
                    raise

    def _wanted(self, wanted: list[str]) -> list[str]:
        for label in wanted:
            names.check_label(label)
        if wanted:
            require(self.actor, Need.RELEASE, self.workspace.id)
        return list(dict.fromkeys(wanted))

    async def _move(self, name: str, version: int, wanted: list[str], why: str) -> None:
        if wanted:
            moves = [labels.Move(label, name, version) for label in wanted]
            await labels.move_many(
                self.publisher, self.workspace, moves, actor=self.actor, reason=why
            )

    async def _newest(self, name: str) -> VersionView | None:
        try:
            return await self._view(name)
        except catalog.NoSuchPrompt:
            return None

    async def _view(self, name: str, number: int | None = None) -> VersionView:
        async with self.database.read() as db:
            return await catalog.version(db, self.workspace.id, name, number)
