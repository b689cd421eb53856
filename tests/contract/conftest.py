"""A fake hub and the real one, a wire that can be made bad, an SDK behind its test service."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import sdk
from tests.cast import copy_template
from tests.contract.fake_hub import KEY, FakeHub
from tests.contract.far import Far
from tests.contract.proxy import Proxy
from tests.contract.real import QUICK as REAL_TIMING
from tests.contract.real_hub import Beside, RealHub
from tests.contract.running import QUICK
from tests.serving import Server, free_port, serve

PATIENCE = 60
"""Seconds; how long a first read may wait where that is not what is tested."""
STEADY = {"silence": PATIENCE, "greeting": PATIENCE}
"""For a stream that is not to be given up because this machine was busy for a second."""


class Refused(Exception):
    """The SDK raised; `kind` is the name of its error."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(said["sentence"])
        self.kind, self.names, self.ms = said["error"], said["names"], said["ms"]


class Client:
    """A client of the SDK under test."""

    def __init__(self, service: httpx.Client, url: str, **given: Any) -> None:
        self._service = service
        given = {"boot_wait": PATIENCE} | given
        said = service.post("/hubs", json={"url": url, "key": KEY, **given}).json()
        self.made_in_ms, self._number = said["ms"], said["ok"]
        self.ms = 0.0

    def __getattr__(self, what: str) -> Any:
        def call(name: str | None = None, **given: Any) -> Any:
            body = {"do": what, **given} | ({"name": name} if name is not None else {})
            said = self._service.post(f"/hubs/{self._number}", json=body).json()
            self.ms = said["ms"]
            if "error" in said:
                raise Refused(said)
            return said["ok"]

        return call

    def until(self, true: Any, seconds: float = 60) -> float:
        """Wait until something holds; returns how long it took."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                pytest.fail(f"waited in vain; {self.status()}")
            time.sleep(0.005)
        return time.monotonic() - began

    def state(self, *states: str) -> None:
        self.until(lambda: self.status()["state"] in states)

    def version(self, name: str = "a/b", **more: Any) -> int:
        return self.get(name, **more)["version"]


@pytest.fixture(scope="session")
def service() -> Iterator[httpx.Client]:
    """The SDK's test service: ours, or another one's at `SDK_SERVICE`."""
    given = os.environ.get("SDK_SERVICE")
    if given:
        with httpx.Client(base_url=given, timeout=60) as client:
            yield client
        return
    command = [sys.executable, "-W", "error::ResourceWarning", "-m", "tests.contract.service"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    port = int(process.stdout.readline())
    limits = httpx.Limits(max_keepalive_connections=20)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits) as client:
        yield client
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    """The real hub in a process of its own, one for all of these tests."""
    data = tmp_path_factory.mktemp("contract") / "data"
    copy_template(migrated, data)
    with serve(data, free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def beside(server: Server) -> Iterator[Beside]:
    command = Beside(server)
    yield command
    command.close()


@pytest.fixture(params=["fake", "real"])
def far(request: pytest.FixtureRequest) -> Iterator[FakeHub | RealHub]:
    """The hub at the far end: a fake one, and then the real one."""
    if request.param == "fake":
        hub = FakeHub()
    else:
        names = ("server", "beside")
        hub = RealHub(*(request.getfixturevalue(one) for one in names))
    hub.release_many({"a/b": "One", "a/c": "Two"})
    yield hub
    hub.close()


@pytest.fixture
def wire(far: Far) -> Iterator[Proxy]:
    with Proxy(far.port) as proxy:
        yield proxy


@pytest.fixture
def connect(service: httpx.Client, far: Far) -> Iterator[Any]:
    made: list[Client] = []

    def connect(url: str = "", **given: Any) -> Client:
        made.append(Client(service, url or far.url, **given))
        return made[-1]

    yield connect
    for one in made:
        one.close(timeout=0.5)


@pytest.fixture
def live(connect, wire):
    """A client that is live, its wire between."""
    client = connect(wire.url, timing=STEADY)
    assert client.version() == 1
    client.state("live")
    return client


@pytest.fixture
def make(far):
    made = []

    def make(url="", **more):
        more = {"snapshot": None, "timing": QUICK, "refresh": 0.1, "boot_wait": PATIENCE} | more
        made.append(sdk.Hub(url or far.url, KEY, **more))
        return made[-1]

    yield make
    for hub in made:
        hub.close(2)


@pytest.fixture(scope="module")
def api(server):
    with httpx.Client(base_url=server.url, headers=server.headers("write"), timeout=60) as client:
        yield client


@pytest.fixture
def real(server):
    """Clients of the real hub."""
    made = []

    def make(url="", **more):
        usual = {"snapshot": None, "timing": REAL_TIMING, "refresh": 0.2, "boot_wait": PATIENCE}
        more = usual | more
        made.append(sdk.Hub(url or server.url, server.cast.read_key, **more))
        return made[-1]

    yield make
    for hub in made:
        hub.close(2)
