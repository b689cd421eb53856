"""How a change becomes a commit, durably, many at a time.

One writer per workspace takes all asks that wait and settles each against the index; then

    objects written --> synced, and intents committed --> refs swapped --> index committed

The rows of the index are written while the refs are being swapped, and committed after. A crash
between any two leaves a state that `recover.py` settles by asking git. The swap compares: whoever
else moves a ref makes us look again, so nothing is ever overwritten.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import secrets
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from hub.db import Database
from hub.errors import HubError, Unavailable
from hub.people.policy import WorkspaceRef
from hub.registry.git.commits import stream
from hub.registry.git.git_terms import MANY_PACKS, GitFailed, RefMove, RefMoved
from hub.registry.git.repository import Repository
from hub.registry.indexing import index
from hub.registry.writing import batch, recover
from hub.registry.writing.asks import Ask

log = logging.getLogger(__name__)

MOST = 64
TRIES = 10
_LIFE, _COUNTED = secrets.token_hex(8), itertools.count(1)
"""What no other process has, and what no other batch of this one has: together a batch's id."""
_MOVES = ThreadPoolExecutor(thread_name_prefix="moves")
"""Threads of their own: what writes the index down waits in another one for what they do."""

Answer = dict[str, Any]
Waiting = tuple[Ask, "asyncio.Future[Answer]"]


class Publisher:
    """What every writing door is handed; one per process."""

    def __init__(self, database: Database, repositories: Path) -> None:
        self.database = database
        self.repositories = repositories
        self._writers: dict[int, _Writer] = {}
        self.written: Callable[[], object] = lambda: None
        """Called when a batch is in the index, before those who asked are answered."""

    def repository(self, slug: str) -> Repository:
        return Repository(self.repositories / f"{slug}.git")

    async def ensure(self, workspace: WorkspaceRef) -> Repository:
        """The workspace's repository, made if this is the first time it is needed."""
        repository = self.repository(workspace.slug)
        if repository.exists:
            return repository
        if await self.database.read_at_once(lambda db: index.tips(db, workspace.id)):
            raise Unavailable(
                f"The git repository of {workspace.name} is missing, though versions were saved "
                "in it. Nothing was changed. Ask the operator to restore it from a backup; "
                "`prompthub doctor` says where it has to be."
            )
        return await asyncio.to_thread(Repository.create, repository.path)

    async def publish(self, workspace: WorkspaceRef, ask: Ask) -> Answer:
        """Have the ask done, with whatever others ask at the same time.

        Returns once it is on the disk, in git and in the index.
        """
        writer = self._writers.get(workspace.id)
        if writer is None:
            writer = self._writers[workspace.id] = _Writer(self, workspace)
        return await writer.take(ask)

    def keep_packed(self, workspace: WorkspaceRef, repository: Repository) -> None:
        """Called by whoever leaves packs there without an ask; one rolls up at a time."""
        if writer := self._writers.get(workspace.id):
            writer.keep_packed(repository)

    async def close(self) -> None:
        """Let what has begun come to its end."""
        for writer in self._writers.values():
            await writer.finish()


class _Writer:
    """The one that writes a workspace; asks wait in line for it."""

    def __init__(self, publisher: Publisher, workspace: WorkspaceRef) -> None:
        self._publisher, self._workspace = publisher, workspace
        self._database = publisher.database
        self._line: deque[Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._packing: asyncio.Task[None] | None = None
        self._repository: Repository | None = None
        self._loading: Future[None] | None = None
        """The gits of a batch: they load while it is settled, and stay while others follow."""
        self._unsettled = False
        """A batch ended badly after its intents were written: ask git before the next one."""

    async def take(self, ask: Ask) -> Answer:
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._line.append((ask, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await done

    async def finish(self) -> None:
        await asyncio.gather(*filter(None, (self._task, self._packing)), return_exceptions=True)

    async def _work(self) -> None:
        try:
            await self._work_off()
        finally:
            await self._leave()

    async def _work_off(self) -> None:
        while self._line:
            taken = [self._line.popleft() for _ in range(min(MOST, len(self._line)))]
            try:
                await self._publish(taken)
            except Exception as error:
                for _, done in taken:
                    _refuse(done, error)
            # Whoever was answered may ask again at once: let them join the next batch.
            for _ in range(3):
                await asyncio.sleep(0)
            if not self._line:
                await self._leave()

    def _load(self, repository: Repository) -> Future[None]:
        if self._loading is None or (self._loading.done() and not repository.ready):
            self._loading = _MOVES.submit(repository.make_ready)
        return self._loading

    async def _leave(self) -> None:
        """The line is empty: no git waits for more, also where the event loop ends meanwhile. It
        calls off what waits for a thread, unless that is shielded: gits would outlive it."""
        repository, loading = self._repository, self._loading
        self._repository = self._loading = None
        if repository:
            loop = asyncio.get_running_loop()
            await asyncio.shield(loop.run_in_executor(None, _end, repository, loading))

    async def _publish(self, taken: list[Waiting]) -> None:
        if self._repository is None or not self._repository.exists:
            await self._leave()
            self._repository = await self._publisher.ensure(self._workspace)
        repository = self._repository
        for attempt in range(TRIES):
            loading = self._load(repository)
            made = await self._settle(repository, taken)
            self._line.extendleft(reversed(made.later))
            if not made.plans:
                made.answer_all()
                return
            await asyncio.wrap_future(loading)
            try:
                await self._write(repository, made)
            except RefMoved:
                taken = made.open
                await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311
                await asyncio.to_thread(repository.clear_locks, older_than=10.0)
                continue
            made.answer_all()
            if self._crowded(repository):
                await asyncio.to_thread(repository.dismiss)  # its packs would be left as they are
                self.keep_packed(repository)
            return
        raise Unavailable(
            "The branch is held by something else, so this was not saved. Try again in a moment; "
            "if it goes on, restarting the hub clears what was left behind."
        )

    async def _settle(self, repository: Repository, taken: list[Waiting]) -> batch.Batch:
        """What the asks come to, by an index that stands where git does."""
        if self._unsettled:
            await self._catch_up(repository)
        for _ in range(TRIES):
            tips = repository.tips()
            try:
                return await batch.settle(self._database, self._workspace.id, taken, tips)
            except batch.IndexBehind:
                await self._catch_up(repository)
        raise Unavailable("The index cannot keep up with git just now. Try again in a moment.")

    async def _catch_up(self, repository: Repository) -> None:
        """The index at the tips of git, and no batch in doubt."""
        if self._unsettled:
            await recover.settle(self._database, repository, self._workspace.id)
            self._unsettled = False
        await index.catch_up(self._database, repository, self._workspace.id)

    async def _write(self, repository: Repository, made: batch.Batch) -> None:
        made.id = f"{_LIFE}-{next(_COUNTED):x}"
        for bring in (ask.bring for ask in made.asks if ask.bring):
            await asyncio.to_thread(bring)
        for plans in batch.in_turn([plan for plan in made.plans if not plan.there]):
            ids = await asyncio.to_thread(repository.write, stream(made.id, plans), len(plans))
            for plan, id in zip(plans, ids, strict=True):
                plan.commit.id = id
        moves = made.moves()
        await self._intend(repository, made, moves)
        moving = _MOVES.submit(repository.move, moves)
        noting = asyncio.create_task(
            batch.write_down(self._database, self._workspace.id, made, moves, moving)
        )
        try:
            await asyncio.wrap_future(moving)
        except BaseException:
            self._unsettled = True
            await asyncio.gather(noting, return_exceptions=True)
            raise
        try:
            await noting
        except Exception:
            # It is in git and on the disk: saved. The index follows before the next batch.
            log.exception("index behind git in workspace %s", self._workspace.slug)
            self._unsettled = True
            await self._mend_index(repository)
        self._tell()

    async def _intend(
        self, repository: Repository, made: batch.Batch, moves: list[RefMove]
    ) -> None:
        """Objects synced and intents committed, side by side; no ref moves before both are."""
        syncing = asyncio.create_task(asyncio.to_thread(repository.sync_written))
        try:
            await batch.write_intents(self._database, self._workspace.id, made, moves)
        except BaseException:
            await asyncio.gather(syncing, return_exceptions=True)
            raise
        try:
            await syncing
        except BaseException as failed:
            self._unsettled = True
            if isinstance(failed, GitFailed) and failed.code < 0:  # it was killed: all over again
                raise RefMoved(failed.said) from failed
            raise

    def _tell(self) -> None:
        try:
            self._publisher.written()
        except Exception:  # what is saved is saved
            log.exception("apps could not be told at once; the next look tells them")

    async def _mend_index(self, repository: Repository) -> None:
        for pause in (0.05, 0.2, 0.5):
            await asyncio.sleep(pause)
            try:
                await self._catch_up(repository)
                return
            except Exception:
                log.warning("index still behind git in workspace %s", self._workspace.slug)

    def keep_packed(self, repository: Repository) -> None:
        """Each batch leaves a pack; now and then they are rolled up, beside the work."""
        if self._crowded(repository):
            self._packing = asyncio.create_task(_pack(repository))

    def _crowded(self, repository: Repository) -> bool:
        idle = self._packing is None or self._packing.done()
        return idle and repository.packs() > MANY_PACKS


def _end(repository: Repository, loading: Future[None] | None) -> None:
    wait(filter(None, [loading]))
    repository.dismiss()


async def _pack(repository: Repository) -> None:
    try:
        await asyncio.to_thread(repository.pack_together)
    except HubError as failed:
        log.warning("packs of %s were not rolled up: %s", repository.path.name, failed)


def _refuse(done: asyncio.Future[Answer], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
