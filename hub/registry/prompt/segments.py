"""A changed text cut into the stretches that a page shows: same, added, struck, folded."""

import re
from bisect import bisect_right
from functools import lru_cache
from typing import Literal, cast

import msgspec

from hub.registry.prompt.unseen import Unseen, find_unseen, pieces
from hub.registry.prompt.words import Run, compare_texts

_CONTEXT = 160  # characters kept in view beside a change
_WORTH_FOLDING = 240
_KEPT = 1 << 17  # characters of two texts whose comparison is remembered
_HALF = re.compile("\r(?!\n)")
_STOP = re.compile(r"\n+|(?<=[.!?]) +")


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of text. With `fold` set, a page may show that line instead until asked."""

    kind: Literal["same", "add", "del"]
    text: str
    fold: str = ""
    unseen: tuple[Unseen, ...] = ()

    @property
    def pieces(self) -> list[str | Unseen]:
        """The text cut at its hidden characters, each of which becomes a chip."""
        return pieces(self.text, self.unseen)


def segments(old: str, new: str) -> tuple[Segment, ...]:
    """`old` and `new` as one flowing text; long unchanged stretches are foldable."""
    if len(old) + len(new) > _KEPT:
        return _segments(old, new)
    return _known(old, new)


def swapped(old: str, new: str) -> tuple[Segment, ...]:
    """One struck, the other added, whole: for values such as 0.7, whose digits say nothing."""
    cut = [("del", old)] * bool(old) + [("add", new)] * bool(new)
    return _marked(cut, {}, find_unseen(old), find_unseen(new))


def _segments(old: str, new: str) -> tuple[Segment, ...]:
    runs = compare_texts(old, new)
    changed = any(kind != "same" for kind, _ in runs)
    cut: list[Run] = []
    folds: dict[int, str] = {}
    for at, (kind, text) in enumerate(runs):
        if kind != "same" or not changed:
            cut.append((kind, text))
            continue
        head, middle, tail = _around(text, first=at == 0, last=at == len(runs) - 1)
        cut += [("same", head)] * bool(head)
        if middle:
            folds[len(cut)] = _measure(middle)
            cut.append(("same", middle))
        cut += [("same", tail)] * bool(tail)
    return _marked(cut, folds, find_unseen(old), find_unseen(new))


_known = lru_cache(64)(_segments)  # a change is looked at by several people, several times


def _around(text: str, *, first: bool, last: bool) -> tuple[str, str, str]:
    """Split an unchanged stretch into what stays in view and the middle that folds."""
    start = 0 if first else _cut_after(text)
    end = len(text) if last else _cut_before(text)
    if end - start < _WORTH_FOLDING:
        return text, "", ""
    return text[:start], text[start:end], text[end:]


def _cut_after(text: str) -> int:
    """Where the sentence or line that follows a change ends."""
    for found in _STOP.finditer(text, 0, _CONTEXT):
        if found.end() > 20:
            return found.end()
    blank = text.rfind(" ", 0, _CONTEXT)
    return blank + 1 if blank > 0 else min(_CONTEXT, len(text))


def _cut_before(text: str) -> int:
    """Where the line or sentence begins that leads up to a change."""
    low = max(0, len(text) - _CONTEXT)
    line = text.rfind("\n", low, max(low, len(text) - 20))
    if line >= 0:
        return line + 1
    blank = text.find(" ", low)
    return blank + 1 if blank >= 0 else low


def _measure(text: str) -> str:
    """`2 paragraphs unchanged`, or lines or words where there are no paragraphs."""
    for pattern, word in ((r"\n\s*\n", "paragraph"), (r"\n", "line"), (r"\s+", "word")):
        count = sum(1 for part in re.split(pattern, text) if part.strip())
        if count > 1 or word == "word":
            return f"{count} {word}{'' if count == 1 else 's'} unchanged"
    return ""


def _marked(
    cut: list[Run], folds: dict[int, str], in_old: tuple[Unseen, ...], in_new: tuple[Unseen, ...]
) -> tuple[Segment, ...]:
    """Segments that carry the hidden characters inside them, found with their neighbours."""
    made: list[Segment] = []
    at_old = at_new = 0
    for number, (kind, text) in enumerate(cut):
        source, at = (in_old, at_old) if kind == "del" else (in_new, at_new)
        unseen = _within(source, at, at + len(text)) if source else ()
        if kind != "same" and "\r" in text:
            unseen = _with_line_ends(text, unseen)
        made.append(
            Segment(
                kind=cast("Literal['same', 'add', 'del']", kind),
                text=text,
                fold=folds.get(number, ""),
                unseen=unseen,
            )
        )
        at_old += len(text) if kind != "add" else 0
        at_new += len(text) if kind != "del" else 0
    return tuple(made)


def _with_line_ends(text: str, found: tuple[Unseen, ...]) -> tuple[Unseen, ...]:
    """Half of a line end of Windows, where that is what changed: nobody would see why."""
    known = {at for one in found for at in range(one.at, one.at + one.length)}
    halves = [at for at in (m.start() for m in _HALF.finditer(text)) if at not in known]
    more = [Unseen(at, 1, "U+000D", "CARRIAGE RETURN", "control") for at in halves]
    return tuple(sorted([*found, *more], key=lambda one: one.at))


def _within(found: tuple[Unseen, ...], start: int, end: int) -> tuple[Unseen, ...]:
    """The hidden characters between two places, counted from the first; runs may be cut."""
    inside: list[Unseen] = []
    first = max(0, bisect_right(found, start, key=lambda one: one.at) - 1)
    for at in range(first, len(found)):
        one = found[at]
        if one.at >= end:
            break
        low, high = max(one.at, start), min(one.at + one.length, end)
        if low < high:
            inside.append(msgspec.structs.replace(one, at=low - start, length=high - low))
    return tuple(inside)
