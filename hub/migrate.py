"""Bring a database to the tables this version of the hub expects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from hub.db import Base, Database
from hub.settings import FILES

MIGRATIONS = FILES / "migrations"
WITH_TABLES = (
    "hub.outbox",
    "hub.people.models",
    "hub.registry.models",
    "hub.registry.feed",
    "hub.registry.callers",
    "hub.registry.review.models",
    "hub.playground.models",
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
    move: Any = command.downgrade if down else command.upgrade

    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7362417)"))
        if (
            revision != "head"
            or MigrationContext.configure(connection).get_current_heads() != _heads()
        ):
            move(config(connection), revision)

    database = Database(database_url)
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await database.close()


@cache
def _heads() -> Sequence[str]:
    """Where the migrations end; reading them all takes longer than the rest of a start."""
    return tuple(ScriptDirectory.from_config(config()).get_heads())


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings, with the connection `migrations/env.py` shall use."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["connection"] = connection
    return settings
