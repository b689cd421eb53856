"""The parts that the server and the command line have in common, opened in one way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from hub.db import Database
from hub.lock import DataInUse, hold
from hub.migrate import upgrade
from hub.registry.writing import recover
from hub.registry.writing.publish import Publisher
from hub.settings import Settings


@dataclass(frozen=True)
class Parts:
    """What every door needs to read and to publish."""

    settings: Settings
    database: Database
    publisher: Publisher
    troubles: tuple[str, ...] = ()
    """What an operator should read: workspaces that could not be put in order at the start."""


@asynccontextmanager
async def open_parts(
    settings: Settings, *, guest: bool = False, look: bool = False
) -> AsyncGenerator[Parts]:
    """Open the data folder: tables brought up to date, what a crash left settled.

    `guest`: if a hub serves the folder already, join it instead of refusing; the running hub owns
    the tables, the recovery and SQLite's checkpoints. `look`: mend nothing, whoever owns it.

    Raises:
        DataInUse: another process owns the folder, and `guest` was not asked for.
    """
    async with AsyncExitStack() as stack:
        owner = not look and _own(stack, settings, guest)
        settings.repositories.mkdir(parents=True, exist_ok=True)
        if owner:
            await upgrade(settings.database)
        database = Database(settings.database, guest=not owner)
        stack.push_async_callback(database.close)
        publisher = Publisher(database, settings.repositories)
        stack.push_async_callback(publisher.close)
        troubles: list[str] = []
        if owner:
            troubles = await recover.at_start(database, settings.repositories)
        yield Parts(settings, database, publisher, tuple(troubles))


def _own(stack: AsyncExitStack, settings: Settings, guest: bool) -> bool:
    """Take the data folder for ourselves; False: a hub has it, and a guest may join."""
    try:
        stack.enter_context(hold(settings.data))
    except DataInUse:
        if not guest:
            raise
        return False
    return True
