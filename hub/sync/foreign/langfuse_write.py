"""Versions and labels that Langfuse's clients make, through the gate that everybody meets."""

from __future__ import annotations

from dataclasses import dataclass

from hub.db import Database
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.prompt import names
from hub.registry.prompt.document import Document
from hub.registry.reading import catalog
from hub.registry.reading.aside import aside
from hub.registry.reading.record import LATEST, VersionView
from hub.registry.writing.asks import BaseMoved
from hub.registry.writing.publish import Publisher
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
        """A new version with its labels, in one step; `size`: bytes of the request.

        Raises:
            NeedsReview: the rules of the workspace ask for a proposal, or for approvals.
            BreaksPrograms: a label would move to what running programs cannot fill in.
        """
        names.check_name(given.name)
        # A new version is the latest whether one says so or not, as it is with Langfuse.
        labels = [label for label in given.labels or [] if label != LATEST]
        saved = await self._save(given, self._wanted(labels), size)
        return await self._view(saved.name, saved.version)

    async def label(self, name: str, number: int, wanted: list[str]) -> VersionView:
        """Put labels on a version, all or none; it keeps those that it has."""
        if wanted := self._wanted(wanted):
            moves = [labels.Move(label, name, number) for label in wanted]
            await labels.move_many(
                self.publisher, self.workspace, moves, actor=self.actor, reason=""
            )
        return await self._view(name, number)

    async def _save(self, given: CreatePrompt, wanted: list[str], size: int) -> versions.Saved:
        """On top of the newest version, whichever that is: Langfuse's versions know no base."""
        tries = 0
        while True:
            now = await self._newest(given.name)
            before = now.document if now else None
            document = await aside(size, lambda before=before: document_of(given, before))
            try:
                return await self._put(
                    given.name, document, now.hash if now else None, wanted,
                    given.commit_message or "",
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

    async def _put(
        self, name: str, document: Document, base: str | None, wanted: list[str], why: str
    ) -> versions.Saved:
        if not wanted:
            return await versions.save(
                self.publisher, self.workspace, name, document, base=base, actor=self.actor,
                message=why,
            )  # fmt: skip
        return await versions.save_and_release(
            self.publisher, self.workspace, name, document, base=base, labels=wanted,
            actor=self.actor, message=why,
        )  # fmt: skip

    async def _newest(self, name: str) -> VersionView | None:
        try:
            return await self._view(name)
        except catalog.NoSuchPrompt:
            return None

    async def _view(self, name: str, number: int | None = None) -> VersionView:
        async with self.database.read() as db:
            return await catalog.version(db, self.workspace.id, name, number)
