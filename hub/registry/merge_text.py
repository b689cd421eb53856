"""Three-way merge of one text: by lines, then by sentences and words inside lines both touched."""

import re
from collections.abc import Sequence
from itertools import pairwise

from hub.registry.words import align

Edit = tuple[int, int, str]  # from, to, and the text instead

_SENTENCE = re.compile(r"[^\n.!?]*[.!?]*[^\S\n]*\n*|\n+")


def merge_texts(base: str, mine: str, theirs: str) -> str | None:
    """The text with both edits, or None when they meet."""
    if mine in (base, theirs):
        return theirs
    if theirs == base:
        return mine
    for cut in (_lines, _sentences):
        merged = _merge(cut(base), cut(mine), cut(theirs))
        if merged is not None:
            return merged
    return None


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _sentences(text: str) -> list[str]:
    return [part for part in _SENTENCE.findall(text) if part]


def _merge(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> str | None:
    """Both sides' edits applied to the base, unless two of them meet."""
    ours, others = _edits(base, mine), _edits(base, theirs)
    edits = sorted({*ours, *others})
    for before, after in pairwise(edits):
        if _meet(before, after):
            return None
    merged: list[str] = []
    at = 0
    for start, end, text in edits:
        merged += base[at:start]
        merged.append(text)
        at = end
    return "".join([*merged, *base[at:]])


def _edits(base: Sequence[str], side: Sequence[str]) -> list[Edit]:
    """What the side put in place of which stretch of the base."""
    edits: list[Edit] = []
    at = at_side = 0
    for start, own, length in [*align(base, side), (len(base), len(side), 0)]:
        if start > at or own > at_side:
            edits.append((at, start, "".join(side[at_side:own])))
        at, at_side = start + length, own + length
    return edits


def _meet(one: Edit, other: Edit) -> bool:
    """Whether two edits, in order, touch the same words or insert at the same place."""
    if one[1] > other[0]:
        return True
    return one[0] == other[0] and one[1] == other[1]
