"""A real server process and a real browser, for tests that need the whole way."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from hub.app import create_app
from hub.db import Database
from hub.front import Front
from hub.migrate import upgrade
from hub.registry.git.repository import Repository
from hub.settings import Settings
from tests.cast import Cast, make_cast, settings_for
from tests.forked import Forked, mother, surroundings

FIRST_PORT, SHARE, WORKERS = 10_100, 2_500, 8
"""No browser goes to port 10,080."""


@dataclass
class Server:
    """A running hub."""

    url: str
    data: Path
    settings: Settings
    cast: Cast
    process: Forked

    def headers(self, key: str = "read") -> dict[str, str]:
        """An app's `Authorization` header: `read`, `write`, `check` or `rival`."""
        return {"Authorization": f"Bearer {getattr(self.cast, f'{key}_key')}"}

    def sign_in(self, context: Any, who: str) -> None:
        """Give a Playwright context this person's session."""
        cookie = {
            "name": "__Host-session", "value": self.cast.cookies[who], "url": self.url,
            "secure": True, "httpOnly": True, "sameSite": "Lax",
        }  # fmt: skip
        cookie["url"] = self.url.replace("http://", "https://")
        context.add_cookies([cookie])


@cache
def one_app() -> Front:
    """Its routes are put together once; give it settings, then open it."""
    return create_app(settings_for(Path("nowhere")))


_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = count(random.SystemRandom().randrange(SHARE))


_kept: list[socket.socket] = []


def free_port() -> int:
    """Of this worker's share, and of those that the system gives to nobody by itself: else a
    connection that somebody opens could take it before it is listened on."""
    while True:
        port = FIRST_PORT + _worker % WORKERS * SHARE + next(_ports) % SHARE
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if keeps(f"prompthub-tests-{port}"):
                return port


def keeps(name: str) -> bool:
    """Whether nobody else has this name; nobody gets it as long as this process lives. The workers
    of two runs side by side have the same shares."""
    if sys.platform != "linux":
        return True
    one = socket.socket(socket.AF_UNIX)
    try:
        one.bind(f"\0{name}")
    except OSError:
        one.close()
        return False
    _kept.append(one)
    return True


@contextmanager
def serve(
    data: Path, port: int, said: Path | None = None, constants: dict[str, float] | None = None,
    **more: Any,
) -> Iterator[Server]:  # fmt: skip
    """Write the cast into `data`, start uvicorn there, stop it at the end."""
    url = f"http://127.0.0.1:{port}"
    settings = settings_for(data, public_url="", host="127.0.0.1", port=port, **more)
    cast = asyncio.run(_prepare(settings))
    with start(settings, said, constants) as process:
        wait_until_ready(url, process)
        yield Server(url, data, settings, cast, process)


async def _prepare(settings: Settings) -> Cast:
    if not settings.database_url and not (settings.data / "hub.db").exists():
        settings.data.mkdir(parents=True, exist_ok=True)
        await upgrade(settings.database)
    database = Database(settings.database)
    cast = await make_cast(database)
    await database.close()
    for workspace in (cast.workspace, cast.rival):
        Repository.create(settings.repositories / f"{workspace.slug}.git")
    return cast


@contextmanager
def start(
    settings: Settings, said: Path | None = None, constants: dict[str, float] | None = None
) -> Iterator[Forked]:
    """uvicorn in a process of its own, with these settings in its environment.

    `said`: where its log goes, instead of to the test's; for `ended_by_itself`.
    """
    given = {
        "PROMPTHUB_DATA": str(settings.data),
        "PROMPTHUB_HOST": settings.host,
        "PROMPTHUB_PORT": str(settings.port),
        "PROMPTHUB_SECRET_KEY": str(settings.secret_key),
        "PROMPTHUB_DATABASE_URL": settings.database_url,
        "PROMPTHUB_PRIVATE_HOSTS": settings.private_hosts,
    }
    words = [
        "--factory", "hub.app:from_environment", "--host", settings.host,
        "--port", str(settings.port), "--loop", "uvloop", "--no-access-log",
        "--timeout-graceful-shutdown", "30" if said else "3",
    ]  # fmt: skip
    log = {"err": str(said)} if said else {}
    process = mother().run(
        "uvicorn", *words, environment=surroundings(**given), constants=constants, **log
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(
    url: str, process: Forked | subprocess.Popen[bytes], seconds: float = 200
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once with code {process.returncode}")
        try:
            if httpx.get(f"{url}/healthz", timeout=60).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the server was not ready after {seconds} seconds")


def ended_by_itself(process: Forked, said: Path) -> bool:
    """Whether it ended without uvicorn's losing patience with what was still open."""
    process.wait(60)
    log = said.read_text()
    assert "Finished server process" in log
    return "timeout graceful shutdown exceeded" not in log
