"""The web floor: pages, parts, flashes, the error tree on the wire, security headers.

Knows nothing of prompts or people beyond what `request.state` was given by the gate
(`hub.people.gate`): `actor`, `workspace`, `workspaces`, `theme`, `badges`.
"""

from __future__ import annotations

import errno
import json
import logging
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias, cast
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2 import Template as TemplateOfPages
from jinja2.environment import TemplateModule
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import URLEncodedBody
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, DatabaseAway
from hub.errors import HubError, NotFound, Unavailable, Unknown
from hub.flash import FORGOTTEN, Flash, Leading
from hub.flash import read as read_flash
from hub.parameters import too_large, trouble
from hub.settings import FILES
from hub.standing import moved_to, page_with_form, what_it_takes

log = logging.getLogger("hub")

ROOT = FILES
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PROGRAMS = ("/api/", "/v1/")
"""Addresses below these are for programs: a key, JSON, no cookie and no form's token."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


Form: TypeAlias = URLEncodedBody[dict[str, str]]
"""A form's fields, for handlers whose parameter is `data: Form`."""
Ask: TypeAlias = Request[Any, Any, Any]


class _Piece(TemplateOfPages):
    """A template; of what pages are made of (`ui…`), one page needs each only once.

    They take everything as arguments, and of the page only its request, so it is all one which of
    the page's pieces imports them first.
    """

    def make_module(
        self, vars: dict[str, Any] | None = None, shared: bool = False,
        locals: Mapping[str, Any] | None = None,
    ) -> TemplateModule:  # fmt: skip
        name = self.name or ""
        made: dict[str, TemplateModule] | None = (vars or {}).get("ui_made")
        if made is None or not name.startswith(("ui.", "ui/")):
            return super().make_module(vars, shared, locals)
        if name not in made:
            made[name] = super().make_module(vars, shared, locals)
        return made[name]


class _Pieces(Environment):
    template_class = _Piece


@cache
def engine(*, fresh: bool = False) -> JinjaTemplateEngine:
    """Templates: escaped always, an unknown name is an error, not an empty string.

    With `fresh`, a template that was changed on disk is read again. One for the whole process:
    compiling the templates takes longer than starting an app.
    """
    environment = _Pieces(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=fresh,
    )
    cast(dict[str, Any], environment.globals)["asset"] = asset
    return JinjaTemplateEngine.from_environment(environment)


@cache
def _manifest() -> dict[str, str]:
    return json.loads((ROOT / "static" / "dist" / "manifest.json").read_text())


def asset(name: str) -> str:
    """The address of a built file: `app.css` → `/static/dist/app.3f9c.css`."""
    return f"/static/dist/{_manifest()[name]}"


def page(
    request: Ask,
    template: str,
    *,
    section: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Template:
    """A whole page, or a part, with what every template may lean on."""
    state = request.state
    actor = getattr(state, "actor", None)
    flash = read_flash(request)
    return Template(
        template,
        status_code=status,
        headers={"Cache-Control": "no-store", "Vary": "Cookie, HX-Request"} | (headers or {}),
        cookies=[FORGOTTEN] if flash else [],
        context={
            "person": actor if actor and actor.kind == "person" else None,
            "role": actor.role if actor else "",
            "workspace": getattr(state, "workspace", None),
            "workspaces": getattr(state, "workspaces", []),
            "theme": getattr(state, "theme", "auto"),
            "section": section,
            "badges": getattr(state, "badges", None),
            "flashes": [flash] if flash else [],
            "now": datetime.now(UTC),
            "ui_made": {},
            **context,
        },
    )


def is_part(request: Ask) -> bool:
    """Whether HTMX asks for a piece of a page rather than a page."""
    return request.headers.get("HX-Request") == "true" and (
        request.headers.get("HX-Request-Type", "partial") == "partial"
    )


def go(url: str, text: str = "", *, kind: str = "done", undo: str | None = None) -> Redirect:
    """See-other to one of our own pages, with a message for it."""
    return Leading(url, Flash(kind, text, undo) if text else None)


async def provide_db(request: Ask) -> AsyncIterator[AsyncSession]:
    """One request, one transaction: reading for safe methods, writing for the others.

    Handlers that publish take `database` instead: a publish makes its own short transactions,
    and would wait for ever behind its own request's.
    """
    database: Database = request.app.state.database
    session = database.read() if request.method in SAFE else database.write()
    async with session as db:
        yield db


def provide_database(request: Ask) -> Database:
    return request.app.state.database


# ── errors on the wire ──────────────────────────────────────────────────────────────────────────


class DiskFull(Unavailable):
    """Nothing can be written; reading goes on."""

    status = 507


def as_refusal(error: Exception) -> HubError | None:
    """Translate faults of the machine into refusals with a sentence; None: a bug of ours."""
    if isinstance(error, HubError):
        return error
    text = str(error)
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or (
        isinstance(error, OperationalError) and "disk is full" in text
    ):
        return DiskFull(
            "The hub's disk is full, so this was not saved. What was saved before is safe. "
            "Ask the operator to make room, then try again."
        )
    if isinstance(error, OperationalError) or getattr(error, "connection_invalidated", False):
        return DatabaseAway(error)
    if isinstance(error, OverflowError | DBAPIError) and _BEYOND.search(text):
        return NotFound("Nothing here has a number that large. Check the address.")
    return None


_BEYOND = re.compile(r"too large to convert to SQLite INTEGER|value out of int\d+ range")


_SENTENCES = {
    400: "The request could not be understood.",
    401: "Sign in, or send an API key as `Authorization: Bearer …`.",
    404: "There is no such page, or you may not see it.",
    405: "This address does not take that kind of request.",
}


def on_error(request: Ask, error: Exception) -> Response[Any]:
    """The one place where errors become answers."""
    refusal = as_refusal(error)
    if refusal is not None:
        status, sentence, facts = refusal.status, refusal.sentence, refusal.facts
    elif isinstance(error, HTTPException):
        status = error.status_code
        facts = _http_facts(error) | what_it_takes(request.app, request.url, error)
        sentence = _wrong(request, facts, status) or _SENTENCES.get(status, error.detail)
    else:
        status, reference = 500, secrets.token_hex(4)
        log.error("unexpected error %s at %s", reference, request.url.path, exc_info=error)
        sentence, facts = f"Something broke on our side; what was saved is safe. ({reference})", {}
    if status < 500:
        log.info("%s %s: %s %s", request.method, request.url.path, status, sentence)
    if request.url.path.startswith(PROGRAMS):
        return problem(status, sentence, type(refusal or error).__name__, facts)
    if moved := moved_to(request.url, error):
        # A form of a page that is older than the new name is sent on as it is, with what was typed.
        return Redirect(moved, status_code=301 if request.method in SAFE else 307)
    if request.method in SAFE and (form := page_with_form(request.app, request.url, error)):
        return go(form)
    if isinstance(refusal, Unknown) and request.method in SAFE:
        return go(f"/sign-in?next={quote(_asked(request), safe='/')}")
    if is_part(request):
        headers = {"HX-Retarget": "#flashes", "HX-Reswap": "beforeend"}
        return page(request, "_flash_error.html", status=status, headers=headers, sentence=sentence)
    headers = {"Allow": ", ".join(facts["allow"])} if "allow" in facts else {}
    told: dict[str, Any] = {
        "code": status,
        "title": refusal.title if refusal else "",
        "sentence": sentence,
    }
    return page(request, "error.html", status=status, headers=headers, **told)


def problem(
    status: int, sentence: str, title: str, facts: dict[str, Any] | None = None
) -> Response[Any]:
    """RFC 9457 problem details, with a sentence a person understands as `detail`."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": sentence}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if facts and "retry_after" in facts:
        headers["Retry-After"] = str(facts["retry_after"])
    if facts and "allow" in facts:
        headers["Allow"] = ", ".join(facts["allow"])
    return Response(
        {**(facts or {}), **body},
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )


def _asked(request: Ask) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return request.url.path + (f"?{query}" if query else "")


def _wrong(request: Ask, facts: dict[str, Any], status: int) -> str | None:
    faults = facts.get("errors")
    if status == 413:
        return too_large(request.route_handler)
    return trouble(request.route_handler, faults) if isinstance(faults, list) else None


def _http_facts(error: HTTPException) -> dict[str, Any]:
    if isinstance(error, ValidationException) and error.extra:
        return {"errors": error.extra}
    return {}
