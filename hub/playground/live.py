"""The grids that run now, in this process: their tasks, and waking whoever watches.

Each call is written down when it begins, every two seconds while it writes, and when it ends. A
grid that is not to be kept running stops when everybody who watched it has left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from hub.db import Database, now
from hub.errors import HubError
from hub.playground import asking
from hub.playground.asking import Work
from hub.playground.calls import Call
from hub.playground.courtesy import Courtesy
from hub.playground.models import Grid, Run
from hub.playground.options import Options
from hub.playground.render import Renderer

log = logging.getLogger("hub.playground")

KEEP_EVERY = 2.0
KEEP_TRIES = 5
RESTARTED = "The hub was restarted before this was finished. What came is kept; run it again."
LINGERS = 10.0
"""Seconds that a grid stays here when it is over."""
LEFT_AFTER = 15.0
"""Seconds without anybody: a reload or a lost connection comes back before that."""
LEFT = "stopped when the page was left"
_KEY = "run_id"
Place = tuple[int, int, int]
"""Row, column and sample."""


@dataclass(eq=False)
class LiveGrid:
    """A grid while it runs."""

    id: int
    options: Options
    work: dict[Place, Work]
    calls: dict[Place, Call] = field(default_factory=dict[Place, Call])
    tasks: dict[Place, asyncio.Task[None]] = field(default_factory=dict[Place, asyncio.Task[None]])
    over: bool = False
    stopped: bool = False
    watchers: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one call that goes on, where they go one at a time."""
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

    def __init__(self, database: Database, renderer: Renderer, courtesy: Courtesy) -> None:
        self.renderer = renderer
        self._courtesy = courtesy
        self._database = database
        self._grids: dict[int, LiveGrid] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._closing = False

    def get(self, grid_id: int) -> LiveGrid | None:
        """A grid that runs, or was over a moment ago."""
        return self._grids.get(grid_id)

    def start(self, grid_id: int, work: dict[Place, Work], options: Options) -> LiveGrid:
        """Begin every cell; columns side by side, as many at once as their connections allow."""
        grid = self._grids[grid_id] = LiveGrid(grid_id, options, work)
        for place, one in work.items():
            call = grid.calls[place] = Call(grid.changed)
            grid.tasks[place] = asyncio.create_task(self._cell(grid, call, one))
        self._keeper(self._keep(grid))
        return grid

    def stop(
        self, grid_id: int, *, row: int | None = None, column: int | None = None,
        sample: int | None = None, note: str = "",
    ) -> None:  # fmt: skip
        """Stop one call, a cell, a column or all; each closes its connection and keeps its text."""
        grid = self._grids.get(grid_id)
        if grid is None or grid.over:
            return
        wanted = (row, column, sample)
        grid.stopped = grid.stopped or wanted == (None, None, None)
        for at, task in grid.tasks.items():
            if all(want in (None, have) for want, have in zip(wanted, at, strict=True)):
                if note and not grid.calls[at].over:
                    grid.calls[at].notes.append(note)
                if not task.cancelling():  # a second time would break into closing its connection
                    task.cancel()

    @contextmanager
    def watching(self, grid: LiveGrid) -> Generator[None]:
        """Somebody looks; when the last of them leaves, the grid stops unless it shall go on."""
        grid.watchers += 1
        try:
            yield
        finally:
            grid.watchers -= 1
            if not grid.watchers and not grid.options.keep and not grid.over:
                self._keeper(self._left(grid))

    async def _left(self, grid: LiveGrid) -> None:
        """Stop it, unless somebody comes back."""
        for _ in range(round(LEFT_AFTER * 10)):
            await asyncio.sleep(0.1)
            if grid.watchers or grid.over or self._closing:
                return
        self.stop(grid.id, note=LEFT)

    def _keeper(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._keepers.add(task)
        task.add_done_callback(self._keepers.discard)

    async def close(self) -> None:
        """The hub ends: stop everything and write it down."""
        self._closing = True
        for grid_id in list(self._grids):
            self.stop(grid_id)
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _cell(self, grid: LiveGrid, call: Call, work: Work) -> None:
        try:
            await self._courtesy.turn()
            if not grid.options.solo:
                await asking.ask(call, work, grid.options, self._database, self.renderer)
            else:
                call.tell("Waits for its turn; one call at a time")
                async with grid.turn:
                    await asking.ask(call, work, grid.options, self._database, self.renderer)
        except asyncio.CancelledError:
            if not call.over:
                call.end("stopped")
        except HubError as error:
            call.end("failed", error.sentence)
        except Exception:
            log.exception("a cell broke")
            call.end("failed", "Something broke on our side; run it again.")

    async def _keep(self, grid: LiveGrid) -> None:
        """Write down what changed, until everything is over."""
        written: dict[Place, tuple[int, int]] = {}
        pending: set[asyncio.Task[None]] = set(grid.tasks.values())
        while pending:
            _, pending = await asyncio.wait(pending, timeout=KEEP_EVERY)
            await self._save(grid, written)
        for call in grid.calls.values():
            if not call.over:  # stopped before its task had begun
                call.end("stopped")
        for _ in range(KEEP_TRIES):
            if await self._save(grid, written, ended=True):
                break
            await asyncio.sleep(KEEP_EVERY)
        grid.over = True
        # Whoever began to read before the last save finds here what their snapshot lacks.
        asyncio.get_running_loop().call_later(LINGERS, self._grids.pop, grid.id, None)
        grid.changed()

    async def _save(
        self, grid: LiveGrid, written: dict[Place, tuple[int, int]], *, ended: bool = False
    ) -> bool:
        marks = {
            place: (call.stage, len(call.output) + len(call.reasoning))
            for place, call in grid.calls.items()
            if call.state != "waiting"  # its row says so already
        }
        fresh = [place for place in marks if written.get(place) != marks[place]]
        rows = [_row(grid.work[place], grid.calls[place]) for place in fresh]
        state = ("stopped" if grid.stopped else "done") if ended else ""
        try:
            await self._database.write_at_once(partial(_write, grid.id, rows, state))
        except Exception:
            # A full disk: the page still has the answers; the next round tries again.
            log.exception("grid %s could not be written down", grid.id)
            return False
        written.update({place: marks[place] for place in fresh})
        return True


def _write(grid_id: int, rows: list[dict[str, Any]], state: str, db: Connection) -> None:
    """Off the loop, in two statements: hundreds of cells end at once. `state`: the grid's, if over.

    Cells that were never sent anywhere keep whom their row names.
    """
    for sent in (True, False):
        if several := [row for row in rows if ("model" in row) is sent]:
            named = {name: bindparam(name) for name in several[0] if name != _KEY}
            db.execute(update(Run).where(Run.id == bindparam(_KEY)).values(**named), several)
    if state:
        over = {"state": state, "finished_at": now()}
        db.execute(update(Grid).where(Grid.id == grid_id).values(**over))


def _row(work: Work, call: Call) -> dict[str, Any]:
    """All of a row that changes, as it is now: it is written while the call goes on."""
    mine = {_KEY: work.run_id, "fingerprint": work.fingerprint, "cached": work.cached}
    return mine | columns(call)


def columns(call: Call) -> dict[str, Any]:
    """What a call says, as its row keeps it."""
    asked = {"model": call.model, "connection": call.connection} if call.model else {}
    return asked | {
        "state": call.state,
        "request": call.request,
        "output": call.output,
        "reasoning": call.reasoning,
        "tool_calls": list(call.tool_calls) or None,
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
        "guards_s": call.guards_s,
        "guards_usd": call.guards_usd,
        "device": call.device or None,
        "note": call.note,
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
