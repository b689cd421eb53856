"""The grids that run now, in this process: their tasks, and waking whoever watches.

A grid runs to its end whether or not somebody looks at it. Each call is written down when it
begins, every two seconds while it writes, and when it ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update

from hub.db import Database, now
from hub.errors import HubError
from hub.playground.calls import Call, Endpoint, Route
from hub.playground.models import Grid, Run
from hub.playground.render import Renderer
from hub.playground.runs import perform

log = logging.getLogger("hub.playground")

KEEP_EVERY = 2.0
KEEP_TRIES = 5
RESTARTED = "The hub was restarted before this was finished. What came is kept; run it again."
Place = tuple[int, int]
"""Row and column."""
Make = Callable[[], Awaitable[dict[str, Any]]]


class Work:
    """One cell to do: which row keeps it, how its request is made, who answers."""

    def __init__(self, run_id: int, endpoint: Endpoint | Route | str, make: Make) -> None:
        """`endpoint` is a sentence when the column's model cannot be used any more."""
        self.run_id = run_id
        self.endpoint = endpoint
        self.make = make


@dataclass(eq=False)
class LiveGrid:
    """A grid while it runs."""

    id: int
    calls: dict[Place, Call] = field(default_factory=dict[Place, Call])
    tasks: dict[Place, asyncio.Task[None]] = field(default_factory=dict[Place, asyncio.Task[None]])
    over: bool = False
    stopped: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """Wake everybody who watches."""
        self._wake.set()
        self._wake = asyncio.Event()

    @property
    def moment(self) -> asyncio.Event:
        """Set by the next change; take it before you look, so that no change falls between."""
        return self._wake


class Live:
    """Every grid that runs in this process."""

    def __init__(self, database: Database, renderer: Renderer) -> None:
        self.renderer = renderer
        self._database = database
        self._grids: dict[int, LiveGrid] = {}
        self._keepers: set[asyncio.Task[None]] = set()

    def get(self, grid_id: int) -> LiveGrid | None:
        return self._grids.get(grid_id)

    def start(self, grid_id: int, work: dict[Place, Work]) -> LiveGrid:
        """Begin every cell; columns side by side, as many at once as their connections allow."""
        grid = self._grids[grid_id] = LiveGrid(grid_id)
        for place, one in work.items():
            call = grid.calls[place] = Call(grid.changed)
            grid.tasks[place] = asyncio.create_task(self._cell(call, one))
        runs = {place: one.run_id for place, one in work.items()}
        keeper = asyncio.create_task(self._keep(grid, runs))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)
        return grid

    def stop(self, grid_id: int, place: Place | None = None) -> None:
        """Stop one cell or all of them; each closes its connection and keeps what it has."""
        grid = self._grids.get(grid_id)
        if grid is None:
            return
        grid.stopped = grid.stopped or place is None
        for at, task in grid.tasks.items():
            if place in (None, at):
                task.cancel()

    async def close(self) -> None:
        """The hub ends: stop everything and write it down."""
        for grid_id in list(self._grids):
            self.stop(grid_id)
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _cell(self, call: Call, work: Work) -> None:
        try:
            if isinstance(work.endpoint, str):
                call.end("failed", work.endpoint)
                return
            request = await work.make()
            await perform(call, work.endpoint, request)
        except asyncio.CancelledError:
            if not call.over:
                call.end("stopped")
        except HubError as error:
            call.end("failed", error.sentence)
        except Exception:
            log.exception("a cell broke")
            call.end("failed", "Something broke on our side; run it again.")

    async def _keep(self, grid: LiveGrid, runs: dict[Place, int]) -> None:
        """Write down what changed, until everything is over."""
        kept: dict[Place, tuple[str, int]] = {}
        pending: set[asyncio.Task[None]] = set(grid.tasks.values())
        while pending:
            _, pending = await asyncio.wait(pending, timeout=KEEP_EVERY)
            await self._save(grid, runs, kept)
        for call in grid.calls.values():
            if not call.over:  # stopped before its task had begun
                call.end("stopped")
        for _ in range(KEEP_TRIES):
            if await self._save(grid, runs, kept, ended=True):
                break
            await asyncio.sleep(KEEP_EVERY)
        grid.over = True
        self._grids.pop(grid.id, None)
        grid.changed()

    async def _save(
        self,
        grid: LiveGrid,
        runs: dict[Place, int],
        kept: dict[Place, tuple[str, int]],
        *,
        ended: bool = False,
    ) -> bool:
        marks = {
            place: (call.state, len(call.output) + len(call.reasoning))
            for place, call in grid.calls.items()
        }
        fresh = [place for place in marks if kept.get(place) != marks[place]]
        try:
            async with self._database.write() as db:
                for place in fresh:
                    row = update(Run).where(Run.id == runs[place])
                    await db.execute(row.values(**columns(grid.calls[place])))
                if ended:
                    state = "stopped" if grid.stopped else "done"
                    row = update(Grid).where(Grid.id == grid.id)
                    await db.execute(row.values(state=state, finished_at=now()))
        except Exception:
            # A full disk: the page still has the answers; the next round tries again.
            log.exception("grid %s could not be written down", grid.id)
            return False
        kept.update({place: marks[place] for place in fresh})
        return True


def columns(call: Call) -> dict[str, Any]:
    """What a call says, as its row keeps it."""
    asked = {"model": call.model, "connection": call.connection} if call.model else {}
    return asked | {
        "state": call.state,
        "request": call.request,
        "output": call.output,
        "reasoning": call.reasoning,
        "tool_calls": call.tool_calls or None,
        "finish_reason": call.finish_reason,
        "error": call.error,
        "queued_s": call.queued_s,
        "load_s": call.load_s,
        "first_token_s": call.first_token_s,
        "total_s": call.total_s,
        "tokens_per_s": call.tokens_per_s,
        "tokens_in": call.tokens_in,
        "tokens_out": call.tokens_out,
        "tokens_cached": call.tokens_cached,
        "tokens_written": call.tokens_written,
        "tokens_reasoning": call.tokens_reasoning,
        "estimated": call.estimated,
        "cost_usd": call.cost_usd,
        "cost_from": call.cost_from or None,
        "device": call.device or None,
        "note": " · ".join(call.notes),
        "started_at": call.started_at,
        "finished_at": call.finished_at,
    }


async def settle(database: Database) -> int:
    """At start: whatever was running when the hub went down has stopped; say so."""
    open_states = ("waiting", "running")
    async with database.write() as db:
        found = await db.execute(select(Grid.id).where(Grid.state == "running"))
        ids = list(found.scalars())
        if not ids:
            return 0
        runs = update(Run).where(Run.grid_id.in_(ids), Run.state.in_(open_states))
        await db.execute(runs.values(state="stopped", error=RESTARTED, finished_at=now()))
        grids = update(Grid).where(Grid.id.in_(ids))
        await db.execute(grids.values(state="stopped", finished_at=now()))
        return len(ids)
