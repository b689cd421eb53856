"""Changes of settings, fields, tools and schemas, as old and new value in a person's words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from hub.registry.prompt.segments import Segment, segments

# Words of JSON schema that say nothing to a reader of a changed path.
_SILENT = frozenset(("properties", "function", "schema"))


class ValueChange(msgspec.Struct, frozen=True, kw_only=True):
    """One value, before and after; None where it does not exist. Texts also come word by word."""

    name: str
    old: Any = None  # any JSON; `object` would say the same, but has no word in OpenAPI
    new: Any = None
    segments: tuple[Segment, ...] = ()

    @property
    def old_shown(self) -> str:
        return show(self.old)

    @property
    def new_shown(self) -> str:
        return show(self.new)


def compare_groups(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[ValueChange, ...]:
    """What differs between two groups, their inner groups and lists walked into."""
    return tuple(
        change for key in {**old, **new} for change in _compare((key,), old.get(key), new.get(key))
    )


def compare_tools(
    old: Sequence[object] | None, new: Sequence[object] | None
) -> tuple[ValueChange, ...]:
    """Tools by their name, so that a new first tool does not change all the others."""
    before, after = _by_name(old or []), _by_name(new or [])
    changes: list[ValueChange] = []
    for name in {**before, **after}:
        if name not in before or name not in after:
            one = ValueChange(name=name, old=before.get(name), new=after.get(name))
            changes.append(one)
        else:
            changes += _compare((name,), before[name], after[name])
    return tuple(changes)


def _by_name(tools: Sequence[object]) -> dict[str, object]:
    named: dict[str, object] = {}
    for number, tool in enumerate(tools, 1):
        inner = cast("dict[str, object]", tool) if isinstance(tool, dict) else {}
        function = inner.get("function")
        if isinstance(function, dict):
            inner = cast("dict[str, object]", function)
        name = inner.get("name")
        key = name if isinstance(name, str) and name else f"tool {number}"
        named[key if key not in named else f"{key} ({number})"] = tool
    return named


def _compare(path: tuple[str, ...], old: object, new: object) -> Iterator[ValueChange]:
    if type(old) is type(new) and old == new and repr(old) == repr(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, object]", old), cast("dict[str, object]", new)
        for key in {**before, **after}:
            yield from _compare((*path, key), before.get(key), after.get(key))
        return
    if isinstance(old, list) and isinstance(new, list) and _has_groups(old) and _has_groups(new):
        yield from _compare_lists(path, cast("list[object]", old), cast("list[object]", new))
        return
    words: tuple[Segment, ...] = ()
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > 24:
        words = segments(old, new)
    name = " · ".join(step for step in path if step not in _SILENT) or path[-1]
    yield ValueChange(name=name, old=old, new=new, segments=words)


def _compare_lists(
    path: tuple[str, ...], old: list[object], new: list[object]
) -> Iterator[ValueChange]:
    for at in range(max(len(old), len(new))):
        before = old[at] if at < len(old) else None
        after = new[at] if at < len(new) else None
        yield from _compare((*path, str(at + 1)), before, after)


def _has_groups(items: object) -> bool:
    return any(isinstance(item, dict | list) for item in cast("list[object]", items))


def show(value: object, most: int | None = None) -> str:
    """A value as a person would write it."""
    if value is None:
        text = "not set"
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, str):
        text = value if value else "empty"
    elif isinstance(value, list) and not _has_groups(value):
        text = ", ".join(show(item) for item in cast("list[object]", value)) or "none"
    elif isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False, indent=None)
    else:
        text = repr(value)
    return text if most is None or len(text) <= most else text[: most - 1] + "…"
