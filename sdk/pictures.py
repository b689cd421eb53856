"""Pictures among the values: a variable of the type `image` becomes a part of its message.

    prompt.request(photo=Path("wound.jpg").read_bytes())
    prompt.request(photo="https://example.org/wound.jpg")

The text says where a picture stands, with `{{ photo }}` alone, in a user's message. The message's
content is then a list of parts, as OpenAI-style clients take it. Nothing is fetched here, and an
address is handed on as it is; bytes travel inside the request.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from sdk.errors import InvalidVariable

LARGEST_PICTURE = 5 * 1024 * 1024
LONGEST_ADDRESS = 2048
_DATA = re.compile(r"data:image/[a-z]+;base64,([A-Za-z0-9+/]+={0,2})")
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\"<>\\^`{|}]+")
_PRIVATE = range(0xE000, 0xF8FF)
WANTED = "PNG, JPEG, WebP or GIF"


def kind_of(data: bytes) -> str:
    """`image/png`, … by the first bytes, whatever a name says; empty: not one we take.

    >>> kind_of(b"GIF89a..."), kind_of(b"<svg>")
    ('image/gif', '')
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return ""


def address_of(name: str, value: object) -> str:
    """A picture as a request holds it: an address on the web, or all of it as a `data:` address.

    Raises:
        InvalidVariable: it is no picture that models take, or too large.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _of_bytes(name, bytes(value))
    if isinstance(value, str) and (found := _DATA.fullmatch(value)):
        try:
            return _of_bytes(name, b64decode(found[1], validate=True))
        except binascii.Error:
            pass
    elif isinstance(value, str) and len(value) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(value):
        return value
    raise InvalidVariable(
        name, f"`{name}` must be a picture: its bytes ({WANTED}), or its address, https://…"
    )


def _of_bytes(name: str, data: bytes) -> str:
    if len(data) > LARGEST_PICTURE:
        raise InvalidVariable(name, f"`{name}` is larger than 5 MB. Make the picture smaller.")
    if not (kind := kind_of(data)):
        raise InvalidVariable(name, f"`{name}` is no picture that models take: {WANTED}.")
    return f"data:{kind};base64,{b64encode(data).decode()}"


class Album:
    """The pictures of one rendering: marks stand for them in the text until it is finished.

    A mark is a number between two characters that no value holds, so no text can pass for one.
    """

    def __init__(self, values: Mapping[str, object], names: Iterable[str]) -> None:
        """`names`: the variables that are pictures. Those without a value stay without.

        Raises:
            InvalidVariable: see `address_of`.
        """
        self._names = [name for name in names if values.get(name) not in (None, "")]
        self._addresses = [address_of(name, values[name]) for name in self._names]
        rest = {name: one for name, one in values.items() if name not in self._names}
        said = json.dumps(rest, ensure_ascii=False, default=str)
        free = (chr(code) for code in _PRIVATE if chr(code) not in said)
        self._open, self._close = next(free), next(free)
        self._mark = re.compile(f"{self._open}([0-9]+){self._close}")
        marks = {name: f"{self._open}{at}{self._close}" for at, name in enumerate(self._names)}
        self.values: Mapping[str, object] = {**rest, **marks}

    def placed(self, role: object, text: str) -> str | list[dict[str, Any]]:
        """The content of a message: as it is where no picture stands, else its parts.

        Raises:
            InvalidVariable: a picture stands where none can, or something was done to it.
        """
        pieces = self._mark.split(text)
        strange = any(sign in one for one in pieces[::2] for sign in (self._open, self._close))
        if strange or any(int(at) >= len(self._addresses) for at in pieces[1::2]):
            raise InvalidVariable(
                self._names[0], "A picture is placed with its name alone, as in {{ photo }}."
            )
        if len(pieces) == 1:
            return text
        if role != "user":
            name = self._names[int(pieces[1])]
            raise InvalidVariable(
                name, f"`{name}` is a picture, and pictures stand in a user's message only."
            )
        parts: list[dict[str, Any]] = []
        for at, piece in enumerate(pieces):
            if at % 2:
                url = self._addresses[int(piece)]
                parts.append({"type": "image_url", "image_url": {"url": url}})
            elif piece.strip():  # some endpoints refuse a part that holds nothing but space
                parts.append({"type": "text", "text": piece})
        return parts


def with_album(
    values: Mapping[str, object], names: tuple[str, ...]
) -> tuple[Mapping[str, object], Album | None]:
    """The values to render with, and what puts their pictures in place; `None`: there are none."""
    if not names:
        return values, None
    album = Album(values, names)
    return album.values, album


def told(content: object) -> str:
    """The text of a message that may hold pictures: `[picture]` where one stands.

    >>> told([{"type": "text", "text": "This:"}, {"type": "image_url", "image_url": {}}])
    'This:\\n[picture]'
    """
    if not isinstance(content, list):
        return str(content)
    parts: list[Any] = content
    return "\n".join(str(one.get("text", "[picture]")) for one in parts)
