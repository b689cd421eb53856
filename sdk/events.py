"""Server-sent events from bytes, however they are cut. Pure.

What arrives after a long silence meets cold caches: there a step costs ten times what it costs in a
loop, so the usual case (whole events of one line of data each) takes as few as can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecoder
from typing import Any, NamedTuple, cast

from sdk.table import BadDocument

LONGEST_EVENT = 32 * 1024 * 1024
KNOWN = frozenset({"hello", "put", "delete", "commit", "resync", "goodbye"})
_decode = JSONDecoder().raw_decode


class Event(NamedTuple):
    """One event; `data` is an object."""

    kind: str
    data: Mapping[str, Any]


class Events:
    """Events we do not know are left out."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes, found: list[Event]) -> None:
        """Add what has arrived whole to `found`.

        Raises:
            BadDocument: an event we know is malformed; those before it were added.
        """
        if self._rest or not chunk.endswith(b"\n\n") or b"\r" in chunk:
            chunk = self._gathered(chunk)
        for one in chunk.split(b"\n\n"):
            if one and (event := _event(one)) is not None:
                found.append(event)

    def _gathered(self, chunk: bytes) -> bytes:
        """What is whole, with what came before; the rest waits."""
        rest = self._rest
        start = max(0, len(rest) - 2)
        rest += chunk
        if rest.find(b"\r", start) >= 0:  # never within JSON; half of a line's end may be to come
            half = b"\r" if rest.endswith(b"\r") else b""
            rest[start:] = rest[start:].removesuffix(half).replace(b"\r\n", b"\n") + half
        end = rest.rfind(b"\n\n", start) + 2
        if end < 2:
            if len(rest) > LONGEST_EVENT:
                raise BadDocument("an event never ends")
            return b""
        whole, self._rest = bytes(rest[:end]), rest[end:]
        return whole


def _event(raw: bytes) -> Event | None:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BadDocument("an event is not UTF-8") from None
    head, _, data = text.partition("\ndata: ")
    kind = head[head.rfind("\n") + 1 :].removeprefix("event: ")
    if kind not in KNOWN or "\n" in data:
        kind, data = _fields(text)
    if kind not in KNOWN:
        return None
    try:
        value, end = _decode(data)
    except (ValueError, RecursionError):
        raise BadDocument(f"the data of `{kind}` is not JSON") from None
    if end != len(data) and data[end:].strip():
        raise BadDocument(f"the data of `{kind}` is not JSON")
    if type(value) is not dict:
        raise BadDocument(f"the data of `{kind}` is not an object")
    return Event(kind, cast("dict[str, Any]", value))


def _fields(text: str) -> tuple[str, str]:
    """Kind and data of an event whose lines are in another order, or more."""
    kind, lines = "", list[str]()
    for line in text.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            lines.append(value)
    return kind, "\n".join(lines).lstrip()
