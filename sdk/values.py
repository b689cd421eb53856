"""What may be put into a text, and how it looks there.

Values are JSON: text, numbers, true and false, nothing, lists, dictionaries with text keys. In a
text, text stands as it is, `None` is nothing, and everything else stands as JSON, so that programs
in other languages print the same.

>>> show("Ada"), show(None), show(True), show(2.5), show(["a", {"b": None}])
('Ada', '', 'true', '2.5', '["a", {"b": null}]')
"""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps
from math import isfinite
from typing import Any, cast

from sdk.errors import InvalidVariable, TemplateError

DEEPEST_VALUE = 32
MOST_OUTPUT = 1024 * 1024
_LARGEST_NUMBER_BITS = 1024
EACH = 4
"""What an item of a list weighs beside its text; working on one takes its time, too."""


def check(name: str, value: object, depth: int = 0) -> Any:
    """A plain copy of `value` if it is JSON through and through.

    Raises:
        InvalidVariable: it is something else, or nested too deeply.

    >>> check("visit", (1, {"a": "b"}))
    [1, {'a': 'b'}]
    >>> check("visit", {1, 2})
    Traceback (most recent call last):
    sdk.errors.InvalidVariable: `visit` is a set; use text, a number, true or false, a list or a \
dictionary with text keys.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _text(name, value)
    if isinstance(value, (int, float)):
        return _number(name, value)
    if depth > DEEPEST_VALUE:
        raise InvalidVariable(name, f"`{name}` is nested more than {DEEPEST_VALUE} deep.")
    if isinstance(value, (list, tuple)):
        return [check(name, one, depth + 1) for one in cast("list[object]", value)]
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        if all(isinstance(key, str) for key, _ in pairs):
            return {
                _text(name, cast("str", key)): check(name, one, depth + 1) for key, one in pairs
            }
    kind = type(value).__name__
    kind = f"an {kind}" if kind[0] in "aeiouAEIOU" else f"a {kind}"
    raise InvalidVariable(
        name,
        f"`{name}` is {kind}; use text, a number, true or false, a list or a "
        "dictionary with text keys.",
    )


def _text(name: str, value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidVariable(
                name, f"`{name}` holds half a character (a lone surrogate); send whole text."
            ) from None
    # A subclass may bring methods along; what is kept is its text alone.
    return value if type(value) is str else str.__str__(value)


def _number(name: str, value: int | float) -> int | float:
    if isinstance(value, int):
        if value.bit_length() <= _LARGEST_NUMBER_BITS:
            return int.__int__(value)
    elif isfinite(value):
        return float.__float__(value)
    raise InvalidVariable(name, f"`{name}` is not a number that can be written down.")


def show(value: object) -> str:
    """`value` as it stands in a text."""
    if value is None:
        return ""
    if type(value) is str:
        return value
    weigh(value, MOST_OUTPUT)
    # All is JSON but for what is missing in a template; `str` of that raises, and names it.
    return dumps(value, ensure_ascii=False, default=str)


def weigh(value: object, most: int) -> int:
    """About how many characters `value` would print as; stops counting where `most` is passed.

    The same list may stand many times in another, so a few bytes of template could print gigabytes.

    Raises:
        TemplateError: it is more than `most`.
    """
    if isinstance(value, str):
        weight = len(value) + 1
    elif isinstance(value, (list, tuple)):
        weight = 1
        for one in cast("list[object]", value):
            weight += EACH + weigh(one, most - weight)
    elif isinstance(value, dict):
        weight = 1
        for key, one in cast("dict[str, object]", value).items():
            weight += EACH + len(key) + weigh(one, most - weight - len(key))
    else:
        weight = 1
    if weight > most:
        raise TemplateError(TOO_LONG)
    return weight


TOO_LONG = "The finished text would be longer than 1 MiB. Shorten what is put into it."
