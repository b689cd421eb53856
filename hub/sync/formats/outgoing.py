"""What a file must not say on its way out: words that its reader would look up on its own machine.

`${env:KEY}` as a description is a wish to a person here, and to Prompty the content of a variable
of the environment; `file://run.py` as an example is a program to promptfoo.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from hub.sync.formats.report import Notes

_RUN = re.compile(
    r"\s*(?:file|python|javascript|exec|ruby|golang|node|package|webhook|https?|wss?):", re.I
)
_ASKED = re.compile(r"\s*(?:file|python|javascript|exec|package):|.*\{\{-?\s*env\b", re.I | re.S)


def prompty_asks(text: str) -> bool:
    """Whether Prompty puts something else in its place: an environment's value, or a file."""
    return text.lstrip().startswith("${")


def promptfoo_asks(text: str) -> bool:
    """Whether promptfoo, given this as a value, reads a file, runs it, or looks around."""
    return bool(_ASKED.match(text))


def promptfoo_runs(model: str) -> bool:
    """Whether promptfoo, given this as a provider, runs a program or asks another address."""
    return bool(_RUN.match(model))


def without(value: Any, asks: Callable[[str], bool], path: str, notes: Notes, why: str) -> Any:
    """The value without such texts, each of them named."""

    def stays(inner: object, at: str) -> bool:
        if isinstance(inner, str) and asks(inner):
            notes.lose(at, why)
            return False
        return True

    if isinstance(value, dict):
        pairs = [(key, f"{path}.{key}" if path else key, inner)
                 for key, inner in cast("dict[str, Any]", value).items()]  # fmt: skip
        return {
            key: without(inner, asks, at, notes, why)
            for key, at, inner in pairs if stays(inner, at)
        }  # fmt: skip
    if isinstance(value, list):
        rows = [(f"{path}[{at}]", one) for at, one in enumerate(cast("list[Any]", value))]
        return [without(one, asks, at, notes, why) for at, one in rows if stays(one, at)]
    return value
