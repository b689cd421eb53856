"""LangSmith and LangChain Hub manifests, written; `langsmith` reads them."""

from __future__ import annotations

import json

from hub.registry.prompt.document import Document, Message
from hub.sync.formats.ours import OURS, carried
from hub.sync.formats.placeholders import to_theirs
from hub.sync.formats.report import Notes
from hub.sync.formats.trees import Tree


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """A file with the manifest."""
    text = json.dumps(manifest_of(document, notes), ensure_ascii=False, indent=2)
    return {f"{name}.langsmith.json": f"{text}\n".encode()}


def manifest_of(document: Document, notes: Notes) -> Tree:
    """A manifest of a chat prompt, without a model: a manifest's model says where to connect."""
    syntax = "f-string"
    settled = Notes()
    theirs = to_theirs(document, syntax, settled)
    if theirs.verbatim:
        syntax, settled = "jinja2", Notes()
        settled.change(
            "template",
            "its conditions, loops or filters are written as jinja2, which LangChain's `load` "
            "refuses unless it is told otherwise",
        )
    notes.found += settled.found
    placed = {"tags"}
    kwargs: Tree = {
        "input_variables": [one.name for one in document.variables],
        "messages": [
            _written(one, text, syntax)
            for one, text in zip(document.messages, theirs.texts, strict=True)
        ],
    }
    if document.tags:
        kwargs["tags"] = list(document.tags)
    kind = "ChatPromptTemplate"
    if document.response_format == "json_schema" and document.json_schema is not None:
        kind, kwargs["schema_"] = "StructuredPrompt", document.json_schema
        placed |= {"responseFormat", "jsonSchema"}
    for key, value in (
        ("model", document.model),
        ("modelParameters", document.parameters),
        ("tools", document.tools),
    ):
        if value:
            notes.change(key, "it stands in our own group alone; choose the model there")
    if more := carried(document, placed, verbatim=theirs.verbatim):
        kwargs["metadata"] = {OURS: more}
    return _object(("prompts", "chat" if kind[0] == "C" else "structured", kind), kwargs)


def _object(path: tuple[str, ...], kwargs: Tree) -> Tree:
    return {"lc": 1, "type": "constructor", "id": ["langchain_core", *path], "kwargs": kwargs}


def _written(one: Message, text: str, syntax: str) -> Tree:
    if one.role == "placeholder":
        return _object(("prompts", "chat", "MessagesPlaceholder"), {"variable_name": one.name})
    inner = _object(
        ("prompts", "prompt", "PromptTemplate"),
        {"template": text, "template_format": syntax, "input_variables": []},
    )
    classes = {"system": "System", "user": "Human", "assistant": "AI"}
    kwargs: Tree = {"prompt": inner}
    if one.role not in classes:
        kwargs["role"] = one.role
    kind = f"{classes.get(one.role, 'Chat')}MessagePromptTemplate"
    return _object(("prompts", "chat", kind), kwargs)
