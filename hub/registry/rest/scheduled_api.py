"""Releases at a moment to come, over REST. By a person's own key: their rights, and the rules, are
read again when it is due."""

from __future__ import annotations

from datetime import datetime

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from msgspec import UNSET

from hub.db import Database
from hub.people.policy import Need
from hub.registry.labels import scheduled
from hub.registry.labels.labels import Move
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import as_json, moment_of
from hub.registry.rest.api_schema import READS, WRITES, described
from hub.registry.rest.bodies import decode
from hub.registry.rest.release_bodies import OneMove

Data = NamedDependency[Database]


class ScheduleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Labels to move in one step, all of them or none, at a moment to come."""

    moves: list[OneMove]
    due: str
    """ISO 8601; UTC if it names no zone. Within a year."""
    reason: str


class ScheduledOut(msgspec.Struct, frozen=True, kw_only=True):
    """A release that waits."""

    id: int
    due: datetime
    reason: str
    by: str
    moves: list[OneMove]


class ScheduledList(msgspec.Struct, frozen=True):
    """The next first."""

    items: list[ScheduledOut]


@get(
    "/api/v1/scheduled", needs=Need.READ, name="api:scheduled", include_in_schema=True,
    operation_id="listScheduled", summary="Releases to come", tags=["labels"],
    operation_class=described(ScheduledList, errors=READS),
)  # fmt: skip
async def list_scheduled(db: Db, workspace: Place) -> Response[bytes]:
    """Those that wait; what became of the others is in the history of the prompts."""
    found = await scheduled.lines(db, workspace.id, waiting=True)
    return as_json(ScheduledList([_out(one) for one in found]))


@post(
    "/api/v1/scheduled", needs=Need.RELEASE, name="api:schedule", include_in_schema=True,
    operation_id="scheduleRelease", summary="Release at a later time", tags=["labels"],
    status_code=200, operation_class=described(ScheduledList, body=ScheduleBody, errors=WRITES),
)  # fmt: skip
async def schedule(body: RawBody, actor: Who, workspace: Place, database: Data) -> Response[bytes]:
    """Each label must then be where it is now, or where `expected` says; else none is moved."""
    asked = decode(body, ScheduleBody)
    moves = [
        Move(one.label, one.name, one.version, one.expected, one.share * 100) for one in asked.moves
    ]
    await scheduled.schedule(
        database, workspace, moves, moment_of(asked.due), actor=actor, reason=asked.reason
    )
    async with database.read() as db:
        found = await scheduled.lines(db, workspace.id, waiting=True)
    return as_json(ScheduledList([_out(one) for one in found]))


@delete(
    "/api/v1/scheduled/{number:int}", needs=Need.RELEASE, name="api:unschedule",
    include_in_schema=True, operation_id="cancelRelease", summary="Cancel a release to come",
    tags=["labels"], operation_class=described(None, status=204, errors=WRITES),
)  # fmt: skip
async def cancel(actor: Who, workspace: Place, database: Data, number: FromPath[int]) -> None:
    """409 if it happened already."""
    async with database.write() as db:
        await scheduled.cancel(db, workspace.id, number, actor=actor)


def _out(one: scheduled.Line) -> ScheduledOut:
    moves = [
        OneMove(
            label=move.label, name=move.name, version=move.version,
            expected=None if move.expected is UNSET else move.expected,
        )
        for move in one.moves
    ]  # fmt: skip
    return ScheduledOut(id=one.id, due=one.due_at, reason=one.reason, by=one.by, moves=moves)


ROUTES = [list_scheduled, schedule, cancel]
