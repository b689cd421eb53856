"""Data that nobody can change, and copies that anybody may."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast


def frozen(value: Any) -> Any:
    """The same data, through and through read-only."""
    if isinstance(value, Mapping):
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
