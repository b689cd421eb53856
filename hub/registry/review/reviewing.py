"""What people say of a proposal: approve, ask for a change, withdraw, decline, reopen, watch.

A judgement may rest on it, so each raises the workspace's epoch first: a merge that was judged
before and has not moved git yet is judged again, and one that is moving git just now is waited for.
What was decided goes into git as well (`keeping`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from sqlalchemy import Connection, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Conflict, Forbidden, Invalid
from hub.people import rules_store
from hub.people.models import Member
from hub.people.policy import Actor, Need, WorkspaceRef, allows, require
from hub.people.rules import counts, folded
from hub.registry.indexing.ledger import Ledger
from hub.registry.prompt.document import parse
from hub.registry.prompt.hidden import find_hidden
from hub.registry.review.deed import changing, checked_body, here, note, set_, watch, wrote
from hub.registry.review.facts import gather
from hub.registry.review.follow_proposals import HeldProposal
from hub.registry.review.keeping import deciding
from hub.registry.review.merging import StaleReview
from hub.registry.review.models import Proposal, Review, Watcher
from hub.registry.review.propose import Closed
from hub.registry.review.record import NoSuchProposal
from hub.registry.writing.publish import Publisher


class HiddenCharacters(Invalid):
    """The change brings characters that nobody can see; approve them knowingly."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"This change brings {count} hidden character{'' if count == 1 else 's'}. Look at them "
            "and tick the box below, then approve.",
            hidden=count,
        )


async def review(
    publisher: Publisher, workspace: WorkspaceRef, number: int, *, actor: Actor, digest: str,
    verdict: Literal["approve", "changes", "none"], body: str = "", saw_hidden: bool = False,
) -> None:  # fmt: skip
    """Approve what `digest` names, ask for a change of it, or take one's word back.

    Raises:
        StaleReview: the latest revision is another.
        Forbidden: an author approves their own work.
        HiddenCharacters: they must be ticked off first.
    """
    require(actor, Need.REVIEW, workspace.id)
    body = checked_body(body)
    if verdict not in ("approve", "changes", "none"):
        raise Invalid("A review approves, asks for a change, or takes your word back.")
    async with deciding(publisher, workspace, number, actor) as (db, held):
        if digest != held.digest:
            raise StaleReview(held)
        if held.state != "open":
            raise Closed(number, held.state)
        if verdict == "approve":
            await _check_may_approve(db, workspace, held, actor, saw_hidden=saw_hidden)
        said = Review(
            workspace_id=workspace.id, number=number, revision=held.revision, digest=digest,
            account_id=actor.account_id or 0, name=actor.name, email=actor.email,
            verdict=verdict, body=body, at=now(),
            stands=verdict == "changes" and await _counts(db, workspace.id, number, actor),
        )  # fmt: skip
        db.add(said)
        await db.flush()
        await watch(db, workspace, number, {actor.account_id or 0})
        await note(
            db, workspace, held, actor, "proposal.reviewed", verdict=verdict, digest=digest,
            revision=held.revision, review=said.id,
        )  # fmt: skip


async def _counts(db: AsyncSession, workspace_id: int, number: int, actor: Actor) -> bool:
    """Whether the rules count this person's word now: then what they ask for stands, whatever
    becomes of their role, their groups or the rules."""
    me = actor.account_id or 0

    def read(connection: Connection) -> bool:
        facts = gather(connection, workspace_id, [number])[number]
        who = rules_store.people_now(connection, workspace_id, [me]).get(me)
        return who is not None and counts(facts.case, who)

    return await db.run_sync(lambda session: read(session.connection()))


async def _check_may_approve(
    db: AsyncSession, workspace: WorkspaceRef, held: HeldProposal, actor: Actor, *,
    saw_hidden: bool,
) -> None:  # fmt: skip
    if actor.account_id in held.writers or folded(actor.email) in map(folded, held.writer_emails):
        raise Forbidden(
            "You helped to write this proposal, so somebody else has to approve it. Ask one of "
            "the reviewers."
        )
    if not saw_hidden and (count := await db.run_sync(
        lambda session: _hidden(session.connection(), workspace.id, held)
    )):  # fmt: skip
        raise HiddenCharacters(count)


def _hidden(db: Connection, workspace_id: int, held: HeldProposal) -> int:
    """How many characters that cannot be seen the change brings."""
    ledger = Ledger(workspace_id)
    ledger.load_contents(db, {part.base_hash for part in held.parts if part.base_hash})
    count = 0
    for part in held.parts:
        if part.blob and part.kind in ("create", "change"):
            base = ledger.contents.get(part.base_hash or "")
            new = parse(held.files[part.blob])
            count += sum(one.added for one in find_hidden(parse(base) if base else None, new))
    return count


async def withdraw(
    publisher: Publisher, workspace: WorkspaceRef, number: int, *, actor: Actor, reason: str = ""
) -> None:
    """The author takes it back; it can be reopened."""
    require(actor, Need.PROPOSE, workspace.id)
    async with deciding(publisher, workspace, number, actor) as (db, held):
        if not (wrote(held, actor) or allows(actor, Need.ADMIN, workspace.id)):
            raise Forbidden(
                f"Proposal {number} is {held.author}'s to withdraw. You can decline it, saying why."
            )
        await _close(db, workspace, held, actor, "withdrawn", checked_body(reason))


async def decline(
    publisher: Publisher, workspace: WorkspaceRef, number: int, *, actor: Actor, reason: str
) -> None:
    """Say no, and why; it can be reopened."""
    require(actor, Need.SAVE, workspace.id)
    if not (reason := checked_body(reason)):
        raise Invalid("Say why you decline it; the author will read it.")
    async with deciding(publisher, workspace, number, actor) as (db, held):
        await _close(db, workspace, held, actor, "declined", reason)


async def _close(
    db: AsyncSession, workspace: WorkspaceRef, held: HeldProposal, actor: Actor,
    state: Literal["withdrawn", "declined"], reason: str,
) -> None:  # fmt: skip
    if held.state != "open":
        raise Closed(held.number, held.state)
    await set_(
        db, workspace, held, state=state, closed_at=now(), closed_by=actor.name,
        close_reason=reason,
    )  # fmt: skip
    await note(db, workspace, held, actor, f"proposal.{state}", reason=reason)


async def reopen(
    publisher: Publisher, workspace: WorkspaceRef, number: int, *, actor: Actor
) -> None:  # fmt: skip
    """Put a declined or withdrawn proposal up again, with its reviews as they were."""
    require(actor, Need.PROPOSE, workspace.id)
    async with deciding(publisher, workspace, number, actor) as (db, held):
        if not (wrote(held, actor) or allows(actor, Need.SAVE, workspace.id)):
            raise Forbidden(f"Proposal {number} is {held.author}'s to reopen.")
        if held.state == "merged":
            raise Closed(number, held.state)
        if held.state == "open":
            raise Conflict(f"Proposal {number} is open already.")
        await set_(
            db, workspace, held, state="open", closed_at=None, closed_by=None, close_reason=None
        )
        await note(db, workspace, held, actor, "proposal.reopened")


async def request_reviewers(
    database: Database, workspace: WorkspaceRef, number: int, account_ids: Collection[int], *,
    actor: Actor,
) -> None:  # fmt: skip
    """Ask these people to review; those who were asked before stay asked."""
    require(actor, Need.PROPOSE, workspace.id)
    wanted = set(account_ids)
    async with changing(database, workspace, number, actor) as (db, held):
        if held.state != "open":
            raise Closed(number, held.state)
        if not (wrote(held, actor) or allows(actor, Need.SAVE, workspace.id)):
            raise Forbidden(f"Proposal {number} is {held.author}'s; they choose who reviews it.")
        members = select(Member.account_id).where(
            Member.workspace_id == workspace.id, Member.account_id.in_(wanted)
        )
        if set(await db.scalars(members)) != wanted:
            raise Invalid("One of the people you asked to review is not a member here any more.")
        asked = select(Watcher.account_id).where(
            *here(Watcher, workspace, number), Watcher.requested.is_(True)
        )
        fresh = sorted(wanted - set(await db.scalars(asked)))
        await watch(db, workspace, number, wanted, requested=True)
        if fresh:
            await note(db, workspace, held, actor, "review.requested", reviewers=fresh)


async def subscribe(
    database: Database, workspace: WorkspaceRef, number: int, *, actor: Actor
) -> None:  # fmt: skip
    """Be told what happens to it."""
    await _listen(database, workspace, number, actor, muted=False)


async def mute(
    database: Database, workspace: WorkspaceRef, number: int, *, actor: Actor
) -> None:  # fmt: skip
    """Hear no more of it, whoever asked for a review."""
    await _listen(database, workspace, number, actor, muted=True)


async def _listen(
    database: Database, workspace: WorkspaceRef, number: int, actor: Actor, *, muted: bool
) -> None:
    require(actor, Need.READ, workspace.id)
    if actor.account_id is None:
        raise Invalid("Only a person can follow a proposal.")
    async with database.write() as db:
        if await db.get(Proposal, (workspace.id, number)) is None:
            raise NoSuchProposal(number)
        await watch(db, workspace, number, {actor.account_id})
        mine = (*here(Watcher, workspace, number), Watcher.account_id == actor.account_id)
        await db.execute(update(Watcher).where(*mine).values(muted=muted))
