"""OpenAI reusable prompts: the dashboard's JSON, or the code snippet pasted as text.

The snippet is Python or JavaScript and is never run: the group of arguments behind `create(` is
read by the small grammar below, which knows texts, numbers, lists, groups and nothing that acts.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.prompt.fields import kind
from hub.sync.formats.literals import arguments
from hub.sync.formats.ours import OURS, carried, make, message, plain_word, settings, take_ours
from hub.sync.formats.placeholders import to_theirs
from hub.sync.formats.report import Notes, Read, Refused
from hub.sync.formats.safe import SETTINGS
from hub.sync.formats.trees import Keys, Tree, json_of

_ID = re.compile(r"\bpmpt_[A-Za-z0-9_]+")
_LONGEST_VALUE = 512  # of OpenAI's `metadata`
_THEIRS = ("object", "created_at", "updated_at", "created_by", "is_default", "status", "project_id")
_THEIR_NAMES = {
    "topP": "top_p",
    **dict.fromkeys(
        ("max_tokens", "maxTokens", "maxOutputTokens", "max_completion_tokens",
         "maxCompletionTokens"),
        "max_output_tokens",
    ),
}  # fmt: skip

_TAKEN = frozenset(
    """temperature top_p max_output_tokens top_logprobs parallel_tool_calls tool_choice reasoning
    store user service_tier truncation""".split()
)
"""Settings of the Responses API; it refuses a request with any other."""


def sniff(value: Any) -> bool:
    """Whether a JSON value is a prompt of the dashboard or a request of the Responses API."""
    if not isinstance(value, dict):
        return False
    tree = cast("Tree", value)
    reference = tree.get("prompt")
    named = isinstance(reference, dict) and "id" in reference
    named = named or bool(_ID.fullmatch(str(tree.get("id", ""))))
    return named or any(isinstance(tree.get(key), list) for key in ("input", "messages"))


def sniff_text(text: str) -> bool:
    return bool(_ID.search(text)) and bool(re.search(r"\bcreate\s*\(|prompt\s*[:=]", text))


def read(text: str, stem: str) -> list[Read]:
    """The one prompt of a JSON file or snippet."""
    notes = Notes()
    tree = json_of(text) if text.lstrip().startswith("{") else arguments(text, notes)
    keys = Keys(tree, notes)
    given: Tree = {"extra": {}, "title": keys.text("name"), "description": keys.text("description")}
    metadata = keys.group("metadata")
    value = metadata.take(OURS)
    ours = take_ours(Keys({OURS: json_of(value)}, notes)) if isinstance(value, str) else {}
    if left := metadata.rest():
        given["extra"]["metadata"] = left
    reference = keys.take("prompt")
    inner = Keys(reference, notes, "prompt") if isinstance(reference, dict) else Keys({}, notes)
    names = {**_variables(keys), **_variables(inner)}
    number, version = (
        keys.text("id") or inner.text("id"),
        keys.text("version") or inner.text("version"),
    )
    if number:
        given["extra"]["openaiPrompt"] = {"id": number} | ({"version": version} if version else {})
    messages = _messages(keys, inner, reference)
    if not messages:
        raise Refused(_no_text(number, version, names))
    given["model"] = keys.text("model") or inner.text("model") or None
    _rest(keys, given)
    inner.done()
    variables = tuple(Variable(name=name, example=example) for name, example in names.items())
    document = Document(messages=tuple(messages), variables=variables, **given)
    return [make(document, "double", ours, notes)]


def _no_text(number: str, version: str, names: Tree) -> str:
    which = f"{number or 'a prompt'}{f' version {version}' if version else ''}"
    with_ = f" with the variables {', '.join(names)}" if names else ""
    return (
        f"`prompt.id` names {which}{with_}, but its wording is not in the file: OpenAI keeps it."
        " Copy the messages from its dashboard too, as `messages` or `input`."
    )


def _variables(keys: Keys) -> Tree:
    """Variables with a value to show, from a group or from a list of names."""
    value = keys.take("variables")
    found: Tree = {}
    rows = (
        cast("Tree", value).items()
        if isinstance(value, dict)
        else [
            (
                one
                if isinstance(one, str)
                else str(cast("Tree", one).get("name", ""))
                if isinstance(one, dict)
                else "",
                None,
            )
            for one in (cast("list[Any]", value) if isinstance(value, list) else [])
        ]
    )
    for name, example in rows:
        if not plain_word(name):
            keys.notes.lose(keys.where(f"variables.{name[:40]}"), "this cannot be a variable here")
        elif isinstance(example, dict):
            keys.notes.lose(keys.where(f"variables.{name}"), "only texts are kept as examples")
            found[name] = None
        else:
            found[name] = example
    return found


def _messages(keys: Keys, inner: Keys, reference: Any) -> list[Message]:
    found: list[Message] = []
    for group in (keys, inner):
        if said := group.text("instructions"):
            found.append(Message(role="developer", content=said))
        for name in ("messages", "input"):
            if isinstance(group.peek(name), str):
                found.append(Message(role="user", content=group.text(name)))
            else:
                rows = group.items(name)
                found += [
                    _turn(row, group.where(f"{name}[{at}]"), keys.notes)
                    for at, row in enumerate(rows)
                ]
    if isinstance(reference, str):
        found.append(Message(role="user", content=reference))
    elif isinstance(reference, list):
        rows = cast("list[Any]", reference)
        found += [_turn(row, f"prompt[{at}]", keys.notes) for at, row in enumerate(rows)]
    return found


def _turn(row: Any, path: str, notes: Notes) -> Message:
    one = Keys(row, notes, path)
    if one.peek("type") in ("message", None):
        one.take("type")
    content = one.take("content")
    if isinstance(content, list):
        content = "\n\n".join(
            part
            for at, item in enumerate(cast("list[Any]", content))
            if (part := _part(item, f"{path}.content[{at}]", notes)) is not None
        )
    if not isinstance(content, str):
        raise Refused(f"`{path}.content` must be text, not {kind(content)}.")
    role = one.text("role")
    for key in ("id", "status"):
        one.lose(key, "it belongs to the other installation")
    one.done()
    return message(role, content, path)


def _part(item: Any, path: str, notes: Notes) -> str | None:
    tree = cast("Tree", item) if isinstance(item, dict) else {}
    if tree.get("type") in ("input_text", "output_text", "text") and isinstance(
        tree.get("text"), str
    ):
        return tree["text"]
    notes.lose(path, "only texts come in, no pictures or files")
    return None


def _rest(keys: Keys, given: Tree) -> None:
    keys.lose("version", "it is counted anew here")
    for key in _THEIRS:
        keys.lose(key, "it belongs to the other installation")
    shape = keys.group("text")
    format_ = shape.take("format")
    if isinstance(format_, dict) and format_.get("type") == "json_schema":
        given["response_format"] = "json_schema"
        given["json_schema"] = {k: v for k, v in cast("Tree", format_).items() if k != "type"}
    elif isinstance(format_, dict) and format_.get("type") in ("text", "json_object"):
        given["response_format"] = format_["type"]
    elif format_ is not None:
        keys.notes.lose("text.format", "not a shape of an answer that is known here")
    left = settings(shape)
    if "max_output_tokens" in keys:
        left["max_tokens"] = keys.take("max_output_tokens")
    given["parameters"] = {**left, **{k: keys.take(k) for k in keys.rest_names() if k in SETTINGS}}
    if "tools" in keys:
        given["tools"] = [_tool(one) for one in keys.items("tools")]
    keys.done()


def _tool(one: Any) -> Any:
    """The Responses API writes a function flat."""
    if (
        not isinstance(one, dict)
        or cast("Tree", one).get("type") != "function"
        or "function" in one
    ):
        return one
    return {
        "type": "function",
        "function": {k: v for k, v in cast("Tree", one).items() if k != "type"},
    }


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """The body of a request to the Responses API, with `{{name}}` where values go."""
    theirs = to_theirs(document, "double", notes)
    tree: Tree = {"name": document.title} if document.title else {}
    placed = {"name", "description", "model", "modelParameters", "openaiPrompt"}
    if document.description:
        tree["description"] = document.description
    reference = document.extra.get("openaiPrompt")
    if isinstance(reference, dict):
        tree |= {k: v for k, v in cast("Tree", reference).items() if k in ("id", "version")}
    if document.model is not None:
        tree["model"] = document.model
    if any(one.role == "placeholder" for one in document.messages):
        notes.lose("messages", "turns given at run time are left out; append them to `input`")
    tree["input"] = [
        _sent(one, text)
        for one, text in zip(document.messages, theirs.texts, strict=True)
        if one.role != "placeholder"
    ]
    if document.tools is not None:
        tree["tools"] = [_flat(one) for one in document.tools]
        placed.add("tools")
    tree |= _shape_there(document, placed) | _settings_there(document, placed, notes)
    more = carried(document, placed, verbatim=theirs.verbatim)
    packed = json.dumps(more, ensure_ascii=False)
    if more and len(packed) <= _LONGEST_VALUE:
        tree["metadata"] = {OURS: packed}
    text = json.dumps(tree, ensure_ascii=False, indent=2)
    return {f"{name}.openai.json": f"{text}\n".encode()}


def _shape_there(document: Document, placed: set[str]) -> Tree:
    """`text.format`; a schema without a name of its own is given one, and kept as it was beside."""
    schema = document.json_schema
    if document.response_format == "json_schema" and isinstance(schema, dict):
        tree = cast("Tree", schema)
        if isinstance(tree.get("schema"), dict):
            placed |= {"responseFormat", "jsonSchema"}
        else:
            tree = {"name": _word(tree.get("title")), "schema": tree}
        return {"text": {"format": {"type": "json_schema"} | tree}}
    if document.response_format in ("text", "json_object"):
        placed.add("responseFormat")
        return {"text": {"format": {"type": document.response_format}}}
    return {}


def _word(title: object) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", str(title or "")).strip("_")[:64] or "answer"


def _settings_there(document: Document, placed: set[str], notes: Notes) -> Tree:
    """Settings by the names of the Responses API, whatever they are called here."""
    given = {key: value for key, value in document.parameters.items() if key in SETTINGS}
    named = {_THEIR_NAMES.get(key, key): value for key, value in given.items()}
    for key in given:
        if _THEIR_NAMES.get(key, key) not in _TAKEN:
            notes.change(f"modelParameters.{key}", "OpenAI's Responses API has no such setting")
    named = {key: value for key, value in named.items() if key in _TAKEN}
    again = {"max_tokens" if key == "max_output_tokens" else key: one for key, one in named.items()}
    if again != given:
        placed.discard("modelParameters")
    return named


def _sent(one: Message, text: str) -> Tree:
    kind_ = "output_text" if one.role == "assistant" else "input_text"
    return {"role": one.role, "content": [{"type": kind_, "text": text}]}


def _flat(one: object) -> object:
    tree = cast("Tree", one) if isinstance(one, dict) else {}
    inner = tree.get("function")
    return {"type": "function"} | cast("Tree", inner) if isinstance(inner, dict) else one
