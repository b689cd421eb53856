"""Data that nobody can change, and copies that anybody may."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast


def frozen(value: Any) -> Any:
    """The same data, through and through read-only."""
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool or kind is float:
        return value
    if kind is dict or isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return MappingProxyType({key: frozen(one) for key, one in items})
    if isinstance(value, (list, tuple)):
        return tuple(frozen(one) for one in cast("list[Any]", value))
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
    bare = not any(isinstance(value, (tuple, Mapping)) for value in message.values())
    return dict(message) if bare else message
