"""The composition root: knows every part, puts them together, holds no rule."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import Any, cast

from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.response import Template
from litestar.template import TemplateConfig
from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub import web
from hub.assets import Assets
from hub.db import Database
from hub.front import App, Behind, Front, program_headers
from hub.openapi import openapi
from hub.outbox import Watch
from hub.parts import open_parts
from hub.people import (
    audit_routes,
    mail_routes,
    member_routes,
    own_keys_routes,
    rules_routes,
    settings_routes,
)
from hub.people import routes as people
from hub.people.backoff import Backoff
from hub.people.form_token import ON_ERROR, csrf
from hub.people.gate import check_routes, gate, provide_actor, provide_workspace
from hub.people.keys import KeyTable
from hub.people.policy import Need
from hub.playground import api as playground_api
from hub.playground import routes as playground
from hub.playground.filling import Filling
from hub.playground.grid import tried_two_models
from hub.playground.pages.crowd import pages_first
from hub.playground.relay.calling import Relaying
from hub.playground.room import open_playground
from hub.registry import routes as registry
from hub.registry.git.repository import Repository
from hub.registry.labels.due import Due
from hub.registry.models import Label
from hub.registry.reading import catalog
from hub.registry.rest import api as registry_api
from hub.registry.rest import (
    audit_api,
    people_api,
    proposals_api,
    releases_api,
    reviewing_api,
    rules_api,
    scheduled_api,
    talk_api,
)
from hub.registry.review import builtin
from hub.registry.review.queue import Queue
from hub.registry.review.ringing import open_bell
from hub.settings import Settings
from hub.sync import routes as sync
from hub.sync.carrier import Carrier
from hub.sync.delivery import Served
from hub.sync.doors import Doors
from hub.sync.foreign.mcp_door import McpDoor
from hub.sync.foreign.mcp_door import Parts as McpParts
from hub.sync.git_http import GitDoor
from hub.sync.remotes.watch import open_remotes
from hub.sync.webhooks.worker import open_webhooks

log = logging.getLogger("hub")

VERSION = version("prompthub")
LARGEST = 2 * 1024 * 1024
NOTE_KEY_USE_EVERY = timedelta(seconds=30)

REVIEW = (
    releases_api, proposals_api, reviewing_api, talk_api, scheduled_api, rules_api, people_api,
    audit_api,
)  # fmt: skip
"""REST: what is decided and released, by whom, and who may."""


def create_app(settings: Settings) -> Front:
    """The whole hub as one ASGI app; everything opens and closes with its lifespan."""
    litestar = Litestar(
        route_handlers=[
            healthz,
            *people.ROUTES,
            *member_routes.ROUTES,
            *settings_routes.ROUTES,
            *mail_routes.ROUTES,
            *rules_routes.ROUTES,
            *own_keys_routes.ROUTES,
            *audit_routes.ROUTES,
            *registry.ROUTES,
            *registry_api.ROUTES,
            *(route for api in REVIEW for route in api.ROUTES),
            *playground.ROUTES,
            *playground_api.ROUTES,
            *sync.ROUTES,
            *([styleguide] if settings.debug else []),
        ],
        guards=[gate],
        middleware=[pages_first],
        dependencies={
            "db": Provide(web.provide_db),
            "database": Provide(web.provide_database, sync_to_thread=False),
            "actor": Provide(provide_actor, sync_to_thread=False),
            "workspace": Provide(provide_workspace, sync_to_thread=False),
        },
        exception_handlers=ON_ERROR,
        template_config=TemplateConfig(instance=web.engine(fresh=settings.debug)),
        csrf_config=csrf(settings),
        openapi_config=openapi(VERSION),
        include_in_schema=False,
        request_max_body_size=LARGEST,
        logging_config=None,
        state=State({"settings": settings, "version": VERSION}),
    )
    check_routes(litestar)
    assets = Assets(web.ROOT / "static", fresh=settings.debug)
    return Front(litestar, settings, assets, running)


def from_environment() -> Front:
    """For ASGI servers of one's own: `uvicorn --factory hub.app:from_environment`."""
    return create_app(Settings.from_environment())


@asynccontextmanager
async def running(app: Litestar) -> AsyncGenerator[Behind]:
    """Open everything in order, and close it in the opposite one."""
    state, settings = app.state, app.state.settings
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(open_parts(settings))
        state.database, state.publisher = parts.database, parts.publisher
        opened = open_playground(settings, state.database)
        state.playground = await stack.enter_async_context(opened)
        state.engine, state.renderer = state.playground.engine, state.playground.renderer
        state.key_table = KeyTable(state.database)
        stack.push_async_callback(state.key_table.note_use)
        _lend_to_pages(state, settings)
        state.watch = Watch(state.database)
        state.watch.listen(state.key_table.on_event)
        state.queue = Queue(state.database)
        state.bell, ringing = open_bell(settings, state.database, state.queue, state.watch)
        state.badges = state.bell.badges
        stack.callback(state.bell.close)
        always = program_headers(settings)
        state.served = Served(state.publisher, state.key_table, state.watch, always)
        stack.callback(state.served.close)
        state.carrier = Carrier(state.database, state.key_table, state.served)
        mcp = McpDoor(_mcp_parts(state), state.key_table)
        state.served.listeners.append(mcp.on_event)
        await state.watch.start()
        state.webhooks = await stack.enter_async_context(
            open_webhooks(settings, state.database, state.watch)
        )
        await stack.enter_async_context(
            background(
                state.watch.run(),
                _note_key_use(state.key_table),
                Due(state.database, state.publisher).run(),
                *ringing,
                *state.carrier.work(),
            )
        )
        state.remotes = await stack.enter_async_context(open_remotes(settings, parts))
        await stack.enter_async_context(mcp.running())
        await stack.enter_async_context(state.carrier.leaving(mcp.goodbye, state.relaying.goodbye))
        yield _behind(app, mcp, always)


def _behind(app: Litestar, mcp: McpDoor, always: list[tuple[bytes, bytes]]) -> Behind:
    """The doors before the framework, one behind the other."""
    state = app.state
    doors = Doors(state.carrier, state.key_table, always)
    git_door = GitDoor(state.publisher, state.key_table, state.settings.url)
    behind = git_door.around(doors.around(mcp.around(state.served.before(cast(App, app)))))
    return Behind(behind, lambda scope: state.served.answer(scope) or doors.quick(scope))


def _mcp_parts(state: State) -> McpParts:
    return McpParts(
        database=state.database, publisher=state.publisher, carrier=state.carrier,
        filling=Filling(state.database, state.renderer), url=state.settings.url, version=VERSION,
    )  # fmt: skip


def _lend_to_pages(state: State, settings: Settings) -> None:
    """What the pages of one room need of another, which they may not import."""
    state.relaying = Relaying(state.playground, lambda *read: state.carrier.readers.note(*read))
    state.backoff = Backoff()
    state.make_repository = partial(_make_repository, settings)
    state.labels_in_use, state.rule_words = labels_in_use, rule_words
    state.tried_two_models = tried_two_models


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run coroutines beside the app; cancelled, and waited for, at the end."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _make_repository(settings: Settings, slug: str) -> None:
    """Make a workspace's repository, off the loop: git waits for the disk. One that is there,
    left by a start that was killed before it could say so, is kept."""
    path = settings.repositories / f"{slug}.git"
    if not path.exists():
        await asyncio.to_thread(Repository.create, path)


async def labels_in_use(db: AsyncSession, workspace_id: int) -> list[RowMapping]:
    """(label, prompts, gradual, moved_at): the settings page shows them; people know nothing of
    labels. `gradual`: prompts of which only some readers get the newer version."""
    query = (
        select(
            Label.label,
            func.count().label("prompts"),
            func.max(Label.moved_at).label("moved_at"),
            func.count(Label.beside).label("gradual"),
        )
        .where(Label.workspace_id == workspace_id)
        .group_by(Label.label)
        .order_by(Label.label)
    )
    return list((await db.execute(query)).mappings())


async def rule_words(db: AsyncSession, workspace_id: int) -> dict[str, list[str]]:
    """What the form of the rules offers; any other folder, label or check can be typed as well."""
    return {
        "folders": [one.path for one in await catalog.folders(db, workspace_id)],
        "labels": [label for label, _ in await catalog.labels(db, workspace_id)],
        "checks": list(builtin.NAMES),
    }


async def _note_key_use(keys: KeyTable) -> None:
    while True:
        await asyncio.sleep(NOTE_KEY_USE_EVERY.total_seconds())
        try:
            await keys.note_use()
        except Exception:
            log.exception("when keys were last used could not be noted; apps are not affected")


@get("/healthz", needs=Need.PUBLIC, name="healthz")
async def healthz(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[dict[str, str]]:
    """Whether the hub can do its work: the database answers and the repositories are there."""
    faults: list[str] = []
    try:
        async with asyncio.timeout(2), database.read() as db:
            await db.execute(text("SELECT 1"))
    except Exception:
        faults.append("The database does not answer.")
    if not request.app.state.settings.repositories.is_dir():
        faults.append("The folder with the repositories is missing.")
    if faults:
        return web.problem(503, " ".join(faults), "Unavailable")
    headers = {"Cache-Control": "no-store"}
    return Response({"status": "ok", "version": VERSION}, headers=headers)


@get("/styleguide", needs=Need.PUBLIC, name="styleguide")
async def styleguide(request: Request[Any, Any, Any]) -> Template:
    """Every part of the look in every state; there while debugging only."""
    return web.page(request, "styleguide.html")
