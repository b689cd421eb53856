"""The texts of a revision: what each item was made from, and what would land."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hub.registry.models import Content
from hub.registry.prompt.document import Document, InvalidDocument, from_json, parse
from hub.registry.review.models import Item
from hub.registry.review.views import ItemView

UNREADABLE = "This text cannot be shown: {sentence}"


def item_views(db: Connection, workspace_id: int, number: int, revision: int) -> list[ItemView]:
    """Every item of the revision, in its order; none if there is no such revision."""
    query = (
        select(*Item.__table__.columns)
        .where(
            Item.workspace_id == workspace_id, Item.number == number, Item.revision == revision
        )
        .order_by(Item.position, Item.prompt_id)
    )  # fmt: skip
    rows = db.execute(query).all()
    wanted = {row.base_hash for row in rows} | {row.hash for row in rows if row.data is None}
    held = documents(db, workspace_id, {one for one in wanted if one})
    return [_item(row, held) for row in rows]


def documents(db: Connection, workspace_id: int, hashes: Collection[str]) -> dict[str, Document]:
    """The documents with these hashes, as far as the index has them."""
    if not hashes:
        return {}
    query = select(Content.hash, Content.document).where(
        Content.workspace_id == workspace_id, Content.hash.in_(sorted(hashes))
    )
    return {digest: from_json(msgspec.json.decode(raw)) for digest, raw in db.execute(query)}


def _item(row: Any, held: dict[str, Document]) -> ItemView:
    old, new, problem = held.get(row.base_hash or ""), None, ""
    if row.data is not None:
        try:
            new = parse(bytes(row.data))
        except InvalidDocument as refused:
            problem = UNREADABLE.format(sentence=refused.sentence)
    elif row.kind == "rename":
        new = old
    elif row.kind != "delete":
        new = held.get(row.hash or "")
    if row.kind != "delete" and new is None and not problem:
        problem = UNREADABLE.format(sentence="the hub does not have it any more.")
    return ItemView(
        kind=row.kind, prompt_id=row.prompt_id, name=row.name, new_name=row.new_name,
        version=row.version, base_version=row.base_version, base_hash=row.base_hash,
        hash=row.hash, old=old, new=new, problem=problem,
    )  # fmt: skip
