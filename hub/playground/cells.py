"""A cell and a column as they are read: words and numbers, no markup. Pure."""

from __future__ import annotations

import msgspec

from hub.playground.calls import THIS_MACHINE, Call
from hub.playground.models import Run

FINISHES = {
    "length": "cut off at the longest answer",
    "content_filter": "held back by a filter",
    "tool_calls": "asks for a tool",
    "pause_turn": "paused by the provider",
}
FITS = "fits its shape"
MISFIT = "does not fit its shape"
WORTH_SAYING = 0.5
"""Seconds in line, or of loading, that explain a slow answer."""
_SHOWN_AS = {"running": "writing"}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: its text, or why there is none yet, and the figures under it."""

    state: str
    """waiting, writing, done, failed or stopped."""
    text: str
    wait: str
    error: str
    figures: list[str]
    reasoning: str = ""
    """What the model thought before it answered; shown folded."""
    why: str = ""
    """Whence its cost is known: "list price of 2026-11-20"."""
    alarms: list[str] = []
    """What was found to be wrong with the answer: its shape, or what a guard says of it."""


def notes_of(source: Call | Run) -> list[str]:
    """What was done differently, or found out."""
    if isinstance(source, Call):
        return source.notes
    return [note for note in source.note.split(" · ") if note]


def fits(source: Call | Run) -> bool | None:
    """Whether it has the shape that its prompt asks for; None: it asks for none, or is not over."""
    notes = notes_of(source)
    if any(note.startswith(MISFIT) for note in notes):
        return False
    return True if FITS in notes else None


def _alarming(note: str) -> bool:
    guard, _, said = note.partition(" guard: ")
    return note.startswith(MISFIT) or (guard in ("input", "output") and not said.startswith("safe"))


def cell_of(source: Call | Run) -> Cell:
    """The same for a call that goes on and for one that was written down."""
    notes = notes_of(source)
    # What was held back says so as the reason why there is no answer.
    alarms = [note for note in notes if _alarming(note)] if source.state == "done" else []
    wait = source.wait if isinstance(source, Call) else ""
    if not wait and source.state == "waiting":
        wait = "Waiting for its turn…"
    elif not wait and source.state == "running" and not source.output:
        wait = "Sent; waiting for the first word…"
    elif source.state == "stopped" and not source.output and not source.error:
        wait = "Stopped before the first word."
    elif source.state == "done" and not source.output:
        wait = "The model answered with nothing."
    return Cell(
        state=_SHOWN_AS.get(source.state, source.state),
        text=source.output,
        wait=wait,
        error=source.error or "",
        figures=[*_figures(source), *(note for note in notes if note not in alarms)],
        alarms=alarms,
        reasoning=source.reasoning,
        why=source.cost_from or "",
    )


def seconds(value: float) -> str:
    """`0.21 s`, `4.2 s`, `75 s`."""
    if value < 1:
        return f"{max(value, 0.01):.2f} s"
    return f"{value:.1f} s" if value < 60 else f"{value:.0f} s"


def dollars(value: float) -> str:
    """`$0.0021`, `$1.50`; never a rounded-down nothing."""
    if value >= 1:
        return f"${value:,.2f}"
    return f"${value:.4f}" if value >= 0.0001 or value == 0 else "under $0.0001"


def is_local(cell: Call | Run) -> bool:
    """Whether this machine was asked."""
    return cell.connection == THIS_MACHINE


def _figures(source: Call | Run) -> list[str]:
    said: list[str] = []
    begun = source.first_token_s is not None or source.state not in ("waiting", "running")
    loaded = source.load_s if source.first_token_s is not None else None
    for words, spent in (("waited", source.queued_s), ("loaded in", loaded)):
        if begun and spent is not None and spent >= WORTH_SAYING:
            said.append(f"{words} {seconds(spent)}")
    if source.first_token_s is not None:
        said.append(f"{seconds(source.first_token_s)} first")
    if source.tokens_per_s is not None:
        rate = source.tokens_per_s
        said.append(f"{rate:,.0f} tok/s" if rate >= 10 else f"{rate:.1f} tok/s")
    if source.tokens_out is not None:
        about = "about " if source.estimated else ""
        said.append(f"{about}{source.tokens_out:,} token{'s' * (source.tokens_out != 1)}")
    if source.tokens_reasoning:
        said.append(f"{source.tokens_reasoning:,} of them in thought")
    if source.tokens_in is not None and source.tokens_out is not None:
        said.append(f"{source.tokens_in:,} in")
    if source.tokens_cached:
        said.append(f"{source.tokens_cached:,} from its cache")
    if source.state in ("done", "failed", "stopped"):
        said += _paid(source)
    if source.finish_reason in FINISHES:
        said.append(FINISHES[source.finish_reason])
    return said


def _paid(source: Call | Run) -> list[str]:
    """What it cost; this machine costs time, and money only where an hour has a price."""
    said: list[str] = []
    if is_local(source) and source.first_token_s is not None:
        used = source.total_s if source.device else None
        what = {"cpu": "CPU", "gpu": "GPU"}.get(source.device or "", source.device)
        said.append(f"local, {seconds(used)} of {what}" if used is not None else "local")
    if source.cost_usd is not None:
        said.append(dollars(source.cost_usd))
    return said
