"""Releases over REST: several labels of several prompts in one step, and what was live when."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get, put
from litestar.params import QueryParameter, RawBody

from hub.db import now
from hub.people.policy import Need
from hub.registry.labels import labels
from hub.registry.labels.labels import Landed, Move
from hub.registry.prompt import names
from hub.registry.rest import bodies
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import Ask, as_json, moment_of, publisher_of, request_id
from hub.registry.rest.api_schema import READS, WRITES, described
from hub.registry.rest.release_bodies import LiveList, LiveThen, MoveLabels, ReleaseList


@put(
    "/api/v1/releases", needs=Need.RELEASE, name="api:releases", include_in_schema=True,
    operation_id="moveLabels", summary="Move several labels in one step", tags=["labels"],
    operation_class=described(ReleaseList, body=MoveLabels, errors=WRITES),
)  # fmt: skip
async def move_labels(request: Ask, body: RawBody, actor: Who, workspace: Place) -> Response[bytes]:
    """All of them, or none: one that is not where `expected` says stops it, with its `label`,
    `name` and `current` in the answer (409)."""
    given = bodies.decode(body, MoveLabels)
    made = await labels.move_many(
        publisher_of(request), workspace,
        [Move(one.label, one.name, one.version, one.expected, one.share * 100)
         for one in given.moves],
        actor=actor, reason=given.reason, request_id=request_id(request),
        broke_glass=given.break_glass, despite=given.despite_programs,
    )  # fmt: skip
    return as_json(ReleaseList(list(map(_released, made))))


@get(
    "/api/v1/releases", needs=Need.READ, name="api:as-of", include_in_schema=True,
    operation_id="listLive", summary="What was live when", tags=["labels"],
    operation_class=described(LiveList, errors=READS),
)  # fmt: skip
async def list_live(
    db: Db, workspace: Place,
    label: Annotated[str, QueryParameter(description="`production`, `staging`, …")] = "production",
    at: Annotated[
        str | None,
        QueryParameter(description="A moment (ISO 8601; UTC if it names no zone). Left out: now."),
    ] = None,
) -> Response[bytes]:  # fmt: skip
    """Every prompt that the label served at that moment, with who had put it there and why."""
    names.check_label(label)
    moment = moment_of(at) if at else now()
    found = await labels.as_of(db, workspace.id, label, moment)
    items = [
        LiveThen(
            name=one.name, id=one.prompt_id, version=one.version, hash=one.hash, since=one.since,
            by=one.by, reason=one.reason,
        )
        for one in found
    ]  # fmt: skip
    return as_json(LiveList(label=label, at=moment, items=items))


def _released(one: Landed) -> bodies.Released:
    return bodies.Released(
        name=one.name, label=one.label, version=one.new, previous=one.old, by=one.author,
        reason=one.reason, at=one.at, commit=one.commit,
    )  # fmt: skip


ROUTES = [move_labels, list_live]
