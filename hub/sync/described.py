"""The routes of `docs/protocol.md` in the OpenAPI document: they are answered before the web
framework, which therefore cannot describe them itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.registry.rest.api_schema import WHY, media
from hub.registry.rest.bodies import Problem
from hub.sync.usage import Report

Json = dict[str, Any]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a gradual release, and how many of 10,000 it goes to."""

    version: int
    hash: str
    commit: str
    object: Digest
    share: int


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Which version a label of a prompt means now."""

    label: str
    name: str
    id: str
    version: int
    hash: str
    commit: str
    object: Digest
    split: list[Share] | UnsetType = UNSET


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an app follows, as of one revision."""

    schema: Literal[1]
    epoch: str
    revision: int
    pointers: list[Pointer]
    objects: dict[str, str]
    """The text of every object that a pointer names, by the SHA-256 of its bytes."""


class Object(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a version, with every snippet that it includes."""

    document: dict[str, Any]
    snippets: dict[str, str]


def _query(name: str, says: str, *, many: bool = False) -> Json:
    one: Json = {"type": "string"}
    schema = {"type": "array", "items": one} if many else one
    return {"name": name, "in": "query", "required": False, "description": says, "schema": schema}


_FILTER = [
    _query("label", "Repeatable. Left out: `production`.", many=True),
    _query("name", "A prompt, or `folder/*`. Repeatable. Left out: all.", many=True),
]


def _answers(good: Json, said: str, *wrong: int, status: int = 200) -> Json:
    problem = {"application/problem+json": media(Problem)}
    bad = {
        str(code): {"description": WHY[code]} | ({} if code == 304 else {"content": problem})
        for code in wrong
    }
    return {str(status): {"description": said} | ({"content": good} if good else {}), **bad}


def _route(method: str, name: str, summary: str, says: str, answers: Json, **more: Any) -> Json:
    told = {
        "tags": ["delivery"], "summary": summary, "description": says, "operationId": name,
        "responses": answers, "deprecated": False,
    }  # fmt: skip
    return {method: told | more}


_EVENTS: Json = {"text/event-stream": {"schema": {"type": "string"}}}

PATHS: Json = {
    "/api/v1/snapshot": _route(
        "get", "getSnapshot", "Everything an app follows",
        "Answers 304 to `If-None-Match` with the entity tag of the last answer.",
        _answers({"application/json": media(Snapshot)}, "As of one revision.", 304, 400, 401, 422),
        parameters=_FILTER,
    ),
    "/api/v1/stream": _route(
        "get", "getStream", "Every change as it happens",
        "Server-sent events `hello, put, delete, commit, resync, goodbye`; see docs/protocol.md.",
        _answers(_EVENTS, "It does not end by itself.", 400, 401, 422),
        parameters=[*_FILTER, _query("since", "`<epoch>:<revision>` of what the app has.")],
    ),
    "/api/v1/objects/{sha256}": _route(
        "get", "getObject", "One content, for ever the same",
        "Exactly the bytes whose SHA-256 is its name.",
        _answers({"application/json": media(Object)}, "The object.", 401, 404),
        parameters=[{"name": "sha256", "in": "path", "required": True,
                     "description": "64 hex digits.", "schema": {"type": "string"}}],
    ),
    "/api/v1/usage": _route(
        "post", "reportUsage", "What a program used",
        "For people's insight; nothing depends on it, and it may be dropped.",
        _answers({}, "It was taken.", 401, 413, 422, status=202),
        requestBody={"required": True, "content": {"application/json": media(Report)}},
    ),
}  # fmt: skip
