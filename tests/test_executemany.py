"""Many rows by one statement read back as if each had been written by SQLAlchemy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, insert, select, update

from hub.db import Database
from hub.executemany import executemany, insert_many, table_of
from hub.people.models import AuditEntry
from hub.registry.models import Content, Intent
from hub.registry.review.models import Comment
from tests.cast import make_cast, on_both_engines

NOON = datetime(2026, 5, 3, 12, 0, 0, 1, timezone(timedelta(hours=2)))
ODD: list[dict[str, Any]] = [
    {"at": datetime(2026, 5, 3, 14, tzinfo=UTC), "subject": "plain", "detail": {"a": [1, None]}},
    {"at": NOON, "subject": "", "detail": {}},
    {"at": NOON - timedelta(days=9999), "subject": "ü 🩺 ' \" ? % :x", "detail": {"$1": "?"}},
]


@on_both_engines
async def test_odd_values_are_kept_as_sqlalchemy_keeps_them(database: Database) -> None:
    cast = await make_cast(database)
    facts = {"workspace_id": cast.workspace.id, "actor": "ana", "hash": None}

    def write(db: Connection) -> None:
        db.execute(insert(AuditEntry), [facts | odd | {"action": "theirs"} for odd in ODD])
        insert_many(db, AuditEntry, [facts | odd | {"action": "ours"} for odd in ODD])

    await database.write_at_once(write)
    columns = (AuditEntry.at, AuditEntry.subject, AuditEntry.detail, AuditEntry.hash)
    query = select(*columns).order_by(AuditEntry.id)
    async with database.read() as db:
        ours, theirs = [
            [tuple(row) for row in await db.execute(query.where(AuditEntry.action == which))]
            for which in ("ours", "theirs")
        ]
    assert ours == theirs
    assert [(at, subject, detail) for at, subject, detail, _ in ours] == [
        (odd["at"], odd["subject"], odd["detail"]) for odd in ODD
    ]


@on_both_engines
async def test_bytes_nothing_and_an_update_of_many(database: Database) -> None:
    cast = await make_cast(database)
    mine = {"workspace_id": cast.workspace.id}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    contents = [mine | {"hash": str(n), "data": bytes([n, 0]), "document": b"{}"} for n in range(3)]
    intents = [
        mine | {
            "batch": str(n), "request_id": None, "request_hash": None, "refs": [], "commits": ["x"],
            "answer": None if n else {"n": 0}, "state": "open", "at": at,
        } for n in range(2)
    ]  # fmt: skip
    table = table_of(Intent)
    closed = update(table).where(table.c.batch == bindparam("its")).values(state=bindparam("now"))

    def write(db: Connection) -> None:
        insert_many(db, Content, contents)
        insert_many(db, Intent, intents)
        executemany(db, closed, [{"its": "0", "now": "done"}, {"its": "7", "now": "never"}])
        insert_many(db, Intent, [])

    await database.write_at_once(write)
    async with database.read() as db:
        held = await db.execute(
            select(Content.hash, Content.data).where(Content.hash.in_(["0", "1", "2"]))
        )
        assert {row.hash: row.data for row in held} == {
            one["hash"]: one["data"] for one in contents
        }
        found = await db.execute(select(Intent.state, Intent.answer).order_by(Intent.batch))
        assert [tuple(row) for row in found] == [("done", {"n": 0}), ("open", None)]


async def test_a_table_that_fills_in_values_itself_is_refused(database: Database) -> None:
    """`quote` has a default in Python, which nobody would ask for."""

    def write(db: Connection) -> None:
        insert_many(db, Comment, [{"workspace_id": 1, "number": 1, "revision": 1}])

    with pytest.raises(NotImplementedError, match="more than its rows"):
        await database.write_at_once(write)
