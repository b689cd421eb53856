"""The door for forges; and what the pages and the REST interface of webhooks lean on."""

from __future__ import annotations

from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.db import Database
from hub.people.policy import Need
from hub.sync.remotes import linking
from hub.sync.webhooks import incoming
from hub.sync.webhooks.worker import Worker
from hub.web import Ask


def worker_of(request: Ask) -> Worker:
    return request.app.state.webhooks


@post(
    "/api/incoming/{place:str}", needs=Need.PUBLIC, name="incoming", status_code=202,
    request_max_body_size=incoming.LARGEST + 1,
)  # fmt: skip
async def hear(
    request: Ask, place: FromPath[str], database: NamedDependency[Database]
) -> Response[dict[str, Any]]:
    """A forge says that something was pushed."""
    secret = request.app.state.settings.secret()
    headers = {name.lower(): value for name, value in request.headers.items()}
    workspace, told, news = await incoming.hear(database, secret, place, headers, request.stream())
    if told.pushes and news:
        await linking.fetch_soon(database, workspace.id)
    return Response({"heard": told.event, "news": news})
