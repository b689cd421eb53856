"""Where labels point, read for apps: rows into the JSON of `docs/protocol.md`.

A pointer is small and changes; an object is the content of a version under the hash of its bytes,
and never does. Once published, its bytes are read from where they were written down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, null, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.registry.git.deploy_file import ALL
from hub.registry.indexing.feed import LATEST, Place, Published, names_of
from hub.registry.models import Content, Label, Prompt, Version
from hub.registry.reading.snippets import Snippets, may_include, texts_for

_PART = 5000


class Row(msgspec.Struct, frozen=True):
    """A version that a label of a prompt points at; of two, the one of the larger share."""

    label: str
    name: str
    id: str
    version: int
    hash: str
    commit: str
    created_at: Any
    document: bytes
    beside: Row | None = None
    share: int = 0
    """What `beside` has, of 10,000."""
    first: bool = False
    """`beside` is the newcomer."""

    @property
    def place(self) -> Place:
        return self.label, self.name

    @property
    def key(self) -> tuple[str, int]:
        return self.id, self.version


class Pointer(msgspec.Struct, frozen=True):
    """A place, ready to be sent."""

    place: Place
    json: bytes
    objects: tuple[str, ...]
    """The objects it names."""


class Text(msgspec.Struct, frozen=True):
    """An object, ready to be sent."""

    name: str
    quoted: bytes
    """Its text as a JSON string."""
    size: int

    @property
    def data(self) -> bytes:
        return msgspec.json.decode(self.quoted, type=str).encode()


def text_of(data: bytes) -> Text:
    """The object with these bytes."""
    quoted = msgspec.json.encode(data.decode())
    return Text(hashlib.sha256(data).hexdigest(), quoted, len(data))


def object_of(document: bytes, snippets: Snippets) -> bytes:
    """The bytes of a version's object; `document` is its JSON."""
    return b'{"document":%b,"snippets":%b}' % (document, msgspec.json.encode(snippets))


def rows_under(db: Connection, workspace_id: int, label: str) -> list[Row]:
    """Everything the label points at."""
    return list(_rows(db, workspace_id, _query(workspace_id, label), label))


def rows_at(db: Connection, workspace_id: int, places: Iterable[Place]) -> list[Row]:
    """What is at these places; of those that are empty there is no row."""
    found: list[Row] = []
    for label, names in names_of(places).items():
        for start in range(0, len(names), _PART):
            part = Prompt.name.in_(names[start : start + _PART])
            found += _rows(db, workspace_id, _query(workspace_id, label).where(part), label)
    return found


def _rows(
    db: Connection, workspace_id: int, query: Select[*tuple[Any, ...]], label: str
) -> Iterator[Row]:
    for name, id, number, digest, commit, created_at, document, beside in db.execute(query):
        row = Row(label, name, id, number, digest, commit, created_at, bytes(document))
        yield _with_beside(db, workspace_id, row, beside) if beside else row


def _with_beside(db: Connection, workspace_id: int, row: Row, beside: dict[str, Any]) -> Row:
    """Gradual releases are few: each is looked up by itself."""
    content = and_(Content.workspace_id == Version.workspace_id, Content.hash == Version.hash)
    query = (
        select(Version.hash, Version.commit, Version.created_at, Content.document)
        .join(Content, content)
        .where(
            Version.workspace_id == workspace_id, Version.prompt_id == row.id,
            Version.number == beside["version"],
        )
    )  # fmt: skip
    found = db.execute(query).first()
    if found is None:
        return row
    digest, commit, created_at, document = found
    other = Row(
        row.label, row.name, row.id, beside["version"], digest, commit, created_at, bytes(document)
    )
    return msgspec.structs.replace(row, beside=other, share=beside["share"], first=beside["first"])


def _query(workspace_id: int, label: str) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = select(
        Prompt.name, Prompt.id, Version.number, Version.hash, Version.commit, Version.created_at,
        Content.document, (null() if label == LATEST else Label.beside).label("beside"),
    )  # fmt: skip
    if label == LATEST:
        query, number = query.select_from(Prompt), Prompt.head
    else:
        on = and_(
            Label.workspace_id == Prompt.workspace_id, Label.prompt_id == Prompt.id,
            Label.label == label,
        )  # fmt: skip
        query, number = query.select_from(Prompt).join(Label, on), Label.version
    version = and_(
        Version.workspace_id == Prompt.workspace_id, Version.prompt_id == Prompt.id,
        Version.number == number,
    )  # fmt: skip
    content = and_(Content.workspace_id == Version.workspace_id, Content.hash == Version.hash)
    living = (Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None))
    return query.join(Version, version).join(Content, content).where(*living)


def pointer_of(row: Row, objects: Mapping[tuple[str, int], str]) -> Pointer:
    """`objects`: the names of the versions' objects."""
    most: dict[str, Any] = _version(row, objects)
    said: dict[str, Any] = {"label": row.label, "name": row.name, "id": row.id} | most
    names: tuple[str, ...] = (most["object"],)
    if row.beside is not None:
        some = _version(row.beside, objects)
        some["share"] = row.share
        most["share"] = ALL - row.share
        said["split"] = [some, most] if row.first else [most, some]
        names = tuple(dict.fromkeys((*names, some["object"])))
    return Pointer(row.place, msgspec.json.encode(said), names)


def _version(row: Row, objects: Mapping[tuple[str, int], str]) -> dict[str, Any]:
    return {
        "version": row.version, "hash": row.hash, "commit": row.commit,
        "object": objects[row.key],
    }  # fmt: skip


# ── objects ─────────────────────────────────────────────────────────────────────────────────────


async def texts_of(
    database: Database, workspace_id: int, rows: Iterable[Row], known: Mapping[tuple[str, int], str]
) -> dict[tuple[str, int], Text]:
    """The objects of these versions, of those not in `known`.

    What was published before is not made again: those with snippets are slow to make.
    """
    every = [one for row in rows for one in (row, row.beside) if one is not None]
    wanted = {row.key: row for row in every if row.key not in known}
    found: dict[tuple[str, int], Text] = {}
    slow = [row for row in wanted.values() if may_include(row.document)]
    if slow:
        ids = {row.id for row in slow}

        def read(db: Connection) -> dict[tuple[str, int], Text]:
            return _published(db, workspace_id, ids)

        found |= await database.read_at_once(read)
        async with database.read() as db:
            for row in slow:
                if row.key not in found:
                    found[row.key] = await _with_snippets(db, workspace_id, row)
    for key, row in wanted.items():
        if key not in found:
            found[key] = text_of(object_of(row.document, {}))
    return {key: text for key, text in found.items() if key in wanted}


async def _with_snippets(db: AsyncSession, workspace_id: int, row: Row) -> Text:
    snippets = await texts_for(db, workspace_id, row.document, row.created_at)
    return text_of(object_of(row.document, snippets))


def _published(db: Connection, workspace_id: int, ids: set[str]) -> dict[tuple[str, int], Text]:
    found: dict[tuple[str, int], Text] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), _PART):
        query = select(Published.prompt_id, Published.version, Published.data).where(
            Published.workspace_id == workspace_id,
            Published.prompt_id.in_(wanted[start : start + _PART]),
        )
        for id, version, data in db.execute(query):
            found[id, version] = text_of(bytes(data))
    return found


def publish(db: Connection, workspace_id: int, texts: Mapping[tuple[str, int], Text]) -> None:
    """Write objects down for good; one that is there stays as it is."""
    rows = [
        {
            "workspace_id": workspace_id, "prompt_id": id, "version": version,
            "object": text.name, "data": text.data,
        }
        for (id, version), text in texts.items()
    ]  # fmt: skip
    made = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(Published)
    if rows:
        db.execute(made.on_conflict_do_nothing(), rows)


def published(db: Connection, workspace_id: int) -> set[tuple[str, int]]:
    """The versions whose objects are written down."""
    query = select(Published.prompt_id, Published.version).where(
        Published.workspace_id == workspace_id
    )
    return {(id, version) for id, version in db.execute(query)}


def find_object(db: Connection, workspace_id: int, object: str) -> bytes | None:
    """The bytes of a published object."""
    query = select(Published.data).where(
        Published.workspace_id == workspace_id, Published.object == object
    )
    data = db.scalar(query.limit(1))
    return None if data is None else bytes(data)
