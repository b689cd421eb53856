"""A push for review: it opens a proposal, or makes another revision of the one that it is about.

proposals/<number>   that one, whoever opened it
proposals/<word>     the one that the same person pushed to that word, as long as it is open
refs/for/main        the one with the newest commit's Change-Id (Gerrit's hook writes it); else
                     the one whose commits these go on from
"""

from __future__ import annotations

import hashlib
import re

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy import update as changed

from hub.errors import Conflict
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.git.quarantine import Pushed
from hub.registry.review import proposals
from hub.registry.review.drawing import Wanted
from hub.registry.review.follow_proposals import LONGEST_TITLE
from hub.registry.review.models import Item, Proposal, Revision
from hub.registry.review.propose import Made, RevisionMoved
from hub.registry.writing.publish import Publisher
from hub.sync.git.direct import Update
from hub.sync.git.models import PushedProposal

FOR_MAIN = "refs/for/main"
PROPOSALS = "refs/heads/proposals/"
_CHANGE_ID = re.compile(r"^Change-Id: (I[0-9a-f]{40})\s*$", re.M)


class Meant(msgspec.Struct, frozen=True):
    """The proposal that a push is about, and which revision of it the pusher has seen."""

    number: int
    seen: int | None
    """None: whichever is the latest; they named the number."""


class NotSeen(Conflict):
    """Somebody else has made a revision since the last push."""

    def __init__(self, moved: RevisionMoved, number: int) -> None:
        said = moved.sentence.partition(" Nothing was overwritten")[0]
        super().__init__(
            f"{said} Nothing was overwritten; look at it first. To put yours in its place: "
            f"{again(number)}"
        )


def again(number: int) -> str:
    return f"git push origin HEAD:{PROPOSALS}{number}"


async def take(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, update: Update, pushed: Pushed,
    url: str,
) -> list[str]:  # fmt: skip
    """Propose it; what the pusher reads.

    Raises:
        HubError: nothing was changed; the sentence says why, and what to do.
    """
    require(actor, Need.PROPOSE, workspace.id)
    called, known = _names(update, pushed)
    meant = await _meant(publisher, workspace, actor, update, known)
    if meant is None:
        made = await _open(publisher, workspace, actor, update, pushed)
    else:
        made = await _revise(publisher, workspace, actor, update, pushed, meant)
    await _remember(publisher, workspace, actor, [*called, _commit(update.new)], made)
    address = f"{url}/{workspace.slug}/proposals/{made.number}"
    if not made.created:
        return [f"Proposal {made.number} says that already:", address]
    if meant is None:
        more = "For another revision of it, push there again."
        if update.ref == FOR_MAIN:
            more = f"For another revision of it: {again(made.number)}"
        return [f"Proposal {made.number} is open:", address, more]
    more = await _about(publisher, workspace, actor, made)
    if update.ref == FOR_MAIN:
        more.append(f"For a proposal of its own: git push origin HEAD:{PROPOSALS}ANOTHER-NAME")
    return [f"Proposal {made.number} has revision {made.revision}:", address, *more]


async def _open(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, update: Update, pushed: Pushed
) -> Made:
    subject, body = _words(pushed, actor)
    place = (publisher, publisher.database, workspace)
    request = once = _once(update, pushed, None)
    while True:
        made = await proposals.propose(
            *place, actor=actor, title=subject, why=body, items=pushed.wanted, request_id=request
        )
        async with publisher.database.read() as db:
            if (await db.get_one(Proposal, (workspace.id, made.number))).state == "open":
                return made
        request = f"{once}-{made.number}"  # that one was closed since


async def _revise(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, update: Update, pushed: Pushed,
    meant: Meant,
) -> Made:  # fmt: skip
    items = await _same_again(publisher, workspace, meant.number, pushed)
    request = None if meant.seen is None else _once(update, pushed, meant)
    try:
        return await proposals.revise(
            publisher, publisher.database, workspace, meant.number, actor=actor, items=items,
            expected_revision=meant.seen, request_id=request,
            message="\n\n".join(filter(None, _words(pushed, actor))),
        )  # fmt: skip
    except RevisionMoved as moved:
        raise NotSeen(moved, meant.number) from moved


def _words(pushed: Pushed, actor: Actor) -> tuple[str, str]:
    """A title, and why. Whoever wrote the commits is an author, too, and does not approve them."""
    others = [
        f"Co-authored-by: {name} <{email}>"
        for name, email in pushed.authors
        if email and email.lower() != actor.email.lower()
    ]
    subject = pushed.subject[:LONGEST_TITLE] or f"Change {pushed.wanted[0].name}"
    return subject, "\n\n".join(filter(None, (pushed.body, "\n".join(others))))


def _once(update: Update, pushed: Pushed, meant: Meant | None) -> str:
    """The same for the same push: one that is sent again, its answer lost, is done once."""
    what = [(one.kind, one.name, one.base, one.new_name) for one in pushed.wanted]
    about = (update.new, what) if meant is None else (update.new, what, meant.number, meant.seen)
    return f"push-{hashlib.sha256(repr(about).encode()).hexdigest()[:32]}"


async def _same_again(
    publisher: Publisher, workspace: WorkspaceRef, number: int, pushed: Pushed
) -> list[Wanted]:
    """A new prompt keeps the id that an earlier revision gave it: its file need not say one."""
    query = (
        select(Item.name, Item.prompt_id)
        .where(Item.workspace_id == workspace.id, Item.number == number, Item.kind == "create")
        .order_by(Item.revision)
    )
    async with publisher.database.read() as db:
        ids = {row.name: row.prompt_id for row in await db.execute(query)}
    return [
        msgspec.structs.replace(one, prompt_id=ids.get(one.name))
        if one.kind == "create" and one.document and one.document.id is None
        else one
        for one in pushed.wanted
    ]


# ── which proposal a push is about ──────────────────────────────────────────────────────────────


def _names(update: Update, pushed: Pushed) -> tuple[list[str], list[str]]:
    """What this push calls its proposal; and what an earlier one may have called the same."""
    word = update.ref.removeprefix(PROPOSALS)
    if word != update.ref:
        name = [] if _number(update) else [f"proposals/{word}"]
        return name, name
    if found := _CHANGE_ID.findall(pushed.body):
        return found[-1:], found[-1:]
    return [], [_commit(one) for one in pushed.commits]


def _commit(id: str) -> str:
    return f"commit {id}"


def _number(update: Update) -> int | None:
    word = update.ref.removeprefix(PROPOSALS)
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None


async def _meant(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, update: Update, names: list[str]
) -> Meant | None:
    if (number := _number(update)) is not None:
        return Meant(number, None)
    query = (
        select(PushedProposal.number, PushedProposal.revision)
        .join(
            Proposal,
            (Proposal.workspace_id == PushedProposal.workspace_id)
            & (Proposal.number == PushedProposal.number),
        )
        .where(*_mine(workspace, actor), PushedProposal.name.in_(names), Proposal.state == "open")
        .order_by(PushedProposal.number.desc(), PushedProposal.revision.desc())
    )
    async with publisher.database.read() as db:
        found = (await db.execute(query.limit(1))).first()
    return Meant(found.number, found.revision) if found else None


async def _remember(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, names: list[str], made: Made
) -> None:
    """So that the next push finds it. Dying before this, the same push finds it by `_once`."""
    its = {"number": made.number, "revision": made.revision}
    named = (PushedProposal.number == made.number, PushedProposal.name.not_like("commit %"))
    async with publisher.database.write() as db:
        await db.execute(
            changed(PushedProposal).where(*_mine(workspace, actor), *named).values(its)
        )
        for name in names:
            key = {"workspace_id": workspace.id, "who": _who(actor), "name": name}
            await db.merge(PushedProposal(**key | its))


def _mine(workspace: WorkspaceRef, actor: Actor) -> tuple[ColumnElement[bool], ...]:
    return (PushedProposal.workspace_id == workspace.id, PushedProposal.who == _who(actor))


def _who(actor: Actor) -> str:
    return str(actor.account_id or actor.key_id)


async def _about(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, made: Made
) -> list[str]:
    """What it is called, and whose words do not stand there any more, if not one's own."""
    async with publisher.database.read() as db:
        title = (await db.get_one(Proposal, (workspace.id, made.number))).title
        before = await db.get_one(Revision, (workspace.id, made.number, made.revision - 1))
    if before.author_email.lower() == actor.email.lower():
        return [title]
    old = f"It takes the place of revision {before.revision} by {before.author}, kept there too."
    return [title, old]
