"""How a grid is run and shown, beside its columns and rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.errors import Invalid

MOST_SAMPLES = 20
LONGEST_TITLE = 120


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen beside columns and rows."""

    title: str = ""
    """The question it shall answer: "Which model for triage?"."""
    samples: int = 1
    """How often each question is asked."""
    solo: bool = False
    """One call at a time, so that no call slows another and the times are comparable."""
    keep: bool = False
    """Go on when nobody looks any more."""
    blind: bool = False
    """Whose answer it is stays hidden from a person until they have voted."""
    cache: bool = False
    """Take the kept answer to the same request, where the answer is bound to be the same."""


def options_of(kept: Mapping[str, Any]) -> Options:
    """As a grid keeps them; one from before there were any went on by itself."""
    return msgspec.convert(dict(kept), Options) if kept else Options(keep=True)


def read_options(fields: Mapping[str, str]) -> Options:
    """As typed.

    Raises:
        Invalid: the samples are no number from 1 to 20.
    """
    typed = fields.get("samples", "").strip() or "1"
    samples = int(typed) if typed.isdecimal() and len(typed) < 4 else 0
    if not 1 <= samples <= MOST_SAMPLES:
        raise Invalid(f"Ask each question from 1 to {MOST_SAMPLES} times.")
    return Options(
        title=" ".join(fields.get("title", "").split())[:LONGEST_TITLE], samples=samples,
        **{name: name in fields for name in ("solo", "keep", "blind", "cache")},
    )  # fmt: skip
