"""Where a document holds characters that a reader cannot see."""

from collections import Counter
from collections.abc import Iterator
from typing import cast

import msgspec

from hub.registry.prompt.document import Document, Variable
from hub.registry.prompt.unseen import Unseen, find_unseen


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """A hidden character of the new version; `added` when the old one did not hold it."""

    where: str
    unseen: Unseen
    added: bool = True


def texts_of(document: Document) -> Iterator[tuple[str, str]]:
    """Every text in the document with the place where it stands, in a person's words."""
    for at, message in enumerate(document.messages, 1):
        yield f"message {at} ({message.role})", message.content
        for text in _strings([message.name, message.extra]):
            yield f"the details of message {at}", text
    for variable in document.variables:
        for text in _strings(_values(variable)):
            yield f"the variable {variable.name}", text
    for place, value in (
        ("the title", document.title),
        ("the description", document.description),
        ("the tags", [*document.tags]),
        ("the settings", [document.model, document.parameters]),
        ("the tools", document.tools),
        ("the shape of the answer", [document.response_format, document.json_schema]),
        ("the other keys", [document.id, document.extra]),
    ):
        for text in _strings(value):
            yield place, text


def _values(variable: Variable) -> list[object]:
    words = [variable.name, variable.type, variable.description]
    return [*words, variable.default, variable.example, variable.extra]


def _strings(value: object) -> Iterator[str]:
    """Every text inside a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _strings(inner)


def find_hidden(old: Document | None, new: Document) -> tuple[Hidden, ...]:
    """What is hidden in the new version; `added` compares with what the old one held."""
    known: Counter[tuple[str, str]] = Counter()
    for _, text in texts_of(old) if old else ():
        known.update((one.code, one.says) for one in find_unseen(text))
    found: list[Hidden] = []
    for where, text in texts_of(new):
        for one in find_unseen(text):
            key = (one.code, one.says)
            found.append(Hidden(where=where, unseen=one, added=known[key] <= 0))
            known[key] -= 1
    return tuple(found)
