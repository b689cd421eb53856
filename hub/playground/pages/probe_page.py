"""The test of a connection as a page that grows: each finding is sent when it is known.

No script takes part: the page's first half goes out at once, then a line at a time, then the rest
with what the test brought, so a plain form shows it ticking too.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from typing import Any

from litestar.response import Stream, Template

from hub.people.policy import WorkspaceRef
from hub.playground import connections
from hub.playground.models import Connection
from hub.playground.pages.common import connection_form, fields_of, playground_of
from hub.playground.probe import Doing, Line, probe
from hub.web import Ask

LINE = "playground/_test_line.html"


def growing_page(
    request: Ask, workspace: WorkspaceRef, kept: Connection, *, news: str = ""
) -> Stream:
    """The form of `kept` with its test above it, while it goes on."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    parts = _parts(request, workspace, kept, news)
    return Stream(parts, media_type="text/html", headers=headers)


async def _parts(
    request: Ask, workspace: WorkspaceRef, kept: Connection, news: str
) -> AsyncGenerator[str]:
    playground = playground_of(request)
    here = f"lines:{secrets.token_hex(16)}"
    head, _, tail = _whole(request, kept, here, news).partition(here)
    yield head
    async for one in probe(playground, workspace.id, kept.id):
        yield _line(request, one)
    async with playground.database.read() as db:
        tested = await connections.get(db, workspace.id, kept.id)
    if tested.models != kept.models:
        tail = _whole(request, tested, here, news).partition(here)[2]
    yield tail


def _whole(request: Ask, kept: Connection, here: str, news: str) -> str:
    shown = connection_form(request, fields_of(kept), connection=kept, testing=here, news=news)
    return _render(request, shown, shown.create_template_context(request))


def _line(request: Ask, one: Doing | Line) -> str:
    shown = {"doing": isinstance(one, Doing), "good": None, "sentence": one.sentence}
    if isinstance(one, Line):
        shown["good"] = one.good
    return _render(request, Template(LINE), {"line": shown})


def _render(request: Ask, template: Template, context: dict[str, Any]) -> str:
    engine = request.app.template_engine
    assert engine
    assert template.template_name
    return engine.get_template(template.template_name).render(**context)
