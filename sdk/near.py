"""Names that look like a wrong one."""

from __future__ import annotations

from collections.abc import Iterable

MOST_LOOKED_AT = 20_000
FAR = 3


def near(name: str, names: Iterable[str], most: int = 3) -> list[str]:
    """The most similar names, nearest first; quick, since a wrong name may be read in a loop.

    >>> near("support/triag", ["support/triage", "support/reply", "care/note"])
    ['support/triage']
    >>> near("triage", ["support/triage", "support/reply"])
    ['support/triage']
    """
    last = name.rpartition("/")[2]
    found: list[tuple[int, str]] = []
    for number, one in enumerate(names):
        if number > MOST_LOOKED_AT:
            break
        distance = _differing(name, one)
        if distance > FAR and one.rpartition("/")[2] == last:
            distance = FAR
        if distance <= FAR:
            found.append((distance, one))
    return [one for _, one in sorted(found)[:most]]


def _differing(one: str, other: str) -> int:
    """How many letters lie between the common beginning and the common end."""
    shorter, longer = sorted((one, other), key=len)
    if len(longer) - len(shorter) > FAR:
        return len(longer)
    room = len(shorter)
    begin = 0
    while begin < room and shorter[begin] == longer[begin]:
        begin += 1
    end = 0
    while end < room - begin and shorter[-1 - end] == longer[-1 - end]:
        end += 1
    return len(longer) - begin - end
