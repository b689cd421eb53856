"""Who keeps linked repositories in step: one per process, a few rounds at once, one per workspace.

A round begins when it is due (by the clock, by a webhook, by hand) or when something here is not
there yet. What fails is tried again, later and later; what goes well clears what was wrong.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import HubError
from hub.outbound import Outbound
from hub.people.models import Workspace
from hub.people.policy import WorkspaceRef
from hub.registry.models import IndexedRef
from hub.registry.review.models import Proposal
from hub.registry.writing.publish import Publisher
from hub.settings import Settings
from hub.sync.remotes import alarms, linking
from hub.sync.remotes.linking import Room
from hub.sync.remotes.models import Remote
from hub.sync.remotes.rounds import Round
from hub.sync.remotes.sending import count
from hub.sync.remotes.sides import Again, State, last_seen
from hub.sync.remotes.troubles import Trouble
from hub.sync.remotes.wire import PREFIX, opened
from hub.web import as_refusal

log = logging.getLogger("hub")

LOOK = 0.5
"""Seconds between two looks at what is due."""
EVERY = timedelta(minutes=5)
FIRST, LONGEST = timedelta(seconds=15), timedelta(hours=1)
"""Before another try, and the most that a try is put off."""
AT_ONCE = 2
TRIES = 5


class Watching:
    """See the top of the file."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._running: dict[int, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Look, wait, look again, until cancelled."""
        await asyncio.to_thread(self._sweep)
        try:
            while True:
                try:
                    await self.look()
                except Exception:
                    log.exception("linked repositories could not be looked at; trying again")
                await asyncio.sleep(LOOK)
        finally:
            await self.close()

    def _sweep(self) -> None:
        """What a killed hub left: keys in files."""
        for path in self.room.folder.glob(f"{PREFIX}*"):
            shutil.rmtree(path, ignore_errors=True)

    async def close(self) -> None:
        """End what is under way; the next start goes on from wherever that is."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self) -> None:
        """Begin the rounds that are due."""
        async with self.room.database.read() as db:
            for row in await linking.linked(db):
                if row.workspace_id not in self._running and await _is_due(db, row):
                    workspace = await db.get_one(Workspace, row.workspace_id)
                    place = WorkspaceRef(workspace.id, workspace.slug, workspace.name)
                    self._begin(place, row)

    def _begin(self, workspace: WorkspaceRef, row: Remote) -> None:
        task = asyncio.create_task(self._placed(workspace, row))
        self._running[workspace.id] = task
        task.add_done_callback(lambda _: self._running.pop(workspace.id, None))

    async def _placed(self, workspace: WorkspaceRef, row: Remote) -> None:
        async with self._places:
            await once(self.room, workspace, row)


async def once(room: Room, workspace: WorkspaceRef, row: Remote) -> None:
    """One round, and how it went, written down."""
    state = msgspec.convert(
        {name: getattr(row, name) for name in State.__struct_fields__ if hasattr(row, name)}, State
    )  # fmt: skip
    trouble, seen = None, ""
    try:
        async with asyncio.timeout(3600):
            seen = await _round(room, workspace, row, state)
    except HubError as failed:
        trouble = failed
    except Exception as failed:
        trouble = as_refusal(failed)
        if trouble is None:
            log.exception("a round of sync with %s failed", row.url)
            trouble = HubError("Something broke on our side; it is tried again.")
    await _write_down(room, row, state, trouble, seen)


async def _round(room: Room, workspace: WorkspaceRef, row: Remote, state: State) -> str:
    repository = await room.publisher.ensure(workspace)
    way = room.way(row)
    for turn in range(TRIES):
        async with room.database.read() as db:
            seen = await _standing(db, row.workspace_id, state.mirror or bool(state.waiting))
        async with opened(room.outbound, room.folder, way) as wire:
            one = Round(
                room.publisher, workspace, repository, wire, way.address.name, state,
                (row.url, row.created_at), last_seen(state),
            )  # fmt: skip
            try:
                await one.run()
                return seen
            except Again:
                await asyncio.sleep(0.1 * 2**turn)
            except Trouble:
                await count(one)  # what waits here is told, also while nobody takes it
                raise
    raise HubError(f"{way.address.name} keeps changing just now; it is tried again.")


async def _write_down(
    room: Room, was: Remote, state: State, trouble: HubError | None, seen: str
) -> None:
    """Unless somebody unlinked it meanwhile, or linked another."""
    at = now()
    async with room.database.write() as db:
        row = await linking.find(db, was.workspace_id)
        if row is None or (row.url, row.created_at) != (was.url, was.created_at):
            return
        asked_meanwhile = row.due_at != was.due_at
        for name in ("main", "agreed", "waiting", "stopped", "note", "ahead", "behind"):
            setattr(row, name, getattr(state, name))
        if row.chosen == was.chosen:
            row.chosen = state.chosen
        row.trouble, row.tried_at = trouble.sentence if trouble else "", at
        row.failures = row.failures + 1 if trouble else 0
        if not trouble:
            row.synced_at, row.seen = at, seen
            if set(row.offered_keys.splitlines()).isdisjoint(was.host_keys.splitlines()):
                row.offered_keys = row.host_keys  # it has come back to those that were confirmed
        if not asked_meanwhile:
            row.due_at = at + _pause(row.failures)
        await alarms.ring(db, row, alarms.kind_of(trouble), held=state.held)


def _pause(failures: int) -> timedelta:
    return min(FIRST * 2 ** min(failures - 1, 10), LONGEST) if failures else EVERY


async def _is_due(db: AsyncSession, row: Remote) -> bool:
    if not linking.ready(row):
        return False
    if row.due_at <= now():
        return True
    if row.failures:
        return False
    standing = await _standing(db, row.workspace_id, row.mirror or bool(row.waiting))
    return row.seen != standing


async def _standing(db: AsyncSession, workspace_id: int, proposals: bool) -> str:
    """What of ours belongs there, in a word: if it differs, there is something to send."""
    tips = select(IndexedRef.ref, IndexedRef.tip).where(IndexedRef.workspace_id == workspace_id)
    open_ = select(Proposal.number, Proposal.revision).where(
        Proposal.workspace_id == workspace_id, Proposal.state == "open"
    )
    said = {row.ref: row.tip for row in await db.execute(tips)}
    if proposals:
        said |= {str(row.number): str(row.revision) for row in await db.execute(open_)}
    return json.dumps(said, sort_keys=True)


class Needed(Protocol):
    """What it is made of."""

    @property
    def database(self) -> Database: ...
    @property
    def publisher(self) -> Publisher: ...


@asynccontextmanager
async def open_remotes(settings: Settings, parts: Needed) -> AsyncGenerator[Room]:
    """Watch while the block runs."""
    room = Room(
        parts.database, parts.publisher, Outbound(settings.private_hosts, settings.ca_file),
        settings.data / "sync", settings.secret(),
    )  # fmt: skip
    task = asyncio.create_task(Watching(room).run())
    try:
        yield room
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await room.outbound.close()
