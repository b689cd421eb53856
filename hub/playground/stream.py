"""One event stream for a whole grid: what a page is missing, at most twenty times a second.

Nothing is queued for a page. Each time something changed, the page's own notes (what it has shown
of each cell) are compared with the cells as they stand, and the difference is sent as parts that
htmx puts in place. A page that comes late, or comes back, simply starts with empty notes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping

from markupsafe import escape

from hub.playground.calls import Call
from hub.playground.live import LiveGrid, Place
from hub.playground.models import Run

BETWEEN = 0.05
BEAT = 15.0
Shown = tuple[int, int, int]
"""Of one cell: its stage, and how long its answer and its reasoning were."""
_DONE = b"event: done\ndata: done\n\n"


async def watch(
    grid: LiveGrid, cell: Callable[[Place, Call], str], end: Callable[[], str]
) -> AsyncGenerator[bytes]:
    """The stream; `cell` draws a whole cell, `end` what changes when the grid is over."""
    shown: dict[Place, Shown] = {}
    while True:
        moment = grid.moment
        parts = [
            part
            for place, call in grid.calls.items()
            if (part := _missing(place, call, shown, cell)) is not None
        ]
        if parts:
            yield event("".join(parts))
        if grid.over:
            yield event(end())
            yield _DONE
            return
        try:
            async with asyncio.timeout(BEAT):
                await moment.wait()
        except TimeoutError:
            yield b": still here\n\n"
        await asyncio.sleep(BETWEEN)


async def once(
    cells: Mapping[Place, Run], cell: Callable[[Place, Run], str], end: Callable[[], str]
) -> AsyncGenerator[bytes]:
    """The stream of a grid that is over: everything as it was written down, and the end."""
    yield event("".join(_whole(place, cell(place, run)) for place, run in cells.items()))
    yield event(end())
    yield _DONE


def event(html: str) -> bytes:
    """One message; a line break in it needs a `data:` of its own, a bare CR must not be one."""
    lines = html.replace("\r", "&#13;").split("\n")
    return ("".join(f"data: {line}\n" for line in lines) + "\n").encode("utf-8", "replace")


def partial(target: str, swap: str, html: str) -> str:
    """A piece that htmx puts at `target`."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def _missing(
    place: Place,
    call: Call,
    shown: dict[Place, Shown],
    cell: Callable[[Place, Call], str],
) -> str | None:
    stage, length, thought = shown.get(place, (-1, 0, 0))
    shown[place] = (call.stage, len(call.output), len(call.reasoning))
    if call.stage != stage:
        return _whole(place, cell(place, call))
    parts = [
        partial(f"#{what}-{place[0]}-{place[1]}", "beforeend", str(escape(text[seen:])))
        for what, text, seen in (
            ("thought", call.reasoning, thought),
            ("answer", call.output, length),
        )
        if len(text) > seen
    ]
    return "".join(parts) or None


def _whole(place: Place, html: str) -> str:
    return partial(f"#cell-{place[0]}-{place[1]}", "outerHTML", html)
