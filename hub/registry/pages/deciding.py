"""Place by place: what each side says, and what a person decided. For drafts and for proposals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hub.registry.prompt.clashes import Choice, Clash, is_list, is_text
from hub.registry.prompt.segments import Segment, segments, swapped
from hub.registry.prompt.shown import as_text


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place that both changed, ready for the page."""

    field: str
    """The end of its fields' names."""
    where: str
    mine: str
    theirs: str
    mine_gone: bool
    theirs_gone: bool
    mine_changed: tuple[Segment, ...]
    """Mine against what both began with."""
    theirs_changed: tuple[Segment, ...]
    words: bool
    """Both can be kept, or other words written."""
    both: bool
    keep: str
    """What was chosen, if the page comes back."""
    text: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The places of one prompt."""

    name: str
    title: str
    theirs: str
    """`Ben Carter, version 9: “Shorter greeting”`."""
    places: list[Place]


def places(clashes: Sequence[Clash], data: Mapping[str, str], prefix: str = "") -> list[Place]:
    """What the page shows, with what was typed into it before."""
    return [_place(one, f"{prefix}{at}", data) for at, one in enumerate(clashes)]


def _place(clash: Clash, field: str, data: Mapping[str, str]) -> Place:
    base, mine, theirs = (as_text(side) for side in (clash.base, clash.mine, clash.theirs))
    words = is_text(clash.where)
    value = not words and not any("\n" in side for side in (base, mine, theirs))
    changed = swapped if value else segments
    again = data.get(f"where-{field}") == clash.where
    return Place(
        field=field, where=clash.where, mine=mine, theirs=theirs,
        mine_gone=clash.mine is None, theirs_gone=clash.theirs is None,
        mine_changed=changed(base, mine), theirs_changed=changed(base, theirs), words=words,
        both=words or is_list(clash.where),
        keep=data.get(f"keep-{field}", "") if again else "",
        text=data.get(f"text-{field}", mine).replace("\r\n", "\n") if again else mine or theirs,
    )  # fmt: skip


def choices(
    clashes: Sequence[Clash], data: Mapping[str, str], prefix: str = ""
) -> dict[str, Choice]:
    """What was decided, by place; a place that the form did not show is left out.

    A field `keep` alone decides for all of them.
    """
    made: dict[str, Choice] = {}
    for at, clash in enumerate(clashes):
        field = f"{prefix}{at}"
        there = data.get(f"where-{field}") == clash.where
        keep = data.get(f"keep-{field}", "") if there else ""
        keep = keep or data.get("keep", "")
        text = data.get(f"text-{field}", "").replace("\r\n", "\n")
        if keep == "mine" or keep == "theirs" or keep == "both" or keep == "edit":
            made[clash.where] = Choice(keep=keep, text=text)
    return made
