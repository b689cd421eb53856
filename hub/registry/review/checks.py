"""Machines' verdicts on a proposal: those the hub makes itself and those that CI posts.

A verdict names the digest it looked at, as an approval does; a new revision starts without any.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal, cast, get_args

import msgspec
from sqlalchemy import Text, func, select
from sqlalchemy import cast as in_sql
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Conflict, Invalid
from hub.outbox import announce
from hub.people import audit, rules_store
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.indexing.ledger_rows import upsert
from hub.registry.models import Content, Label, LabelMove, Prompt
from hub.registry.prompt.document import Document, from_json
from hub.registry.reading import snippets
from hub.registry.review import record
from hub.registry.review.builtin import NAMES, Result, Subject, run
from hub.registry.review.models import Check, Item, Proposal, Revision
from hub.registry.review.views import ItemView, View

State = Literal["pass", "warn", "fail", "running"]
STATES = get_args(State)
OURS = "Prompt Hub"
LONGEST_SUMMARY = 2000
LONGEST_LINK = 2000
MOST_CHECKS = 50
MOST_USERS = 50
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,80}")


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A check as it is posted."""

    name: str
    state: str
    summary: str = ""
    link: str = ""

    def __post_init__(self) -> None:
        if self.name != self.name.strip() or not _NAME.fullmatch(self.name):
            raise Invalid("The name of a check has 1 to 80 characters and stands on one line.")
        if self.name in NAMES:
            raise Invalid(f"“{self.name}” is a check of the hub's own. Choose another name.")
        if self.state not in STATES:
            raise Invalid(f"The state of a check is one of {', '.join(STATES)}.")
        if len(self.summary) > LONGEST_SUMMARY:
            raise Invalid(f"A check's summary has at most {LONGEST_SUMMARY:,} characters.")
        if self.link and not _is_link(self.link):
            raise Invalid("A check's link begins with https:// or http:// and has no spaces.")


def _is_link(link: str) -> bool:
    plain = len(link) <= LONGEST_LINK and link.isprintable() and " " not in link
    return plain and link.startswith(("https://", "http://"))


async def post(
    database: Database, workspace: WorkspaceRef, number: int, posted: Posted, *, digest: str,
    actor: Actor,
) -> None:  # fmt: skip
    """Keep a verdict of outside CI; one of the same name takes its place.

    Raises:
        Forbidden: a person, or whoever may write, does not speak for a machine that looks.
        Conflict: it is about a revision that is no longer the latest, or the proposal is closed.
    """
    require(actor, Need.CHECK, workspace.id)
    async with database.write() as db:
        view = await record.get(db, workspace.id, number)
        if not view.open:
            raise Conflict(f"Proposal {number} is {view.state}; there is nothing left to check.")
        if digest != view.digest:
            raise Conflict(
                f"Revision {view.revision} is the latest of proposal {number}, and this check "
                "looked at another one. Check the latest.",
                current={"revision": view.revision, "digest": view.digest},
            )
        known = {one.name for one in view.checks}
        if posted.name not in known and len(known) >= MOST_CHECKS:
            raise Conflict(f"A proposal has at most {MOST_CHECKS} checks.")
        await _keep(db, view, [posted], by=actor.said)
        subject = f"#{number} {posted.name}"
        audit.record(
            db, actor, "check.posted", subject, workspace.id, state=posted.state, digest=digest
        )
        announce(
            db, "check.posted", workspace_id=workspace.id, subject=subject[:255], number=number,
            by=actor.name, account_id=None, name=posted.name, state=posted.state,
        )  # fmt: skip


async def refresh(database: Database, workspace: WorkspaceRef, number: int) -> None:
    """Make the hub's own checks of the latest revision, unless they stand as they are.

    They are made anew when a label of a prompt concerned has moved since: what is live decides
    whether callers go on working.
    """
    async with database.read() as db:
        if not await _stale(db, workspace.id, number):
            return
        view = await record.get(db, workspace.id, number)
        results = run(await _subjects(db, view))
    async with database.write() as db:
        latest = await record.get(db, workspace.id, number)
        if latest.digest == view.digest and latest.open:
            await _keep(db, latest, results, by=OURS)


async def _stale(db: AsyncSession, workspace_id: int, number: int) -> bool:
    """Of an open proposal; one small statement, for each page of it asks."""
    prompts = select(Item.prompt_id).where(
        Item.workspace_id == workspace_id, Item.number == number,
        Item.revision == Proposal.revision,
    )  # fmt: skip
    moved = select(func.max(LabelMove.at)).where(
        LabelMove.workspace_id == workspace_id, LabelMove.prompt_id.in_(prompts)
    )
    latest = (
        (Revision.workspace_id == Proposal.workspace_id) & (Revision.number == Proposal.number)
        & (Revision.revision == Proposal.revision)
    )  # fmt: skip
    ours = (
        (Check.workspace_id == workspace_id) & (Check.number == number)
        & (Check.digest == Revision.digest) & Check.name.in_(NAMES)
    )  # fmt: skip
    query = (
        select(Proposal.state, func.count(Check.name), func.min(Check.at), moved.scalar_subquery())
        .join(Revision, latest)
        .outerjoin(Check, ours)
        .where(Proposal.workspace_id == workspace_id, Proposal.number == number)
        .group_by(Proposal.state, Proposal.revision)
    )
    found = (await db.execute(query)).one_or_none()
    if found is None:
        raise record.NoSuchProposal(number)
    state, count, since, last = cast("tuple[str, int, datetime, datetime | None]", found)
    if state != "open" or count < len(NAMES):
        return state == "open"
    # Commits count in whole seconds: a move in the second of the check may have come after it.
    return last is not None and last >= _whole(since)


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


async def _keep(
    db: AsyncSession, view: View, results: list[Posted] | list[Result], *, by: str
) -> None:
    moment = now()
    rows = [
        {
            "workspace_id": view.workspace_id, "number": view.number, "digest": view.digest,
            "name": one.name, "state": one.state, "summary": one.summary, "posted_by": by,
            "link": one.link if isinstance(one, Posted) else "", "at": moment,
        }
        for one in results
    ]  # fmt: skip
    await db.run_sync(lambda session: upsert(session.connection(), Check, rows))
    # A verdict decides whether a merge may go through, so a merge under way looks again.
    await rules_store.bump(db, view.workspace_id)


async def _subjects(db: AsyncSession, view: View) -> list[Subject]:
    subjects: list[Subject] = []
    for item in view.items:
        if item.new is None or item.kind == "delete":
            continue
        raw = msgspec.json.encode(item.new)
        included: dict[str, str] = {}
        if snippets.may_include(raw):
            included = await snippets.texts_for(db, view.workspace_id, raw, now())
        subjects.append(
            Subject(
                name=item.new_name or item.name, old=item.old, new=item.new, snippets=included,
                live=await _live(db, view.workspace_id, item),
                users=await _users(db, view.workspace_id, item.name),
            )
        )  # fmt: skip
    return subjects


async def _live(
    db: AsyncSession, workspace_id: int, item: ItemView
) -> tuple[tuple[str, Document], ...]:
    query = (
        select(Label.label, Content.document)
        .join(Content, (Content.workspace_id == Label.workspace_id) & (Content.hash == Label.hash))
        .where(Label.workspace_id == workspace_id, Label.prompt_id == item.prompt_id)
        .order_by(Label.label)
    )
    return tuple(
        (label, from_json(msgspec.json.decode(raw))) for label, raw in await db.execute(query)
    )


async def _users(db: AsyncSession, workspace_id: int, name: str) -> tuple[str, ...]:
    """Prompts whose latest version includes this one, in any version of it."""
    # Bytes as text: Postgres would cast them to hexadecimal digits.
    postgres = db.get_bind().dialect.name == "postgresql"
    text = (
        func.convert_from(Content.document, "UTF8") if postgres else in_sql(Content.document, Text)
    )
    same = (Content.workspace_id == Prompt.workspace_id) & (Content.hash == Prompt.hash)
    query = (
        select(Prompt.name)
        .join(Content, same)
        .where(
            Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None), Prompt.name != name,
            text.contains(f"{name}@", autoescape=True), text.contains("include"),
        )
        .order_by(Prompt.name)
        .limit(MOST_USERS)
    )  # fmt: skip
    return tuple(await db.scalars(query))
