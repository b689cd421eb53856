"""Alembic's door: `hub.migrate` hands in a connection; the `alembic` command makes its own.

By hand: `alembic -x url=sqlite+aiosqlite:////tmp/x.db revision --autogenerate -m "what changes"`.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.schema import SchemaItem

from hub.db import Database, Instant
from hub.migrate import SEARCH, tables


def ours(item: SchemaItem, name: str | None, kind: str, *_: object) -> bool:
    """The full-text table is written by hand, differently for SQLite and Postgres."""
    return not (kind in {"table", "index"} and (name or "").startswith((SEARCH, f"ix_{SEARCH}")))


def render(kind: str, item: object, _: object) -> str | bool:
    """Migrations must not import the hub: what it calls an Instant is a plain column there."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=tables(),
        include_object=ours,
        render_item=render,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def by_hand() -> None:
    database = Database(context.get_x_argument(as_dictionary=True)["url"])
    async with database.engine.begin() as connection:
        await connection.run_sync(migrate)
    await database.close()


if connection := context.config.attributes.get("connection"):
    migrate(connection)
else:
    asyncio.run(by_hand())
