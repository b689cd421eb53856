"""`.prompty`, version 1 and 2: keys in front, then a Jinja text with a heading per turn."""

from __future__ import annotations

import json
from typing import Any, cast

from hub.registry.prompt.document import Document, Variable
from hub.registry.prompt.fields import kind
from hub.registry.prompt.yaml_write import dump
from hub.sync.formats import turns
from hub.sync.formats.ours import (
    OURS,
    carried,
    fields_schema,
    make,
    plain_word,
    response_format,
    settings,
    shape_of,
    take_ours,
)
from hub.sync.formats.outgoing import prompty_asks, without
from hub.sync.formats.placeholders import to_theirs
from hub.sync.formats.report import Notes, Read, Refused
from hub.sync.formats.trees import Keys, Tree, front_matter, remark

LOOKED_UP = "Prompty would look it up on the machine that reads the file"
_CONNECTS = "where to connect is set in the hub, never by a prompt"
OUR_NAMES = {"maxOutputTokens": "max_tokens", "stopSequences": "stop"}
_THEIR_KINDS = {"text": "string", "long text": "string"}
_KINDS = {"string": "text", "float": "number"}


def read(text: str, stem: str) -> list[Read]:
    """The one prompt of the file."""
    notes = Notes()
    tree, body = front_matter(text)
    keys = Keys(tree, notes)
    given: Tree = {"title": keys.text("displayName"), "extra": {}}
    name = keys.text("name")
    if given["title"] and name:
        notes.change("name", "`displayName` is the title here; the file's place is the name")
    given["title"] = given["title"] or name
    given["description"] = keys.text("description")
    ours = _about(keys, given, remark(text))
    _model(keys, given)
    syntax = _syntax(keys)
    variables, threads = _inputs(keys)
    _answers(keys, given)
    _tools(keys, given)
    _sample(keys, given)
    keys.done()
    document = Document(
        messages=tuple(turns.split(body, threads)), variables=tuple(variables), **given
    )
    return [make(document, syntax, ours, notes)]


def _about(keys: Keys, given: Tree, left: object) -> Tree:
    """Version 1 says these at the top, version 2 in `metadata`."""
    about = keys.group("metadata")
    ours = take_ours(about) or take_ours(Keys({OURS: left}, keys.notes, "remark"))
    given["tags"] = (*keys.words("tags"), *about.words("tags"))
    for group in (keys, about):
        for key in ("authors", "version"):
            if (value := group.take(key)) not in (None, "", []):
                given["extra"].setdefault(key, value)
    if left := about.rest():
        given["extra"]["metadata"] = left
    return ours


def _model(keys: Keys, given: Tree) -> None:
    if isinstance(keys.peek("model"), str):
        given["model"] = keys.text("model")
        return
    model = keys.group("model")
    where = model.group("configuration")
    named = model.text("id") or where.text("name")
    if not named and isinstance(where.peek("azure_deployment"), str):
        named = where.text("azure_deployment")
        model.notes.change("model.configuration.azure_deployment", "taken as the model's name")
    given["model"] = named or None
    where.done(_CONNECTS)
    for api in ("api", "apiType"):
        if model.peek(api) in ("chat", None):
            model.take(api)
        model.lose(api, "a prompt is always a chat here")
    model.lose("connection", _CONNECTS)
    model.lose("provider", _CONNECTS)
    model.lose("response", "an application decides how much of the answer it reads")
    parameters = {
        **settings(model.group("parameters")),
        **settings(model.group("options"), OUR_NAMES),
    }
    given.update(shape_of(parameters.pop("response_format", None), model.notes, "response_format"))
    if (tools := parameters.pop("tools", None)) is not None:
        given["tools"] = tools
    if (choice := parameters.pop("tools_choice", None)) is not None:
        parameters["tool_choice"] = choice
    given["parameters"] = parameters
    model.done()


def _syntax(keys: Keys) -> str:
    value = keys.take("template")
    if isinstance(value, dict):
        group = Keys(value, keys.notes, "template")
        format_ = group.take("format") or group.take("type")
        value = cast("Tree", format_).get("kind") if isinstance(format_, dict) else format_
        parser = group.take("parser")
        parser = cast("Tree", parser).get("kind") if isinstance(parser, dict) else parser
        if parser not in (None, "prompty"):
            raise Refused(f"`template.parser` must be prompty, not {kind(parser)} of another kind.")
        group.done()
    if value in (None, "jinja2", "jinja"):
        return "jinja"
    if value == "mustache":
        return "mustache"
    raise Refused("`template` must be jinja2 or mustache.")


def _inputs(keys: Keys) -> tuple[list[Variable], list[str]]:
    """Declared variables, and those of them that stand for turns given at run time."""
    value = keys.take("inputs")
    older = keys.take("inputSchema")
    if value is None and isinstance(older, dict):
        value = cast("Tree", older).get("properties")
        keys.notes.change("inputSchema", "an earlier spelling of `inputs`")
    rows, newer = _rows(value, keys), isinstance(value, list)
    variables: list[Variable] = []
    threads: list[str] = []
    for name, row in rows:
        where = f"inputs.{name[:40]}"
        if not plain_word(name):
            keys.notes.lose(where, "this cannot be the name of a variable here")
            continue
        one = Keys(row, keys.notes, where)
        type_ = one.text("kind") or one.text("type") or "text"
        if type_ == "thread":
            threads.append(name)
        else:
            variables.append(_variable(name, type_, one, newer=newer))
        one.done()
    return variables, threads


def _rows(value: Any, keys: Keys) -> list[tuple[str, Any]]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [
            (name, row if isinstance(row, dict) else {"default": row})
            for name, row in cast("Tree", value).items()
        ]
    if isinstance(value, list) and all(isinstance(row, dict) for row in cast("list[Any]", value)):
        rows = cast("list[Tree]", value)
        return [
            (str(row.get("name", "")), {k: v for k, v in row.items() if k != "name"})
            for row in rows
        ]
    raise Refused(f"`{keys.where('inputs')}` must be a group or a list of groups.")


def _variable(name: str, type_: str, one: Keys, *, newer: bool) -> Variable:
    default = one.take("default")
    required = one.take("required")
    if not isinstance(required, bool):
        required = default is None and not newer
        if newer and default is None:  # version 2 asks for those alone that say so
            one.notes.change(
                one.path,
                "it may be left out, and is then an empty text there; here a text has to ask "
                f"whether it is given, as in `{{% if {name} %}}`",
            )
    example = one.take("example")
    sample = one.take("sample")
    return Variable(
        name=name,
        type=_KINDS.get(type_, type_),
        default=default,
        required=required,
        description=one.text("description"),
        example=example if sample is None else sample,
    )


def _answers(keys: Keys, given: Tree) -> None:
    outputs = keys.take("outputs")
    if outputs and "json_schema" not in given:
        schema = fields_schema(outputs, keys.notes, "outputs")
        if schema:
            given["response_format"], given["json_schema"] = "json_schema", schema
            keys.notes.change("outputs", "written as a JSON Schema")
    elif outputs:
        keys.notes.lose("outputs", "`response_format` says the shape already")


def _tools(keys: Keys, given: Tree) -> None:
    """Version 2: functions with a list of parameters."""
    for at, row in enumerate(keys.items("tools")):
        one = Keys(row, keys.notes, f"tools[{at}]")
        if one.take("kind") not in (None, "function"):
            keys.notes.lose(f"tools[{at}]", "only functions come in; this one names another place")
            continue
        function: Tree = {"name": one.text("name")}
        if about := one.text("description"):
            function["description"] = about
        parameters = one.take("parameters")
        if parameters is not None:
            schema = (
                parameters
                if isinstance(parameters, dict) and "type" in parameters
                else (fields_schema(parameters, keys.notes, f"tools[{at}].parameters"))
            )
            function["parameters"] = schema or {"type": "object"}
        one.done()
        tools = given.setdefault("tools", [])
        tools.append({"type": "function", "function": function})


def _sample(keys: Keys, given: Tree) -> None:
    sample = keys.take("sample")
    if isinstance(sample, dict) and sample:
        given["extra"]["testData"] = [sample]
    elif sample:
        keys.notes.lose("sample", "it names another file; import that as examples")


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """Version 1, whose readers refuse keys they do not know: our own stand in a remark."""
    theirs = to_theirs(document, "jinja", notes)
    for role in sorted({one.role for one in document.messages} - {"system", "user", "assistant"}):
        notes.change("messages", f"readers of version 1 take {role} turns for text; see prompty2")
    tree: Tree = {}
    placed = {"name", "description", "tags", "model", "modelParameters"}
    if document.title:
        tree["name"] = document.title
    if document.description:
        tree["description"] = document.description
    if document.tags:
        tree["tags"] = list(document.tags)
    for key, kind_ in (("authors", list), ("version", str)):
        if (value := document.extra.get(key)) and isinstance(value, kind_):
            tree[key] = value
            placed.add(key)
    model: Tree = {"api": "chat"}
    if document.model is not None:
        model["configuration"] = {"type": "openai", "name": document.model}
    parameters: Tree = dict(document.parameters)
    if (shape := response_format(document)) is not None:
        parameters["response_format"] = shape
        placed |= {"responseFormat", "jsonSchema"}
    if document.tools is not None:
        parameters["tools"] = document.tools
        placed.add("tools")
    if parameters:
        model["parameters"] = parameters
    tree["model"] = model
    if inputs := _their_inputs(document):
        tree["inputs"] = inputs
    more = carried(document, placed, verbatim=theirs.verbatim)
    left = f"# {OURS} {json.dumps(more, ensure_ascii=True)}\n" if more else ""
    tree["template"] = {"type": "jinja2", "parser": "prompty"}
    tree = without(tree, prompty_asks, "", notes, LOOKED_UP)
    body = turns.join(zip(document.messages, theirs.texts, strict=True))
    return {f"{name}.prompty": f"---\n{dump(tree)}{left}---\n{body}".encode()}


def _their_inputs(document: Document) -> Tree:
    inputs: Tree = {}
    for one in document.variables:
        if plain_word(one.name):
            about = {"description": one.description, "default": one.default}
            inputs[one.name] = {"type": _THEIR_KINDS.get(one.type, one.type)} | {
                key: value for key, value in about.items() if value not in (None, "")
            }
    inputs |= {
        one.name: {"type": "thread"}
        for one in document.messages
        if one.role == "placeholder" and one.name
    }
    return inputs
