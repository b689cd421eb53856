"""Data that nobody can change, and copies that anybody may."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

_BARE = frozenset({str, int, float, bool, type(None)})


def frozen(value: Any) -> Any:
    """The same data, through and through read-only."""
    kind = type(value)
    if kind in _BARE:
        return value
    if kind is not dict and isinstance(value, (list, tuple)):
        return tuple(map(frozen, cast("list[Any]", value)))
    if kind is dict or isinstance(value, Mapping):  # which is slow to ask for
        items = cast("Mapping[str, Any]", value).items()
        return MappingProxyType(
            {key: one if type(one) in _BARE else frozen(one) for key, one in items}
        )
    return value


def thawed(value: Any) -> Any:
    """A copy in plain lists and dictionaries, the caller's own."""
    if isinstance(value, (str, int, float)):  # most are, and `Mapping` is slow to ask for
        return value
    if isinstance(value, Mapping):
        return {key: thawed(one) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [thawed(one) for one in cast("list[Any]", value)]
    return value


def flat(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message without lists and dictionaries as a plain one, which is quick to copy."""
    return dict(message) if _BARE.issuperset(map(type, message.values())) else frozen(message)
