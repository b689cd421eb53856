"""What arrives and cannot simply land, as proposals: both texts shown, decided by people."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

import msgspec
from sqlalchemy import select

from hub.db import Database
from hub.errors import Conflict, Invalid, NotFound
from hub.people.models import Account, Member
from hub.people.policy import Actor, WorkspaceRef
from hub.people.rules import folded
from hub.registry.models import Intent
from hub.registry.prompt.document import parse, serialise
from hub.registry.review import proposals
from hub.registry.review.drawing import MOST_ITEMS, Wanted
from hub.registry.review.follow_proposals import LONGEST_TITLE
from hub.registry.writing.arriving import Arrived, Piece
from hub.registry.writing.joining import Told
from hub.registry.writing.publish import Publisher
from hub.sync.remotes.sides import Sides

_MOST_WORDS = 50


class Place(NamedTuple):
    """Where to propose, and in whose name."""

    publisher: Publisher
    database: Database
    workspace: WorkspaceRef
    actor: Actor


async def offer(place: Place, arrived: Arrived, told: Told, tip: str) -> list[int]:
    """Put it up for review; the numbers. Asked twice about one `tip`, they are the same.

    Raises:
        Invalid, Conflict, NotFound: it cannot be a proposal; the sentence says why.
    """
    pieces = [one for one in arrived.pieces if _says_something(one)]
    parts = [pieces[at : at + MOST_ITEMS] for at in range(0, len(pieces), MOST_ITEMS)]
    return [await _one(place, part, told, f"arrive-{tip}-{at}") for at, part in enumerate(parts)]


async def known_here(sides: Sides, told: Told) -> Told:
    """With the addresses of those who could approve it here, and with those who linked."""
    query = select(Account.email).join(Member, Member.account_id == Account.id)
    async with sides.publisher.database.read() as db:
        found = await db.scalars(query.where(Member.workspace_id == sides.workspace.id))
        members = frozenset(map(folded, found))
    return msgspec.structs.replace(told, members=members, linked=await linked_by(sides))


async def linked_by(sides: Sides) -> tuple[tuple[str, str], ...]:
    """Name and address of the people who gave the hub a way in there, as they are called now."""
    query = select(Account.name, Account.email).where(Account.id.in_(sides.state.answers))
    async with sides.publisher.database.read() as db:
        return tuple((row.name, row.email) for row in await db.execute(query.order_by(Account.id)))


async def _one(place: Place, pieces: list[Piece], told: Told, key: str) -> int:
    if (known := await _known(place, key)) is not None:
        return known
    said = told.subjects[0] if len(told.subjects) == 1 else f"Changes from {place.actor.name}"
    title = (said.strip() or f"Changes from {place.actor.name}")[:LONGEST_TITLE]
    why = _why(place, pieces, told)
    try:
        return await _propose(place, title, why, [wanted(one) for one in pieces], key)
    except (Invalid, Conflict, NotFound):
        # What it began from is nothing that was ever saved here: put it beside what is here now.
        fresh = [msgspec.structs.replace(wanted(one), base=None) for one in pieces]
        return await _propose(place, title, why, fresh, key)


async def _propose(place: Place, title: str, why: str, items: list[Wanted], key: str) -> int:
    publisher, database, workspace, actor = place
    made = await proposals.propose(
        publisher, database, workspace, actor=actor, title=title, why=why, items=items,
        request_id=key,
    )  # fmt: skip
    return made.number


async def _known(place: Place, key: str) -> int | None:
    """The proposal that was made of it before."""
    query = select(Intent.answer).where(
        Intent.workspace_id == place.workspace.id,
        Intent.request_id == f"{place.actor.kind}:{key}", Intent.state == "done",
    )  # fmt: skip
    async with place.database.read() as db:
        answer = await db.scalar(query)
    return answer.get("number") if answer else None


def _says_something(one: Piece) -> bool:
    """Files that differ in their form alone are not worth anybody's word."""
    if one.theirs is None or one.base is None or one.new_name:
        return True
    document = parse(one.theirs)
    return not one.held or _hash(serialise(document)) != one.base


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()


def wanted(one: Piece) -> Wanted:
    """What there is to be said here for it to be as it is there."""
    if one.theirs is None:
        return Wanted(kind="delete", name=one.name, base=one.base)
    if one.held is None:
        return Wanted(kind="create", name=one.lands_at, document=parse(one.theirs))
    if one.new_name and one.data is not None and _hash(one.data) == one.base:
        return Wanted(kind="rename", name=one.name, new_name=one.new_name, base=one.base)
    return Wanted(kind="change", name=one.name, document=parse(one.theirs), base=one.base)


def _why(place: Place, pieces: list[Piece], told: Told) -> str:
    lines = [f"This was changed at {place.actor.name}."]
    if len(told.subjects) > 1:
        lines += ["", *(f"- {one[:200]}" for one in told.subjects[:_MOST_WORDS])]
    clashes = [one for one in pieces if one.clash]
    if clashes:
        lines += ["", "Both sides changed:"]
        lines += [f"- {one.name}: {one.clash}" for one in clashes[:_MOST_WORDS]]
    moved = [one for one in pieces if one.new_name and wanted(one).kind != "rename"]
    lines += [f"\n{one.name} was renamed to {one.new_name} there as well." for one in moved]
    authors = told.co_authors()
    return "\n".join(lines) + (f"\n\n{authors}" if authors else "")
