"""A prompt file's bytes, read once: what the index keeps of them. Pure."""

from __future__ import annotations

import hashlib
import re

import msgspec

from hub.registry.prompt.document import Document, InvalidDocument, parse, to_json

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", re.ASCII)


class Reading(msgspec.Struct, frozen=True):
    """A prompt file as the index needs it; `problem` says why it cannot be used."""

    id: str | None
    hash: str
    data: bytes
    json: bytes = b""
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    text: str = ""
    problem: str | None = None


def read(data: bytes) -> Reading:
    """Whatever the bytes are, a reading comes out."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        document = parse(data)
        if document.id is not None and not ID.fullmatch(document.id):
            raise InvalidDocument("The `id` may only hold letters, digits, `_`, `.` and `-`.")
        return reading_of(document, data, digest)
    except InvalidDocument as refused:
        return Reading(id=None, hash=digest, data=data, problem=refused.sentence)
    except (ValueError, TypeError, RecursionError) as error:
        return Reading(id=None, hash=digest, data=data, problem=f"The file is broken: {error}")


def reading_of(document: Document, data: bytes, digest: str | None = None) -> Reading:
    """The reading of a document whose file is known already."""
    return Reading(
        id=document.id,
        hash=digest or hashlib.sha256(data).hexdigest(),
        data=data,
        json=msgspec.json.encode(to_json(document)),
        title=_storable(document.title),
        description=_storable(document.description),
        tags=tuple(map(_storable, document.tags)),
        text=_storable("\n".join(message.content for message in document.messages)),
    )


def blob_id(data: bytes) -> str:
    """The id git gives these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _storable(text: str) -> str:
    """Postgres keeps no NUL in text; the file itself is kept as it is."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
