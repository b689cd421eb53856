"""One version as an application receives it: the record, and its exact bytes.

{name, id, version, commit, hash, label, labels, document, snippets, author, message,
 created_at}
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.registry.models import Content, Label, Prompt, Version
from hub.registry.prompt.document import Document, from_json
from hub.registry.reading.listing import label_order
from hub.registry.reading.snippets import Snippets, may_include, texts_for

LATEST = "latest"

__all__ = ["LATEST", "Record", "Snippets", "VersionView", "encode", "etag_of", "look_up", "record"]


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A version and the prompt it is of."""

    prompt_id: str
    name: str
    """The prompt's name now."""
    number: int
    head: int
    hash: str
    commit: str
    author: str
    author_email: str
    message: str
    created_at: datetime
    label: str | None
    """The label it was asked by."""
    labels: list[str]
    """The labels that point at it now."""
    raw: bytes
    """The document as JSON."""
    snippets: Snippets

    @property
    def tree(self) -> dict[str, Any]:
        """The document's JSON form."""
        return msgspec.json.decode(self.raw)

    @property
    def document(self) -> Document:
        return from_json(self.tree)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt JSON of the REST interface and the SDK."""

    name: str
    id: str
    version: int
    commit: str
    hash: str
    """SHA-256 of the prompt's file: what a save names as its `base`."""
    label: str | None
    """The label it was asked by."""
    labels: list[str]
    """All labels that point at this version."""
    document: msgspec.Raw
    """The prompt, with the keys of its file: messages, variables, model, modelParameters, …"""
    snippets: dict[str, str]
    """Texts of the snippets that its texts include, by `name@version`."""
    author: str
    message: str
    """Why this version was made."""
    created_at: datetime


async def look_up(
    db: AsyncSession, workspace_id: int, name: str, number: int | None, label: str | None
) -> VersionView | None:
    """Version `number`, or what `label` points at; neither: the latest. None: not there."""
    row = (await db.execute(_query(workspace_id, name, number, label))).first()
    if row is None:
        return None
    labels = await _labels(db, workspace_id, row.prompt_id, row.number)
    raw = bytes(row.document)
    snippets: Snippets = {}
    if may_include(raw):
        snippets = await texts_for(db, workspace_id, raw, row.created_at)
    return VersionView(
        prompt_id=row.prompt_id, name=row.now, number=row.number, head=row.head, hash=row.hash,
        commit=row.commit, author=row.author, author_email=row.author_email, message=row.message,
        created_at=row.created_at, label=label, labels=labels, raw=raw, snippets=snippets,
    )  # fmt: skip


def record(view: VersionView) -> Record:
    """What the REST interface says of it."""
    return Record(
        name=view.name, id=view.prompt_id, version=view.number, commit=view.commit, hash=view.hash,
        label=view.label, labels=view.labels, document=msgspec.Raw(view.raw),
        snippets=view.snippets, author=view.author, message=view.message,
        created_at=view.created_at,
    )  # fmt: skip


def encode(record: Record) -> bytes:
    """The bytes of an answer; the same record always gives the same."""
    return _ENCODER.encode(record)


def etag_of(body: bytes) -> str:
    """A strong entity tag: the hash of exactly these bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:40]}"'


_ENCODER = msgspec.json.Encoder()


def _query(
    workspace_id: int, name: str, number: int | None, label: str | None
) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = (
        select(
            Prompt.name.label("now"), Prompt.head, Version.prompt_id, Version.number, Version.hash,
            Version.commit, Version.author, Version.author_email, Version.message,
            Version.created_at, Content.document,
        )
        .join(
            Version,
            (Version.workspace_id == Prompt.workspace_id) & (Version.prompt_id == Prompt.id),
        )
        .join(
            Content,
            (Content.workspace_id == Version.workspace_id) & (Content.hash == Version.hash),
        )
        .where(
            Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None), Prompt.name == name
        )
    )  # fmt: skip
    if label and label != LATEST:
        return query.join(
            Label,
            (Label.workspace_id == Prompt.workspace_id)
            & (Label.prompt_id == Prompt.id)
            & (Label.version == Version.number),
        ).where(Label.label == label)
    return query.where(Version.number == (Prompt.head if number is None else number))


async def _labels(db: AsyncSession, workspace_id: int, prompt_id: str, number: int) -> list[str]:
    query = select(Label.label).where(
        Label.workspace_id == workspace_id, Label.prompt_id == prompt_id, Label.version == number
    )
    return sorted(await db.scalars(query), key=label_order)
