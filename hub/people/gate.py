"""The gate every route stands behind: who asks, about which workspace, and may they?

One credential per door, so that no second header sneaks past a check: `/api/` and `/v1/` take
`Authorization: Bearer ph_…` and nothing else, pages take the session cookie and nothing else. Of
the doors for other tools' clients each takes the key where that client puts it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast
from urllib.parse import urlsplit

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.handlers.http_handlers import HTTPRouteHandler

from hub.db import Database
from hub.errors import Forbidden, NotFound, Unknown
from hub.people import sign_ins, workspaces
from hub.people.accounts import THEMES
from hub.people.keys import KeyTable
from hub.people.models import Account, SignIn
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.web import PROGRAMS, SAFE

Connection = ASGIConnection[Any, Any, Any, Any]

NO_SUCH_PAGE = "There is no such page, or you may not see it."
SIGN_IN = "Sign in to see this page."
SIGNED_OUT = "You are signed out, so nothing was done. Sign in, then do it once more."
LANGFUSE = "/api/public/"
"""HTTP Basic: the key is the password."""
LANGSMITH = "/api/langsmith/"
"""A header of its own."""
SEND_A_KEY = "Send an API key as `Authorization: Bearer ph_…`; an administrator can make one."
SEND_A_PAIR = "Send an API key of the hub as the secret key; the public key may be anything."
SEND_A_HEADER = "Send an API key of the hub as `X-API-Key`, where LangSmith's client puts its own."
NO_SUCH_KEY = "This API key is unknown or was revoked; an administrator can make another."
FROM_ELSEWHERE = (
    "This form came from another site, so nothing was done. Open the page here and send it again."
)


def session_cookie(*, secure: bool) -> str:
    """`__Host-` binds the cookie to this host and to https; browsers demand `Secure` for it."""
    return "__Host-session" if secure else "session"


async def gate(connection: Connection, handler: BaseRouteHandler) -> None:
    """Litestar guard on the whole app: deny unless the route's `needs` is met."""
    need = needed(handler)
    state = connection.state
    theme = connection.cookies.get("theme", "auto")
    state.theme = theme if theme in THEMES else "auto"
    is_api = connection.scope["path"].startswith(PROGRAMS)
    if not is_api:
        same_site(connection)
    if need is Need.PUBLIC:
        return
    await (_admit_key if is_api else _admit_person)(connection, need)


def needed(handler: BaseRouteHandler) -> Need:
    """What the route declares; `check_routes` made sure that it does."""
    if handler.fn.__name__ == "options_handler":  # Litestar's own: it only names the methods
        return Need.PUBLIC
    return Need(handler.opt["needs"])


def check_routes(app: Litestar) -> None:
    """Refuse to start with a route that does not say who may use it."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", [getattr(route, "route_handler", None)]):
            generated = isinstance(handler, HTTPRouteHandler) and handler.http_methods == {
                "OPTIONS"
            }
            if not generated and not isinstance(handler.opt.get("needs"), Need):
                raise RuntimeError(f"{route.path} ({handler}) does not declare `needs=Need.…`")


async def _admit_key(connection: Connection, need: Need) -> None:
    token = _presented(connection)
    grant = await cast(KeyTable, connection.app.state.key_table).find(token)
    if grant is None:
        raise Unknown(NO_SUCH_KEY)
    connection.state.actor = grant.actor
    connection.state.workspace = grant.workspace
    connection.state.workspaces = [grant.workspace]
    require(grant.actor, need, grant.workspace.id)


def _presented(connection: Connection) -> str:
    """The key, from the one place where this door looks for it."""
    if connection.scope["path"].startswith(LANGSMITH):
        if not (token := connection.headers.get("X-API-Key", "").strip()):
            raise Unknown(SEND_A_HEADER)
        return token
    kind, _, sent = connection.headers.get("Authorization", "").partition(" ")
    if connection.scope["path"].startswith(LANGFUSE):
        if kind.lower() != "basic" or not (token := password(sent)):
            raise Unknown(SEND_A_PAIR)
        return token
    if kind.lower() != "bearer" or not sent:
        raise Unknown(SEND_A_KEY)
    return sent.strip()


def password(packed: str) -> str:
    """The password of HTTP Basic; empty if it cannot be read."""
    try:
        pair = base64.b64decode(packed.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2].strip()


async def _admit_person(connection: Connection, need: Need) -> None:
    sign_in, account, memberships = await _who(connection)
    state = connection.state
    state.theme = account.theme
    state.sign_in = sign_in.token_hash
    state.workspaces = [one.workspace for one in memberships]
    asked = connection.path_params.get("slug")
    found = next((one for one in memberships if one.workspace.slug == asked), None)
    state.workspace = found.workspace if found else None
    state.actor = Actor(
        kind="person",
        name=account.name,
        email=account.email,
        account_id=account.id,
        workspace_id=found.workspace.id if found else None,
        role=found.role if found else "",
    )
    if need is Need.SIGNED_IN:
        return
    if found is None:
        raise NotFound(NO_SUCH_PAGE)
    require(state.actor, need, found.workspace.id)
    if connection.scope.get("method") == "GET" and "HX-Request" not in connection.headers:
        state.badges = await connection.app.state.badges(found.workspace.id, account.id)


async def _who(
    connection: Connection,
) -> tuple[SignIn, Account, list[workspaces.Membership]]:
    database = cast(Database, connection.app.state.database)
    name = session_cookie(secure=connection.app.state.settings.secure_cookies)
    reading = connection.scope.get("method", "GET") in SAFE
    unknown = Unknown(SIGN_IN if reading else SIGNED_OUT)
    if not (token := connection.cookies.get(name)):
        raise unknown
    async with database.read() as db:
        if (found := await sign_ins.find(db, token)) is None:
            raise unknown
        memberships = await workspaces.memberships(db, found[1].id)
    if sign_ins.is_stale(found[0]):
        async with database.write() as db:
            await sign_ins.note_seen(db, found[0].token_hash)
    return *found, memberships


def same_site(connection: Connection) -> None:
    """A second wall beside the form's token: browsers say where a request comes from."""
    if connection.scope.get("method", "GET") in SAFE:
        return
    site = connection.headers.get("Sec-Fetch-Site", "same-origin")
    origin = connection.headers.get("Origin")
    host = connection.headers.get("Host", "")
    if site not in {"same-origin", "none"} or (origin and urlsplit(origin).netloc != host):
        raise Forbidden(FROM_ELSEWHERE)


def provide_actor(request: Request[Any, Any, Any]) -> Actor:
    """Dependency `actor`: who asks."""
    return request.state.actor


def provide_workspace(request: Request[Any, Any, Any]) -> WorkspaceRef:
    """Dependency `workspace`: what the request is about."""
    return request.state.workspace
