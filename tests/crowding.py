"""Many people press Run at one hub whose models fail in every way there is; used by a test and by
`bench.fire`.

Real processes and sockets: the engine is killed while it writes, an endpoint's cable is pulled
while it streams, another sends garbage, another breaks off, another always asks to wait.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from hub.db import Database
from hub.outbound import Outbound
from hub.people import sign_ins, workspaces
from hub.people.accounts import OPERATOR
from hub.people.policy import WorkspaceRef
from hub.playground import connections
from hub.playground.connections import Fields
from hub.settings import Settings
from tests.endpoint import KEY, FakeEndpoint, endpoint_in_a_thread

LOCAL = "local:prompthub/tiny"
OVER = {"done", "failed", "stopped"}
_CELL = re.compile(
    r'class="cell" data-state="(\w+)" id="cell-\d+-(\d+)-\d+"(.*?)(?=class="cell" |\Z)', re.S
)
_ANSWERS = rb'data-state="(?:writing|done|failed)" id="cell-0-%d-'
_ERROR = re.compile(r'<p class="cell-error">(.*?)</p>', re.S)


@dataclass
class Endpoints:
    """What the hub is connected to, each a server of its own."""

    odd: FakeEndpoint
    storm: FakeEndpoint
    cable: FakeEndpoint
    pull: ExitStack
    """Closing it unplugs `cable`."""

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{one.port}" for one in (self.odd, self.storm, self.cable))


@contextmanager
def endpoints() -> Iterator[Endpoints]:
    with endpoint_in_a_thread() as odd, endpoint_in_a_thread() as storm, ExitStack() as pull:
        yield Endpoints(odd, storm, pull.enter_context(endpoint_in_a_thread()), pull)


async def connect(
    database: Database, settings: Settings, workspace: WorkspaceRef, to: Endpoints
) -> dict[str, int]:
    """Connections by name."""
    outbound, found = Outbound(settings.private_hosts), {}
    for name, one, models in (
        ("odd", to.odd, "echo\ndies\ngarbage\ncloses"), ("storm", to.storm, "storm"),
        ("cable", to.cable, "slow"),
    ):  # fmt: skip
        typed = Fields(name=name, kind="openai", base_url=one.base_url, key=KEY, models=models)
        checked = await connections.check(typed, outbound)
        async with database.write() as db:
            made = await connections.add(
                db, workspace, checked, actor=OPERATOR, secret=settings.secret()
            )
            found[name] = made.id
    await outbound.close()
    return found


async def signed_in(database: Database, workspace: WorkspaceRef, count: int) -> list[str]:
    """The session cookies of so many more editors."""
    found: list[str] = []
    async with database.write() as db:
        for at in range(count):
            account = await workspaces.add(
                db, workspace, f"person-{at}@example.org", f"Person {at}", "editor", actor=OPERATOR
            )
            found.append(await sign_ins.start(db, account.id, "tests"))
    return found


def models(by_name: dict[str, int], *, cable: bool = True) -> list[str]:
    """A column each."""
    odd = [f"{by_name['odd']}:{model}" for model in ("echo", "dies", "garbage", "closes")]
    last = [f"{by_name['cable']}:slow"] if cable else []
    return [LOCAL, *odd, f"{by_name['storm']}:storm", *last]


@dataclass
class Cell:
    state: str
    column: int
    error: str


@dataclass
class Seen:
    """Whether somebody has seen the first column answer, and the last. A short answer is there
    at once: nobody need have seen it being written."""

    engine: asyncio.Event = field(default_factory=asyncio.Event)
    cable: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Person:
    """Somebody's browser."""

    url: str
    cookie: str
    page: str
    client: httpx.AsyncClient = field(init=False)
    token: str = ""

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(base_url=self.url, timeout=600)
        self.client.headers["Cookie"] = f"__Host-session={self.cookie}"

    async def open(self) -> None:
        page = await self.client.get(self.page)
        found = re.search(r"__Host-csrf=([^;]+)", page.headers["set-cookie"])
        assert found, page.text[:500]
        self.token = found[1]
        self.client.headers["Cookie"] += f"; __Host-csrf={self.token}"

    async def run(self, columns: list[str], values: dict[str, str], seen: Seen) -> list[Cell]:
        """Press Run and look until all is over."""
        empty = [""] * len(columns)
        form = {
            "_csrf_token": self.token, "do": "run", "own": "yes", "samples": "2", "model": columns,
            "source": ["v1"] * len(columns), "temperature": ["0.9", *empty[1:]],
            "max_tokens": ["60", *empty[1:]], "seed": empty, **values,
        }  # fmt: skip
        origin = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        answer = await self.client.post(self.page, data=form, headers=origin)
        assert answer.status_code == 303, (answer.status_code, answer.text[:500])
        address = answer.headers["location"].split("#")[0]
        first, last = (re.compile(_ANSWERS % at) for at in (0, len(columns) - 1))
        heard = b""
        async with self.client.stream("GET", f"{address}/events") as events:
            async for chunk in events.aiter_raw():
                heard = heard[-80:] + chunk  # a chunk may end within a word
                if first.search(heard):
                    seen.engine.set()
                if last.search(heard):
                    seen.cable.set()
        return cells((await self.client.get(address)).text)


def cells(page: str) -> list[Cell]:
    return [
        Cell(state, int(column), error[1].strip() if (error := _ERROR.search(rest)) else "")
        for state, column, rest in _CELL.findall(page)
    ]


@dataclass
class Level:
    """What a process holds: MiB, descriptors, and the processes below it."""

    memory: float
    descriptors: int
    children: int


def level(pid: int) -> Level:
    said = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert said
    held = len(os.listdir(f"/proc/{pid}/fd"))
    return Level(round(int(said[1]) / 1024, 1), held, len(children(pid)))


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def engine_of(pid: int) -> int | None:
    """The child that is the local engine."""
    for one in children(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"hub.playground.engine" in Path(f"/proc/{one}/cmdline").read_bytes():
                return one
    return None


async def harm(pid: int, to: Endpoints, seen: Seen) -> None:
    """Kill the engine when it answers, and pull the cable when that streams."""

    async def kill() -> None:
        await seen.engine.wait()
        if (engine := engine_of(pid)) is not None:
            os.kill(engine, signal.SIGKILL)

    async def unplug() -> None:
        await seen.cable.wait()
        await asyncio.to_thread(to.pull.close)

    await asyncio.gather(kill(), unplug())


async def looking(url: str, cookie: str, pages: list[str], until: asyncio.Event) -> list[float]:
    """Another person's pages meanwhile, in ms each; all of them must answer."""
    took: list[float] = []
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        client.headers["Cookie"] = f"__Host-session={cookie}"
        while not until.is_set() or not took:
            for page in pages:
                begun = time.perf_counter()
                answer = await client.get(page)
                took.append((time.perf_counter() - begun) * 1000)
                assert answer.status_code == 200, (page, answer.status_code)
                await asyncio.sleep(0.03)
    return took


async def under_fire(
    everybody: list[Person], columns: list[str], values: dict[str, str], pid: int, to: Endpoints
) -> list[Cell]:
    """All press Run at the same moment, and everything breaks."""
    seen = Seen()
    harming = asyncio.create_task(harm(pid, to, seen))
    found = await asyncio.gather(*(one.run(columns, values, seen) for one in everybody))
    if not (seen.engine.is_set() and seen.cable.is_set()):
        harming.cancel()  # there was nothing left to harm
    await asyncio.gather(harming, return_exceptions=True)
    return [cell for one in found for cell in one]


def counted(found: list[Cell]) -> dict[str, int]:
    return dict(Counter(cell.state for cell in found))
