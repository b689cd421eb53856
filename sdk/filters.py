"""What may stand after `|` and after `is` in a prompt.

They behave as Jinja's do, with three exceptions: they take data only (no attributes, no markup),
`default` also fills in for `None`, and none of them can be made to print more than 1 MiB.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import dumps
from typing import Any, cast

from jinja2 import Undefined

from sdk.errors import TemplateError
from sdk.values import MOST_OUTPUT, TOO_LONG, show


def _grown(size: int) -> None:
    if size > MOST_OUTPUT:
        raise TemplateError(TOO_LONG)


def _listed(value: object) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return cast("list[Any]", value)
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value))
    raise TemplateError(f"A list is needed here, not {_kind(value)}.")


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, (int, float)) else f"the text “{show(value)[:40]}”"


def _whole(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TemplateError(f"A whole number is needed here, not {_kind(value)}.")
    return max(least, min(value, most))


def _plucked(value: object, attribute: object) -> object:
    """`attribute` of a dictionary; dots go deeper."""
    for key in show(attribute).split("."):
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return value


def _order(value: object, case_sensitive: bool) -> tuple[int, Any]:
    """Numbers before texts before the rest, so that any list can be sorted."""
    if isinstance(value, (bool, int, float)):
        return (0, value)
    text = show(value)
    return (1 if isinstance(value, str) else 2, text if case_sensitive else text.casefold())


def _abs(value: object) -> int | float:
    return abs(_number(value))


def _number(value: object) -> int | float:
    if isinstance(value, (int, float)):
        return value
    raise TemplateError(f"A number is needed here, not {_kind(value)}.")


def _add(left: object, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        _grown(len(left) + len(right))
        return left + right
    return _sum(_number(left), _number(right))


def _subtract(left: object, right: object) -> object:
    return _sum(_number(left), -_number(right))


def _sum(left: int | float, right: int | float) -> int | float:
    total = left + right
    if isinstance(total, float) and total - total != 0:
        raise TemplateError("The result is not a number that can be written down.")
    return total


def _concat(values: object) -> str:
    return _join(values)


def _default(value: object, default_value: object = "", boolean: bool = False) -> object:
    missing = isinstance(value, Undefined) or value is None or (boolean and not value)
    return default_value if missing else value


def _escape(value: object) -> str:
    text = show(value)
    _grown(len(text) * 6)
    for mark, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;")):
        text = text.replace(mark, name)
    return text.replace('"', "&#34;")


def _end(at: int) -> Callable[[object], object]:
    def pick(value: object) -> object:
        items = value if isinstance(value, str) else _listed(value)
        return items[at] if items else None

    return pick


def _float(value: object, default: object = 0.0) -> object:
    try:
        number = float(show(value)) if isinstance(value, str) else float(_number(value))
    except (TemplateError, ValueError, OverflowError):
        return default
    return number if number - number == 0 else default


def _int(value: object, default: object = 0) -> object:
    try:
        return int(value[:400]) if isinstance(value, str) else int(_number(value))
    except (TemplateError, ValueError):
        number = _float(value, None)
        return default if number is None else int(cast("float", number))


def _indent(value: object, width: int = 4, first: bool = False, blank: bool = False) -> str:
    text, space = show(value), " " * _whole(width, 0, 64)
    _grown(len(text) + (text.count("\n") + 1) * len(space))
    lines = text.split("\n")
    rest = [space + line if line.strip() or blank else line for line in lines[1:]]
    return "\n".join([space + lines[0] if first else lines[0], *rest])


def _items(value: object) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise TemplateError(f"`items` needs a dictionary, not {_kind(value)}.")
    return list(cast("dict[str, Any]", value).items())


def _join(value: object, d: object = "", attribute: object = None) -> str:
    listed = _listed(value) if attribute is None else _map(value, attribute=attribute)
    size, items = 0, list[str]()
    for one in listed:
        items.append(show(one))
        size += len(items[-1])
        _grown(size)
    between = show(d)
    _grown(size + len(between) * len(items))
    return between.join(items)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else len(_listed(value))


def _map(value: object, *, attribute: object) -> list[Any]:
    return [_plucked(one, attribute) for one in _listed(value)]


def _replace(value: object, old: object, new: object) -> str:
    text, old, new = show(value), show(old), show(new)
    if old == "":
        return text
    _grown(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _reverse(value: object) -> object:
    return value[::-1] if isinstance(value, str) else list(reversed(_listed(value)))


def _round(value: object, precision: int = 0) -> float:
    return round(float(_number(value)), _whole(precision, -12, 12))


def _sort(
    value: object, reverse: bool = False, case_sensitive: bool = False, attribute: object = None
) -> list[Any]:
    def key(one: object) -> tuple[int, Any]:
        picked = one if attribute is None else _plucked(one, attribute)
        return _order(picked, case_sensitive)

    return sorted(_listed(value), key=key, reverse=bool(reverse))


def _title(value: object) -> str:
    parts = re.split(r"([-\s({\[<]+)", show(value))
    return "".join(part[:1].upper() + part[1:].lower() for part in parts)


def _tojson(value: object, indent: int | None = None) -> str:
    show(value)  # weighs it
    return dumps(value, ensure_ascii=False, indent=None if indent is None else _whole(indent, 0, 8))


def _trim(value: object, chars: object = None) -> str:
    return show(value).strip(None if chars is None else show(chars))


def _truncate(
    value: object, length: int = 255, killwords: bool = False, end: object = "...", leeway: int = 5
) -> str:
    text, after = show(value), show(end)
    length, leeway = _whole(length, 0, MOST_OUTPUT), _whole(leeway, 0, 1000)
    if len(text) <= length + leeway:
        return text
    kept = text[: max(0, length - len(after))]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + after


def _unique(value: object, case_sensitive: bool = False, attribute: object = None) -> list[Any]:
    seen: set[object] = set()
    kept: list[Any] = []
    for one in _listed(value):
        key = _order(one if attribute is None else _plucked(one, attribute), case_sensitive)
        if key not in seen:
            seen.add(key)
            kept.append(one)
    return kept


def _even(value: object) -> bool:
    return isinstance(value, int) and value % 2 == 0


def _odd(value: object) -> bool:
    return isinstance(value, int) and value % 2 == 1


FILTERS: dict[str, Callable[..., object]] = {
    "abs": _abs,
    "capitalize": lambda value: show(value).capitalize(),
    "count": _length,
    "d": _default,
    "default": _default,
    "e": _escape,
    "escape": _escape,
    "first": _end(0),
    "float": _float,
    "indent": _indent,
    "int": _int,
    "items": _items,
    "join": _join,
    "last": _end(-1),
    "length": _length,
    "list": lambda value: list(value) if isinstance(value, str) else _listed(value),
    "lower": lambda value: show(value).lower(),
    "map": _map,
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "sort": _sort,
    "string": show,
    "title": _title,
    "tojson": _tojson,
    "trim": _trim,
    "truncate": _truncate,
    "unique": _unique,
    "upper": lambda value: show(value).upper(),
    "wordcount": lambda value: len(show(value).split()),
}
"""What may stand after `|`."""

OURS: dict[str, Callable[..., object]] = {
    "_add": _add,
    "_concat": _concat,
    "_subtract": _subtract,
}
"""Operators, counted like filters; nobody can write these names."""

FREE = frozenset("count d default first last length".split())
"""Filters whose work does not grow with the value."""

HEAVY = frozenset("sort unique".split())
"""Filters that do several times as much for each item."""

TESTS: dict[str, Callable[[object], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "defined": lambda value: not isinstance(value, Undefined),
    "even": _even,
    "false": lambda value: value is False,
    "mapping": lambda value: isinstance(value, dict),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)),
    "odd": _odd,
    "sequence": lambda value: isinstance(value, (str, list, tuple, dict)),
    "string": lambda value: isinstance(value, str),
    "true": lambda value: value is True,
    "undefined": lambda value: isinstance(value, Undefined),
}
"""What may stand after `is`."""
