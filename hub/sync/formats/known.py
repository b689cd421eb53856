"""The formats that are known: how each is recognised, read and written.

Writing is checked by reading: what the file gives back is compared with the prompt key by key,
and every key that differs is in the report, also where the format's own code did not notice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.registry.prompt.document import Document, InvalidDocument, parse, serialise, to_json
from hub.sync.formats import (
    dotprompt,
    examples,
    langfuse,
    langsmith,
    langsmith_out,
    markdown,
    mlflow,
    openai,
    promptfoo,
    prompty,
    prompty2,
)
from hub.sync.formats.report import Notes, Read, Refused
from hub.sync.formats.trees import json_of, yaml_of

Reader = Callable[[str, str], list[Read]]
Writer = Callable[[str, Document, Notes], dict[str, bytes]]

LARGEST_BUNDLE = 32 * 1024 * 1024
_JSON = (".json",)
_TREES = (".json", ".yaml", ".yml")


@dataclass(frozen=True)
class Format:
    """One format; `sniff` judges the value of a JSON or YAML file, `read` takes the whole text."""

    name: str
    about: str
    readers: str
    """Who reads such a file, for somebody who has to choose one."""
    endings: tuple[str, ...]
    write: Writer
    read: Reader | None = None
    sniff: Callable[[Any], bool] | None = None


def _own(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    return {f"{name}.prompt.yml": serialise(document)}


def _read_own(text: str, stem: str) -> list[Read]:
    return [Read(parse(text.encode()), Notes())]


FORMATS = {
    one.name: one
    for one in (
        Format(
            "prompt.yml", "GitHub Models and this hub",
            "The file as it is kept here: for GitHub, or for another hub.",
            (".prompt.yml", ".prompt.yaml"), _own, _read_own,
        ),
        Format(
            "prompty", "Prompty", "Programs with version 0.1 of the Prompty package.",
            (".prompty",), prompty.write, prompty.read,
        ),
        Format(
            "prompty2", "Prompty, version 2", "Programs with version 2 of the Prompty package.",
            (".prompty",), prompty2.write, prompty.read,
        ),
        Format(
            "dotprompt", "Dotprompt", "Genkit, and other programs that read Dotprompt files.",
            (".prompt",), dotprompt.write, dotprompt.read,
        ),
        Format(
            "langsmith", "LangSmith and LangChain Hub", "The prompts of LangSmith, and LangChain.",
            _TREES, langsmith_out.write, langsmith.read, langsmith.sniff,
        ),
        Format(
            "langfuse", "Langfuse", "The prompts of Langfuse, in the words of its API.",
            _JSON, langfuse.write, langfuse.read, langfuse.sniff,
        ),
        Format(
            "mlflow", "MLflow", "The prompt registry of MLflow, in the words of its API.",
            _JSON, mlflow.write, mlflow.read, mlflow.sniff,
        ),
        Format(
            "promptfoo", "promptfoo", "Tries the prompt out; its examples become tests.",
            _TREES, promptfoo.write, promptfoo.read, promptfoo.sniff,
        ),
        Format(
            "openai", "OpenAI reusable prompts",
            "Programs that ask OpenAI, in the words of its API.",
            (".json",), openai.write, openai.read, openai.sniff,
        ),
        Format(
            "markdown", "Plain Markdown", "People, and any program: the wording and nothing else.",
            (".md", ".txt"), markdown.write,
        ),
        Format(
            "csv", "Examples as a table", "A spreadsheet: the examples, without the prompt.",
            (".csv",), examples.write,
        ),
    )
}  # fmt: skip

_ENDING = re.compile(
    r"(?:\.(?:langfuse|langsmith|mlflow|openai|promptfoo))?\.(?:json|ya?ml)$|\.(?:prompty|prompt|py|js|mjs|ts|csv)$",
    re.IGNORECASE,
)
_CODE = (".py", ".js", ".mjs", ".ts", ".txt", ".md")


def stem_of(file_name: str) -> str:
    """The file's name without the ending that says its format."""
    return _ENDING.sub("", file_name.removesuffix(".txt"))


def is_snippet(text: str) -> bool:
    """Whether a text is pasted code that names a prompt of OpenAI."""
    return openai.sniff_text(text)


def is_foreign(file_name: str) -> bool:
    """Whether a file of this name may hold prompts of another program."""
    return bool(_ENDING.search(file_name))


def read(file_name: str, text: str) -> tuple[Format, list[Read]]:
    """The prompts of a file of another program.

    Raises:
        Refused: no format fits, or the file breaks its rules; a sentence with the key.
    """
    found = recognised(file_name, text)
    assert found.read is not None
    return found, found.read(text, stem_of(file_name))


def recognised(file_name: str, text: str) -> Format:
    """The format of a file, by its ending and then by what it holds."""
    low = file_name.casefold()
    for name in ("prompty", "dotprompt"):
        if low.endswith(FORMATS[name].endings):
            return FORMATS[name]
    if low.endswith(_CODE):
        if openai.sniff_text(text):
            return FORMATS["openai"]
        raise Refused("It holds no prompt of OpenAI (`pmpt_…`); other code is not read.")
    value = json_of(text) if low.endswith(".json") else yaml_of(text)
    for one in FORMATS.values():
        if one.sniff is not None and low.endswith(one.endings) and one.sniff(value):
            return one
    known = ", ".join(
        one.about for one in FORMATS.values() if one.sniff and low.endswith(one.endings)
    )
    keys = ", ".join(list(value)[:5]) if isinstance(value, dict) else ""
    has = f" Its keys are {keys[:80]}." if keys else ""
    raise Refused(f"It holds no prompts that are known here ({known}).{has}")


def write(format_: Format, name: str, document: Document) -> tuple[dict[str, bytes], Notes]:
    """The prompt's files, and everything that is lost or changed in them.

    Raises:
        Refused: this prompt cannot be written in that format at all.
    """
    notes = Notes()
    try:
        files = format_.write(name, document, notes)
    except UnicodeEncodeError:
        raise Refused("It holds half a character that no file can keep.") from None
    if format_.read is not None:
        _compare(format_, files, document, notes)
    return files, notes


def _compare(format_: Format, files: dict[str, bytes], document: Document, notes: Notes) -> None:
    assert format_.read is not None
    ((path, data),) = files.items()
    try:
        (again,) = format_.read(data.decode(), stem_of(path.split("/")[-1]))
    except (Refused, InvalidDocument) as why:
        raise Refused(f"{format_.about} cannot hold it: {why}") from None
    bare = msgspec.structs.replace(document, id=None)
    before, after = to_json(bare), to_json(msgspec.structs.replace(again.document, id=None))
    for key in {**before, **after}:
        if before.get(key) == after.get(key) or notes.about(key):
            continue
        if key not in after:
            notes.lose(key, f"{format_.about} has no place for it")
        else:
            notes.change(key, f"it comes back otherwise from {format_.about}")
