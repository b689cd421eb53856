"""Names that some text includes by number: such a name never passes to another prompt.

A pin says name and number, and the prompt meant is the one that had the name at the time. If the
name could pass on, whoever may write outside a ruled folder could change what an approved text
inside it says, without touching it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Text, and_, cast, func, or_, select

from hub.registry.models import Content
from hub.registry.prompt.document import InvalidDocument, parse, to_json
from hub.registry.reading.snippets import pins_of
from hub.registry.review.models import Item


def pinned(db: Connection, workspace_id: int, names: Collection[str]) -> set[str]:
    """Those of `names` that a version or a proposal (of any state: it may be reopened) includes.

    Reads every text that could; asked only where a name is about to pass to another prompt.
    """
    if not names:
        return set()
    found = {name.rpartition("@")[0] for name in _pins(db, workspace_id, names)}
    return found.intersection(names)


def _pins(db: Connection, workspace_id: int, names: Collection[str]) -> Iterable[str]:
    documents = select(Content.document).where(
        Content.workspace_id == workspace_id, _may_name(db, Content.document, names)
    )
    for raw in db.scalars(documents):
        yield from pins_of(bytes(raw))
    offered = select(Item.data).where(
        Item.workspace_id == workspace_id, Item.data.is_not(None), _may_name(db, Item.data, names)
    )
    for data in db.scalars(offered):
        try:
            yield from pins_of(msgspec.json.encode(to_json(parse(bytes(data or b"")))))
        except InvalidDocument:  # it cannot land either
            continue


def _may_name(db: Connection, column: Any, names: Collection[str]) -> ColumnElement[bool]:
    """Cheap, and never wrongly false: a backslash may stand for any letter."""
    postgres = db.dialect.name == "postgresql"  # it would cast bytes to hexadecimal digits
    text = func.convert_from(column, "UTF8") if postgres else cast(column, Text)
    said = [text.contains(f"{name}@", autoescape=True) for name in sorted(names)]
    return and_(text.contains("include"), or_(text.contains("\\", autoescape=True), *said))
