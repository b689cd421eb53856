"""`.prompty` of version 2, written; `prompty.read` reads both versions."""

from __future__ import annotations

from typing import Any

from hub.registry.prompt.document import Document
from hub.registry.prompt.yaml_write import dump
from hub.sync.formats import turns
from hub.sync.formats.ours import OURS, carried, plain_word
from hub.sync.formats.outgoing import prompty_asks, without
from hub.sync.formats.placeholders import to_theirs
from hub.sync.formats.prompty import LOOKED_UP, OUR_NAMES
from hub.sync.formats.report import Notes
from hub.sync.formats.trees import Tree

_THEIR_NAMES = {
    "max_tokens": "maxOutputTokens",
    "maxTokens": "maxOutputTokens",
    "stop": "stopSequences",
    "top_p": "topP",
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}
_OPTIONS = (
    "temperature maxOutputTokens stopSequences topP topK seed frequencyPenalty presencePenalty"
).split()
_KINDS = {
    "text": "string",
    "long text": "string",
    "number": "float",
    "integer": "integer",
    "boolean": "boolean",
}


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """The file; what version 2 has no key for stands in `metadata`."""
    theirs = to_theirs(document, "jinja", notes)
    placed = {"name", "description", "tags", "model"}
    tree: Tree = {"name": document.title} if document.title else {}
    if document.description:
        tree["description"] = document.description
    model: Tree = {"id": document.model} if document.model is not None else {}
    options, whole = _options(document.parameters)
    if whole:
        placed.add("modelParameters")
    elif document.parameters:
        notes.change(
            "modelParameters", "kept whole in our own group; `options` holds what is known"
        )
    model |= {"apiType": "chat"} | ({"options": options} if options else {})
    if document.tools:
        notes.change("tools", "they stand in our own group alone; declare them there")
    metadata: Tree = {"tags": list(document.tags)} if document.tags else {}
    if more := carried(document, placed, verbatim=theirs.verbatim):
        metadata[OURS] = more
    tree |= {"metadata": metadata} if metadata else {}
    tree["model"] = model
    if inputs := _inputs(document):
        tree["inputs"] = inputs
    tree["template"] = {"format": {"kind": "jinja2"}, "parser": {"kind": "prompty"}}
    tree = without(tree, prompty_asks, "", notes, LOOKED_UP)
    body = turns.join(zip(document.messages, theirs.texts, strict=True))
    return {f"{name}.prompty": f"---\n{dump(tree)}---\n{body}".encode()}


def _options(parameters: dict[str, object]) -> tuple[Tree, bool]:
    """Settings by their names there, and whether reading them gives the same again."""
    named = {_THEIR_NAMES.get(key, key): value for key, value in parameters.items()}
    options = {key: value for key, value in named.items() if key in _OPTIONS}
    again = {OUR_NAMES.get(key, key): value for key, value in options.items()}
    return options, again == parameters


def _inputs(document: Document) -> list[Any]:
    inputs: list[Any] = []
    for one in document.variables:
        if plain_word(one.name):
            row: Tree = {"name": one.name, "kind": _KINDS.get(one.type, "string")}
            about = {"description": one.description, "default": one.default}
            row |= {key: value for key, value in about.items() if value not in (None, "")}
            inputs.append(row | {"required": one.required})
    return inputs + [
        {"name": one.name, "kind": "thread"}
        for one in document.messages
        if one.role == "placeholder" and one.name
    ]
