"""The part of Langfuse's public interface that its clients read and write prompts by.

    GET    /api/public/v2/prompts                                 list
    GET    /api/public/v2/prompts/{name}?label=|version=          one version; label: production
    POST   /api/public/v2/prompts                                 a new version, labels with it
    PATCH  /api/public/v2/prompts/{name}/versions/{version}       labels of a version
    DELETE /api/public/v2/prompts/{name}                          the prompt
    GET    /api/public/projects                                   whether the key is good

An API key is the secret key; the public key may be anything. Names may hold `/`, written `%2F`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from litestar import Response, Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, QueryParameter, RawBody

from hub import web
from hub.db import Database
from hub.errors import Invalid, NotFound
from hub.people.policy import Need
from hub.registry import versions
from hub.registry.prompt import names
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import Ask, as_json, moment_of, publisher_of, view_of
from hub.registry.rest.bodies import decode
from hub.sync.foreign.langfuse_list import MOST, Asked, listed
from hub.sync.foreign.langfuse_shape import CreatePrompt, UpdateLabels, prompt_out
from hub.sync.foreign.langfuse_write import Desk
from hub.sync.formats.slugs import name_for
from hub.sync.readers import readers_of

Data = NamedDependency[Database]
LIVE = "production"
_VERSION = re.compile(r"/?(.+)/versions/([1-9][0-9]{0,8})", re.ASCII)
_KINDS = {
    401: "UnauthorizedError", 403: "AccessDeniedError", 404: "LangfuseNotFoundError",
    405: "MethodNotAllowedError", 409: "LangfuseConflictError",
}  # fmt: skip


@get("/v2/prompts", needs=Need.READ, name="langfuse:list")
async def list_prompts(
    db: Db, workspace: Place, name: FromQuery[str | None] = None,
    label: FromQuery[str | None] = None, tag: FromQuery[str | None] = None,
    page: Annotated[int, QueryParameter(ge=1, le=2**31 - 1)] = 1,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = 50,
    since: Annotated[str | None, QueryParameter(name="fromUpdatedAt")] = None,
    until: Annotated[str | None, QueryParameter(name="toUpdatedAt")] = None,
    filter: FromQuery[str] = "",
) -> Response[bytes]:  # fmt: skip
    """`filter`, a language of its own, is refused rather than half understood."""
    if filter.strip() not in ("", "[]"):
        raise Invalid("`filter` is not known here. Use name, label, tag and the two dates.")
    asked = Asked(name=name, label=label, tag=tag, since=_moment(since), until=_moment(until))
    return as_json(await listed(db, workspace.id, asked, page, limit))


@get("/v2/prompts/{name:path}", needs=Need.READ, name="langfuse:prompt")
async def get_prompt(
    request: Ask, db: Db, actor: Who, workspace: Place, name: FromPath[str],
    version: Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1)] = None,
    label: FromQuery[str | None] = None, resolve: FromQuery[bool] = True,
) -> Response[bytes]:  # fmt: skip
    """A name that no prompt here can have is looked for as an import would have written it."""
    if version is None and not label:
        label = LIVE
    asked = name.removeprefix("/")
    if not names.is_name(asked):
        asked = name_for(asked.split("/"))
    view = await view_of(db, workspace, asked, version, label)
    said = prompt_out(view, resolve=resolve)
    readers_of(request).note("Langfuse client", actor, workspace, view)
    return as_json(said)


@post("/v2/prompts", needs=Need.SAVE, name="langfuse:create")
async def create_prompt(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data
) -> Response[bytes]:
    """Goes through the same gate as every other save, and every other release."""
    place = Desk(publisher_of(request), database, workspace, actor)
    view = await place.create(decode(body, CreatePrompt), len(body))
    return as_json(prompt_out(view, resolve=False))


@patch("/v2/prompts/{rest:path}", needs=Need.RELEASE, name="langfuse:labels")
async def update_labels(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data, rest: FromPath[str]
) -> Response[bytes]:
    """The version keeps the labels that it has."""
    if not (found := _VERSION.fullmatch(rest)):
        raise NotFound("Labels are put on a version: …/prompts/NAME/versions/NUMBER.")
    place = Desk(publisher_of(request), database, workspace, actor)
    wanted = decode(body, UpdateLabels).new_labels
    view = await place.label(found[1], int(found[2]), wanted)
    return as_json(prompt_out(view, resolve=False))


@delete("/v2/prompts/{name:path}", needs=Need.SAVE, name="langfuse:delete", status_code=204)
async def delete_prompt(
    request: Ask, actor: Who, workspace: Place, name: FromPath[str],
    version: FromQuery[str] = "", label: FromQuery[str] = "",
) -> None:  # fmt: skip
    """The whole prompt, which can be brought back; a version stays for ever."""
    if version or label:
        raise Invalid(
            "A version is never deleted here. Delete the whole prompt, or move its labels."
        )
    await versions.delete(publisher_of(request), workspace, name.removeprefix("/"), actor=actor)


@get("/projects", needs=Need.READ, name="langfuse:projects")
async def list_projects(workspace: Place) -> Response[bytes]:
    """The one that the key is for: clients ask to see whether their key is good."""
    project = {
        "id": workspace.slug, "name": workspace.name, "metadata": {}, "retentionDays": None,
        "organization": {"id": workspace.slug, "name": workspace.name},
    }  # fmt: skip
    return as_json({"data": [project]})


def _moment(typed: str | None) -> datetime | None:
    return moment_of(typed) if typed else None


def told(request: Ask, error: Exception) -> Response[Any]:
    """The hub's own refusal, in the words that Langfuse's clients look for."""
    problem = web.on_error(request, error)
    status = problem.status_code or 500
    status = 400 if status == 422 else status
    kind = _KINDS.get(status, "InvalidRequestError" if status < 500 else "InternalServerError")
    said = {"message": problem.content["detail"], "error": kind}
    headers = {"WWW-Authenticate": 'Basic realm="Prompt Hub"'} if status == 401 else {}
    return Response(said, status_code=status, headers=headers, media_type="application/json")


ROUTER = Router(
    "/api/public",
    route_handlers=[
        list_prompts, get_prompt, create_prompt, update_labels, delete_prompt, list_projects,
    ],
    exception_handlers={HTTPException: told, Exception: told},
    include_in_schema=False,
)  # fmt: skip
