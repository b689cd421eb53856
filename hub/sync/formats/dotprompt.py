"""Dotprompt `.prompt`: keys in front, then Handlebars with `{{role "user"}}` before each turn."""

from __future__ import annotations

import re
from typing import Any, cast

from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.prompt.yaml_write import dump
from hub.sync.formats.ours import OURS, carried, make, message, plain_word, settings, take_ours
from hub.sync.formats.placeholders import to_theirs
from hub.sync.formats.report import Notes, Read
from hub.sync.formats.trees import Keys, Tree, front_matter

_OUR_NAMES = {"maxOutputTokens": "maxTokens", "stopSequences": "stop"}
_THEIR_NAMES = {
    "maxTokens": "maxOutputTokens",
    "max_tokens": "maxOutputTokens",
    "stop": "stopSequences",
    "top_p": "topP",
    "top_k": "topK",
}
_MARK = re.compile(r"\{\{\s*(?:role\s+(?:\"([a-z]+)\"|'([a-z]+)')|(history))\s*\}\}")
_PICO = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(\?)?")


def read(text: str, stem: str) -> list[Read]:
    """The one prompt of the file; a variant is a prompt of its own."""
    notes = Notes()
    tree, body = front_matter(text)
    keys = Keys(tree, notes)
    named, variant = keys.text("name"), keys.text("variant")
    name = f"{named or stem}.{variant}" if variant else named
    given: Tree = {"model": keys.text("model") or None, "extra": {}}
    given["description"] = keys.text("description")
    about = keys.group("metadata")
    ours = take_ours(about)
    given["title"], given["tags"] = about.text("title"), about.words("tags")
    if not given["description"]:
        given["description"] = about.text("description")
    if left := about.rest():
        given["extra"]["metadata"] = left
    keys.lose("tools", "they are names of functions in the program; declare them here")
    keys.lose("toolDefs", "declare the tools here")
    config = keys.group("config")
    config.lose("version", "the model's own name says it")
    given["parameters"] = settings(config, _OUR_NAMES)
    given["variables"] = tuple(_inputs(keys.group("input")))
    _output(keys.group("output"), given)
    _ext(keys, given)
    keys.done()
    document = Document(messages=tuple(_turns(body.strip())), **given)
    return [make(document, "handlebars", ours, notes, name=name)]


def _turns(body: str) -> list[Message]:
    """A turn per `{{role}}`, its text to the letter; before the first one the user speaks."""
    found: list[Message] = []
    role, last = "user", 0
    marks = [*_MARK.finditer(body), None]
    for mark in marks:
        text = body[last : mark.start() if mark else len(body)]
        if text.strip() or (last and not mark and not found):
            word = {"model": "assistant"}.get(role, role)
            found.append(message(word, text, "{{role}}"))
        if mark is None:
            break
        last = mark.end()
        if mark[3]:
            found.append(Message(role="placeholder", name="history"))
            role = "assistant"
        else:
            role = mark[1] or mark[2]
    return found


def _inputs(group: Keys) -> list[Variable]:
    defaults = group.take("default")
    values = cast("Tree", defaults) if isinstance(defaults, dict) else {}
    schema = group.take("schema")
    found: dict[str, Variable] = {}
    tree = cast("Tree", schema) if isinstance(schema, dict) else {}
    if schema is not None and not isinstance(schema, dict):
        group.notes.lose("input.schema", "it names a schema kept elsewhere")
    if isinstance(tree.get("properties"), dict):
        required = tree.get("required")
        needed = cast("list[Any]", required) if isinstance(required, list) else []
        rows = {
            key: (key in needed, value) for key, value in cast("Tree", tree["properties"]).items()
        }
    else:
        rows = {
            key.removesuffix("?"): (not key.endswith("?"), value) for key, value in tree.items()
        }
    for key, (needs, value) in rows.items():
        if not _PICO.fullmatch(key) or not plain_word(key):
            group.notes.lose(f"input.schema.{key[:40]}", "more than a name and a kind")
            continue
        found[key] = _variable(
            key, value, needs and key not in values, values.get(key), group.notes
        )
    for key in values:
        if key not in found and plain_word(key):
            found[key] = Variable(name=key, required=False, default=values[key])
        elif key not in found:
            group.notes.lose(f"input.default.{key[:40]}", "this cannot be a variable here")
    group.done()
    return list(found.values())


def _variable(name: str, value: Any, required: bool, default: Any, notes: Notes) -> Variable:
    if isinstance(value, str):
        type_, _, about = (part.strip() for part in value.partition(","))
    elif isinstance(value, dict):
        tree = dict(cast("Tree", value))
        type_, about = tree.pop("type", "object"), tree.pop("description", "")
        if tree:
            notes.lose(f"input.schema.{name}", "what lies inside it is not described here")
    else:
        type_, about = "", ""
        notes.lose(f"input.schema.{name}", "its kind is a list")
    type_ = "text" if type_ in ("string", "") or not isinstance(type_, str) else type_
    about = about if isinstance(about, str) else ""
    return Variable(name=name, type=type_, description=about, required=required, default=default)


def _output(group: Keys, given: Tree) -> None:
    format_, schema = group.text("format"), group.take("schema")
    if isinstance(schema, dict) and cast("Tree", schema).get("type") == "object":
        given["response_format"], given["json_schema"] = "json_schema", schema
    elif schema is not None:
        group.notes.lose("output.schema", "write it as a JSON Schema with `type: object`")
    if format_ == "json" and "json_schema" not in given:
        given["response_format"] = "json_object"
    elif format_ not in ("json", "text", ""):
        group.notes.lose("output.format", "only text and json are known here")
    elif format_ == "text":
        given["response_format"] = "text"
    group.done()


def _ext(keys: Keys, given: Tree) -> None:
    """Keys with a dot in them belong to other programs; they are kept as they are."""
    for key in [key for key in keys.rest_names() if "." in key]:
        given["extra"][key] = keys.take(key)


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """The file; our own keys stand in `metadata`."""
    theirs = to_theirs(document, "handlebars", notes)
    tree: Tree = {}
    placed = {"name", "description", "tags", "model"}
    if document.model is not None:
        tree["model"] = document.model
    if document.description:
        tree["description"] = document.description
    config = {_THEIR_NAMES.get(key, key): value for key, value in document.parameters.items()}
    if len(config) == len(document.parameters):
        tree |= {"config": config} if config else {}
        again = {_OUR_NAMES.get(key, key): value for key, value in config.items()}
        placed |= {"modelParameters"} if again == document.parameters else set()
    else:
        notes.change("modelParameters", "two spellings of one setting; kept in our own group alone")
    if rows := [one for one in document.variables if plain_word(one.name)]:
        tree["input"] = _schema(rows)
    placed |= _shape(document, tree)
    if document.tools:
        notes.change("tools", "they stand in our own group alone; the program has to define them")
    metadata: Tree = {"title": document.title} if document.title else {}
    if document.tags:
        metadata["tags"] = list(document.tags)
    if more := carried(document, placed, verbatim=theirs.verbatim):
        metadata[OURS] = more
    tree |= {"metadata": metadata} if metadata else {}
    body = "".join(
        _marked(one, text, notes) for one, text in zip(document.messages, theirs.texts, strict=True)
    )
    front = f"---\n{dump(tree)}---\n" if tree else ""
    return {f"{name}.prompt": f"{front}{body}\n".encode()}


def _marked(one: Message, text: str, notes: Notes) -> str:
    """A turn behind its mark; of turns given at run time there is only `history`."""
    if one.role != "placeholder":
        return f'{{{{role "{"model" if one.role == "assistant" else one.role}"}}}}{text}'
    if one.name != "history":
        notes.lose(
            "messages", f"of turns given at run time only `history` is known, not {one.name}"
        )
        return ""
    return "{{history}}"


def _shape(document: Document, tree: Tree) -> set[str]:
    """`output`, and which of our keys it says whole."""
    schema = document.json_schema
    if document.response_format == "json_schema" and isinstance(schema, dict):
        inner = cast("Tree", schema)
        tree["output"] = {"format": "json", "schema": inner.get("schema", inner)}
        return {"responseFormat", "jsonSchema"} if _is_bare(inner) else set()
    if document.response_format in ("text", "json_object"):
        tree["output"] = {"format": "json" if document.response_format == "json_object" else "text"}
        return {"responseFormat"}
    return set()


def _is_bare(schema: Tree) -> bool:
    return schema.get("type") == "object" and "schema" not in schema


def _schema(rows: list[Variable]) -> Tree:
    fields = {
        f"{one.name}{'' if one.required else '?'}": ", ".join(
            part for part in ("string" if one.type == "text" else one.type, one.description) if part
        )
        for one in rows
    }
    defaults = {one.name: one.default for one in rows if one.default is not None}
    return {"schema": fields} | ({"default": defaults} if defaults else {})
