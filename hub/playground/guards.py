"""Guards: a prompt that judges what goes into a model or comes out of it, on any model.

A guard answers "safe", or "unsafe" and a category on the next line, as Llama Guard does (Inan et
al. 2023, arXiv:2312.06674); anything else it says is taken for the category.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Invalid, NotFound
from hub.playground.calls import Call, Endpoint, Route
from hub.playground.cells import dollars, seconds
from hub.playground.runs import perform
from hub.playground.values import fields_of
from hub.playground.wire.asked import words
from hub.registry.reading import catalog, listing

TAG = "guard"
IN, OUT = "input", "output"
LONGEST_CATEGORY = 80
Json = dict[str, Any]


class Guard(msgspec.Struct, frozen=True):
    """Whom to ask, and how to ask about a text."""

    endpoint: Endpoint | Route | str
    """A sentence when its model cannot be asked any more."""
    make: Callable[[str], Awaitable[Json]]


class Judged(msgspec.Struct, frozen=True):
    """What a guard said, and what it took."""

    category: str
    """Empty: safe."""
    note: str
    """`input guard: safe, 0.31 s, $0.0001`"""
    took_s: float = 0
    usd: float | None = None

    def add_to(self, call: Call) -> None:
        """Say it in the cell of the answer that was judged, and count it there."""
        call.remark(self.note)
        call.guards_s = (call.guards_s or 0) + self.took_s
        if self.usd is not None:
            call.guards_usd = (call.guards_usd or 0) + self.usd


async def offered(db: AsyncSession, workspace_id: int) -> list[str]:
    """The prompts that are tagged as guards."""
    found = await listing.find(db, workspace_id, tag=TAG, limit=50)
    return [one.name for one in found.items]


async def planned(db: AsyncSession, workspace_id: int, name: str) -> Json:
    """A guard as a column keeps it: the live text, else the latest.

    Raises:
        Invalid: there is no such prompt.
    """
    try:
        about = await catalog.get(db, workspace_id, name)
        live = about.live("production")
        found = await catalog.version(db, workspace_id, name, live.version if live else None)
    except NotFound:
        raise Invalid(f"There is no guard {name} (any more). Choose another.") from None
    return {"name": name, "version": found.number, "document": found.tree,
            "snippets": found.snippets}  # fmt: skip


def values(document: Json, text: str) -> Json:
    """The text goes into the guard's first variable. Pure.

    Raises:
        Invalid: it has none.
    """
    names = [field.name for field in fields_of(document)]
    if not names:
        raise Invalid("A guard needs a variable that takes the text it shall judge.")
    return {names[0]: text}


def asked_of(request: Mapping[str, Any]) -> str:
    """What an input guard judges: what the user says last. Pure."""
    said = [one for one in request.get("messages", []) if one.get("role") == "user"]
    return words(said[-1].get("content")) if said else ""


def category(answer: str) -> str:
    """Empty: safe. Pure."""
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    if not lines:
        return "it said nothing"
    if lines[0].rstrip(".").casefold() == "safe":
        return ""
    named = lines[1] if lines[0].rstrip(".:").casefold() == "unsafe" and lines[1:] else lines[0]
    return named[:LONGEST_CATEGORY]


async def judge(guard: Guard, which: str, text: str) -> Judged:
    """Ask the guard; one that cannot be asked holds nothing back, and says so."""
    call = Call(lambda: None)
    if isinstance(guard.endpoint, str):
        return Judged("", f"{which} guard: {guard.endpoint}")
    await perform(call, guard.endpoint, await guard.make(text))
    if call.state != "done":
        return Judged(
            "", f"{which} guard failed: {call.error}", took_s=call.total_s or 0, usd=call.cost_usd
        )
    found = category(call.output)
    took = [seconds(call.total_s or 0)]
    took += [dollars(call.cost_usd)] if call.cost_usd is not None else []
    return Judged(
        found, f"{which} guard: {found or 'safe'}, {', '.join(took)}", took_s=call.total_s or 0,
        usd=call.cost_usd,
    )  # fmt: skip
