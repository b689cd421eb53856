"""Three-way merge of one text: by lines, then by sentences and words inside lines both touched."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from hub.registry.prompt.words import align

Edit = tuple[int, int, str]  # from, to, and the text instead


class Sides(msgspec.Struct, frozen=True):
    """A text in which two people's edits meet somewhere.

    Edits that lie apart are made in each of the four; where edits meet stands what was there, my
    words, theirs, or my paragraph and theirs below it.
    """

    base: str
    mine: str
    theirs: str
    both: str


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


def sides(base: str, mine: str, theirs: str) -> Sides:
    """What there is to choose from where `merge_texts` finds that edits meet."""
    found = _sides((_lines, _sentences), base, mine, theirs)
    if found.mine == found.theirs:  # they meet only as long as the whole is looked at
        return Sides(base, mine, theirs, _below(mine, theirs))
    return found


def _sides(
    cuts: Sequence[Callable[[str], list[str]]], base: str, mine: str, theirs: str
) -> Sides:  # fmt: skip
    cut, *finer = cuts
    parts = cut(base)
    ours, others = _edits(parts, cut(mine)), _edits(parts, cut(theirs))
    made: list[Sides] = []
    at = 0
    for group in _meetings(sorted({*ours, *others})):
        start, end = group[0][0], max(edit[1] for edit in group)
        made.append(_same("".join(parts[at:start])))
        was, own, other = (
            _put(parts, start, end, [one for one in group if one in side])
            for side in ([], ours, others)
        )
        if len(group) == 1:
            made.append(_same(group[0][2]))
        else:
            left = _sides(finer, was, own, other) if finer else Sides(was, own, other, "")
            both = _below(left.mine, left.theirs)
            made.append(msgspec.structs.replace(left, both=both))
        at = end
    made.append(_same("".join(parts[at:])))
    each = {name: "".join(getattr(one, name) for one in made) for name in Sides.__struct_fields__}
    return Sides(**each)


def _same(text: str) -> Sides:
    return Sides(text, text, text, text)


def _below(mine: str, theirs: str) -> str:
    if mine == theirs:
        return mine
    if not mine.strip() or not theirs.strip():
        return mine + theirs
    return mine.rstrip("\n") + "\n\n" + theirs


def _meetings(edits: Sequence[Edit]) -> list[list[Edit]]:
    """Edits in order; those that meet, one by one or in a chain, together."""
    groups: list[list[Edit]] = []
    for edit in edits:
        if groups and any(_meet(one, edit) for one in groups[-1]):
            groups[-1].append(edit)
        else:
            groups.append([edit])
    return groups


def _put(parts: Sequence[str], start: int, end: int, edits: Sequence[Edit]) -> str:
    """The stretch with these edits made."""
    made: list[str] = []
    for first, last, text in edits:
        made += [*parts[start:first], text]
        start = last
    return "".join([*made, *parts[start:end]])


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
