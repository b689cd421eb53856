"""A filled-in prompt in the words of the Model Context Protocol. Pure; imported late, as the
package is.

The protocol knows a user and an assistant: what a system says opens what the user says. A message
holds one thing, a text or a picture, so one of ours with both becomes several in a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import mcp_types as types

Json = dict[str, Any]
_Said = tuple[str, str | types.ImageContent]


def messages_of(messages: list[Json]) -> list[types.PromptMessage]:
    """The same conversation."""
    return [
        types.PromptMessage(
            role=cast("Any", role),
            content=types.TextContent(type="text", text=one) if isinstance(one, str) else one,
        )
        for role, one in _two_roles(messages)
    ]


def _two_roles(messages: list[Json]) -> Iterator[_Said]:
    opening: list[str] = []
    for one in messages:
        parts = list(_parts(one.get("content")))
        if one["role"] not in ("user", "assistant"):
            opening += [part for part in parts if isinstance(part, str)]
            continue
        if opening and one["role"] == "user" and isinstance(parts[0], str):
            parts[0] = "\n\n".join([*opening, parts[0]])
        elif opening:
            yield "user", "\n\n".join(opening)
        opening = []
        for part in parts:
            yield one["role"], part
    if opening:
        yield "user", "\n\n".join(opening)


def _parts(content: Any) -> Iterator[str | types.ImageContent]:
    """Texts and pictures, in order; at least an empty text."""
    parts = cast("list[Json]", content) if isinstance(content, list) else None
    if not parts:
        yield str(content or "") if parts is None else ""
        return
    for one in parts:
        if "image_url" in one:
            kind, _, data = str(one["image_url"]["url"]).removeprefix("data:").partition(";base64,")
            yield types.ImageContent(type="image", data=data, mime_type=kind)
        else:
            yield str(one.get("text") or "")
