"""The tables: up, down and up again, without drift from the models, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from hub.db import Database
from hub.migrate import SEARCH, change, config, head, tables, upgrade


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "postgres":
        return request.getfixturevalue("empty_postgres_url")
    return f"sqlite+aiosqlite:///{tmp_path}/empty.db"


def names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_the_end_is_read_off_the_files_as_alembic_reads_it():
    assert head() == set(ScriptDirectory.from_config(config()).get_heads())


async def test_up_down_and_up_again_without_drift(empty_url: str):
    await upgrade(empty_url)
    await upgrade(empty_url)  # nothing to do
    assert await _drift(empty_url) == []
    await change(empty_url, "base", down=True)
    database = Database(empty_url)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(names) == set()
    await database.close()
    await upgrade(empty_url)
    assert await _drift(empty_url) == []


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path):
    url = f"sqlite+aiosqlite:///{tmp_path}/half.db"
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE versions (in_the_way integer)"))
    with pytest.raises(Exception, match="already exists"):
        await upgrade(url)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(names) == {"versions"}
    await database.close()


async def _drift(url: str) -> list[object]:
    """What Alembic would still change; the full-text table is written by hand."""

    def ours(item: object, name: str | None, *_: object) -> bool:
        return SEARCH not in (name or "")

    def compare(connection: Connection) -> list[object]:
        options = {"include_object": ours, "compare_type": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), tables())

    database = Database(url)
    try:
        async with database.engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await database.close()
