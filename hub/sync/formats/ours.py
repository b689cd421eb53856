"""What every format shares: our own keys carried along, and the document made in the end.

Most formats have a place for anything (`metadata`, `config`). There, under `promptHub`, an export
keeps what the format has no word for, so that coming back it is the same prompt. On the way in
that group is as foreign as the rest of the file and goes through the same checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from hub.registry.prompt.document import (
    Document,
    InvalidDocument,
    Message,
    Variable,
    from_json,
    serialise,
    to_json,
)
from hub.registry.prompt.fields import ROLES, kind
from hub.sync.formats.placeholders import Texts, to_ours, without_doubling
from hub.sync.formats.report import Notes, Read, Refused
from hub.sync.formats.safe import without_reach
from hub.sync.formats.trees import Keys, Tree
from sdk import template
from sdk.errors import TemplateError

OURS = "promptHub"


def carried(document: Document, placed: Iterable[str], *, verbatim: bool = False) -> Tree:
    """Our keys that the format has no place for; nothing if there are none."""
    left = to_json(document)
    for key in ("id", "messages", *placed):
        left.pop(key, None)
    if document.template == "jinja" and not verbatim:
        left.pop("template", None)
    if left.get("variables") == to_json(_bare(document)).get("variables"):
        left.pop("variables", None)
    if verbatim:
        left["verbatim"] = True
    return left


def _bare(document: Document) -> Document:
    names: dict[str, None] = {}
    for message in document.messages:
        try:
            found = template.compile_text(message.content, document.template).variables
        except TemplateError:
            found = ()
        names.update(dict.fromkeys(found))
    return Document(variables=tuple(Variable(name=name) for name in names))


def take_ours(keys: Keys) -> Tree:
    """Our own group, if the file has one; it is judged when the document is made."""
    value = keys.take(OURS)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"`{keys.where(OURS)}` must be a group of keys, not {kind(value)}.")
    tree = cast("Tree", value)
    for key in ("id", "messages"):
        if tree.pop(key, None) is not None:
            keys.notes.lose(f"{keys.where(OURS)}.{key}", "it is given by the file itself")
    return tree


def message(role: str, content: str, path: str, **more: Any) -> Message:
    """A turn with a role that is known here."""
    known = {"human": "user", "ai": "assistant", "model": "assistant", "function": "tool"}
    role = known.get(role, role)
    if role not in ROLES:
        raise Refused(f"`{path}.role` must be one of {', '.join(ROLES)}, not `{role[:40]}`.")
    return Message(role=role, content=content, **more)


def make(
    document: Document, syntax: str, ours: Tree, notes: Notes, *, name: str = "", title: str = ""
) -> Read:
    """The prompt of a file: texts in our language, our own keys back, nothing that reaches out."""
    if not document.messages:
        raise Refused("It holds no text: `messages` is empty.")
    ours = dict(ours)
    kept = _texts(document, syntax, ours, notes)
    written = tuple(
        Message(role=one.role, content=text, name=one.name, extra=one.extra)
        for one, text in zip(document.messages, kept.texts, strict=True)
    )
    tree = to_json(document) | {"template": kept.template}
    tree["messages"] = to_json(Document(messages=written))["messages"]
    tree["variables"] = _declared(document.variables, kept.variables)
    if title and not document.title:
        tree["name"] = title
    try:
        found = from_json(tree | ours)
        safe = without_reach(found, notes)
        serialise(safe)
    except InvalidDocument as refused:
        raise Refused(refused.sentence) from None
    return Read(safe, notes, name)


def _texts(document: Document, syntax: str, ours: Tree, notes: Notes) -> Texts:
    texts = [one.content for one in document.messages]
    verbatim = ours.pop("verbatim", False) is True
    said = ours.pop("template", None)
    if verbatim and said == "plain":
        return Texts(texts, "plain")
    if verbatim and said == "jinja":
        return to_ours(texts, "jinja", notes)
    if said == "plain":
        return Texts(without_doubling(texts) if syntax == "f-string" else texts, "plain")
    return to_ours(texts, syntax, notes)


def _declared(given: tuple[Variable, ...], used: tuple[str, ...]) -> list[object]:
    declared = {one.name for one in given}
    more = tuple(Variable(name=one) for one in used if one not in declared)
    return cast("list[object]", to_json(Document(variables=(*given, *more))).get("variables", []))


def settings(keys: Keys, renamed: dict[str, str] | None = None) -> Tree:
    """A group of model settings, under our names; `make` looks at each."""
    return {(renamed or {}).get(key, key): value for key, value in keys.rest().items()}


def shape_of(value: Any, notes: Notes, path: str) -> Tree:
    """`responseFormat` and `jsonSchema` of an OpenAI `response_format`."""
    if isinstance(value, str):
        return {"response_format": value}
    if not isinstance(value, dict):
        if value is not None:
            notes.lose(path, "not a shape of an answer that is known here")
        return {}
    tree = cast("Tree", value)
    if tree.get("type") == "json_schema" and "json_schema" in tree:
        for key in [key for key in tree if key not in ("type", "json_schema")]:
            notes.lose(f"{path}.{key}", "not known here")
        return {"response_format": "json_schema", "json_schema": tree["json_schema"]}
    if (
        isinstance(tree.get("type"), str)
        and len(tree) == 1
        and tree["type"] in ("text", "json_object")
    ):
        return {"response_format": tree["type"]}
    return {"response_format": "json_schema", "json_schema": tree}


def response_format(document: Document) -> Any:
    """The OpenAI `response_format` that says the same, or nothing."""
    if document.json_schema is not None and document.response_format == "json_schema":
        return {"type": "json_schema", "json_schema": document.json_schema}
    if document.response_format in ("text", "json_object") and document.json_schema is None:
        return {"type": document.response_format}
    return None


def fields_schema(fields: Any, notes: Notes, path: str) -> Tree | None:
    """A JSON Schema of a flat list (or group) of named fields; nothing if it says more."""
    kinds = {
        "string": "string",
        "str": "string",
        "float": "number",
        "number": "number",
        "integer": "integer",
        "int": "integer",
        "boolean": "boolean",
        "bool": "boolean",
    }
    rows = (
        [
            {"name": key, **(value if isinstance(value, dict) else {"kind": value})}
            for key, value in cast("Tree", fields).items()
        ]
        if isinstance(fields, dict)
        else fields
    )
    properties: Tree = {}
    required: list[str] = []
    for row in cast("list[Any]", rows) if isinstance(rows, list) else [None]:
        one = dict(cast("Tree", row)) if isinstance(row, dict) else {}
        name, type_ = one.pop("name", None), one.pop("kind", None) or one.pop("type", None)
        if not isinstance(name, str) or not isinstance(type_, str) or type_ not in kinds:
            notes.lose(path, "fields inside fields, or of a kind not known here")
            return None
        about, needed = one.pop("description", None), one.pop("required", None)
        if one:
            notes.lose(f"{path}.{name}", f"{', '.join(one)} of it is not known here")
        properties[name] = {"type": kinds[type_]} | ({"description": about} if about else {})
        if needed is True:
            required.append(name)
    schema: Tree = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})


def plain_word(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text)) and text not in template.RESERVED
