"""One call of a grid, from its texts to its verdicts.

filled in --> input guard --> kept answer? --> the model --> shape? --> output guard
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from hub.db import Database
from hub.playground import guards, kept, pictures, shape
from hub.playground.calls import Call, Endpoint, Route
from hub.playground.cells import FITS, MISFIT
from hub.playground.guards import IN, OUT, Guard
from hub.playground.options import Options
from hub.playground.render import Renderer
from hub.playground.runs import perform

Make = Callable[[], Awaitable[dict[str, Any]]]


class Work(msgspec.Struct, kw_only=True):
    """One call to make: which row keeps it, how its request is made, who answers."""

    run_id: int
    endpoint: Endpoint | Route | str
    """A sentence when the column's model cannot be used any more."""
    make: Make
    workspace_id: int
    guards: Mapping[str, Guard]
    """By `input` and `output`."""
    fingerprint: str | None = None
    cached: bool = False


async def ask(
    call: Call, work: Work, options: Options, database: Database, renderer: Renderer
) -> None:
    """Make the call, or take the kept answer; whatever is found out is in `call`."""
    if isinstance(work.endpoint, str):
        call.end("failed", work.endpoint)
        return
    request = await work.make()
    call.pictures = partial(pictures.put_in, database, work.workspace_id)
    if not await _let_in(call, work, request):
        return
    work.fingerprint = kept.fingerprint(work.endpoint, request)
    if not (options.cache and await _replayed(call, work, request, database)):
        await perform(call, work.endpoint, request)
    if call.state != "done":
        return
    schema = shape.schema_of(request)
    if schema is not None and not call.tool_calls:
        misfit = await renderer.misfit(schema, call.output)
        call.remark(f"{MISFIT}: {misfit}" if misfit else FITS)
    if guard := work.guards.get(OUT):
        (await guards.judge(guard, OUT, call.output)).add_to(call)


async def _let_in(call: Call, work: Work, request: dict[str, Any]) -> bool:
    guard = work.guards.get(IN)
    if guard is None:
        return True
    call.tell("The input guard is asked")
    judged = await guards.judge(guard, IN, guards.asked_of(request))
    judged.add_to(call)
    if judged.category:
        call.end("stopped", f"Held back by the input guard: {judged.category}")
    return not judged.category


async def _replayed(call: Call, work: Work, request: dict[str, Any], database: Database) -> bool:
    if not kept.repeatable(request):
        return False
    async with database.read() as db:
        found = await kept.find(db, work.workspace_id, work.fingerprint or "")
    if found is None:
        return False
    work.cached = True
    kept.replay(call, found)
    return True
