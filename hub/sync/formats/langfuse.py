"""Langfuse: the bulk file (a JSON array of prompts), or one prompt as its API answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from hub.registry.prompt.document import Document, Message
from hub.registry.prompt.fields import kind
from hub.sync.formats.ours import (
    OURS,
    carried,
    make,
    message,
    response_format,
    shape_of,
    take_ours,
)
from hub.sync.formats.placeholders import to_theirs
from hub.sync.formats.report import Notes, Read, Refused
from hub.sync.formats.safe import SETTINGS
from hub.sync.formats.slugs import title_for
from hub.sync.formats.trees import Keys, Tree, json_of

_HISTORY = "an import makes one version; the earlier ones stay where they are"
_THEIRS = ("id", "projectId", "createdBy", "createdAt", "updatedAt", "isActive")
_PART = "@@@langfusePrompt:"


def sniff(value: Any) -> bool:
    """Whether a JSON value is what Langfuse writes."""
    rows = _rows(value)
    return bool(rows) and all(
        isinstance(row, dict)
        and "prompt" in row
        and "name" in row
        and isinstance(cast("Tree", row)["prompt"], str | list)
        for row in rows
    )


def _rows(value: Any) -> list[Any]:
    if isinstance(value, dict) and isinstance(cast("Tree", value).get("data"), list):
        return cast("Tree", value)["data"]
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def read(text: str, stem: str) -> list[Read]:
    """The newest version of every prompt in the file."""
    rows = _rows(json_of(text))
    if not rows:
        raise Refused("The file holds no prompts.")
    newest: dict[str, tuple[int, int]] = {}
    older: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        keys = Keys(row, Notes(), f"[{at}]")
        name, number = keys.text("name"), keys.take("version")
        number = number if isinstance(number, int) else 0
        if name in newest:
            older.setdefault(name, []).append(min(number, newest[name][0]))
        if name not in newest or number >= newest[name][0]:
            newest[name] = (number, at)
    return [
        read_row(rows[at], f"[{at}]", sorted(older.get(name, [])))
        for name, (_, at) in newest.items()
    ]


def read_row(row: Any, path: str = "", older: Sequence[int] = ()) -> Read:
    """One prompt; `path`: where it stands, `older`: its further versions, which are left out."""
    notes = Notes()
    keys = Keys(row, notes, path)
    name, type_ = keys.text("name"), keys.text("type")
    if not name:
        raise Refused(f"`{keys.where('name')}` is missing.")
    if older:
        notes.lose(keys.where("version"), f"{_HISTORY}: {', '.join(map(str, older))}")
    messages = _messages(
        keys, type_ or ("chat" if isinstance(keys.peek("prompt"), list) else "text")
    )
    config = keys.group("config")
    given, ours = _config(config)
    keys.take("version")
    keys.lose("labels", "nothing is released by an import; move the labels here")
    keys.lose("commitMessage", "the import's own message stands in the history")
    keys.lose("resolutionGraph", "it is made anew")
    for key in _THEIRS:
        keys.lose(key, "it belongs to the other installation")
    given["tags"] = keys.words("tags")
    keys.done()
    syntax = "double"
    if any(_PART in one.content for one in messages):
        notes.change("prompt", "another Langfuse prompt is named in it; put it in as a snippet")
        ours.setdefault("template", "plain")
    document = Document(messages=messages, **given)
    return make(document, syntax, ours, notes, name=name, title=title_for("", name.split("/")[-1]))


def _messages(keys: Keys, type_: str) -> tuple[Message, ...]:
    if type_ == "text":
        if not isinstance(keys.peek("prompt"), str):
            raise Refused(
                f"`{keys.where('prompt')}` must be text, not {kind(keys.peek('prompt'))}."
            )
        return (Message(role="user", content=keys.text("prompt")),)
    if type_ != "chat":
        raise Refused(f"`{keys.where('type')}` must be text or chat, not `{type_[:40]}`.")
    found: list[Message] = []
    for at, row in enumerate(keys.items("prompt")):
        one = Keys(row, keys.notes, f"{keys.where('prompt')}[{at}]")
        if one.text("type") == "placeholder":
            found.append(Message(role="placeholder", name=one.text("name") or None))
        else:
            content = one.peek("content")
            if not isinstance(content, str):
                raise Refused(f"`{one.where('content')}` must be text, not {kind(content)}.")
            found.append(message(one.text("role"), one.text("content"), one.path))
        one.done()
    return tuple(found)


def _config(config: Keys) -> tuple[Tree, Tree]:
    """`config` is free; what is commonly kept in it is taken, the rest kept as it is."""
    ours = take_ours(config)
    given: Tree = {"extra": {}}
    if isinstance(config.peek("model"), str):
        given["model"] = config.text("model")
    given.update(
        shape_of(config.take("response_format"), config.notes, config.where("response_format"))
    )
    if isinstance(config.peek("tools"), list):
        given["tools"] = config.take("tools")
    left = config.rest()
    given["parameters"] = {key: value for key, value in left.items() if key in SETTINGS}
    if more := {key: value for key, value in left.items() if key not in SETTINGS}:
        given["extra"]["config"] = more
    return given, ours


def tree_of(name: str, document: Document, notes: Notes) -> Tree:
    """One prompt, in the words of the bulk file."""
    theirs = to_theirs(document, "double", notes)
    pairs = list(zip(document.messages, theirs.texts, strict=True))
    placed = {"tags", "modelParameters"}
    config: Tree = dict(document.parameters)
    if document.model is not None:
        config["model"] = document.model
        placed.add("model")
    if document.tools is not None:
        config["tools"] = document.tools
        placed.add("tools")
    if (shape := response_format(document)) is not None:
        config["response_format"] = shape
        placed |= {"responseFormat", "jsonSchema"}
    if more := carried(document, placed, verbatim=theirs.verbatim):
        config[OURS] = more
    text = len(pairs) == 1 and document.messages[0].role == "user"
    prompt: Any = (
        pairs[0][1]
        if text
        else [
            {"type": "placeholder", "name": one.name}
            if one.role == "placeholder"
            else {"type": "chatmessage", "role": one.role, "content": content}
            for one, content in pairs
        ]
    )
    return {
        "name": name,
        "type": "text" if text else "chat",
        "prompt": prompt,
        "config": config,
        "labels": [],
        "tags": list(document.tags),
    }


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """A bulk file with one prompt."""
    text = json.dumps([tree_of(name, document, notes)], ensure_ascii=False, indent=2)
    return {f"{name}.langfuse.json": f"{text}\n".encode()}
