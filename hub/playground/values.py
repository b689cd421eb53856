"""The variables of a prompt as a form: which fields, what was typed, what it means. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from sdk.errors import PromptHubError
from sdk.template import Kind, compile_text

Json = dict[str, Any]
_HASH = re.compile("[0-9a-f]{64}")
_ROLES = ("system", "user", "assistant", "tool")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One variable of a prompt; `control` is how it is typed."""

    name: str
    control: str
    """text, long, number, integer, boolean, json, image or turns."""
    required: bool = False
    help: str = ""
    example: str = ""


_CONTROLS = {
    "long text": "long", "number": "number", "integer": "integer", "boolean": "boolean",
    "list": "json", "array": "json", "object": "json", "image": "image",
}  # fmt: skip


def fields_of(document: Json) -> list[Field]:
    """What can be filled in: declared variables, names used in the text, conversations."""
    declared = {one["name"]: one for one in dicts(document.get("variables")) if one.get("name")}
    turns = {
        str(message["name"])
        for message in dicts(document.get("messages"))
        if message.get("role") == "placeholder" and message.get("name")
    }
    return [
        _field(name, declared.get(name, {}), in_conversation=name in turns)
        for name in dict.fromkeys((*_used(document), *declared))
    ]


def read(fields: list[Field], typed: Mapping[str, str]) -> tuple[Json, dict[str, str]]:
    """Values by name, and a sentence for each that cannot be read; empty ones are left out."""
    values: Json = {}
    wrong: dict[str, str] = {}
    for field in fields:
        text = typed.get(field.name, "")
        if not text.strip():
            continue
        try:
            values[field.name] = _value(field.control, text)
        except ValueError as error:
            wrong[field.name] = str(error)
    return values, wrong


def show(value: object) -> str:
    """A value as it is typed into its field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if digest := picture_in(value):
        return digest
    if _is_turns(value):
        turns = cast("list[Json]", value)
        return "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
    return msgspec.json.encode(value).decode()


def picture_in(value: object) -> str:
    """The hash of a picture among the values (`{"picture": "3f9c…"}`); empty: it is none."""
    held = cast("Json", value) if isinstance(value, dict) else {}
    digest = held.get("picture") if len(held) == 1 else None
    return digest if isinstance(digest, str) and _HASH.fullmatch(digest) else ""


def dicts(value: object) -> list[Json]:
    """The dictionaries in a list; a draft may hold anything."""
    found = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("Json", one) for one in found if isinstance(one, dict)]


def merged(documents: Iterable[Json]) -> list[Field]:
    """The fields of several versions: what any of them needs, the first one's word counts."""
    found: dict[str, Field] = {}
    for document in documents:
        for field in fields_of(document):
            found.setdefault(field.name, field)
    return list(found.values())


def _field(name: str, spec: Json, *, in_conversation: bool) -> Field:
    kind = str(spec.get("type") or "text")
    control = "turns" if in_conversation else _CONTROLS.get(kind, "text")
    has_default = spec.get("default") is not None
    help_text = str(spec.get("description") or "")
    if control == "turns" and not help_text:
        help_text = "A line each, such as “user: Good morning” and “assistant: Hello”."
    if control == "json":
        help_text = f"{help_text} Written as JSON, for example [1, 2].".strip()
    example = spec["default"] if has_default else spec.get("example")
    return Field(
        name=name,
        control=control,
        required=bool(spec.get("required", True)) and not has_default and not in_conversation,
        help=help_text,
        example="" if control == "image" else show(example),
    )


def _used(document: Json) -> list[str]:
    kind: Kind = "plain" if document.get("template") == "plain" else "jinja"
    names: list[str] = []
    for message in dicts(document.get("messages")):
        if message.get("role") == "placeholder":
            names += [str(message["name"])] if message.get("name") else []
            continue
        try:
            names += compile_text(str(message.get("content") or ""), kind, None).variables
        except PromptHubError:
            continue  # said where it is edited, and again when it is run
    return names


def _value(control: str, text: str) -> object:
    match control:
        case "number" | "integer":
            return _number(text.strip(), whole=control == "integer")
        case "boolean":
            return text.strip().lower() in ("yes", "true", "1")
        case "json":
            return _json(text)
        case "image":
            return _picture(text.strip())
        case "turns":
            return _turns(text)
        case _:
            return text.replace("\r\n", "\n")


def _number(text: str, *, whole: bool) -> float | int:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        raise ValueError("This is not a number.") from None
    if number - number != 0:
        raise ValueError("This is not a number.")
    if whole and number != int(number):
        raise ValueError("This has to be a whole number.")
    return int(number) if number == int(number) else number


def _picture(text: str) -> object:
    if not _HASH.fullmatch(text):
        raise ValueError("Choose a picture.")
    return {"picture": text}


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError('This is not JSON. Write it like ["one", "two"].') from None


def _turns(text: str) -> object:
    """`user: Good morning`, a line each (further lines belong to the turn), or JSON."""
    if text.lstrip().startswith("["):
        turns = _json(text)
        if not _is_turns(turns):
            raise ValueError("Each turn needs a role and a content.")
        return turns
    turns_: list[Json] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        role, colon, said = line.partition(":")
        if colon and role.strip().lower() in _ROLES:
            turns_.append({"role": role.strip().lower(), "content": said.strip()})
        elif turns_:
            turns_[-1]["content"] += "\n" + line
        elif line.strip():
            raise ValueError("Begin each turn with who speaks, such as “user: Good morning”.")
    return turns_


def _is_turns(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(turn, dict) and isinstance(turn.get("content"), str) and "role" in turn
        for turn in cast("list[Any]", value)
    )
