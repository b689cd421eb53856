"""A document's JSON tree as the pages show it. Pure.

The tree may be a draft that is not valid yet, so nothing here trusts its types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from hub.registry.prompt.form import NUMBERS, SAME
from hub.registry.prompt.tokens import estimate
from hub.registry.prompt.unseen import Unseen, find_unseen, pieces

Tree = Mapping[str, Any]

_MARKS = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class Part(msgspec.Struct, frozen=True):
    """A stretch of prompt text: `text`, `variable`, `marks`, `comment` or `hidden`."""

    kind: str
    text: str


class ShownMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: its text for the editor, its parts for reading, about how many tokens."""

    role: str
    content: str
    name: str
    tokens: int
    parts: list[Part]


class ShownVariable(msgspec.Struct, frozen=True, kw_only=True):
    """One declared variable, every field as text."""

    name: str
    type: str
    required: bool
    description: str
    example: str
    default: str
    extra: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the editor and the reading view need."""

    title: str
    description: str
    tags: str
    template: str
    model: str
    numbers: dict[str, str]
    messages: list[ShownMessage]
    variables: list[ShownVariable]
    tools: str
    response_format: str
    json_schema: str
    tokens: int


def shown(tree: Tree) -> Shown:
    """The tree, made ready for a template."""
    template = "plain" if tree.get("template") == "plain" else "jinja"
    messages = [_message(one, template) for one in _groups(tree.get("messages"))]
    parameters: Tree = tree.get("modelParameters") or {}
    by_field = {SAME.get(key, key): value for key, value in parameters.items()}
    return Shown(
        title=as_text(tree.get("name")),
        description=as_text(tree.get("description")),
        tags=", ".join(as_text(tag) for tag in tree.get("tags") or ()),
        template=template,
        model=as_text(tree.get("model")),
        numbers={key: as_text(by_field.get(key)) for key in NUMBERS},
        messages=messages,
        variables=[_variable(one) for one in _groups(tree.get("variables"))],
        tools=as_text(tree.get("tools")),
        response_format=as_text(tree.get("responseFormat")),
        json_schema=as_text(tree.get("jsonSchema")),
        tokens=sum(message.tokens for message in messages),
    )


def settings(tree: Tree) -> list[tuple[str, str]]:
    """Model and settings as name and value, for reading."""
    pairs = [("Model", as_text(tree.get("model")))] if tree.get("model") else []
    for key, value in (tree.get("modelParameters") or {}).items():
        pairs.append((re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", key).capitalize(), as_text(value)))
    if tree.get("responseFormat"):
        pairs.append(("Answer", as_text(tree["responseFormat"]).replace("_", " ")))
    return pairs


def parts(text: str, template: str = "jinja") -> list[Part]:
    """`text` cut at its variables, template marks, comments and hidden characters."""
    found: list[Part] = []
    at = 0
    for match in _MARKS.finditer(text) if template == "jinja" else ():
        found += _plain(text[at : match.start()])
        mark = match.group()
        if match.group(1):
            found.append(Part("variable", match.group(1)))
        else:
            found.append(Part("comment" if mark.startswith("{#") else "marks", mark))
        at = match.end()
    return found + _plain(text[at:])


def as_text(value: object) -> str:
    """A value as somebody would type it: text as it is, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(
        value, ensure_ascii=False, indent=2 if isinstance(value, (list, dict)) else None
    )


def _plain(text: str) -> list[Part]:
    if not text:
        return []
    unseen = find_unseen(text)
    if not unseen:
        return [Part("text", text)]
    return [
        Part("hidden", one.code) if isinstance(one, Unseen) else Part("text", one)
        for one in pieces(text, unseen)
        if one
    ]


def _message(one: Tree, template: str) -> ShownMessage:
    content = as_text(one.get("content"))
    return ShownMessage(
        role=as_text(one.get("role")),
        content=content,
        name=as_text(one.get("name")),
        tokens=estimate(content),
        parts=parts(content, template),
    )


def _variable(one: Tree) -> ShownVariable:
    known = ("name", "type", "required", "description", "example", "default")
    extra = {key: value for key, value in one.items() if key not in known}
    return ShownVariable(
        name=as_text(one.get("name")),
        type=as_text(one.get("type")) or "text",
        required=one.get("required") is not False,
        description=as_text(one.get("description")),
        example=as_text(one.get("example")),
        default=as_text(one.get("default")),
        extra=as_text(extra) if extra else "",
    )


def _groups(value: object) -> list[Tree]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
