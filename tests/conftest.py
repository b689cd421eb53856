"""Fixtures: a fresh hub per test, the cast signed in, real databases, a real server, a browser."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from argon2 import PasswordHasher

from hub.db import Database
from hub.front import Front
from hub.migrate import upgrade
from hub.people import passwords
from hub.people.policy import WorkspaceRef
from hub.registry.git.repository import Repository
from hub.settings import Settings
from tests.cast import (
    BASE,
    Browser,
    Cast,
    copy_template,
    known_password,
    make_cast,
    settings_for,
)
from tests.patience import be_patient
from tests.serving import Server, free_port, one_app, serve

pytest_plugins = [
    "tests.thrift",
    "tests.over_doors",
    "tests.postgres",
    "tests.browsing",
    "tests.ordering",
    "tests.hook_people",
    "tests.clinic_story",
]
passwords.hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

be_patient()
# The same examples each time: what fails, fails for whoever broke it. `--soak` tries others.
hypothesis.settings.register_profile(
    "suite", deadline=None, derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)  # fmt: skip
hypothesis.settings.register_profile(
    "soak", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long tests too")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--soak"):  # other examples each time
        hypothesis.settings.load_profile("soak")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    for item in items:
        if "soak" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="long; run with --soak"))


# ── databases ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with all tables, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "hub.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def peopled(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cast]:
    """The same with the cast in it: making them takes longer than most tests."""
    file = tmp_path_factory.mktemp("peopled") / "hub.db"
    shutil.copyfile(migrated, file)

    async def write_down() -> Cast:
        database = Database(f"sqlite+aiosqlite:///{file}")
        made = await make_cast(database)
        await database.close()
        return made

    return file, asyncio.run(write_down())


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which nothing was written yet, to be copied."""
    path = tmp_path_factory.mktemp("bare") / "bare.git"
    Repository.create(path)
    return path


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """`sqlite`, unless the test is marked `@on_both_engines`."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, engine: str, tmp_path: Path, migrated: Path
) -> Settings:
    """Settings of a fresh hub: its own data folder, an empty database that has its tables. A
    module's `PRIVATE_HOSTS` are those that it may talk to."""
    data = tmp_path / "data"
    private = getattr(request.module, "PRIVATE_HOSTS", "")
    if engine == "postgres":
        data.mkdir()
        url = request.getfixturevalue("postgres_url")
        return settings_for(data, database_url=url, private_hosts=private)
    with_cast = "cast" in request.fixturenames
    copy_template(request.getfixturevalue("peopled")[0] if with_cast else migrated, data)
    return settings_for(data, private_hosts=private)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database alone, for tests below the web; not together with `hub`."""
    database = Database(settings.database)
    yield database
    await database.close()


# ── the hub in this process ─────────────────────────────────────────────────────────────────────


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Front]:
    """The whole app, started, in this process: `hub.state.database`, `hub.state.publisher`, …

    The routes are put together once; what they lean on is opened anew for each test.
    """
    app = one_app()
    app.state.settings = settings
    async with app.lifespan():
        yield app


@pytest.fixture
async def cast(
    hub: Front, settings: Settings, engine: str, bare: Path, request: pytest.FixtureRequest
) -> Cast:
    """The people and keys, written into the hub; repositories made for both workspaces."""
    if engine == "sqlite":
        made = deepcopy(request.getfixturevalue("peopled")[1])
    else:
        made = await make_cast(hub.state.database)
    for workspace in (made.workspace, made.rival):
        shutil.copytree(bare, settings.repositories / f"{workspace.slug}.git")
    return made


@pytest.fixture
async def workspace(cast: Cast) -> WorkspaceRef:
    """`clinic`, where the cast works."""
    return cast.workspace


@pytest.fixture
async def browsers(hub: Front) -> AsyncIterator[Callable[..., Browser]]:
    """Makes a browser, signed in if given a session cookie."""
    async with AsyncExitStack() as stack:

        def make(session: str = "", **more: Any) -> Browser:
            # A refused request is an answer too: errors of the app must not fall through to us.
            transport = httpx.ASGITransport(app=hub, raise_app_exceptions=True)
            browser = Browser(transport=transport, base_url=BASE, **more)
            stack.push_async_callback(browser.aclose)
            if session:
                browser.cookies.set("__Host-session", session, domain="hub.test", path="/")
            return browser

        yield make


@pytest.fixture
async def client(browsers: Callable[..., Browser]) -> Browser:
    """Nobody's browser: not signed in, no key."""
    return browsers()


@pytest.fixture
async def maria(browsers: Callable[..., Browser], cast: Cast) -> Browser:
    """Maria, administrator of `clinic`."""
    return browsers(cast.cookies["maria"])


@pytest.fixture
async def ana(browsers: Callable[..., Browser], cast: Cast) -> Browser:
    """Ana, editor in `clinic`."""
    return browsers(cast.cookies["ana"])


@pytest.fixture
async def ben(browsers: Callable[..., Browser], cast: Cast) -> Browser:
    """Ben, reviewer in `clinic`."""
    return browsers(cast.cookies["ben"])


@pytest.fixture
async def carla(browsers: Callable[..., Browser], cast: Cast) -> Browser:
    """Carla, viewer in `clinic`."""
    return browsers(cast.cookies["carla"])


@pytest.fixture
async def mallory(browsers: Callable[..., Browser], cast: Cast) -> Browser:
    """Mallory, of another workspace."""
    return browsers(cast.cookies["mallory"])


@pytest.fixture
def read_key(cast: Cast) -> dict[str, str]:
    """Headers of an app that may read `clinic`."""
    return {"Authorization": f"Bearer {cast.read_key}"}


@pytest.fixture
def write_key(cast: Cast) -> dict[str, str]:
    """Headers of an app that may read, save and release in `clinic`."""
    return {"Authorization": f"Bearer {cast.write_key}"}


@pytest.fixture
def check_key(cast: Cast) -> dict[str, str]:
    """Headers of the machine that posts checks in `clinic`."""
    return {"Authorization": f"Bearer {cast.check_key}"}


@pytest.fixture
def rival_key(cast: Cast) -> dict[str, str]:
    """Headers of an app of the other workspace."""
    return {"Authorization": f"Bearer {cast.rival_key}"}


@pytest.fixture(scope="session")
def password_hash() -> str:
    """For tests that sign in by the front door, with `cast.PASSWORD`."""
    return asyncio.run(known_password())


# ── a real server and a real browser ────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[Server]:
    """The hub under uvicorn in a process of its own, with the cast; shared by a test file."""
    data = tmp_path_factory.mktemp("server") / "data"
    copy_template(migrated, data)
    private = getattr(request.module, "PRIVATE_HOSTS", "")
    with serve(data, free_port(), private_hosts=private) as running:
        yield running
