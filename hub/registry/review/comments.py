"""Talking about a proposal: remarks on words, on a place, on the whole; answers.

Everybody who may see a proposal may talk about it, while it is open and afterwards. A remark keeps
the words it is about (`anchors`), so that it stays at them when a newer revision moves them.
"""

from __future__ import annotations

import re
from datetime import datetime

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.outbox import announce
from hub.people.models import Account, Member
from hub.people.policy import Actor, Need, allows, require
from hub.registry.review import remarks
from hub.registry.review.anchors import OLD, Anchor, make, texts_before_and_after
from hub.registry.review.models import Comment, Proposal, Revision, Watcher
from hub.registry.review.record import NoSuchProposal, items_of

MOST = 2_000
"""Remarks on one proposal."""
PARTS = ("settings", "variables", "tools", "answer", "other")
"""Places without a running text: a remark is about all of it."""

_PLACE = re.compile(rf"({OLD})?(title|description|messages/[0-9]{{1,4}})|{'|'.join(PARTS)}")


class On(msgspec.Struct, frozen=True, kw_only=True):
    """What a remark is about: words of a text, a place (no words), or a prompt (no place)."""

    prompt_id: str
    place: str | None = None
    quote: str = ""
    start: int | None = None
    revision: int | None = None
    """The one that was on the screen; None: the latest."""


class NoSuchRemark(NotFound):
    """It is not there, or belongs to another proposal."""

    def __init__(self) -> None:
        super().__init__("There is no such remark on this proposal.")


async def add(
    db: AsyncSession, workspace_id: int, number: int, *, actor: Actor, body: str,
    on: On | None = None, parent_id: int | None = None, at: datetime | None = None,
) -> int:  # fmt: skip
    """Say something; returns the remark's id. An answer is about what its thread is about.

    Raises:
        Invalid: nothing was typed, too much was, or the words are not in that text.
    """
    account_id = speaker(actor, workspace_id)
    body = remarks.clean(body)
    proposal = await _proposal(db, workspace_id, number)
    parent = await _thread(db, workspace_id, number, parent_id) if parent_id else None
    await _room_for_more(db, workspace_id, number)
    moment = at or now()
    said = Comment(
        workspace_id=workspace_id, number=number, revision=proposal.revision, body=body,
        parent_id=parent.id if parent else None, account_id=account_id, author=actor.name,
        created_at=moment,
    )  # fmt: skip
    if on and not parent:
        await _attach(db, said, proposal, on)
    db.add(said)
    await db.flush()
    called = await _called(db, workspace_id, body)
    await _watch(db, workspace_id, number, [account_id, *called])
    await _announce(db, proposal, said, actor, moment, [one for one in called if one != account_id])
    return said.id


async def edit(
    db: AsyncSession, workspace_id: int, number: int, comment_id: int, *, actor: Actor, body: str
) -> None:
    """Say it better; only one's own. Whoever is called for the first time hears of it."""
    account_id = speaker(actor, workspace_id)
    body = remarks.clean(body)
    said = await _comment(db, workspace_id, number, comment_id)
    if said.account_id != account_id:
        raise Forbidden(f"Only {said.author} can change what {said.author} wrote. Answer it.")
    if body == said.body:
        return
    before = set(await _called(db, workspace_id, said.body))
    fresh = [one for one in await _called(db, workspace_id, body) if one not in before]
    moment = now()
    said.body, said.edited_at = body, moment
    await _watch(db, workspace_id, number, fresh)
    proposal = await _proposal(db, workspace_id, number)
    called = [one for one in fresh if one != account_id]
    await _announce(db, proposal, said, actor, moment, called, edited=True)


async def resolve(
    db: AsyncSession, workspace_id: int, number: int, comment_id: int, *, actor: Actor,
    resolved: bool = True,
) -> None:  # fmt: skip
    """Close a thread, or open it again.

    Raises:
        Forbidden: neither the thread nor the proposal is theirs, and they only read here.
    """
    account_id = speaker(actor, workspace_id)
    said = await _comment(db, workspace_id, number, comment_id)
    if said.parent_id is not None:
        raise Invalid("An answer is resolved with the remark that it belongs to.")
    proposal = await _proposal(db, workspace_id, number)
    if not may_resolve(actor, workspace_id, said.account_id, proposal.account_id):
        raise Forbidden(
            f"{said.author}, {proposal.author} or somebody who may save here can resolve this."
        )
    if bool(said.resolved_at) == resolved:
        return
    said.resolved_at, said.resolved_by = (now(), actor.name) if resolved else (None, None)
    await _touch(db, proposal, now())
    announce(
        db, "proposal.talk-resolved" if resolved else "proposal.talk-reopened",
        workspace_id=workspace_id, subject=_subject(proposal), number=number, by=actor.name,
        account_id=account_id, comment=said.id,
    )  # fmt: skip


def may_resolve(actor: Actor, workspace_id: int, starter: int | None, author: int | None) -> bool:
    """Who began the thread, who wrote the proposal, and whoever may save."""
    mine = actor.account_id is not None and actor.account_id in (starter, author)
    return mine or allows(actor, Need.SAVE, workspace_id)


# ── what they lean on ───────────────────────────────────────────────────────────────────────────


async def members(db: AsyncSession, workspace_id: int) -> remarks.Callable:
    """Whom a remark here can call."""
    query = (
        select(Account.id, Account.name, Account.email)
        .join(Member, Member.account_id == Account.id)
        .where(Member.workspace_id == workspace_id, Account.disabled_at.is_(None))
    )
    return remarks.callable_by(remarks.Member(*row) for row in (await db.execute(query)).all())


def speaker(actor: Actor, workspace_id: int) -> int:
    """Whose remark it is.

    Raises:
        Forbidden: an app's key has nothing to say.
    """
    require(actor, Need.READ, workspace_id)
    if actor.account_id is None:
        raise Forbidden("Only people talk here; use a person's own key.")
    return actor.account_id


async def _proposal(db: AsyncSession, workspace_id: int, number: int) -> Proposal:
    found = await db.get(Proposal, (workspace_id, number))
    if found is None:
        raise NoSuchProposal(number)
    return found


async def _comment(db: AsyncSession, workspace_id: int, number: int, comment_id: int) -> Comment:
    said = await db.get(Comment, comment_id)
    if said is None or said.workspace_id != workspace_id or said.number != number:
        raise NoSuchRemark
    return said


async def _thread(db: AsyncSession, workspace_id: int, number: int, comment_id: int) -> Comment:
    """The remark that began the thread: an answer to an answer stands in the same one."""
    said = await _comment(db, workspace_id, number, comment_id)
    if said.parent_id is not None:
        said = await _comment(db, workspace_id, number, said.parent_id)
    return said


async def _room_for_more(db: AsyncSession, workspace_id: int, number: int) -> None:
    query = select(Comment.id).where(Comment.workspace_id == workspace_id, Comment.number == number)
    if (await db.scalar(query.order_by(Comment.id).offset(MOST - 1).limit(1))) is not None:
        raise Conflict(f"A proposal holds {MOST:,} remarks at most. Go on in a new proposal.")


async def _attach(db: AsyncSession, said: Comment, proposal: Proposal, on: On) -> None:
    """Note down what it is about, as it stands in the revision that was on the screen."""
    revision = on.revision or proposal.revision
    if await db.get(Revision, (proposal.workspace_id, proposal.number, revision)) is None:
        raise Invalid(f"This proposal has no revision {revision}.")
    items = await items_of(db, proposal.workspace_id, proposal.number, revision)
    item = next((one for one in items if one.prompt_id == on.prompt_id), None)
    if item is None:
        raise Invalid("This proposal does not change that prompt.")
    said.revision, said.prompt_id = revision, on.prompt_id
    if on.place is None:
        return
    if not _PLACE.fullmatch(on.place):
        raise Invalid("A remark cannot be put there.")
    said.place = on.place
    anchor = _anchor(texts_before_and_after(item.old, item.new), on)
    said.quote, said.start = anchor.quote, anchor.start if anchor.quote else None
    said.before, said.after = anchor.before, anchor.after


def _anchor(texts: dict[str, str], on: On) -> Anchor:
    place = on.place or ""
    if place in PARTS or not on.quote.strip():
        if place not in PARTS and place not in texts:
            raise Invalid("There is no such part in this prompt.")
        return Anchor(place=place)
    anchor = make(texts, place, on.quote, on.start)
    if not texts.get(place, "").startswith(anchor.quote, anchor.start):
        raise Invalid(
            "These words are not in that text. Copy them exactly as they stand there, or leave "
            "them out."
        )
    return anchor


async def _called(db: AsyncSession, workspace_id: int, body: str) -> list[int]:
    return remarks.mentioned(body, await members(db, workspace_id)) if "@" in body else []


async def _watch(db: AsyncSession, workspace_id: int, number: int, who: list[int]) -> None:
    """They hear of what comes next, unless they said that they do not want to."""
    there = select(Watcher.account_id).filter_by(workspace_id=workspace_id, number=number)
    known = set(await db.scalars(there))
    for account_id in dict.fromkeys(who):
        if account_id in known:
            continue
        row = {"workspace_id": workspace_id, "number": number, "account_id": account_id}
        try:
            async with db.begin_nested():
                await db.execute(
                    insert(Watcher).values(**row, requested=False, muted=False, seen_revision=0)
                )
        except IntegrityError:
            continue  # somebody else's transaction was first, with the same


async def _touch(db: AsyncSession, proposal: Proposal, moment: datetime) -> None:
    here = (Proposal.workspace_id == proposal.workspace_id, Proposal.number == proposal.number)
    later = max(proposal.updated_at, moment)
    await db.execute(update(Proposal).where(*here).values(updated_at=later))


async def _announce(
    db: AsyncSession, proposal: Proposal, said: Comment, actor: Actor, moment: datetime,
    called: list[int], *, edited: bool = False,
) -> None:  # fmt: skip
    await _touch(db, proposal, moment)
    announce(
        db, "proposal.commented", workspace_id=proposal.workspace_id,
        subject=_subject(proposal), number=proposal.number, title=proposal.title, by=actor.name,
        account_id=actor.account_id, comment=said.id, answers=said.parent_id, mentioned=called,
        edited=edited,
    )  # fmt: skip


def _subject(proposal: Proposal) -> str:
    return f"#{proposal.number} {proposal.title}"[:255]
