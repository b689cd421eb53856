"""The shape that a prompt asks its answer to have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def schema_of(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON schema of a chat-completions request, if it has one."""
    schema = _tree(_tree(request.get("response_format")).get("json_schema")).get("schema")
    return _tree(schema) if isinstance(schema, dict) else None


def _tree(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
