"""A cell and a column as they are read: words and numbers, no markup. Pure."""

from __future__ import annotations

from statistics import median

import msgspec

from hub.playground.calls import Call
from hub.playground.models import Run

FINISHES = {
    "length": "cut off at the longest answer",
    "content_filter": "held back by a filter",
    "tool_calls": "asks for a tool",
}
_SHOWN_AS = {"running": "writing"}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: its text, or why there is none yet, and the figures under it."""

    state: str
    """waiting, writing, done, failed or stopped."""
    text: str
    wait: str
    error: str
    figures: list[str]


def cell_of(source: Call | Run, *, local: bool) -> Cell:
    """The same for a call that goes on and for one that was written down."""
    live = isinstance(source, Call)
    notes = source.notes if live else [note for note in source.note.split(" · ") if note]
    wait = source.wait if live else ""
    if not wait and source.state == "waiting":
        wait = "Waiting for its turn…"
    elif not wait and source.state == "running" and not source.output:
        wait = "Sent; waiting for the first word…"
    elif source.state == "stopped" and not source.output:
        wait = "Stopped before the first word."
    elif source.state == "done" and not source.output:
        wait = "The model answered with nothing."
    return Cell(
        state=_SHOWN_AS.get(source.state, source.state),
        text=source.output,
        wait=wait,
        error=source.error or "",
        figures=[*_figures(source, local=local), *notes],
    )


def seconds(value: float) -> str:
    """`0.21 s`, `4.2 s`, `75 s`."""
    if value < 1:
        return f"{value:.2f} s"
    return f"{value:.1f} s" if value < 60 else f"{value:.0f} s"


def dollars(value: float) -> str:
    """`$0.0021`, `$1.50`; never a rounded-down nothing."""
    if value >= 1:
        return f"${value:,.2f}"
    return f"${value:.4f}" if value >= 0.0001 or value == 0 else "under $0.0001"


def summary(cells: list[Call | Run], *, local: bool) -> str:
    """What stands under a column: how fast, and what a thousand such calls cost."""
    done = [cell for cell in cells if cell.state == "done"]
    firsts = [cell.first_token_s for cell in done if cell.first_token_s is not None]
    costs = [cell.cost_usd for cell in done if cell.cost_usd is not None]
    parts: list[str] = []
    if firsts:
        parts.append(f"median {seconds(median(firsts))} to the first word")
    if local and done:
        parts.append("local")
    elif costs:
        parts.append(f"{dollars(1000 * sum(costs) / len(costs))} per 1,000 calls")
    failed = sum(cell.state == "failed" for cell in cells)
    if failed:
        parts.append(f"{failed} of {len(cells)} failed")
    return " · ".join(parts)


def _figures(source: Call | Run, *, local: bool) -> list[str]:
    said: list[str] = []
    if source.first_token_s is not None:
        said.append(f"{seconds(source.first_token_s)} first")
    if source.tokens_per_s is not None:
        rate = source.tokens_per_s
        said.append(f"{rate:,.0f} tok/s" if rate >= 10 else f"{rate:.1f} tok/s")
    if source.tokens_out is not None:
        about = "about " if source.estimated else ""
        said.append(f"{about}{source.tokens_out:,} token{'s' * (source.tokens_out != 1)}")
    if source.state in ("done", "failed", "stopped") and source.first_token_s is not None:
        if local:
            said.append("local")
        elif source.cost_usd is not None:
            said.append(dollars(source.cost_usd))
    if source.finish_reason in FINISHES:
        said.append(FINISHES[source.finish_reason])
    return said
