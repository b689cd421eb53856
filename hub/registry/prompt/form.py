"""The editor's form ↔ the document's JSON tree. Pure.

The form is plain fields with repeated names, so that it works without JavaScript: one `role`,
`content`, `message_name`, `origin`, `message_extra` per message, one `var_*` set per variable.

Browsers rewrite text on its way through a form: line ends become CRLF, a NUL becomes U+FFFD. A
message that nobody touched must come out byte for byte, so each carries the position it had
(`origin`) and is taken from the stored document when it differs by no more than that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from hub.registry.prompt.yaml_read import DEEPEST

Fields = Mapping[str, Sequence[str]]
Tree = dict[str, Any]

NUMBERS = {
    "temperature": float,
    "topP": float,
    "maxTokens": int,
    "seed": int,
}
"""Settings with their own field; GitHub's key names."""
SAME = {"top_p": "topP", "max_tokens": "maxTokens", "maxCompletionTokens": "maxTokens"}


def from_form(fields: Fields, stored: Tree) -> Tree:
    """The tree that the form describes, as typed: it may not be a valid document yet."""
    tree: Tree = {}
    _put(tree, "name", first(fields, "title").strip())
    _put(tree, "description", _line_ends(first(fields, "description")).strip())
    if stored.get("id"):
        tree["id"] = stored["id"]
    _put(tree, "tags", _tags(first(fields, "tags")))
    tree["template"] = "plain" if first(fields, "template") == "plain" else "jinja"
    _put(tree, "model", first(fields, "model").strip())
    _put(tree, "modelParameters", _parameters(fields, stored.get("modelParameters") or {}))
    tree["messages"] = _messages(fields, stored.get("messages") or [])
    _put(tree, "variables", _variables(fields))
    _put(tree, "tools", _json(first(fields, "tools")))
    _put(tree, "responseFormat", first(fields, "response_format"))
    _put(tree, "jsonSchema", _json(first(fields, "json_schema")))
    tree.update({key: value for key, value in stored.items() if key not in KNOWN})
    return tree


KNOWN = frozenset(
    (
        "name", "description", "id", "tags", "template", "model", "modelParameters", "messages",
        "variables", "tools", "responseFormat", "jsonSchema",
    )
)  # fmt: skip


def act(tree: Tree, action: str) -> bool:
    """Do what a button without JavaScript asks, such as `add`, `remove:N`, `up:N`, `down:N`.

    Returns whether `action` was one of these.
    """
    verb, _, number = action.partition(":")
    messages: list[Tree] = tree["messages"]
    at = -1 if (found := whole(number)) is None else found
    if verb == "add":
        last = messages[-1]["role"] if messages else ""
        role = "system" if not messages else "assistant" if last == "user" else "user"
        messages.append({"role": role, "content": ""})
    elif verb == "add-history":
        messages.append({"role": "placeholder", "name": "history"})
    elif verb == "add-variable":
        tree.setdefault("variables", []).append({"name": "", "type": "text"})
    elif verb == "remove-variable" and 0 <= at < len(tree.get("variables", [])):
        del tree["variables"][at]
    elif verb == "remove" and 0 <= at < len(messages):
        del messages[at]
    elif verb == "up" and 0 < at < len(messages):
        messages[at - 1], messages[at] = messages[at], messages[at - 1]
    elif verb == "down" and 0 <= at < len(messages) - 1:
        messages[at + 1], messages[at] = messages[at], messages[at + 1]
    else:
        return False
    return True


def _messages(fields: Fields, stored: Sequence[Tree]) -> list[Tree]:
    roles, contents = fields.get("role", ()), fields.get("content", ())
    names, origins = fields.get("message_name", ()), fields.get("origin", ())
    messages: list[Tree] = []
    for at, role in enumerate(roles):
        origin = _nth(origins, at)
        place = whole(origin)
        was = stored[place] if place is not None and place < len(stored) else {}
        content = _nth(contents, at)
        if _as_a_browser_sends(str(was.get("content", ""))) == _line_ends(content) and was:
            content = str(was.get("content", ""))
        else:
            content = _line_ends(content)
            if _of_windows(str(was.get("content", ""))):
                content = content.replace("\n", "\r\n")
        message: Tree = {"role": role}
        if role != "placeholder":
            message["content"] = content
        _put(message, "name", _nth(names, at).strip())
        extra = {k: v for k, v in was.items() if k not in ("role", "content", "name")}
        messages.append(message | extra)
    return messages


def _variables(fields: Fields) -> list[Tree]:
    variables: list[Tree] = []
    for at, raw in enumerate(fields.get("var_name", ())):
        description = _line_ends(_nth(fields.get("var_description", ()), at)).strip()
        example = _line_ends(_nth(fields.get("var_example", ()), at))
        default = _line_ends(_nth(fields.get("var_default", ()), at))
        if not raw.strip() and not description and not example:
            continue
        kind = _nth(fields.get("var_type", ()), at) or "text"
        variable: Tree = {"name": raw.strip(), "type": kind}
        if _nth(fields.get("var_required", ()), at) == "no":
            variable["required"] = False
        _put(variable, "default", _typed(default, kind))
        _put(variable, "description", description)
        _put(variable, "example", _typed(example, kind))
        extra = _json(_nth(fields.get("var_extra", ()), at))
        variables.append(variable | (extra if isinstance(extra, dict) else {}))
    return variables


def _typed(text: str, kind: str) -> Any:
    """A default or example as its type says, or as typed when it is not one."""
    if not text or kind in ("text", "long text", "string"):
        return text
    return _json(text)


def _parameters(fields: Fields, stored: Tree) -> Tree:
    """Settings with a field are taken from the form, under the key the file used; others stay."""
    parameters: Tree = {}
    used = {SAME.get(key, key): key for key in stored}
    for key, value in stored.items():
        if SAME.get(key, key) not in NUMBERS:
            parameters[key] = value
    for key, kind in NUMBERS.items():
        text = first(fields, key).strip().replace(",", ".")
        if not text:
            continue
        try:
            number = kind(text)
        except ValueError:
            number = text  # refused with a sentence when it is saved; kept as typed until then
        old = stored.get(used.get(key, key))
        parameters[used.get(key, key)] = old if old == number else number
    return parameters


def _put(tree: Tree, key: str, value: Any) -> None:
    if value not in ("", None, [], {}):
        tree[key] = value


def first(fields: Fields, key: str) -> str:
    """The field, or the first of several of that name; empty: it is not there."""
    return _nth(fields.get(key, ()), 0)


def _nth(values: Sequence[str], at: int) -> str:
    return values[at] if at < len(values) else ""


def _tags(text: str) -> list[str]:
    return list(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))


def _json(text: str) -> Any:
    """Parsed, or as typed when it is not JSON (the save will say so)."""
    if not text.strip():
        return None
    try:
        found = json.loads(text)
        dumped = json.dumps(found, ensure_ascii=False)
        dumped.encode()  # half characters cannot be stored, nor shown on a page again
    except (ValueError, RecursionError):
        return text
    return text if "\\u0000" in dumped or _deep(found) else found


def _deep(value: Any, depth: int = 0) -> bool:
    """Whether it is nested deeper than a document may be; whoever walks it would not come back."""
    if depth > DEEPEST:
        return True
    if isinstance(value, dict):
        value = list(cast("Tree", value).values())
    inner = cast("list[Any]", value) if isinstance(value, list) else []
    return any(_deep(one, depth + 1) for one in inner)


def whole(text: str | None) -> int | None:
    """A whole number as forms and addresses carry it; None: it is none that we gave out."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _of_windows(text: str) -> bool:
    """Whether all its lines end as on Windows; then they go on to, though browsers forget it."""
    ends = text.count("\r\n")
    return ends > 0 and ends == text.count("\n") == text.count("\r")


def _as_a_browser_sends(text: str) -> str:
    return _line_ends(text).replace("\0", "\ufffd")
