"""How somebody looks at a grid: which columns, in which order, against which, at what volume."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from hub.playground.totals import Volume, read_volume

FIELDS = ("base", "only", "calls", "each", "hour")


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the page's address asks for, and what is kept back from this person."""

    order: tuple[int, ...]
    """The columns that are shown, as the grid counts them."""
    hidden: bool
    """Names, figures and reasons are kept back until the person has voted."""
    base: int | None = None
    """The column, as the grid counts, whose answers the others are compared with."""
    alone: bool = False
    """One column alone."""
    volume: Volume = Volume()
    query: str = ""
    """The same in an address, with its question mark; empty if nothing was asked for."""
    typed: Mapping[str, str] = {}
    """The same as it was typed, also what cannot be used."""
    also: str = ""
    """Of it the volume, for addresses that look at other columns: `&calls=3000`."""

    def at(self, column: int) -> int:
        """Where a column is shown, from 0."""
        return self.order.index(column)


def read_look(typed: Mapping[str, str], columns: list[int], *, hidden: bool) -> Look:
    """`columns`: in the order they are shown; base and only count in it, from 1."""
    base, only = (_place(typed.get(name, ""), columns) for name in ("base", "only"))
    asked = {name: typed[name] for name in FIELDS if typed.get(name)}
    volume = {name: text for name, text in asked.items() if name not in ("base", "only")}
    return Look(
        order=tuple(columns) if only is None else (only,), hidden=hidden,
        base=base if only is None else None, alone=only is not None,
        volume=read_volume(typed), query=f"?{urlencode(asked)}" if asked else "",
        typed=asked, also=f"&{urlencode(volume)}" if volume else "",
    )  # fmt: skip


def _place(text: str, columns: list[int]) -> int | None:
    if not text.isdecimal() or len(text) > 2 or not 1 <= int(text) <= len(columns):
        return None
    return columns[int(text) - 1]
