"""What the REST interface takes and gives of releases."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.registry.rest import bodies


class OneMove(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a label of one prompt shall point."""

    label: str
    name: str
    version: bodies.Number | None
    """Null takes the label off."""
    expected: bodies.Number | UnsetType | None = UNSET
    """Where the label is now, as far as you know (null: nowhere). Left out: wherever it is."""
    share: Annotated[int, Meta(ge=1, le=100)] = 100
    """Percent of the readers who get it; the others get what they get now. Apps choose by a key."""


class MoveLabels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Labels to move in one step: all of them, or none."""

    moves: list[OneMove]
    reason: str = ""
    """Why; kept in the history."""
    break_glass: str = ""
    """Why the rules shall be set aside, if they refuse: of administrators alone."""
    despite_programs: str = ""
    """Why it shall happen though programs that run now could not go on: they do not pass what the
    version needs, or read what is taken off."""


class ReleaseList(msgspec.Struct, frozen=True):
    """What was moved, in the order that was asked for."""

    items: list[bodies.Released]


class LiveThen(msgspec.Struct, frozen=True, kw_only=True):
    """What a label served of one prompt at that moment."""

    name: str
    """The prompt's name now."""
    id: str
    version: int
    hash: str
    since: datetime
    by: str
    reason: str


class LiveList(msgspec.Struct, frozen=True, kw_only=True):
    """Every prompt that was live under the label at that moment, by name."""

    label: str
    at: datetime
    items: list[LiveThen]
