"""What a prompt says about its variables, and whether a value fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, cast

from sdk.errands import warn_once
from sdk.errors import InvalidVariable
from sdk.frozen import thawed
from sdk.template import Text

Record = Mapping[str, Any]

PICTURE = "image"
_NUMBERS = (int, float)
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "number": (_NUMBERS, "a number"),
    "integer": ((int,), "a whole number"),
    "boolean": ((bool,), "true or false"),
    "list": ((list, tuple), "a list"),
    "array": ((list, tuple), "a list"),
    "object": ((dict, MappingProxyType), "a dictionary"),
    "text": ((str, *_NUMBERS), "text"),
    "long text": ((str, *_NUMBERS), "text"),
    "string": ((str, *_NUMBERS), "text"),
    PICTURE: ((str, bytes, bytearray, memoryview), "a picture: its bytes, or its address"),
}


def check_kind(prompt: str, name: str, variable: Record, value: object) -> None:
    """Refuse a value that is not of the declared type; types we do not know take anything.

    Raises:
        InvalidVariable: names the prompt and the variable.
    """
    kinds, words = _KINDS.get(str(variable.get("type")), ((object,), ""))
    if value is None and variable.get("required") is False:
        return
    # To Python, true is a number.
    wrong_bool = isinstance(value, bool) and bool not in kinds and object not in kinds
    if wrong_bool or not isinstance(value, kinds):
        raise InvalidVariable(
            name, f"{prompt}: `{name}` must be {words}, not {type(value).__name__}."
        )


def pictures(declared: Mapping[str, Record]) -> tuple[str, ...]:
    """The names of the variables that are pictures."""
    return tuple(name for name, one in declared.items() if one.get("type") == PICTURE)


def by_name(variables: object) -> dict[str, Record]:
    if not variables:
        return {}
    if isinstance(variables, Mapping):
        items = cast("Mapping[str, Any]", variables).items()
        return {name: spec if isinstance(spec, Mapping) else {} for name, spec in items}
    return {one["name"]: one for one in cast("list[Record]", variables or [])}


def needed(texts: tuple[Text | None, ...], declared: Mapping[str, Record]) -> tuple[str, ...]:
    """Names that must be given: declared as required, or used by a plain text and not declared.

    A name that is used under a condition only may be missing; the text itself says when it is not.
    """
    if not declared and len(texts) == 1 and (only := texts[0]):
        return only.variables if only.plain_path else ()
    used = dict.fromkeys(
        name for text in texts if text and text.plain_path for name in text.variables
    )
    names = [name for name in used if name not in declared]
    for name, variable in declared.items():
        optional = variable.get("required") is False or variable.get("default") is not None
        if not optional:
            names.append(name)
    return tuple(names)


def required(texts: tuple[Text | None, ...], declared: Mapping[str, Record]) -> tuple[str, ...]:
    """`needed`, and what texts use in loops or filters without asking whether it is there."""
    used = dict.fromkeys(
        name
        for text in texts
        if text
        for name in text.variables
        if name not in text.optional and name not in declared
    )
    return tuple(dict.fromkeys((*used, *needed(texts, declared))))


def turns(name: str, value: object) -> list[dict[str, Any]]:
    """The messages that stand in for a placeholder."""
    if value is None:
        return []
    turns = cast("list[Any]", value) if isinstance(value, (list, tuple)) else None
    if turns is None or not all(isinstance(one, Mapping) and "role" in one for one in turns):
        raise InvalidVariable(
            name, f"`{name}` must be a list of messages, each with a role and a content."
        )
    return [{key: thawed(part) for key, part in one.items()} for one in turns]


def warn_of_unknown(prompt: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    """A line in the program's log for names that the prompt has no use for, once for each.

    No error: a program may pass already what only the next version asks for.
    """
    from sdk.near import near

    for name in given:
        if name in known:
            continue
        similar = near(name, known, 1)
        hint = f" Did you mean `{similar[0]}`?" if similar else ""
        warn_once(f"{prompt} has no variable `{name}`.{hint}")
