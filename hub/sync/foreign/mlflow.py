"""The part of MLflow's registry that `load_prompt` reads: MLFLOW_TRACKING_URI=https://hub/api/mlflow.

    GET /api/mlflow/api/2.0/mlflow/registered-models/get      a prompt, and where its labels are
    GET /api/mlflow/api/2.0/mlflow/registered-models/alias    the version under a label
    GET /api/mlflow/api/2.0/mlflow/model-versions/get         a version by its number
    POST /api/mlflow/api/2.0/mlflow/registered-models/set-tag  which experiment used it: not kept

The key is MLFLOW_TRACKING_TOKEN. A name in MLflow's own addresses holds no `/`, so ours is written
with `~`: `prompts:/support~triage@production`.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from litestar import Response, Router, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromQuery, JSONBody, QueryParameter

from hub import web
from hub.errors import Invalid, NotFound
from hub.people.policy import Need
from hub.registry.reading.record import LATEST, VersionView
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import Ask, about_prompt, as_json, view_of
from hub.sync.foreign.flat import flattened
from hub.sync.formats.mlflow import config_of, tree_of
from hub.sync.formats.report import Notes
from hub.sync.readers import readers_of

Json = dict[str, Any]
TOOL = "MLflow client"
_IS_PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}
_LINK = "_mlflow_experiment_ids"
"""What the client wants noted beside each prompt that it loads."""
NOT_HERE = (
    "Prompt Hub answers MLflow's client when it loads prompts. Save, propose and release them in "
    "the hub, over its own REST interface or with git."
)
_CODES = {
    400: "INVALID_PARAMETER_VALUE", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
}  # fmt: skip


@get("/registered-models/get", needs=Need.READ, name="mlflow:prompt")
async def prompt(db: Db, workspace: Place, name: FromQuery[str]) -> Response[bytes]:
    """A prompt without its text."""
    about = await about_prompt(db, workspace, _ours(name))
    labels = {one.label: one.version for one in about.labels} | {LATEST: about.head}
    return as_json({"registered_model": {
        "name": name, "description": about.description, "tags": [_IS_PROMPT],
        "creation_timestamp": _at(about.created_at),
        "last_updated_timestamp": _at(about.changed_at),
        "aliases": [{"alias": label, "version": str(at)} for label, at in labels.items()],
    }})  # fmt: skip


@get("/registered-models/alias", needs=Need.READ, name="mlflow:alias")
async def alias(
    request: Ask, db: Db, actor: Who, workspace: Place, name: FromQuery[str],
    label: Annotated[str, QueryParameter(name="alias")],
) -> Response[bytes]:  # fmt: skip
    """What a label points at; `latest`: the newest version."""
    view = await view_of(db, workspace, _ours(name), None, label)
    said = as_json({"model_version": _version(name, view)})
    readers_of(request).note(TOOL, actor, workspace, view)
    return said


@get("/model-versions/get", needs=Need.READ, name="mlflow:version")
async def version(
    request: Ask, db: Db, actor: Who, workspace: Place, name: FromQuery[str],
    number: Annotated[int, QueryParameter(name="version", ge=1, le=2**31 - 1)],
) -> Response[bytes]:  # fmt: skip
    """One version with its text."""
    view = await view_of(db, workspace, _ours(name), number, None)
    said = as_json({"model_version": _version(name, view)})
    readers_of(request).note(TOOL, actor, workspace, view)
    return said


@post("/registered-models/set-tag", needs=Need.READ, name="mlflow:link", status_code=200)
async def link(data: JSONBody[Json]) -> Response[bytes]:
    """The hub has no experiments of MLflow's, so there is nothing to keep; else each load warns."""
    if data.get("key") != _LINK:
        raise NotFound(NOT_HERE)
    return as_json({})


@post(
    ["/registered-models/create", "/registered-models/alias", "/model-versions/create"],
    needs=Need.READ, name="mlflow:write", status_code=200,
)  # fmt: skip
async def write() -> None:
    """What registers a prompt or moves an alias is refused with a sentence."""
    raise NotFound(NOT_HERE)


def _ours(name: str) -> str:
    return name.replace("~", "/")


def _version(name: str, view: VersionView) -> Json:
    """Its text and settings stand in tags, as MLflow keeps them."""
    document = flattened(view.name, view.document, view.snippets)
    if any(one.role == "placeholder" for one in document.messages):
        raise Invalid(
            f"{view.name} takes turns given at run time, which MLflow's client cannot fill in. "
            "Read it with the hub's own SDK."
        )
    tree = tree_of(view.name, document, Notes())
    chat = isinstance(tree["template"], list)
    tags = {
        "mlflow.prompt.text": json.dumps(tree["template"]) if chat else tree["template"],
        "_mlflow_prompt_type": "chat" if chat else "text",
    }
    if "response_format" in tree:
        tags["_mlflow_prompt_response_format"] = json.dumps(tree["response_format"])
    if config := config_of(document):
        tags["_mlflow_prompt_model_config"] = json.dumps(config)
    return {
        "name": name, "version": str(view.number), "description": view.message,
        "user_id": view.author, "creation_timestamp": _at(view.created_at),
        "last_updated_timestamp": _at(view.created_at), "aliases": view.labels,
        "tags": [_IS_PROMPT, *({"key": key, "value": value} for key, value in tags.items())],
    }  # fmt: skip


def _at(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def told(request: Ask, error: Exception) -> Response[Any]:
    """The hub's own refusal, as MLflow's client reads it."""
    problem = web.on_error(request, error)
    status = problem.status_code or 500
    status = 400 if status == 422 else status
    said = {
        "error_code": _CODES.get(status, "INTERNAL_ERROR"),
        "message": problem.content["detail"],
    }
    return Response(said, status_code=status, media_type="application/json")


ROUTER = Router(
    "/api/mlflow/api/2.0/mlflow",
    route_handlers=[prompt, alias, version, link, write],
    exception_handlers={HTTPException: told, Exception: told},
    include_in_schema=False,
)
