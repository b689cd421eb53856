"""A changed text in two columns whose rows stand level, from the runs of one flowing text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from hub.registry.prompt.segments import Segment
from hub.registry.prompt.unseen import Unseen, pieces


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Some text of one column, and where it begins in the text of that column."""

    kind: Literal["same", "add", "del"]
    text: str
    at: int
    unseen: tuple[Unseen, ...] = ()

    @property
    def pieces(self) -> list[str | Unseen]:
        return pieces(self.text, self.unseen)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What stands level; with `fold` set, both sides say the same and may be folded."""

    old: list[Stretch]
    new: list[Stretch]
    fold: str = ""


def rows(segments: Sequence[Segment]) -> list[Row]:
    """A new row begins where an unchanged line ends, so that what belongs together stays level."""
    made: list[Row] = []
    old: list[Stretch] = []
    new: list[Stretch] = []
    at_old = at_new = 0

    def close() -> None:
        if old or new:
            made.append(Row(old=[*old], new=[*new]))
            old.clear()
            new.clear()

    for one in segments:
        if one.fold:
            close()
        offset = 0
        for text in _lines(one):
            unseen = _cut(one.unseen, offset, offset + len(text))
            if one.kind != "add":
                old.append(Stretch(kind=one.kind, text=text, at=at_old, unseen=unseen))
                at_old += len(text)
            if one.kind != "del":
                new.append(Stretch(kind=one.kind, text=text, at=at_new, unseen=unseen))
                at_new += len(text)
            offset += len(text)
            if one.kind == "same" and not one.fold and text.endswith("\n"):
                close()
        if one.fold:
            made.append(Row(old=[*old], new=[*new], fold=one.fold))
            old.clear()
            new.clear()
    close()
    return made


def _lines(segment: Segment) -> list[str]:
    """Only unchanged text is cut, at its line ends."""
    if segment.kind != "same" or segment.fold:
        return [segment.text]
    return segment.text.splitlines(keepends=True)


def _cut(found: tuple[Unseen, ...], start: int, end: int) -> tuple[Unseen, ...]:
    """The hidden characters of a line; a run of them that goes on in the next is cut."""
    inside: list[Unseen] = []
    for one in found:
        low, high = max(one.at, start), min(one.at + one.length, end)
        if low < high:
            inside.append(msgspec.structs.replace(one, at=low - start, length=high - low))
    return tuple(inside)
