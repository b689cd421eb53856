"""Pictures that nothing names any more are deleted, a week after they were last chosen.

    read: what examples, runs and drafts name --> the old ones that none of them does
    write: looked again at what may have come meanwhile --> those are deleted

An example that was taken away still counts: it can be put back.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, delete, func, select
from sqlalchemy.orm import InstrumentedAttribute

from hub.db import Database, now
from hub.playground.models import Example, Grid, Picture
from hub.registry.models import Draft

log = logging.getLogger("hub.playground")

KEPT = timedelta(days=7)
"""A picture this young may stand in a form that somebody has open."""
EVERY = timedelta(hours=6)
FIRST = timedelta(minutes=10)
READ_AT_ONCE = 50
_HASH = re.compile(r"[0-9a-f]{64}")


async def sweep(database: Database, at: datetime | None = None) -> int:
    """Delete what nobody can come across any more; how many there were."""
    before = (at or now()) - KEPT
    found, last = await database.read_at_once(lambda db: _unnamed(db, before))
    if not found:
        return 0
    return await database.write_at_once(lambda db: _delete(db, found, before, last))


async def sweep_at_times(database: Database) -> None:
    """For as long as the hub runs; the first time when it has been up for a while."""
    await asyncio.sleep(FIRST.total_seconds())
    while True:
        try:
            if count := await sweep(database):
                log.info("%s pictures that nothing named were deleted", count)
        except Exception:
            log.exception("unused pictures could not be deleted; trying again later")
        await asyncio.sleep(EVERY.total_seconds())


def _unnamed(db: Connection, before: datetime) -> tuple[dict[int, set[str]], int]:
    """Old pictures that nothing names, by workspace; and the last grid that was looked at."""
    last = db.scalar(select(func.max(Grid.id))) or 0
    old: dict[int, set[str]] = {}
    query = select(Picture.workspace_id, Picture.hash).where(Picture.created_at < before)
    for workspace_id, digest in db.execute(query):
        old.setdefault(workspace_id, set()).add(digest)
    left = {place: held - _named(db, place, after=0) for place, held in old.items()}
    return {place: held for place, held in left.items() if held}, last


def _delete(db: Connection, found: dict[int, set[str]], before: datetime, last: int) -> int:
    """One that was chosen again meanwhile is young again, and stays."""
    count = 0
    for place, held in found.items():
        gone = delete(Picture).where(
            Picture.workspace_id == place, Picture.created_at < before,
            Picture.hash.in_(held - _named(db, place, after=last)),
        )  # fmt: skip
        count += len(db.execute(gone.returning(Picture.hash)).all())
    return count


def _named(db: Connection, workspace_id: int, *, after: int) -> set[str]:
    """The hashes in examples, drafts and the grids behind `after`."""
    return {
        digest
        for where in (
            (Example.variables, Example.workspace_id == workspace_id),
            (Draft.document, Draft.workspace_id == workspace_id),
            (Grid.rows, (Grid.workspace_id == workspace_id) & (Grid.id > after)),
        )
        for text in _texts(db, *where)
        for digest in _HASH.findall(text)
    }


def _texts(
    db: Connection, column: InstrumentedAttribute[Any], where: ColumnElement[bool]
) -> Iterable[str]:
    """What holds a picture, as JSON; a part at a time, runs may be many."""
    text = cast(column, Text)
    query = select(text).where(where, text.like('%"picture"%'))
    return db.execute(query, execution_options={"yield_per": READ_AT_ONCE}).scalars()
