"""The list of prompts as Langfuse pages it: each with those of its versions that fit."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, Text, cast, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.registry.models import Content, Label, Prompt, Version
from hub.registry.prompt.document import from_json
from hub.registry.reading.listing import label_order
from hub.registry.reading.record import LATEST
from hub.sync.foreign.langfuse_shape import config_of
from hub.sync.formats.langfuse import tree_of
from hub.sync.formats.report import Notes
from hub.sync.formats.trees import Tree

MOST = 100


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What narrows the list; the versions that fit are looked at, then put together by prompt."""

    name: str | None = None
    label: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A prompt and its versions that fit."""

    name: str
    type: str
    versions: list[int]
    labels: list[str]
    tags: list[str]
    last_updated_at: datetime
    last_config: Tree


class Meta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the page lies."""

    page: int
    limit: int
    total_items: int
    total_pages: int


class Lines(msgspec.Struct, frozen=True):
    """A page of the list."""

    data: list[Line]
    meta: Meta


async def listed(db: AsyncSession, workspace_id: int, asked: Asked, page: int, limit: int) -> Lines:
    """By name."""
    fitting = _fitting(workspace_id, asked)
    total = await db.scalar(fitting.with_only_columns(func.count(distinct(Prompt.id)))) or 0
    query = (
        fitting.with_only_columns(Prompt.id, Prompt.name, Prompt.tags, Prompt.head)
        .group_by(Prompt.row)
        .order_by(Prompt.name).limit(limit).offset((page - 1) * limit)
    )  # fmt: skip
    rows = list(await db.execute(query))
    data = await _lines(db, workspace_id, fitting, rows) if rows else []
    pages = -(-total // limit)
    return Lines(data, Meta(page=page, limit=limit, total_items=total, total_pages=pages))


def _fitting(workspace_id: int, asked: Asked) -> Select[Any]:
    query = (
        select(Version)
        .join(
            Prompt,
            (Prompt.workspace_id == Version.workspace_id) & (Prompt.id == Version.prompt_id),
        )
        .where(Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None))
    )
    if asked.name is not None:
        query = query.where(Prompt.name == asked.name)
    if asked.tag is not None:  # among others, as the list is kept
        written = json.dumps(asked.tag)
        query = query.where(cast(Prompt.tags, Text).contains(written, autoescape=True))
    if asked.label == LATEST:
        query = query.where(Version.number == Prompt.head)
    elif asked.label is not None:
        query = query.join(
            Label,
            (Label.workspace_id == Version.workspace_id)
            & (Label.prompt_id == Version.prompt_id) & (Label.version == Version.number),
        ).where(Label.label == asked.label)  # fmt: skip
    if asked.since is not None:
        query = query.where(Version.created_at >= asked.since)
    if asked.until is not None:
        query = query.where(Version.created_at < asked.until)
    return query


async def _lines(
    db: AsyncSession, workspace_id: int, fitting: Select[Any], rows: list[Any]
) -> list[Line]:
    ids = [row.id for row in rows]
    query = fitting.with_only_columns(Version.prompt_id, Version.number)
    versions: dict[str, list[int]] = defaultdict(list)
    for prompt_id, number in await db.execute(query.where(Prompt.id.in_(ids))):
        versions[prompt_id].append(number)
    labels: dict[str, list[str]] = defaultdict(list)
    query = select(Label.prompt_id, Label.label, Label.version).where(
        Label.workspace_id == workspace_id, Label.prompt_id.in_(ids)
    )
    for prompt_id, label, number in await db.execute(query):
        if number in versions[prompt_id]:
            labels[prompt_id].append(label)
    return [
        await _line(db, workspace_id, row, sorted(versions[row.id]), labels[row.id])
        for row in rows
    ]  # fmt: skip


async def _line(
    db: AsyncSession, workspace_id: int, row: Any, versions: list[int], labels: list[str]
) -> Line:
    query = (
        select(Version.created_at, Content.document)
        .join(
            Content,
            (Content.workspace_id == Version.workspace_id) & (Content.hash == Version.hash),
        )
        .where(
            Version.workspace_id == workspace_id, Version.prompt_id == row.id,
            Version.number == versions[-1],
        )
    )  # fmt: skip
    at, raw = (await db.execute(query)).one()
    document = from_json(msgspec.json.decode(raw))
    tree = tree_of(row.name, document, Notes())
    return Line(
        name=row.name, type=tree["type"], versions=versions, tags=row.tags,
        labels=[*sorted(labels, key=label_order), *([LATEST] if row.head in versions else [])],
        last_updated_at=at, last_config=config_of(document, tree),
    )  # fmt: skip
