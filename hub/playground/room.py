"""The playground put together: what its pages lean on, opened and closed with the app."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import msgspec

from hub.db import Database, now
from hub.errors import Unavailable
from hub.outbound import Outbound
from hub.playground import prices
from hub.playground.calls import THIS_MACHINE, Endpoint
from hub.playground.connections import key_of, own_price
from hub.playground.courtesy import Courtesy
from hub.playground.engine.fleet import Fleet, devices_of, surroundings
from hub.playground.engine.folders import Found, find
from hub.playground.engine.process import Engine
from hub.playground.live import Live, settle
from hub.playground.machine import Warmer
from hub.playground.models import Connection
from hub.playground.render import Renderer
from hub.playground.turns import Turns
from hub.playground.unused import sweep_at_times
from hub.settings import Settings

LOCAL_AT_ONCE = 16
ALIASES = "Aliases"
"""Where they stand among the choices."""
CROWD = 2
"""So many large pages of the playground are made at once, and grids begun: others' pages shall
find the database's few readers, and the loop, free."""


class Choice(msgspec.Struct, frozen=True):
    """A model somebody may pick: `local:prompthub/tiny`, `3:gpt-5-mini`, `alias:fast`."""

    value: str
    model: str
    where: str
    about: str = ""
    """Where it is and what it costs, for those who choose: "Acme · $0.15 in, $0.60 out …"."""


class Playground:
    """Settings, database, engine, and what runs between them."""

    def __init__(self, settings: Settings, database: Database, fleet: Fleet | None) -> None:
        self.settings = settings
        self.database = database
        self.fleet = fleet
        self.engine = fleet.first if fleet else None
        self.warmer = Warmer(fleet.first) if fleet else None
        self.outbound = Outbound(settings.private_hosts, settings.ca_file)
        self.renderer = Renderer()
        self.courtesy = Courtesy()
        self.live = Live(database, self.renderer, self.courtesy)
        self.crowd = asyncio.Semaphore(CROWD)
        self._slots: dict[int, Turns] = {}

    async def close(self) -> None:
        if self.warmer is not None:
            await self.warmer.close()
        await self.live.close()
        await self.renderer.stop()
        await self.outbound.close()

    async def local_models(self) -> list[Found]:
        """Models of this machine: the built-in one and what lies in the operator's folders."""
        if self.engine is None:
            return []
        return list((await asyncio.to_thread(find, _folders(self.settings))).values())

    async def choices(self, connections: list[Connection]) -> list[Choice]:
        """Everything that can be picked, this machine first."""
        local = [
            Choice(f"local:{found.name}", found.name, THIS_MACHINE)
            for found in await self.local_models()
            if not found.problem
        ]
        remote = [
            Choice(f"{connection.id}:{model['id']}", model["id"], connection.name)
            for connection in connections
            for model in connection.models
        ]
        return local + remote

    def local(
        self, model: str, *, owner: int | None = None, hour_price: float | None = None
    ) -> Endpoint:
        """Our own engine, with this model."""
        return Endpoint(
            name=THIS_MACHINE, base_url="http://engine/v1",
            client=partial(self._engine_client, model), key=None, model=model, local=True,
            slots=self._slots_of(0, LOCAL_AT_ONCE), owner=owner, hour_price=hour_price,
        )  # fmt: skip

    def remote(self, connection: Connection, model: str, *, owner: int | None = None) -> Endpoint:
        """A connection, with one of its models.

        Raises:
            KeyLost: its key cannot be read any more.
        """
        listed = prices.of(connection.base_url, model, now())
        return Endpoint(
            name=connection.name,
            kind=connection.kind,
            base_url=connection.base_url,
            client=self._remote_client,
            key=key_of(connection, self.settings.secret()),
            model=model,
            local=False,
            slots=self._slots_of(connection.id, connection.concurrency),
            owner=owner,
            price=own_price(connection, model) or listed,
            hour_price=connection.hour_price,
        )

    async def _engine_client(self, model: str) -> httpx.AsyncClient:
        if self.fleet is None:
            raise Unavailable(
                "This hub was installed without the engine for local models. "
                "The operator can add it, or choose a model of a connection."
            )
        engine = await self.fleet.place(model)
        return self.outbound.engine(await engine.address())

    async def _remote_client(self) -> httpx.AsyncClient:
        return self.outbound.client()

    def _slots_of(self, connection_id: int, size: int) -> Turns:
        """Kept while the hub runs, so that calls of all grids share the same places."""
        turns = self._slots.setdefault(connection_id, Turns(size))
        turns.size = size
        return turns


def local_engines(settings: Settings) -> Fleet | None:
    """The engines of this machine, not started yet; None where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    devices = devices_of(settings.engine_devices)
    on_cpu = sum(one == "cpu" for one in devices)
    threads = max(1, ((os.cpu_count() or 2) - 1) // on_cpu) if on_cpu else None

    def make(device: str) -> Engine:
        around = surroundings(device, settings.engine_environment())
        return Engine(
            settings.data / "engine", _folders(settings), environment=around, threads=threads
        )

    return Fleet(make, devices)


@asynccontextmanager
async def open_playground(settings: Settings, database: Database) -> AsyncGenerator[Playground]:
    """Settle what a killed hub left, and stop what still runs at the end."""
    await settle(database)
    fleet = local_engines(settings)
    playground = Playground(settings, database, fleet)
    sweeping = asyncio.create_task(sweep_at_times(database))
    try:
        yield playground
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
        await playground.close()
        if fleet is not None:
            await fleet.stop()


def _folders(settings: Settings) -> list[Path]:
    return [Path(text) for text in settings.model_folders.split(":") if text]
