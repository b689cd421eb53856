"""What may not come in with a prompt: an address, a class, the environment, code.

A prompt is data. Files of other programs also say where to connect, which class to load or what
to run; of that nothing is kept, and each piece left out is named. The wording of messages and
examples is text that nobody follows, so it may mention whatever it likes.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from hub.registry.prompt.document import Document, Variable
from hub.sync.formats.report import Notes

SETTINGS = frozenset(
    """temperature topP top_p topK top_k minP min_p typical_p seed n maxTokens max_tokens
    maxCompletionTokens max_completion_tokens maxOutputTokens max_output_tokens frequencyPenalty
    frequency_penalty presencePenalty presence_penalty repetitionPenalty repetition_penalty stop
    stopSequences stop_sequences logprobs top_logprobs logit_bias reasoning_effort verbosity
    tool_choice parallel_tool_calls reasoning thinking modalities store user service_tier
    truncation""".split()
)
"""Settings of a model that may come in; none of them names a place or loads anything."""

_KEYS = re.compile(
    r"""(?x) .*(url|uri|endpoint|apikey|headers|password|secret|credentials?|authorization)$
    | .*(deployment|apibase|apiversion|connection|websocket|webhook)$
    | (host|hostname|proxy|organization|env|environment|environ|class|classname|lc|import)
    | (module|script|command|code|exec|eval|shell|file|path|fileid|vectorstoreids)"""
)
_WHOLE = re.compile(
    r"\s*(?:[a-z][a-z0-9+.-]*://\S*|(?:file|python|javascript|exec|env|package|data):\S)", re.I
)
_WITHIN = re.compile(r"\$\{[^{}$]*\}|\{\{\s*env\b", re.I)
_REFERENCE = re.compile(r"\s*\$\{|.*\$\{\s*(?:env|file):|.*\{\{-?\s*env\b", re.I | re.S)
_POINTERS = ("$schema", "$id", "$ref", "$dynamicRef")
_SAID = ("title", "description", "$comment", "pattern")
"""Of a schema: what people and models read."""
_ADDRESS = "an address or a secret may not come in with a prompt"
_OUTSIDE = "it points to something outside the prompt"


def without_reach(document: Document, notes: Notes) -> Document:
    """The document without anything that reaches beyond it; the notes name each piece."""
    keep = {name: getattr(document, name) for name in document.__struct_fields__}
    keep["parameters"] = _settings(document.parameters, notes)
    keep["extra"] = {
        key: _test_data(value, notes) if key == "testData" else clean(value, key, notes)
        for key, value in document.extra.items()
        if _allowed(key, key, notes) and _stays(value, key, notes)
    }
    keep["tools"] = _tools(document.tools, notes)
    keep["json_schema"] = _shape(document.json_schema, notes)
    keep["variables"] = tuple(_variable(one, notes) for one in document.variables)
    if document.model and refers(document.model):
        keep["model"] = None
        notes.lose("model", _OUTSIDE)
    keep["title"] = _words(document.title, "name", notes)
    keep["description"] = _words(document.description, "description", notes)
    keep["tags"] = tuple(
        one for at, one in enumerate(document.tags) if _words(one, f"tags[{at}]", notes)
    )
    return Document(**keep)


def without_addresses(document: Document, notes: Notes) -> Document:
    """One of our own files: everything it says, but no setting that says where to connect."""
    keep = {name: getattr(document, name) for name in document.__struct_fields__}
    for field, where in (("parameters", "modelParameters."), ("extra", "")):
        keep[field] = {
            key: value
            for key, value in getattr(document, field).items()
            if _allowed(key, f"{where}{key}", notes)
        }
    if document.tools is not None:
        keep["tools"] = [
            one if _is_function(one) else clean(one, f"tools[{at}]", notes)
            for at, one in enumerate(document.tools)
        ]
    return Document(**keep)


def _is_function(tool: object) -> bool:
    tree = cast("dict[str, Any]", tool) if isinstance(tool, dict) else {}
    return tree.get("type") == "function"


def refers(value: object) -> bool:
    """Whether a text begins as an address or file and is nothing else, or names the environment."""
    if not isinstance(value, str):
        return False
    return bool(_WITHIN.search(value)) or (
        bool(_WHOLE.match(value)) and (len(value.split(None, 1)) == 1 or "://" not in value)
    )


def clean(value: Any, path: str, notes: Notes) -> Any:
    """A value without keys and texts that reach outside."""
    if isinstance(value, dict):
        return {
            key: clean(inner, f"{path}.{key}", notes)
            for key, inner in cast("dict[str, Any]", value).items()
            if _allowed(key, f"{path}.{key}", notes) and _stays(inner, f"{path}.{key}", notes)
        }
    if isinstance(value, list):
        return [
            clean(one, f"{path}[{at}]", notes)
            for at, one in enumerate(cast("list[Any]", value))
            if _stays(one, f"{path}[{at}]", notes)
        ]
    return value if _stays(value, path, notes) else None


def _words(text: str, path: str, notes: Notes) -> str:
    """What people read: it may mention an address, but not what a reader fills in by itself."""
    if _REFERENCE.match(text):
        notes.lose(path, _OUTSIDE)
        return ""
    return text


def _stays(value: object, path: str, notes: Notes) -> bool:
    if refers(value):
        notes.lose(path, _OUTSIDE)
        return False
    return True


def _allowed(key: str, path: str, notes: Notes) -> bool:
    if _KEYS.fullmatch(re.sub(r"[^a-z]", "", key.lower())):
        notes.lose(path, _ADDRESS)
        return False
    return True


def _settings(given: dict[str, object], notes: Notes) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, value in given.items():
        path = f"modelParameters.{key}"
        if key not in SETTINGS:
            notes.lose(path, "not a setting of a model that is known here")
        elif _stays(value, path, notes):
            kept[key] = clean(value, path, notes)
    return kept


def _tools(given: list[object] | None, notes: Notes) -> list[object] | None:
    """Functions alone, by name, description and parameters: other tools name servers or files."""
    if given is None:
        return None
    kept: list[object] = []
    for at, one in enumerate(given):
        path = f"tools[{at}]"
        tree = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
        function = tree.get("function")
        if tree.get("type", "function") != "function" or not isinstance(function, dict):
            notes.lose(path, "only functions, with a name and parameters, come in as tools")
            continue
        inner = cast("dict[str, Any]", function)
        known = ("name", "description", "parameters", "strict")
        for key in [key for key in tree if key not in ("type", "function")]:
            notes.lose(f"{path}.{key}", "not a part of a function")
        for key in [key for key in inner if key not in known]:
            notes.lose(f"{path}.function.{key}", "not a part of a function")
        body = {key: value for key, value in inner.items() if key in known}
        shapes = {"name": str, "description": str, "parameters": dict, "strict": bool}
        for key in [key for key in body if not isinstance(body[key], shapes[key])]:
            del body[key]
            notes.lose(f"{path}.function.{key}", "not of the kind that a function has there")
        if body.get("description") and not _words(
            body["description"], f"{path}.function.description", notes
        ):
            del body["description"]
        if "parameters" in body:
            body["parameters"] = _schema(body["parameters"], f"{path}.function.parameters", notes)
        kept.append({"type": "function", "function": body})
    return kept


def _shape(value: Any, notes: Notes) -> Any:
    """A JSON Schema, which may also be kept as the text of one."""
    if not isinstance(value, str):
        return _schema(value, "jsonSchema", notes)
    try:
        tree = json.loads(value)
    except (ValueError, RecursionError):
        notes.lose("jsonSchema", "this text is not a JSON Schema")
        return None
    safe = _schema(tree, "jsonSchema", notes)
    return value if safe == tree else safe


def _schema(value: Any, path: str, notes: Notes) -> Any:
    """A JSON Schema without pointers to other places; property names are free."""
    if isinstance(value, list):
        return [
            _schema(one, f"{path}[{at}]", notes)
            for at, one in enumerate(cast("list[Any]", value))
            if _stays(one, f"{path}[{at}]", notes)
        ]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for key, inner in cast("dict[str, Any]", value).items():
        points = key in _POINTERS and isinstance(inner, str) and not inner.startswith("#")
        said = key in _SAID and isinstance(inner, str)
        if points or (refers(inner) and not said) or (said and not _words(inner, "", Notes())):
            notes.lose(f"{path}.{key}", _OUTSIDE)
        else:
            kept[key] = inner if said else _schema(inner, f"{path}.{key}", notes)
    return kept


def _test_data(value: Any, notes: Notes) -> Any:
    """Examples are text, also where it mentions an address; files and the environment are not."""
    if not isinstance(value, list):
        notes.lose("testData", "examples must be a list")
        return []
    return _example(value, "testData", notes)


def _example(value: Any, path: str, notes: Notes) -> Any:
    """Without what points outside: gone from a group or a list, nothing by itself."""
    if isinstance(value, dict):
        rows = cast("dict[str, Any]", value).items()
        return {
            key: _example(inner, f"{path}.{key}", notes)
            for key, inner in rows
            if _is_text(inner, f"{path}.{key}", notes)
        }
    if isinstance(value, list):
        rows = [(f"{path}[{at}]", one) for at, one in enumerate(cast("list[Any]", value))]
        return [_example(one, at, notes) for at, one in rows if _is_text(one, at, notes)]
    return value if _is_text(value, path, notes) else None


def _is_text(value: object, path: str, notes: Notes) -> bool:
    if refers(value) and not re.match(r"\s*(https?|mailto):", str(value), re.IGNORECASE):
        notes.lose(path, _OUTSIDE)
        return False
    return True


def _variable(one: Variable, notes: Notes) -> Variable:
    path = f"variables.{one.name}"
    extra = {
        key: clean(value, f"{path}.{key}", notes)
        for key, value in one.extra.items()
        if _allowed(key, f"{path}.{key}", notes) and _stays(value, f"{path}.{key}", notes)
    }
    return Variable(
        name=one.name,
        type=one.type,
        required=one.required,
        description=_words(one.description, f"{path}.description", notes),
        default=_example(one.default, f"{path}.default", notes),
        example=_example(one.example, f"{path}.example", notes),
        extra=extra,
    )
