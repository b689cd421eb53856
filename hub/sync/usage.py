"""`POST /api/v1/usage`: what programs say they use. Checked at once, written together later.

Nothing depends on it but people's insight, and a release that would break a running program: a
report may be lost, and none may hold anybody up.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections import deque
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.db import Base, Database, now
from hub.errors import HubError, Invalid
from hub.people.keys import KeyGrant
from hub.registry.models import OldName, Prompt
from hub.registry.reading.callers import KEPT, Caller, CallerUse

log = logging.getLogger("hub")

LARGEST = 262_144
WAITING = 5_000
WEIGHT_WAITING = 200_000
"""Reports that may wait to be written, and what they hold (`weight`); others are dropped."""
EVERY = 1.0
MOST_CALLERS = 20_000
MOST_USES = 400_000
"""Processes of a workspace, and what they use, that are kept; further new ones are left out."""
MOST_VARIABLES = 200

Word = Annotated[str, Meta(max_length=80)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Variable = Annotated[str, Meta(max_length=100)]


class Use(msgspec.Struct, frozen=True):
    """A version under a label, in one report."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    version: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    label: Annotated[str, Meta(max_length=36)] = ""
    source: Annotated[str, Meta(max_length=20)] = ""
    calls: Count = 0
    errors: Count = 0
    variables: Annotated[list[Variable], Meta(max_length=MOST_VARIABLES)] | None = None


class Report(msgspec.Struct, frozen=True):
    """What a program sends; see `docs/protocol.md`."""

    app: Annotated[str, Meta(min_length=1, max_length=80)]
    instance: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
    schema: int = 1
    environment: Word = ""
    sdk: Word = ""
    state: Literal["boot", "live", "retry", "polling", "stale", "refused", "closed", "asks"] = (
        "live"
    )
    epoch: Annotated[str, Meta(max_length=32)] = ""
    revision: Count = 0
    age: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    prompts: Annotated[list[Use], Meta(max_length=2_000)] = []


class TooLarge(HubError):
    """The report is larger than any honest one."""

    status = 413


_REPORT = msgspec.json.Decoder(Report)


def read(body: bytes, encoding: bytes) -> Report:
    """The report in a request's body.

    Raises:
        Invalid: it is not as the protocol says.
        TooLarge: it is too large, as sent or unpacked.
    """
    try:
        if encoding == b"gzip":
            body = _unpacked(body)
        report = _REPORT.decode(body)
    except (
        msgspec.DecodeError, UnicodeDecodeError, RecursionError, zlib.error, EOFError,
        gzip.BadGzipFile,
    ) as error:  # fmt: skip
        raise Invalid(f"This is not a report of use: {error}") from None
    if "\0" in msgspec.json.encode(report).decode().replace("\\u0000", "\0"):
        raise Invalid("A report of use holds no NUL characters.")  # Postgres keeps none
    return report


def weight(report: Report) -> int:
    """How much a report holds, about: it waits in memory, and is written under a lock."""
    return 1 + sum(1 + len(use.variables or ()) // 4 for use in report.prompts)


def _unpacked(body: bytes) -> bytes:
    unpack = zlib.decompressobj(31)
    data = unpack.decompress(body, LARGEST + 1)
    if len(data) > LARGEST:
        raise TooLarge(f"A report of use has at most {LARGEST:,} bytes.")
    return data


class Inbox:
    """Reports on their way to the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[KeyGrant, Report]] = deque()
        self._weight = 0
        self._come = asyncio.Event()
        self.written = 0
        """Counts what was written, for pages that watch."""

    def put(self, grant: KeyGrant, report: Report) -> None:
        heavier = self._weight + weight(report)
        if len(self._waiting) < WAITING and heavier <= WEIGHT_WAITING:
            self._weight = heavier
            self._waiting.append((grant, report))
            self._come.set()

    async def run(self) -> None:
        """Write what came, together, once a second at the most; until cancelled."""
        while True:
            await self._come.wait()
            await asyncio.sleep(EVERY)
            await self.write()

    async def write(self) -> None:
        """Write what waits; reports that cannot be written are lost."""
        self._come.clear()
        reports = list(self._waiting)
        self._waiting.clear()
        self._weight = 0
        by_workspace: dict[int, dict[str, list[tuple[KeyGrant, Report]]]] = {}
        for grant, report in reports:
            of_workspace = by_workspace.setdefault(grant.workspace.id, {})
            of_workspace.setdefault(report.instance, []).append((grant, report))
        for workspace_id, found in by_workspace.items():
            try:
                await self._database.write_at_once(partial(_write, workspace_id, found))
            except Exception:
                log.exception("reports of use could not be written; nothing depends on them")
        self.written += len(reports)


def _write(
    workspace_id: int, found: dict[str, list[tuple[KeyGrant, Report]]], db: Connection
) -> None:
    known = _known(db, workspace_id, found)
    room = MOST_CALLERS - _count(db, workspace_id)
    names = {use.name for several in found.values() for _, one in several for use in one.prompts}
    ids = _ids(db, workspace_id, names)
    callers: list[dict[str, Any]] = []
    uses: dict[tuple[str, str, str, int], dict[str, Any]] = {}
    for instance, several in found.items():
        if instance not in known:
            if room <= 0:
                continue
            room -= 1
        grant, last = several[-1]
        callers.append(_caller(workspace_id, grant, last, known.get(instance)))
        for _, report in several:
            at = now()  # one for all of a report: what it holds is what the process serves
            for use in report.prompts:
                if id := ids.get(use.name):
                    key = (instance, id, use.label, use.version)
                    uses[key] = _use(workspace_id, key, report, use, uses.get(key), at)
    new = _remember_variables(db, workspace_id, uses)
    _leave_out(db, workspace_id, uses, new)
    _upsert(db, Caller, callers)
    _upsert(db, CallerUse, list(uses.values()))


def _known(db: Connection, workspace_id: int, instances: Any) -> dict[str, Any]:
    query = select(Caller.instance, Caller.since).where(
        Caller.workspace_id == workspace_id, Caller.instance.in_(list(instances))
    )
    return {row.instance: row.since for row in db.execute(query)}


def _count(db: Connection, workspace_id: int) -> int:
    query = select(Caller.instance).where(Caller.workspace_id == workspace_id)
    return len(db.execute(query.limit(MOST_CALLERS)).all())


def _ids(db: Connection, workspace_id: int, names: set[str]) -> dict[str, str]:
    """Prompt ids by name, present or former: a program may be a rename behind."""
    found: dict[str, str] = {}
    wanted = sorted(names)
    for start in range(0, len(wanted), 5000):
        part = wanted[start : start + 5000]
        former = select(OldName.name, OldName.prompt_id).where(
            OldName.workspace_id == workspace_id, OldName.name.in_(part)
        )
        living = select(Prompt.name, Prompt.id).where(
            Prompt.workspace_id == workspace_id, Prompt.name.in_(part), Prompt.deleted_at.is_(None)
        )
        for query in (former, living):
            found |= {row[0]: row[1] for row in db.execute(query)}
    return found


def _caller(workspace_id: int, grant: KeyGrant, report: Report, since: Any) -> dict[str, Any]:
    return {
        "workspace_id": workspace_id, "instance": report.instance, "app": report.app,
        "environment": report.environment, "sdk": report.sdk, "key_id": grant.key_id,
        "state": report.state, "epoch": report.epoch, "revision": report.revision,
        "age": report.age, "since": since or now(), "seen_at": now(),
    }  # fmt: skip


def _use(
    workspace_id: int, key: tuple[str, str, str, int], report: Report, use: Use,
    before: dict[str, Any] | None, at: datetime,
) -> dict[str, Any]:  # fmt: skip
    instance, id, label, version = key
    made: dict[str, Any] = {
        "workspace_id": workspace_id, "instance": instance, "prompt_id": id, "label": label,
        "version": version, "source": use.source, "calls": use.calls, "errors": use.errors,
        "seconds": report.seconds, "variables": use.variables, "seen_at": at,
    }  # fmt: skip
    if before is not None:
        for count in ("calls", "errors"):
            made[count] += before[count]
        made["variables"] = _both(before["variables"], use.variables)
        if before["seen_at"] is at:  # of two sources in one report the first was used most
            return made | {"source": before["source"], "seconds": before["seconds"]}
        made["seconds"] += before["seconds"]  # two reports in one second: one longer one
    return made


def _remember_variables(
    db: Connection, workspace_id: int, uses: dict[tuple[str, str, str, int], dict[str, Any]]
) -> set[tuple[str, str, str, int]]:
    """What a process has passed once, it can pass. Returns the uses that are not kept yet."""
    new = set(uses)
    query = select(
        CallerUse.instance, CallerUse.prompt_id, CallerUse.label, CallerUse.version,
        CallerUse.variables,
    ).where(
        CallerUse.workspace_id == workspace_id,
        CallerUse.instance.in_({instance for instance, *_ in uses}),
    )  # fmt: skip
    for instance, id, label, version, variables in db.execute(query):
        if use := uses.get((instance, id, label, version)):
            use["variables"] = _both(variables, use["variables"])
            new.discard((instance, id, label, version))
    return new


def _leave_out(
    db: Connection, workspace_id: int, uses: dict[tuple[str, str, str, int], dict[str, Any]],
    new: set[tuple[str, str, str, int]],
) -> None:  # fmt: skip
    """Of the new uses, those there is no room for: any program may say any label and number."""
    if not new:
        return
    query = select(func.count()).where(CallerUse.workspace_id == workspace_id)
    room = max(0, MOST_USES - (db.scalar(query) or 0))
    for key in sorted(new)[room:]:
        del uses[key]


def _both(first: list[str] | None, second: list[str] | None) -> list[str] | None:
    if first is None or second is None:
        return second if first is None else first
    return sorted({*first, *second})[:MOST_VARIABLES]


def _upsert(db: Connection, model: type[Base], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table: Any = model.__table__
    made = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {c.name: made.excluded[c.name] for c in table.columns if c.name not in keys}
    db.execute(made.on_conflict_do_update(index_elements=keys, set_=rest), rows)


def forget_old(db: Connection) -> None:
    """Drop what was not heard of for a week."""
    old = now() - KEPT
    db.execute(delete(CallerUse).where(CallerUse.seen_at < old))
    db.execute(delete(Caller).where(Caller.seen_at < old))
