"""Prompts with nothing but `{{ name }}` in them, as one list of pieces: rendered in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdk.template import Pieces, Text
from sdk.values import MOST_OUTPUT, check

_ANY_TEXT = frozenset({"text", "long text", "string", None})
BETWEEN = "\n\n"


class Flat:
    """All messages in one go; `None` from `text` means: go the long way, which also complains."""

    __slots__ = ("_pieces", "_slots", "names")

    def __init__(self, pieces: list[str], slots: tuple[tuple[int, str], ...]) -> None:
        self._pieces, self._slots = pieces, slots
        self.names = tuple(dict.fromkeys(name for _, name in slots))

    def text(self, given: Mapping[str, object]) -> str | None:
        """The finished text, if exactly the names that are used are given, all of them texts."""
        if len(given) != len(self.names):
            return None
        out = self._pieces.copy()
        try:
            for at, name in self._slots:
                value = given[name]
                if type(value) is not str:
                    return None
                out[at] = value if value.isascii() else check(name, value)
        except KeyError:
            return None
        text = "".join(out)
        return text if len(text) <= MOST_OUTPUT else None


def flatten(
    texts: tuple[Text | None, ...], declared: Mapping[str, Mapping[str, Any]]
) -> Flat | None:
    """The prompt as one list of pieces, if that is all it is."""
    pieces: list[str] = []
    for text in texts:
        if not isinstance(text, Pieces):
            return None
        if pieces:
            pieces[-1] += BETWEEN
            pieces[-1] += text.pieces[0]
            pieces += text.pieces[1:]
        else:
            pieces += text.pieces
    slots = tuple(enumerate(pieces))[1::2]
    flat = Flat(pieces, slots)
    kinds_fit = all(one.get("type") in _ANY_TEXT for one in declared.values())
    return flat if kinds_fit and set(declared) <= set(flat.names) else None
