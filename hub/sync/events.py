"""The events of `GET /api/v1/stream` as bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hub.registry.indexing.feed import Place
from hub.sync.filters import Filter
from hub.sync.picture import Picture
from hub.sync.pointers import Pointer

HEARTBEAT = 15
BEAT = b":\n\n"
LARGEST_INLINE = 65_536
MOST_PLACES = 1000
"""A longer gap is a snapshot."""

_encode = msgspec.json.encode


def hello(picture: Picture) -> bytes:
    said = {
        "schema": 1, "epoch": picture.epoch, "revision": picture.revision, "heartbeat": HEARTBEAT
    }  # fmt: skip
    return _event(b"hello", _encode(said))


def commit(epoch: str, revision: int) -> bytes:
    data = _encode({"epoch": epoch, "revision": revision})
    return b"id: %b:%d\n" % (epoch.encode(), revision) + _event(b"commit", data)


def resync(picture: Picture, retry_ms: int) -> bytes:
    said = {"epoch": picture.epoch, "revision": picture.revision, "retry_ms": retry_ms}
    return _event(b"resync", _encode(said))


def goodbye(retry_ms: int) -> bytes:
    return _event(b"goodbye", _encode({"retry_ms": retry_ms}))


def batch(picture: Picture, places: Iterable[Place]) -> bytes:
    """What is at these places now, and the commit."""
    parts = [_place(picture, place) for place in sorted(places)]
    return b"".join([*parts, commit(picture.epoch, picture.revision)])


def since(picture: Picture, filter: Filter, revision: int) -> bytes | None:
    """What leads from a revision to the picture; None: only a snapshot does."""
    key = (filter.key, revision)
    if key not in picture.frames:
        changed = picture.changed_since(revision)
        places = None if changed is None else {one for one in changed if filter.wants(one)}
        if places is None or len(places) > MOST_PLACES:
            picture.frames[key] = None
        else:
            picture.frames[key] = batch(picture, places) if places else b""
    return picture.frames[key]


def position(text: str | None) -> tuple[str, int] | None:
    """Epoch and revision as `since` and `Last-Event-ID` have them."""
    epoch, _, revision = (text or "").strip().partition(":")
    if not epoch or not revision.isascii() or not revision.isdigit() or len(revision) > 16:
        return None
    return epoch, int(revision)


def _place(picture: Picture, place: Place) -> bytes:
    pointer = picture.at(place)
    if pointer is None:
        return _event(b"delete", _encode({"label": place[0], "name": place[1]}))
    return _event(b"put", _with_objects(picture, pointer))


def _with_objects(picture: Picture, pointer: Pointer) -> bytes:
    texts = [picture.texts[name] for name in pointer.objects]
    inline = [
        b'"%b":%b' % (text.name.encode(), text.quoted)
        for text in texts if text.size <= LARGEST_INLINE
    ]  # fmt: skip
    return b'%b,"objects":{%b}}' % (pointer.json[:-1], b",".join(inline))


def _event(name: bytes, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, data)
