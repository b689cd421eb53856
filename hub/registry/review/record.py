"""Reading proposals: one with everything, a list, those of a prompt. SQL alone, never git."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Invalid, NotFound
from hub.registry.models import Version
from hub.registry.review import lists
from hub.registry.review.facts import Facts, gather
from hub.registry.review.models import Merge, Proposal, Review, Revision
from hub.registry.review.since import Since, since
from hub.registry.review.standing import sentence, state_now
from hub.registry.review.texts import item_views
from hub.registry.review.views import (
    CheckLine,
    Dismissal,
    ItemView,
    Landed,
    Page,
    ProposalLine,
    RevisionLine,
    View,
    Word,
)

__all__ = ["get", "items_of", "lines", "listed", "open_for_prompt", "revisions"]

MOST = 200


class NoSuchProposal(NotFound):
    """No proposal has that number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"There is no proposal {number} here. Look for it among the reviews.")


async def get(db: AsyncSession, workspace_id: int, number: int) -> View:
    """The proposal with its texts, people's words, checks, and what the rules say.

    Raises:
        NotFound: there is none with that number.
    """
    return await _in_one_go(db, lambda connection: _view(connection, workspace_id, number))


async def items_of(
    db: AsyncSession, workspace_id: int, number: int, revision: int
) -> list[ItemView]:
    """What that revision does, prompt by prompt.

    Raises:
        NotFound: there is no such revision.
    """
    found = await _in_one_go(
        db, lambda connection: item_views(connection, workspace_id, number, revision)
    )
    if not found:
        raise NotFound(f"Proposal {number} has no revision {revision}.")
    return found


async def revisions(db: AsyncSession, workspace_id: int, number: int) -> list[RevisionLine]:
    """All revisions, the newest first, with what people said of each."""
    return await _in_one_go(db, lambda connection: _revisions(connection, workspace_id, number))


async def listed(
    db: AsyncSession, workspace_id: int, *, state: str = "open", mine: int | None = None,
    waiting_for: int | None = None, q: str = "", limit: int = 50, cursor: str | None = None,
    among: Collection[int] | None = None,
) -> Page[ProposalLine]:  # fmt: skip
    """A page of proposals, what changed last first.

    `state`: one of `lists.STATES`; `approved` is found among the open ones of each page, so such
    a page may be short. `mine` and `waiting_for` are account ids: who wrote it, and whose word is
    awaited.

    Raises:
        Invalid: a state, limit or cursor that there is not.
    """
    if not 1 <= limit <= MOST:
        raise Invalid(f"`limit` may be from 1 to {MOST}.")
    where = lists.where(workspace_id, state, mine, waiting_for, q)
    if among is not None:
        where.append(Proposal.number.in_(sorted(among)))
    after = lists.decoded(cursor) if cursor else None

    def read(connection: Connection) -> Page[ProposalLine]:
        found = _page(connection, workspace_id, where, limit, after)
        if state == "approved":
            kept = [one for one in found.items if one.state_now == "approved"]
            return msgspec.structs.replace(found, items=kept)
        return found

    return await _in_one_go(db, read)


async def open_for_prompt(
    db: AsyncSession, workspace_id: int, prompt_id: str
) -> list[ProposalLine]:
    """Open proposals that touch the prompt, the newest first."""
    where = [
        Proposal.workspace_id == workspace_id, Proposal.state == "open",
        lists.touching(prompt_id),
    ]  # fmt: skip
    found = await _in_one_go(
        db, lambda connection: _page(connection, workspace_id, where, MOST, None)
    )
    return sorted(found.items, key=lambda one: -one.number)


async def lines(db: AsyncSession, workspace_id: int, numbers: Sequence[int]) -> list[ProposalLine]:
    """These proposals, in this order."""

    def read(connection: Connection) -> list[ProposalLine]:
        facts = gather(connection, workspace_id, numbers) if numbers else {}
        return [ProposalLine(**_line_fields(facts[one])) for one in numbers if one in facts]

    return await _in_one_go(db, read)


async def _in_one_go(db: AsyncSession, work: Any) -> Any:
    """All statements of `work` in one hop to the database's thread."""
    return await db.run_sync(lambda session: work(session.connection()))


# ── one ─────────────────────────────────────────────────────────────────────────────────────────


def _view(db: Connection, workspace_id: int, number: int) -> View:
    facts = gather(db, workspace_id, [number]).get(number)
    if facts is None:
        raise NoSuchProposal(number)
    row = facts.row
    items = item_views(db, workspace_id, number, row.revision)
    still: Since = since(db, workspace_id, row.target, items) if row.state == "open" else Since()
    base = db.scalar(
        select(Revision.base).where(
            Revision.workspace_id == workspace_id, Revision.number == number,
            Revision.revision == row.revision,
        )
    )  # fmt: skip
    checks = [
        CheckLine(
            name=one.name, state=one.state, summary=one.summary, link=one.link, at=one.at,
            required=one.name in facts.required,
        )
        for one in facts.checks.values()
    ]  # fmt: skip
    return View(
        **_line_fields(facts), workspace_id=workspace_id, author_email=row.author_email,
        closed_at=row.closed_at, close_reason=row.close_reason, merge_commit=row.merge_commit,
        base=base, items=items, checks=checks, case=facts.case, verdict=facts.verdict,
        mergeable=still.mergeable, moved=still.moved, landed=_landed(db, workspace_id, number),
        dismissals=_dismissals(db, workspace_id, number),
    )  # fmt: skip


def _dismissals(db: Connection, workspace_id: int, number: int) -> list[Dismissal]:
    query = select(
        Review.name, Review.body, Review.dismissed_by.label("by"),
        Review.dismissed_why.label("why"), Review.dismissed_at.label("at"),
    ).where(
        Review.workspace_id == workspace_id, Review.number == number,
        Review.dismissed_at.is_not(None),
    )  # fmt: skip
    return [Dismissal(**row) for row in db.execute(query.order_by(Review.dismissed_at)).mappings()]


def _landed(db: Connection, workspace_id: int, number: int) -> Landed | None:
    merge = db.execute(
        select(*Merge.__table__.columns)
        .where(Merge.workspace_id == workspace_id, Merge.number == number)
        .order_by(Merge.at.desc())
        .limit(1)
    ).first()
    if merge is None:
        return None
    made = db.execute(
        select(Version.name, Version.number)
        .where(Version.workspace_id == workspace_id, Version.commit == merge.commit)
        .order_by(Version.name)
    )
    return Landed(
        commit=merge.commit, by=merge.merged_by, at=merge.at, reviewers=merge.reviewers,
        broke_glass=merge.broke_glass, versions=[(name, version) for name, version in made],
    )  # fmt: skip


def _revisions(db: Connection, workspace_id: int, number: int) -> list[RevisionLine]:
    words: dict[int, list[Word]] = {}
    said = select(*Review.__table__.columns).where(
        Review.workspace_id == workspace_id, Review.number == number
    )
    for one in db.execute(said.order_by(Review.id)):
        word = Word(
            account_id=one.account_id or -one.id, name=one.name, email=one.email,
            verdict=one.verdict, body=one.body, revision=one.revision, at=one.at, current=True,
            dismissed=one.dismissed_at is not None,
        )  # fmt: skip
        there = words.get(one.revision, [])
        kept = [w for w in there if w.account_id != word.account_id or w.dismissed]
        words[one.revision] = [*kept, word]
    query = select(*Revision.__table__.columns).where(
        Revision.workspace_id == workspace_id, Revision.number == number
    )
    return [
        RevisionLine(
            revision=row.revision, digest=row.digest, commit=row.commit, author=row.author,
            account_id=row.account_id, message=row.message, at=row.at,
            words=[one for one in words.get(row.revision, []) if one.verdict != "none"],
        )
        for row in db.execute(query.order_by(Revision.revision.desc()))
    ]  # fmt: skip


# ── many ────────────────────────────────────────────────────────────────────────────────────────


def _page(
    db: Connection, workspace_id: int, where: Sequence[ColumnElement[bool]], limit: int,
    after: tuple[datetime, int] | None,
) -> Page[ProposalLine]:  # fmt: skip
    total = db.scalar(select(func.count()).select_from(Proposal).where(*where)) or 0
    query = select(Proposal.number, Proposal.updated_at).where(*where)
    if after is not None:
        query = query.where(lists.after(*after))
    order = query.order_by(Proposal.updated_at.desc(), Proposal.number.desc())
    rows = db.execute(order.limit(limit + 1)).all()
    shown = rows[:limit]
    facts = gather(db, workspace_id, [row.number for row in shown]) if shown else {}
    return Page(
        items=[ProposalLine(**_line_fields(facts[row.number])) for row in shown],
        next=lists.cursor(shown[-1].updated_at, shown[-1].number) if len(rows) > limit else None,
        total=total,
    )


def _line_fields(facts: Facts) -> dict[str, Any]:
    row = facts.row
    return {
        "number": row.number, "title": row.title, "why": row.why, "state": row.state,
        "state_now": state_now(facts), "sentence": sentence(facts), "target": row.target,
        "revision": row.revision, "digest": facts.digest, "author": row.author,
        "account_id": row.account_id, "created_at": row.created_at, "updated_at": row.updated_at,
        "closed_by": row.closed_by, "names": [one.new_name or one.name for one in facts.items],
        "kinds": [one.kind for one in facts.items], "words": facts.words,
        "comments": facts.comments, "required": facts.required,
    }  # fmt: skip
