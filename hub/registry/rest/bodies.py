"""What the REST interface takes and gives, and a reader of JSON that lets nothing odd in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NoReturn, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.errors import Invalid
from hub.registry.reading.record import Record
from hub.registry.reading.search import Snippet

T = TypeVar("T", bound=msgspec.Struct)

Number = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class BadJson(Invalid):
    """The body is not JSON."""

    status = 400


class SaveVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new version of a prompt."""

    document: dict[str, Any] | str
    """The prompt: an object with the keys of its file, or the file itself (YAML) as text."""
    base: str | None = None
    """`hash` of the version that was edited; null makes a new prompt."""
    message: str = ""
    """Why, in a sentence; kept in the history."""


class MoveLabel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a label shall point."""

    version: Number | None
    """Null takes the label off."""
    expected: Number | UnsetType | None = UNSET
    """Where the label is now, as far as you know (null: nowhere). Left out: wherever it is."""
    share: Annotated[int, Meta(ge=1, le=100)] = 100
    """Percent of the readers who get it; the others get what they get now. Apps choose by a key."""
    reason: str = ""
    """Why; kept in the history."""
    despite_programs: str = ""
    """Why it shall happen though programs that run now could not go on: they do not pass what the
    version needs, or read what is taken off."""


class SavedRecord(Record, frozen=True, kw_only=True):
    """The version that a save led to; `created` is false if nothing had changed."""

    created: bool


class ListedLabel(msgspec.Struct, frozen=True):
    """A label and the version it points at."""

    label: str
    version: int


class ListedPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt in a list."""

    name: str
    id: str
    title: str
    description: str
    tags: list[str]
    version: int
    """The latest version."""
    hash: str
    labels: list[ListedLabel]
    changed_at: datetime
    changed_by: str
    message: str
    """Why it was changed last."""
    problem: str | None
    """Why the file on main cannot be used; the last good version is served."""
    hit: Snippet | None
    """Where the text has what was searched for."""


class PromptList(msgspec.Struct, frozen=True):
    """A page of prompts; `next` is the cursor of the page after it, null at the end."""

    items: list[ListedPrompt]
    next: str | None
    total: int


class ListedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version without its text."""

    version: int
    hash: str
    commit: str
    name: str
    """The prompt's name at that time."""
    author: str
    message: str
    labels: list[str]
    created_at: datetime


class VersionList(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of a prompt, the newest first."""

    name: str
    id: str
    items: list[ListedVersion]
    next: str | None
    total: int


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One move of a label; a version that is null means that the label was not set."""

    version: int | None
    previous: int | None
    by: str
    reason: str
    at: datetime
    commit: str


class Released(Move, frozen=True, kw_only=True):
    """A move that was just made; `commit` is empty if the label was there already."""

    name: str
    label: str


class LabelHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Every move of a label on one prompt, the newest first."""

    name: str
    label: str
    version: int | None
    """Where the label is now; with `at`: where it was then."""
    hash: str | None
    items: list[Move]
    """With `at`: the one move that had brought it there."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong (RFC 9457); `detail` is a sentence for a person. More facts may follow."""

    type: str
    title: str
    status: int
    detail: str


def decode(raw: bytes, shape: type[T]) -> T:
    """The body as `shape`, or a refusal that names what is wrong with it."""
    tree = _parse(raw)
    if not isinstance(tree, dict):
        raise Invalid("Send a JSON object, such as {" + _examples(shape) + "}.")
    return shaped(cast("dict[str, Any]", tree), shape)


def shaped(tree: dict[str, Any], shape: type[T]) -> T:
    """What was sent as `shape`, or a refusal that names what is wrong with it."""
    known = {field.encode_name for field in msgspec.structs.fields(shape)}
    if unknown := sorted(set(tree) - known):
        raise Invalid(
            f"{_shown(unknown[0])} is not known here; known are {', '.join(sorted(known))}.",
            key=unknown[0],
        )
    try:
        return msgspec.convert(tree, shape)
    except msgspec.ValidationError as error:
        raise Invalid(_said(str(error))) from None


def json_object(raw: bytes) -> dict[str, Any]:
    """The body as it is, for shapes that are other people's; as strict as `decode`."""
    tree = _parse(raw)
    if not isinstance(tree, dict):
        raise Invalid("Send a JSON object.")
    return cast("dict[str, Any]", tree)


def _parse(raw: bytes) -> object:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadJson("The request is not UTF-8 text. Send JSON in UTF-8.") from None
    try:
        tree = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
    except RecursionError:
        raise BadJson("The request has too many levels inside each other.") from None
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadJson(f"The request is not valid JSON{where}. Correct it and try again.") from None
    if "\\u" in text or "\0" in text:
        _refuse_odd(tree)
    return tree


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    group = dict(pairs)
    if len(group) != len(pairs):
        seen = set[str]()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise BadJson(f"{_shown(twice)} is given twice. Keep one of the two.")
    return group


def _no_number(word: str) -> NoReturn:
    raise BadJson(f"{word} is not a number that JSON knows. Leave it out or send another.")


def _refuse_odd(tree: object) -> None:
    """Half characters and NUL, which no text file and no database keeps."""
    waiting: list[object] = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\0" in one:
                raise Invalid("The text holds the character U+0000. Remove it.")
            if odd := _HALF.search(one):
                code = f"U+{ord(odd.group()):04X}"
                raise Invalid(f"The text holds half a character ({code}). Remove it.")
        elif isinstance(one, dict):
            group = cast("dict[str, object]", one)
            waiting += [*group.keys(), *group.values()]
        elif isinstance(one, list):
            waiting += cast("list[object]", one)


_HALF = re.compile("[\ud800-\udfff]")
_EXPECTED = re.compile(r"Expected `(.+?)`, got `(.+?)`(?: - at `\$\.?(.*)`)?")
_MISSING = re.compile(r"Object missing required field `(.+?)`")
_WORDS: Mapping[str, str] = {
    "str": "text", "int": "a whole number", "null": "null", "object": "an object",
    "float": "a number", "array": "a list", "bool": "true or false",
}  # fmt: skip


def _said(error: str) -> str:
    """msgspec's message in words."""
    if found := _MISSING.match(error):
        return f"`{found[1]}` is missing. Add it."
    if found := _EXPECTED.match(error):
        wanted = " or ".join(_WORDS.get(one, one) for one in found[1].split(" | "))
        given = _WORDS.get(found[2], found[2])
        return f"`{found[3] or 'The request'}` must be {wanted}, not {given}."
    return f"The request cannot be used: {error}."


def _examples(shape: type[msgspec.Struct]) -> str:
    return ", ".join(f'"{field.encode_name}": …' for field in msgspec.structs.fields(shape))


def _shown(key: str) -> str:
    plain = key.encode("ascii", "backslashreplace").decode()[:60]
    return f"`{plain}`"
