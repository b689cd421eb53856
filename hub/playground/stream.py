"""One event stream for a whole grid: what a page is missing, at most twenty times a second.

Nothing is queued for a page. Each time something changed, the page's own notes (what it has shown
of each cell) are compared with the cells as they stand, and the difference is sent as parts that
htmx puts in place. A page that comes late, or comes back, simply starts with empty notes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from markupsafe import escape

from hub.playground.live import LiveGrid, Place

BETWEEN = 0.05
BEAT = 15.0
Shown = tuple[int, int, int]
"""Of one call: its stage, and how long its answer and its reasoning were."""
DONE = b"event: done\ndata: done\n\n"
Pieces = AsyncGenerator[bytes]


Draw = Callable[[int, int], str]
"""Draws the answers of one column to one example."""
Names = Callable[[Place], str | None]
"""`row-column-sample` as the page has it; None: the page does not show it."""


Turn = Callable[[], Awaitable[None]]
"""Others first: hundreds of cells may have to be drawn."""


async def watch(grid: LiveGrid, draw: Draw, names: Names, *, thoughts: bool, turn: Turn) -> Pieces:
    """The stream, until the grid is over.

    `thoughts`: whether what models think may be seen; it gives away which one it is.
    """
    shown: dict[Place, Shown] = {}
    while True:
        moment = grid.moment
        parts, changed = _missing(grid, shown, names, thoughts=thoughts)
        if parts:
            yield event("".join(parts))
        for stack in changed:
            await turn()
            _note(grid, shown, stack)  # what is drawn now holds the text of now
            yield event(whole(names, stack, draw))
        if grid.over:
            return
        try:
            async with asyncio.timeout(BEAT):
                await moment.wait()
        except TimeoutError:
            yield b": still here\n\n"
        await asyncio.sleep(BETWEEN)


async def once(places: Iterable[Place], draw: Draw, names: Names, turn: Turn) -> Pieces:
    """Everything as it is, stack by stack."""
    stacks = dict.fromkeys((row, column) for row, column, _ in places if names((row, column, 0)))
    for place in stacks:
        await turn()
        yield event(whole(names, place, draw))


def event(html: str) -> bytes:
    """One message; a line break in it needs a `data:` of its own, a bare CR must not be one."""
    lines = html.replace("\r", "&#13;").split("\n")
    return ("".join(f"data: {line}\n" for line in lines) + "\n").encode("utf-8", "replace")


def partial(target: str, swap: str, html: str) -> str:
    """A piece that htmx puts at `target`."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def _missing(
    grid: LiveGrid, shown: dict[Place, Shown], names: Names, *, thoughts: bool
) -> tuple[list[str], list[tuple[int, int]]]:
    """New text, and the stacks in which more than that has changed: they are drawn after it."""
    parts: list[str] = []
    changed: dict[tuple[int, int], None] = {}
    for place, call in grid.calls.items():
        stage, length, thought = shown.get(place, (-1, 0, 0))
        name = names(place)
        shown[place] = (call.stage, len(call.output), len(call.reasoning))
        if name is None:
            continue
        if call.stage != stage:
            changed[place[0], place[1]] = None
            continue
        parts += [
            partial(f"#{what}-{name}", "beforeend", str(escape(text[seen:])))
            for what, text, seen in (
                ("thought", call.reasoning if thoughts else "", thought),
                ("answer", call.output, length),
            )
            if len(text) > seen
        ]  # fmt: skip
    return parts, list(changed)


def _note(grid: LiveGrid, shown: dict[Place, Shown], stack: tuple[int, int]) -> None:
    """That the page has what a stack holds now."""
    for place, call in grid.calls.items():
        if place[:2] == stack:
            shown[place] = (call.stage, len(call.output), len(call.reasoning))


def whole(names: Names, place: tuple[int, int], draw: Draw) -> str:
    """A stack, drawn anew."""
    name = names((*place, 0)) or ""
    return partial(f"#stack-{name.rpartition('-')[0]}", "outerHTML", draw(*place))
