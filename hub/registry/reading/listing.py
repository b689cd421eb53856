"""The list of prompts: filters, search, and pages that stay right while others save.

A list goes on after the last name; a search is ranked, so it goes on by position, within its best
`BEST` hits.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Invalid
from hub.registry.reading import list_sql, search
from hub.registry.reading.list_sql import DOCUMENT, FEW, LABELS, LIVE, TOTAL, Asked
from hub.registry.reading.search import Snippet

BEST = 200
MOST = 200


class ItemLabel(msgspec.Struct, frozen=True):
    """A label and the version it points at."""

    label: str
    version: int


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the list."""

    id: str
    name: str
    title: str
    description: str
    tags: list[str]
    version: int
    """Number of the latest version."""
    hash: str
    labels: list[ItemLabel]
    changed_at: datetime
    changed_by: str
    change: str
    problem: str | None = None
    hit: Snippet | None = None
    """Where the text has what was searched for, if it is not in the name or title."""


class Listing(msgspec.Struct, frozen=True):
    """A page of the list. `total` counts all pages; of a search, its best `BEST` hits."""

    items: list[Item]
    next: str | None
    total: int


def label_order(label: str) -> tuple[bool, str]:
    """Production, then the others by name."""
    return label != LIVE, label


async def find(
    db: AsyncSession, workspace_id: int, *, q: str | None = None, folder: str | None = None,
    tag: str | None = None, label: str | None = None, has_draft_of: int | None = None,
    differs: bool = False, cursor: str | None = None, limit: int = 50,
) -> Listing:  # fmt: skip
    """A page of the prompts that fit, by name, or the best first if words are searched for.

    Raises:
        Invalid: a limit out of bounds, or a cursor that did not come from here.
    """
    if not 1 <= limit <= MOST:
        raise Invalid(f"`limit` may be from 1 to {MOST}.")
    asked = Asked(
        q=search.cleaned(q or ""), folder=_storable(folder).strip("/"), tag=_storable(tag),
        label=_storable(label), has_draft_of=has_draft_of, differs=differs,
    )  # fmt: skip
    if asked.q:
        return await _search(db, workspace_id, asked, _position(cursor), limit)
    after, sqlite = _after(cursor), list_sql.is_sqlite(db)
    narrowed = list_sql.narrow(asked, sqlite=sqlite)
    values = narrowed.values | {"workspace": workspace_id}
    total = await list_sql.total(db, list_sql.count_sql(narrowed), values)
    page = list_sql.list_sql(narrowed, paged=bool(after), few=total <= FEW, sqlite=sqlite)
    paging = {"limit": limit + 1} | ({"after": after} if after else {})
    items = _items(await list_sql.rows(db, page, values | paging))
    more = len(items) > limit
    items = items[:limit]
    return Listing(items, _cursor(items[-1].name) if more else None, total)


async def _search(
    db: AsyncSession, workspace_id: int, asked: Asked, position: int, limit: int
) -> Listing:
    sqlite = list_sql.is_sqlite(db)
    questions = search.ask(asked.q, sqlite=sqlite)
    if questions is None:
        return Listing([], None, 0)
    narrowed = list_sql.narrow(asked, sqlite=sqlite)
    values = narrowed.values | {f"ask_{tier}": asks for tier, asks in questions.items()}
    values |= {"workspace": workspace_id, "limit": limit + 1, "offset": position, "best": BEST}
    rows = await list_sql.rows(db, list_sql.search_sql(narrowed, sqlite=sqlite), values)
    texts = {row[0]: _TEXTS.decode(row[DOCUMENT]).all for row in rows if row[DOCUMENT]}
    items = _items(rows)
    more = len(items) > limit
    items = [
        msgspec.structs.replace(item, hit=search.snippet(asked.q, texts[item.id]))
        if item.id in texts
        else item
        for item in items[:limit]
    ]
    return Listing(
        items, _cursor(position + limit) if more else None, rows[0][TOTAL] if rows else 0
    )


class _Message(msgspec.Struct):
    content: str = ""


class _Texts(msgspec.Struct):
    description: str = ""
    messages: list[_Message] = []

    @property
    def all(self) -> list[str]:
        return [self.description, *(message.content for message in self.messages)]


_TEXTS = msgspec.json.Decoder(_Texts)


def _items(rows: Sequence[Sequence[Any]]) -> list[Item]:
    return [
        Item(
            id=row[0], name=row[1], title=row[2], description=row[3], tags=row[4], version=row[5],
            hash=row[6], changed_at=row[7], changed_by=row[8], change=row[9], problem=row[10],
            labels=_labels(row[LABELS]) if row[LABELS] else [],
        )
        for row in rows
    ]  # fmt: skip


def _labels(joined: str) -> list[ItemLabel]:
    """From `staging 4,production 3`."""
    pairs = (one.split(" ") for one in joined.split(","))
    found = [ItemLabel(label, int(version)) for label, version in pairs]
    return sorted(found, key=lambda one: label_order(one.label))


# ── cursors ─────────────────────────────────────────────────────────────────────────────────────


def _cursor(place: str | int) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _after(cursor: str | None) -> str:
    place = _decoded(cursor) if cursor else ""
    return place if isinstance(place, str) else _refuse_cursor()


def _position(cursor: str | None) -> int:
    place = _decoded(cursor) if cursor else 0
    return place if isinstance(place, int) and 0 <= place <= BEST else _refuse_cursor()


def _decoded(cursor: str) -> str | int:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(raw, type=str | int)
    except (ValueError, msgspec.MsgspecError):
        return _refuse_cursor()


def _refuse_cursor() -> NoReturn:
    raise Invalid("This `cursor` did not come from this list. Leave it out to start again.")


def _storable(text: str | None) -> str:
    return (text or "").encode("utf-8", "ignore").decode().replace("\0", "")
