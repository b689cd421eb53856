"""promptfoo configurations: prompts and tests in; a configuration that runs out."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from hub.registry.prompt.document import Document, Message
from hub.registry.prompt.fields import kind
from hub.registry.prompt.yaml_write import dump
from hub.sync.formats.ours import OURS, carried, make, message, settings, take_ours
from hub.sync.formats.outgoing import promptfoo_asks, promptfoo_runs, without
from hub.sync.formats.placeholders import to_theirs
from hub.sync.formats.report import Notes, Read, Refused
from hub.sync.formats.safe import refers
from hub.sync.formats.trees import Keys, Tree, json_of, yaml_of

_CODE = "code and places outside may not come in"
_RUN_THERE = "promptfoo would open or run it"
_RUNS = "it says how promptfoo runs, not what the prompt is"
_ELSEWHERE = re.compile(
    r"\s*(file|https?|langfuse|portkey|helicone|package)://|\s*(exec|python|node|ruby|golang):"
    r"|\s*\S+\.([cm]?[jt]s|py|rb|go|sh|jsonl?|ya?ml|txt|md|j2|csv|toml)(:\w+)?\s*$"
)
"""What promptfoo opens or runs instead of taking it for a text."""
_RUNNING = (
    "defaultTest scenarios derivedMetrics evaluateOptions outputPath env extensions"
    " nunjucksFilters sharing commandLineOptions"
).split()
_CHAT = re.compile(r"\s*\[\s*\{")
_OPENING = {
    "gpt": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude": "anthropic:messages",
    "gemini": "google",
}


def sniff(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "prompts" in value
        and bool({"providers", "tests", "targets"} & set(value))
    )


def read(text: str, stem: str) -> list[Read]:
    """Every prompt whose text stands in the file, each with the tests as its examples."""
    value = json_of(text) if text.lstrip().startswith("{") else yaml_of(text)
    whole = Notes()
    keys = Keys(value, whole)
    about = keys.text("description")
    metadata = keys.group("metadata")
    ours = take_ours(metadata)
    metadata.done()
    rows = keys.take("prompts")
    rows = cast("list[Any]", rows) if isinstance(rows, list) else [rows]
    model, parameters = _provider(keys)
    examples = _tests(keys)
    for key in _RUNNING:
        keys.lose(key, _RUNS)
    keys.take("$schema")
    keys.done()
    texts = [(at, _text(row, f"prompts[{at}]", whole)) for at, row in enumerate(rows)]
    found: list[Read] = []
    for at, one in texts:
        if one is None:
            continue
        notes = Notes([*whole.found])
        raw, label, called = one
        document = Document(
            title=label,
            description=about,
            model=model,
            parameters=parameters,
            messages=_messages(raw, f"prompts[{at}]", notes),
            extra={"testData": examples} if examples else {},
        )
        name = "" if len(rows) == 1 else f"{stem}/{called or f'prompt-{at + 1}'}"
        found.append(make(document, "nunjucks", ours if len(rows) == 1 else {}, notes, name=name))
    if not found:
        raise Refused("None of its `prompts` holds a text; they all name other files or code.")
    return found


def _text(row: Any, path: str, notes: Notes) -> tuple[str, str, str] | None:
    """The text of one prompt, its label and what it is called, if it stands in the file."""
    label = called = ""
    if isinstance(row, dict):
        one = Keys(row, notes, path)
        label, called = one.text("label"), one.text("id")
        label, called = "" if label == called else label, label or called
        row = one.take("raw")
        if row is None:
            one.lose("function", _CODE)
        one.lose("config", _RUNS)
        one.done()
    if not isinstance(row, str) or not row.strip():
        notes.lose(path, "it holds no text")
        return None
    if "\n" not in row and _ELSEWHERE.match(row):
        notes.lose(path, f"{_CODE}; put the text itself here")
        return None
    return row, label, called


def _messages(text: str, path: str, notes: Notes) -> tuple[Message, ...]:
    """A text, or a chat written as a JSON list inside the text."""
    if not _CHAT.match(text):
        return (Message(role="user", content=text),)
    try:
        rows = json_of(text)
    except Refused:
        return (Message(role="user", content=text),)
    found: list[Message] = []
    for at, row in enumerate(cast("list[Any]", rows)):
        one = Keys(row, notes, f"{path}[{at}]")
        if not isinstance(one.peek("content"), str):
            raise Refused(
                f"`{one.where('content')}` must be text, not {kind(one.peek('content'))}."
            )
        found.append(message(one.text("role"), one.text("content"), one.path))
        one.done()
    return tuple(found)


def _provider(keys: Keys) -> tuple[str | None, Tree]:
    """The first model and its settings; the others are named in the report."""
    name = "providers" if "providers" in keys else "targets"
    value = keys.take(name)
    rows = cast("list[Any]", value) if isinstance(value, list) else [value] if value else []
    for at in range(1, len(rows)):
        keys.notes.lose(f"{name}[{at}]", "a prompt has one model of its own")
    if not rows:
        return None, {}
    parameters: Tree = {}
    first = rows[0]
    if isinstance(first, dict):
        one = Keys(first, keys.notes, f"{name}[0]")
        first = one.take("id")
        parameters = settings(one.group("config"))
        one.lose("label", "the model's own name is kept")
        one.done(_RUNS)
    if first == "echo":
        return None, parameters
    if not isinstance(first, str) or refers(first) or _ELSEWHERE.match(first):
        keys.notes.lose(f"{name}[0]", _CODE)
        return None, parameters
    model = (
        first.rpartition(":")[2]
        if first.split(":")[0] in {"openai", "anthropic", "google"}
        else first
    )
    if model != first:
        keys.notes.change(f"{name}[0]", f"{first} is kept as the model {model}")
    return model, parameters


def _tests(keys: Keys) -> list[object]:
    """Variables and expected answers; checks that are more than `equals` are left out."""
    value = keys.take("tests")
    if value is not None and not isinstance(value, list):
        keys.notes.lose("tests", f"{_CODE}; import the file as examples")
        return []
    found: list[object] = []
    for at, row in enumerate(cast("list[Any]", value or [])):
        if isinstance(row, str):
            keys.notes.lose(f"tests[{at}]", _CODE)
            continue
        one = Keys(row, keys.notes, f"tests[{at}]")
        example: Tree = {}
        if name := one.text("description"):
            example["name"] = name
        example["variables"] = _vars(one.group("vars"))
        for number, check in enumerate(one.items("assert")):
            check = Keys(check, keys.notes, f"tests[{at}].assert[{number}]")
            if (
                check.peek("type") == "equals"
                and isinstance(check.peek("value"), str)
                and "expected" not in example
            ):
                example["expected"] = check.text("value")
                check.take("type")
                check.done()
            else:
                keys.notes.lose(check.path, f"checks of the kind {check.peek('type')} are not kept")
        one.done(_RUNS)
        found.append(example)
    return found


def _vars(group: Keys) -> Tree:
    kept: Tree = {}
    for key in group.rest_names():
        value = group.peek(key)
        if isinstance(value, list):
            group.lose(key, "several values for one variable; write a test for each")
        elif refers(value):
            group.lose(key, _CODE)
        else:
            kept[key] = group.take(key)
    return kept


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """A configuration that `promptfoo eval` runs as it is."""
    theirs = to_theirs(document, "nunjucks", notes)
    placed = {"description"}
    tree: Tree = {"description": document.description} if document.description else {}
    pairs = list(zip(document.messages, theirs.texts, strict=True))
    if any(one.role == "placeholder" for one, _ in pairs):
        notes.lose("messages", "turns given at run time are left out")
    rows = [{"role": one.role, "content": text} for one, text in pairs if one.role != "placeholder"]
    only = len(rows) == 1 and rows[0]["role"] == "user" and not _odd(rows[0]["content"])
    raw = rows[0]["content"] if only else json.dumps(rows, ensure_ascii=False, indent=2)
    tree["prompts"] = [{"id": name, "label": document.title or name, "raw": raw}]
    provider = _their_model(document.model, notes)
    tree["providers"] = [
        {"id": provider} | ({"config": dict(document.parameters)} if document.parameters else {})
    ]
    placed.add("modelParameters")
    tests, whole = _their_tests(document.extra.get("testData"))
    samples = {one.name: _sample(one) for one in document.variables}
    if tests:
        tree["tests"] = tests
    elif samples:
        tree["defaultTest"] = {"vars": samples}
    if whole:
        placed.add("testData")
    elif tests:
        notes.change("testData", "kept whole in our own group; the tests hold what promptfoo knows")
    if more := carried(document, placed, verbatim=theirs.verbatim):
        tree["metadata"] = {OURS: more}
    safe = without(tree | {"prompts": []}, promptfoo_asks, "", notes, _RUN_THERE)
    safe["prompts"] = tree["prompts"]  # wording, which may mention whatever it likes
    return {f"{name}.promptfoo.yaml": dump(safe).encode()}


def _odd(text: str) -> bool:
    """Texts that promptfoo would take for a chat, a file or nothing."""
    return bool(_CHAT.match(text)) or bool(_ELSEWHERE.match(text)) or not text.strip()


def _sample(one: Any) -> object:
    return next((value for value in (one.example, one.default) if value is not None), "")


def _their_model(model: str | None, notes: Notes) -> str:
    if model is None:
        notes.change("model", "none is set, so `echo` shows the filled-in text; put in a provider")
        return "echo"
    if promptfoo_runs(model):
        notes.lose("model", _RUN_THERE)
        return "echo"
    opening = next((word for start, word in _OPENING.items() if model.startswith(start)), None)
    if ":" in model:
        return model
    if opening is None:
        notes.change("model", f"{model} is asked through an OpenAI-like endpoint")
    return f"{opening or 'openai:chat'}:{model}"


def _their_tests(data: Any) -> tuple[list[object], bool]:
    """Tests of the examples, and whether reading them gives the same examples."""
    tests: list[object] = []
    whole = isinstance(data, list)
    for row in cast("list[Any]", data) if isinstance(data, list) else []:
        one = dict(cast("Tree", row)) if isinstance(row, dict) else {}
        variables = one.pop("variables", None)
        if not isinstance(variables, dict):
            whole = False
            variables = {k: v for k, v in one.items() if k not in ("expected", "name")}
            one = {k: v for k, v in one.items() if k in ("expected", "name")}
        test: Tree = {"description": one.pop("name")} if isinstance(one.get("name"), str) else {}
        test["vars"] = variables
        expected = one.pop("expected", None)
        if isinstance(expected, str):
            test["assert"] = [{"type": "equals", "value": expected}]
        whole = whole and not one
        tests.append(test)
    return tests, whole
