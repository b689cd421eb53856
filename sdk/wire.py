"""The delivery protocol: what is asked, and what the answers mean. Pure: no sockets, no clock.

snapshot_question, stream_question, object_question   what to send
document(bytes)                                       a whole table, read piece by piece
Batch.take(event)                                     what came since the last commit
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from json import JSONDecoder
from typing import Any, NamedTuple, cast

from sdk.breath import breathe
from sdk.events import Event
from sdk.flow import Ask
from sdk.table import SCHEMA, BadDocument, Pointer, Table, checked, pointer_of

_BREATH = 16
"""So many pieces are read before other threads get their turn: one is some 10 us of work."""


class Who(NamedTuple):
    """What is asked for, and by whom."""

    url: str
    labels: tuple[str, ...]
    names: tuple[str, ...] | None
    app: str
    environment: str
    instance: str

    def covers(self, pin: object, name: str) -> bool:
        """Whether the document tells of it."""
        if pin not in self.labels:
            return False
        return self.names is None or any(
            name.startswith(one[:-1]) if one.endswith("/*") else name == one for one in self.names
        )


def query(who: Who) -> str:
    """The filters; the same in every process, so that bytes made once serve all."""
    asked = [f"label={one}" for one in who.labels] + [f"name={one}" for one in who.names or ()]
    return "&".join(asked)


def headers(who: Who, key: str, **more: str) -> dict[str, str]:
    made = {
        "User-Agent": USER_AGENT, "X-Prompthub-App": _ascii(who.app),
        "X-Prompthub-Environment": _ascii(who.environment), "X-Prompthub-Instance": who.instance,
    }  # fmt: skip
    made |= {name.replace("_", "-"): value for name, value in more.items()}
    if key:
        made["Authorization"] = f"Bearer {key}"
    return {name: value for name, value in made.items() if value}


USER_AGENT = "prompthub-python/0.1.0"


def _ascii(text: str) -> str:
    return "".join(one if " " <= one <= "~" else "?" for one in text)[:80]


def snapshot_question(who: Who, key: str, etag: str) -> Ask:
    more = {"If_None_Match": etag} if etag else {}
    asked = headers(who, key, Accept="application/json", Accept_Encoding="gzip", **more)
    return Ask(f"{who.url}/api/v1/snapshot?{query(who)}", asked)


def stream_question(who: Who, key: str, table: Table) -> Ask:
    place = f"{table.epoch}:{table.revision}"
    asked = headers(who, key, Accept="text/event-stream", Accept_Encoding="identity",
                    Last_Event_ID=place, Cache_Control="no-cache")  # fmt: skip
    return Ask(f"{who.url}/api/v1/stream?since={place}&{query(who)}", asked)


def object_question(who: Who, key: str, digest: str) -> Ask:
    return Ask(f"{who.url}/api/v1/objects/{digest}", headers(who, key, Accept_Encoding="gzip"))


# ── documents ───────────────────────────────────────────────────────────────────────────────────

_decode = JSONDecoder().raw_decode
_space = re.compile(r"[ \t\n\r]*").match


def document(body: bytes, gently: bool = False) -> Table:
    """The table in a snapshot or a lock file; every object's hash is checked.

    `gently`: let other threads have their turn often; 20 MB at once would hold them up.

    Raises:
        BadDocument: it is not a whole, valid document of a schema we know.
    """
    try:
        text = body.decode()
        found = _document(text, _BREATH if gently else 0)
    except (ValueError, IndexError, TypeError, RecursionError) as error:
        if isinstance(error, BadDocument):
            raise
        raise BadDocument("it is not the JSON of a document") from None
    if not isinstance(schema := found.get("schema"), int) or schema > SCHEMA:
        raise BadDocument(f"its schema is {schema!r:.20}; this SDK knows {SCHEMA}")
    if "pointers" not in found or "objects" not in found:
        raise BadDocument("it is not the JSON of a document")
    table = Table(*_where(found), found["pointers"], found["objects"])
    for pointer in table.pointers.values():
        if not all(one in table.objects for one in pointer.objects):
            raise BadDocument(f"the text of {pointer.name} v{pointer.version} is not in it")
    return table


def _where(found: Mapping[str, Any]) -> tuple[str, int]:
    epoch, revision = found.get("epoch", ""), found.get("revision", 0)
    if not isinstance(epoch, str) or type(revision) is not int or revision < 0:
        raise BadDocument("it does not say which revision it is")
    return epoch, revision


def _document(text: str, breath: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pointers: dict[tuple[str, str], Pointer] = {}
    objects: dict[str, str] = {}

    def pointer(_: str, at: int) -> int:
        value, end = _decode(text, at)
        one = pointer_of(value)
        pointers[one.place] = one
        return end

    def an_object(digest: str, at: int) -> int:
        value, end = _decode(text, at)
        objects[digest] = checked(digest, value)
        return end

    def member(name: str, at: int) -> int:
        if name == "pointers":
            found[name] = pointers
            return _each(text, at, "[]", pointer, breath)
        if name == "objects":
            found[name] = objects
            return _each(text, at, "{}", an_object, breath)
        found[name], end = _decode(text, at)
        return end

    end = _each(text, _skip(text, 0), "{}", member)
    if _skip(text, end) != len(text):
        raise BadDocument("something follows the document")
    return found


def _skip(text: str, at: int) -> int:
    found = _space(text, at)
    return found.end() if found else at


def _each(text: str, at: int, kind: str, take: Callable[[str, int], int], breath: int = 0) -> int:
    """Go through a list or an object; `take` reads one value and says where it ended."""
    if text[at] != kind[0]:
        raise BadDocument("it has another shape than expected")
    at = _skip(text, at + 1)
    taken = 0
    while text[at] != kind[1]:
        name = ""
        if kind == "{}":
            name, at = _decode(text, at)
            at = _skip(text, at)
            if text[at] != ":" or not isinstance(name, str):
                raise BadDocument("it is not JSON")
            at = _skip(text, at + 1)
        at = _skip(text, take(name, at))
        taken += 1
        if breath and not taken % breath:
            breathe()
        if text[at] == ",":
            at = _skip(text, at + 1)
            if text[at] == kind[1]:
                raise BadDocument("it is not JSON")
        elif text[at] != kind[1]:
            raise BadDocument("it is not JSON")
    return at + 1


# ── batches ─────────────────────────────────────────────────────────────────────────────────────


def place_of(data: Mapping[str, Any]) -> tuple[str, int]:
    """Epoch and revision of a `hello`, `commit` or `resync`."""
    epoch, revision = data.get("epoch"), data.get("revision")
    if not isinstance(epoch, str) or type(revision) is not int:
        raise BadDocument("an event does not say which revision it is")
    return epoch, revision


class Batch:
    """What came since the last commit."""

    def __init__(self) -> None:
        self.changes: list[Pointer | tuple[str, str]] = []
        self.objects: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """A `put` or a `delete`.

        Raises:
            BadDocument: it has another shape, or a text another hash than its name.
        """
        if event.kind == "delete":
            label, name = event.data.get("label"), event.data.get("name")
            if not isinstance(label, str) or not isinstance(name, str):
                raise BadDocument("a `delete` does not say of what")
            self.changes.append((label, name))
            return
        objects = event.data.get("objects")
        if objects is not None and not isinstance(objects, dict):
            raise BadDocument("the objects of a `put` have another shape than expected")
        for digest, text in cast("dict[str, object]", objects or {}).items():
            self.objects[digest] = checked(digest, text, alone=True)
        self.changes.append(pointer_of(event.data))

    def missing(self, known: Mapping[str, str]) -> list[str]:
        """Objects that are named but neither here nor known."""
        found: list[str] = []
        for one in self.changes:
            if type(one) is Pointer:
                for digest in one.objects if one.split else (one.object,):
                    if digest not in self.objects and digest not in known and digest not in found:
                        found.append(digest)
        return found

    @property
    def places(self) -> list[tuple[str, str]]:
        """What it touches."""
        return [one.place if isinstance(one, Pointer) else one for one in self.changes]
