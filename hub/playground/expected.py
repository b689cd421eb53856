"""Whether an answer is what its example expects. Pure."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, cast

LONGEST_JUDGED = 80
"""Characters: of a longer text nobody expects the very words, so that an answer has others says
nothing against it."""
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " "})


def right(expected: str | None, answer: str) -> bool:
    """The expected answer, whatever its capitals, its space and a full stop at its end; JSON by
    what it holds.

    >>> right("Now", " now. "), right('{"when": "now", "beds": 1}', '{"beds":1.0, "when":"Now"}')
    (True, True)
    """
    if not expected:
        return False
    if _bare(expected) == _bare(answer):
        return True
    wanted = _tree(expected)
    return wanted is not None and wanted == _tree(answer)


def judged(expected: str | None, state: str, answer: str) -> bool | None:
    """The same of a call; None: nothing is expected, there is no whole answer, or it says in
    other words what can be said in many."""
    if not expected or state != "done":
        return None
    return right(expected, answer) or (False if judgeable(expected) else None)


def judgeable(expected: str | None) -> bool:
    """Whether an answer can be held against it: JSON, or a text of about a line.

    >>> judgeable("Now"), judgeable("A letter of many words. " * 9), judgeable(None)
    (True, False, False)
    """
    if not expected:
        return False
    return len(_bare(expected)) <= LONGEST_JUDGED or _tree(expected) is not None


def _bare(text: str) -> str:
    """How an apostrophe or an accent is encoded is nobody's answer."""
    plain = unicodedata.normalize("NFC", text).translate(_QUOTES)
    return " ".join(plain.split()).rstrip(".").casefold()


def _tree(text: str) -> Any:
    """An object or a list that can be compared; None: it is a text like any other."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return _alike(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _alike(value: Any) -> Any:
    """With its texts bare, and a yes that is no 1: to Python `True == 1`."""
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        return {name: _alike(one) for name, one in tree.items()}
    if isinstance(value, list):
        return [_alike(one) for one in cast("list[Any]", value)]
    if isinstance(value, bool):
        return ("yes" if value else "no",)
    return _bare(value) if isinstance(value, str) else value
