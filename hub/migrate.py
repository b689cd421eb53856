"""Bring a database to the tables this version of the hub expects."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData, inspect, text

from hub.db import Base, Database
from hub.settings import FILES

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = FILES / "migrations"
WITH_TABLES = (
    "hub.outbox",
    "hub.people.models",
    "hub.registry.models",
    "hub.registry.indexing.feed",
    "hub.registry.reading.callers",
    "hub.registry.review.models",
    "hub.playground.models",
    "hub.playground.relay.models",
    "hub.sync.webhooks.models",
    "hub.sync.git.models",
    "hub.sync.importing.models",
    "hub.sync.remotes.models",
)
SEARCH = "prompt_search"
"""The full-text table and what SQLite keeps beside it; written by hand in the first migration."""


def tables() -> MetaData:
    """Every table of the hub, as the models describe them."""
    for module in WITH_TABLES:
        import_module(module)
    return Base.metadata


async def upgrade(database_url: str) -> None:
    """Apply the migrations that are missing; nothing happens when there are none.

    One transaction: a start that is killed half-way leaves the old tables. Two starting at once
    on Postgres wait for each other.
    """
    await change(database_url, "head")


async def change(database_url: str, revision: str, *, down: bool = False) -> None:
    """Move to `revision`; `down` only in tests and by operators who know why."""

    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7362417)"))
        if revision == "head" and _stands_at(connection) == head():
            return  # alembic takes longer to load than all the rest of a start
        from alembic import command

        move: Any = command.downgrade if down else command.upgrade
        move(config(connection), revision)

    database = Database(database_url)
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await database.close()


def head() -> set[str]:
    """Where the migrations end: what no other one follows, read off the files without alembic."""
    told = [path.read_text() for path in (MIGRATIONS / "versions").glob("*.py")]
    revisions, followed = (
        {found[1] for one in told if (found := re.search(rf'^{name} = "(\w+)"', one, re.M))}
        for name in ("revision", "down_revision")
    )
    return revisions - followed


def _stands_at(connection: Connection) -> set[str]:
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings, with the connection `migrations/env.py` shall use."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["connection"] = connection
    return settings
