"""The shape that a prompt asks its answer to have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def schema_of(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON schema of a chat-completions request, if it has one; any JSON fits an empty one."""
    asked = _tree(request.get("response_format"))
    if asked.get("type") == "json_object":
        return {}
    schema = _tree(asked.get("json_schema")).get("schema")
    return _tree(schema) if isinstance(schema, dict) else None


def _tree(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
