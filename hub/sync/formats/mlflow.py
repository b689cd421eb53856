"""MLflow prompt versions as JSON: one, or a list of them."""

from __future__ import annotations

import json
from typing import Any, cast

from hub.registry.prompt.document import Document, Message
from hub.registry.prompt.fields import kind
from hub.sync.formats.ours import OURS, carried, make, message, settings, take_ours
from hub.sync.formats.placeholders import to_theirs
from hub.sync.formats.report import Notes, Read, Refused
from hub.sync.formats.slugs import title_for
from hub.sync.formats.trees import Keys, Tree, json_of

_THEIRS = ("user_id", "creation_timestamp", "last_updated_timestamp", "uri", "run_id")
_MODEL = ("temperature", "max_tokens", "top_p", "top_k", "frequency_penalty", "presence_penalty")


def sniff(value: Any) -> bool:
    rows = cast("list[Any]", value) if isinstance(value, list) else [value]
    return bool(rows) and all(
        isinstance(row, dict) and "template" in row and "name" in row and "prompts" not in row
        for row in rows
    )


def read(text: str, stem: str) -> list[Read]:
    """The newest version of every prompt in the file."""
    value = json_of(text)
    rows = cast("list[Any]", value) if isinstance(value, list) else [value]
    newest: dict[str, tuple[int, int]] = {}
    seen: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        keys = Keys(row, Notes(), f"[{at}]")
        name, number = keys.text("name"), keys.take("version")
        number = int(number) if isinstance(number, int | str) and str(number).isdecimal() else 0
        seen.setdefault(name, []).append(number)
        if name not in newest or number >= newest[name][0]:
            newest[name] = (number, at)
    return [
        _one(rows[at], at, sorted(one for one in seen[name] if one != number))
        for name, (number, at) in newest.items()
    ]


def _one(row: Any, at: int, older: list[int]) -> Read:
    notes = Notes()
    keys = Keys(row, notes, f"[{at}]")
    name = keys.text("name")
    if not name:
        raise Refused(f"`[{at}].name` is missing.")
    if older:
        notes.lose(
            f"[{at}].version", f"an import makes one version, not {', '.join(map(str, older))}"
        )
    keys.take("version")
    type_ = keys.text("prompt_type") or keys.text("type")
    messages = _messages(keys)
    given: Tree = {"extra": {}}
    if (schema := keys.take("response_format")) is not None:
        given["response_format"], given["json_schema"] = "json_schema", schema
    _model(keys.group("model_config"), given)
    ours, tagged = _tags(keys.group("tags"), given)
    keys.lose("commit_message", "the import's own message stands in the history")
    keys.lose("aliases", "nothing is released by an import; move the labels here")
    for key in _THEIRS:
        keys.lose(key, "it belongs to the other installation")
    keys.done()
    jinja = "jinja2" in (type_, tagged) or any("{%" in one.content for one in messages)
    document = Document(messages=messages, **given)
    title = title_for("", name.split("/")[-1])
    return make(document, "jinja" if jinja else "double", ours, notes, name=name, title=title)


def _messages(keys: Keys) -> tuple[Message, ...]:
    if isinstance(keys.peek("template"), str):
        return (Message(role="user", content=keys.text("template")),)
    found: list[Message] = []
    for at, row in enumerate(keys.items("template")):
        one = Keys(row, keys.notes, f"{keys.where('template')}[{at}]")
        content = one.peek("content")
        if not isinstance(content, str):
            raise Refused(f"`{one.where('content')}` must be text, not {kind(content)}.")
        found.append(message(one.text("role"), one.text("content"), one.path))
        one.done()
    return tuple(found)


def _model(config: Keys, given: Tree) -> None:
    given["model"] = config.text("model_name") or None
    config.lose("provider", "where to connect is set in the hub, never by a prompt")
    more = config.group("extra_params")
    found = settings(config, {"stop_sequences": "stop"})
    given["parameters"] = {**found, **settings(more)}


def _tags(tags: Keys, given: Tree) -> tuple[Tree, str]:
    """Tags are pairs there and words here; pairs that are not ours are kept as a group."""
    value = tags.take(OURS)
    ours: Tree = {}
    if isinstance(value, str):
        ours = take_ours(Keys({OURS: json_of(value)}, tags.notes, "tags"))
    kind_ = str(tags.take("_mlflow_prompt_type") or "")
    for key in [key for key in tags.rest_names() if key.startswith(("mlflow.", "_mlflow"))]:
        tags.lose(key, "MLflow's own mark")
    if left := tags.rest():
        given["extra"]["mlflowTags"] = left
    return ours, kind_


def config_of(document: Document) -> Tree:
    """`model_config` as MLflow's own `to_dict` writes it: what it has no name for stands beside the
    rest, and becomes its `extra_params` when it is read."""
    config: Tree = {"model_name": document.model} if document.model is not None else {}
    known = {key: value for key, value in document.parameters.items() if key in _MODEL}
    more = {
        key: value
        for key, value in document.parameters.items()
        if key not in (*_MODEL, "stop", "stop_sequences", "model_name", "provider", "extra_params")
    }
    config |= known
    if "stop" in document.parameters:
        config["stop_sequences"] = document.parameters["stop"]
    return config | more


def tree_of(name: str, document: Document, notes: Notes) -> Tree:
    """One version, by the names of its fields."""
    theirs = to_theirs(document, "double", said := Notes())
    tags: Tree = {}
    if theirs.verbatim and document.template == "jinja":
        to_theirs(document, "jinja", notes)
        tags["_mlflow_prompt_type"] = "jinja2"
    else:
        notes.found += said.found
    placed = {"model"}
    if any(one.role == "placeholder" for one in document.messages):
        notes.lose("messages", "MLflow has no turns given at run time")
    pairs = [
        (one, text)
        for one, text in zip(document.messages, theirs.texts, strict=True)
        if one.role != "placeholder"
    ]
    config = config_of(document)
    placed.add("modelParameters")
    one_text = len(pairs) == 1 and pairs[0][0].role == "user"
    tree: Tree = {
        "name": name,
        "version": 1,
        "tags": tags,
        "template": pairs[0][1]
        if one_text
        else [{"role": one.role, "content": text} for one, text in pairs],
    }
    if document.response_format == "json_schema" and document.json_schema is not None:
        tree["response_format"] = document.json_schema
        placed |= {"responseFormat", "jsonSchema"}
    if config:
        tree["model_config"] = config
    if left := carried(document, placed, verbatim=theirs.verbatim):
        tags[OURS] = json.dumps(left, ensure_ascii=False)
    return tree


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    text = json.dumps([tree_of(name, document, notes)], ensure_ascii=False, indent=2)
    return {f"{name}.mlflow.json": f"{text}\n".encode()}
