"""The audit log over REST: narrowed down, a page at a time, or all of it as lines of JSON."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from hub.db import Database
from hub.people import audit_read
from hub.people.policy import Need
from hub.registry.rest import audit_bodies as given
from hub.registry.rest.api import Db, Place
from hub.registry.rest.api_parts import as_json
from hub.registry.rest.api_schema import LINES, described

READS = (400, 401, 403, 404, 422)
By = Annotated[str, QueryParameter(description="A part of a name or of an address.")]
Deed = Annotated[str, QueryParameter(description="How it begins: `member.`, `policy.changed`, …")]
About = Annotated[str, QueryParameter(description="A part of what it was done to.")]
Day = Annotated[str, QueryParameter(description="A day such as 2026-03-01, in UTC.")]


@get(
    "/api/v1/audit", needs=Need.ADMIN, name="api:audit", include_in_schema=True,
    operation_id="listAudit", summary="Who did what", tags=["audit"],
    operation_class=described(given.AuditPage, errors=READS),
)  # fmt: skip
async def list_audit(
    db: Db, workspace: Place, who: By = "", action: Deed = "", about: About = "", start: Day = "",
    end: Day = "", before: FromQuery[int | None] = None,
) -> Response[bytes]:  # fmt: skip
    """The newest first, a hundred at a time."""
    what = audit_read.wanted(who, action, about, start, end)
    found = await audit_read.entries(db, workspace.id, what, before=before)
    more = found[-1].id if len(found) == audit_read.PAGE else None
    return as_json(given.AuditPage([given.audit_out(one) for one in found], more))


@get(
    "/api/v1/audit.jsonl", needs=Need.ADMIN, name="api:audit:export", include_in_schema=True,
    operation_id="exportAudit", summary="Who did what, all of it", tags=["audit"],
    operation_class=described(given.AuditRow, errors=READS, kind=LINES, said="A line for each."),
)  # fmt: skip
async def export_audit(
    workspace: Place, database: NamedDependency[Database], who: By = "", action: Deed = "",
    about: About = "", start: Day = "", end: Day = "",
) -> Stream:  # fmt: skip
    """Every row that the filters leave, the oldest first, each with its hash."""
    what = audit_read.wanted(who, action, about, start, end)
    headers = {"Cache-Control": "no-store"}
    return Stream(audit_read.lines(database, workspace.id, what), media_type=LINES, headers=headers)


ROUTES = [list_audit, export_audit]
