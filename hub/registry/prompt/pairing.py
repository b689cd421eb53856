"""Which message of the old version became which of the new one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

from hub.registry.prompt.document import Message
from hub.registry.prompt.words import count, likeness, rising

_MOST_COMPARED = 2_500  # pairs of messages compared by their words


def match_messages(old: Sequence[Message], new: Sequence[Message]) -> dict[int, int]:
    """New position to old position: equal messages, then alike ones, then those in their place."""
    matched: dict[int, int] = {}
    _match_equal(old, new, matched)
    _match_alike(old, new, matched)
    _match_in_place(old, new, matched)
    return matched


def _match_equal(old: Sequence[Message], new: Sequence[Message], matched: dict[int, int]) -> None:
    places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for at, message in enumerate(old):
        places[message.role, message.content].append(at)
    if len(old) == len(new):  # an equal message in its own place has not moved
        for at, message in enumerate(new):
            if message == old[at]:
                matched[at] = at
                places[message.role, message.content].remove(at)
    for at, message in enumerate(new):
        waiting = places[message.role, message.content]
        if at not in matched and waiting:
            matched[at] = waiting.pop(0)


def _left(old: Sequence[Message], new: Sequence[Message], matched: dict[int, int]) -> tuple[
    list[int], list[int]
]:  # fmt: skip
    taken = set(matched.values())
    return (
        [at for at in range(len(old)) if at not in taken],
        [at for at in range(len(new)) if at not in matched],
    )


def _match_alike(old: Sequence[Message], new: Sequence[Message], matched: dict[int, int]) -> None:
    left_old, left_new = _left(old, new, matched)
    if len(left_old) * len(left_new) > _MOST_COMPARED:
        return
    mine = {at: count(old[at].content) for at in left_old}
    theirs = {at: count(new[at].content) for at in left_new}
    scores: list[tuple[float, int, int, int]] = []
    for a in left_old:
        for b in left_new:
            score = likeness(mine[a], theirs[b])
            same_role = old[a].role == new[b].role
            if score > (0.4 if same_role else 0.8):
                scores.append((-score - 0.1 * same_role, abs(a - b), a, b))
    taken: set[int] = set()
    for _, _, a, b in sorted(scores):
        if a not in taken and b not in matched:
            matched[b] = a
            taken.add(a)


def _match_in_place(
    old: Sequence[Message], new: Sequence[Message], matched: dict[int, int]
) -> None:
    """A message rewritten from end to end is the one of its role between the same neighbours."""
    by_old = {a: b for b, a in matched.items()}
    rewritten: dict[int, int] = {}
    above = -1
    gaps: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for a, message in enumerate(old):
        if a in by_old:
            above = by_old[a]
        else:
            gaps[above, message.role].append(a)
    above = -1
    for b, message in enumerate(new):
        if b in matched:
            above = b
        elif waiting := gaps[above, message.role]:
            rewritten[b] = waiting.pop(0)
    matched.update(rewritten)


def pair_messages(
    old: Sequence[Message], new: Sequence[Message]
) -> Iterator[tuple[int | None, int | None, Literal["", "up", "down"]]]:
    """Old and new position of every message, in reading order, and whether it moved."""
    matched = match_messages(old, new)
    still = set(rising([(matched[at], at) for at in sorted(matched)]))
    removed, _ = _left(old, new, matched)
    for at in range(len(new)):
        origin = matched.get(at)
        if origin is None:
            yield None, at, ""
            continue
        stays = (origin, at) in still
        while stays and removed and removed[0] < origin:
            yield removed.pop(0), None, ""
        yield origin, at, "" if stays else "up" if origin > at else "down"
    for at in removed:
        yield at, None, ""
