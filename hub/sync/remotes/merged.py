"""Our proposals that were merged over there, as pull requests: known by the revision's own commit,
or (squashed, or put on top anew) by its very contents. Here they go through the same gate."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import select

from hub.errors import HubError, Invalid
from hub.people.policy import Actor
from hub.registry.git.repository import Repository
from hub.registry.prompt import names
from hub.registry.prompt.document import InvalidDocument, parse, serialise
from hub.registry.review import elsewhere, proposals
from hub.registry.review.landing import BroughtTogether
from hub.registry.review.models import Item, Proposal, Revision
from hub.registry.writing.arriving import Arrived, Piece, bring_together
from hub.registry.writing.joining import Told, is_nobody
from hub.sync.remotes.offers import known_here, wanted
from hub.sync.remotes.reading import told_by
from hub.sync.remotes.sides import Again, Sides


class There(NamedTuple):
    """An open proposal of ours that came back merged."""

    number: int
    digest: str
    latest: bool
    """It is the latest revision; what was said since then was not merged there."""
    by: str
    """Who merged it, as far as git says; else empty."""
    pieces: frozenset[str]
    """The prompts of it, by where main has them."""


class _Open(NamedTuple):
    """A revision of an open proposal."""

    number: int
    revision: int
    latest: bool
    commit: str
    digest: str
    items: list[Item]


async def found(
    sides: Sides, judged: Repository, base: str | None, ours: str | None, tip: str
) -> list[There]:
    """Those that are on the way from `ours` to `tip`.

    Raises:
        Again: one was changed over there before it was merged, and has a revision that says so now.
    """
    if not (open_ := await _open(sides)):
        return []
    try:
        arrived = await asyncio.to_thread(bring_together, judged, base, ours, tip)
    except Invalid:  # whatever it is, it is no proposal of ours
        return []
    by_name = {one.name: one for one in arrived.pieces}
    if not (candidates := [one for one in open_ if _all_there(one, by_name)]):
        return []
    without = [f"^{ours}"] if ours else []
    ids = await asyncio.to_thread(judged.run, "rev-list", "--end-of-options", tip, *without)
    new, merged = set(ids.decode("ascii").split()), dict[int, There]()
    for one in candidates:
        same = all(_same(item, by_name[item.name]) for item in one.items)
        if same and one.number not in merged and (sides.state.mirror or one.commit in new):
            by = await asyncio.to_thread(_by, judged, tip, without, one.items)
            places = frozenset(item.name for item in one.items)
            merged[one.number] = There(one.number, one.digest, one.latest, by, places)
    for one in candidates:
        if one.latest and one.commit in new and one.number not in merged:
            told = await asyncio.to_thread(told_by, judged, tip, ours)
            if await _revised(sides, one, by_name, await known_here(sides, told)):
                raise Again
    return [*merged.values()]


async def land(sides: Sides, there: Iterable[There]) -> bool:
    """Merge here what the rules let pass, brought together with what main has; whether any was."""
    done = 0
    for one in there:
        digest = one.digest if one.latest else ""
        while digest:
            try:
                await proposals.merge(
                    sides.publisher, sides.workspace, one.number,
                    actor=_who(sides, one), digest=digest,
                )  # fmt: skip
                done, digest = done + 1, ""
            except BroughtTogether as again:
                digest = str(again.facts["digest"])
            except HubError:  # people must decide
                digest = ""
    return done > 0


async def carry(sides: Sides, there: Iterable[There]) -> list[int]:
    """They say where they were merged, and wait for people here; their numbers."""
    numbers: list[int] = []
    async with sides.publisher.database.write() as db:
        for one in there:
            await elsewhere.note(db, sides.workspace.id, one.number, _who(sides, one).name)
            numbers.append(one.number)
    return numbers


def rest(arrived: Arrived, there: Collection[There]) -> tuple[Piece, ...]:
    """What none of them brought."""
    carried = {name for one in there for name in one.pieces}
    return tuple(one for one in arrived.pieces if one.name not in carried)


def _who(sides: Sides, one: There) -> Actor:
    """Nobody here: so the rules hold in full."""
    place = f"{one.by[:60]} at {sides.name}" if one.by else sides.name
    return Actor(kind="operator", name=place[:120], email="")


async def _open(sides: Sides) -> list[_Open]:
    """The revisions of open proposals, the latest of each first."""
    same = (Revision.workspace_id == Proposal.workspace_id) & (Revision.number == Proposal.number)
    query = (
        select(Proposal.revision.label("last"), Revision.number, Revision.revision,
               Revision.commit, Revision.digest)
        .join(Revision, same)
        .where(Proposal.workspace_id == sides.workspace.id, Proposal.state == "open")
        .order_by(Revision.number, Revision.revision.desc())
    )  # fmt: skip
    async with sides.publisher.database.read() as db:
        rows = list(await db.execute(query))
        numbers = {row.number for row in rows}
        parts = dict[tuple[int, int], list[Item]]()
        items = select(Item).where(
            Item.workspace_id == sides.workspace.id, Item.number.in_(numbers)
        )
        for item in await db.scalars(items):
            parts.setdefault((item.number, item.revision), []).append(item)
    return [
        _Open(
            one.number, one.revision, one.revision == one.last, one.commit, one.digest,
            parts.get((one.number, one.revision), []),
        )
        for one in rows
    ]  # fmt: skip


def _all_there(one: _Open, by_name: dict[str, Piece]) -> bool:
    """Whether each prompt of it is another one there; a release is none of theirs."""
    names_ = {item.name for item in one.items if item.kind != "release"}
    return bool(names_) and len(names_) == len(one.items) and names_ <= by_name.keys()


def _same(item: Item, piece: Piece) -> bool:
    if piece.theirs is None or item.kind == "delete":
        return piece.theirs is None and item.kind == "delete"
    if (piece.new_name or piece.name) != (item.new_name or item.name):
        return False
    said = [piece.theirs]
    with contextlib.suppress(InvalidDocument):  # the same in another form
        said.append(serialise(parse(piece.theirs)))
    return item.hash in {hashlib.sha256(one).hexdigest() for one in said}


async def _revised(sides: Sides, one: _Open, by_name: dict[str, Piece], told: Told) -> bool:
    """Somebody put commits of their own on its branch: one more revision says what they made."""
    note = f"It was changed at {sides.name} before it was merged there.\n\n{told.co_authors()}"
    try:
        made = await proposals.revise(
            sides.publisher, sides.publisher.database, sides.workspace, one.number,
            actor=Actor(kind="operator", name=sides.name[:120], email=""), message=note.strip(),
            items=[wanted(by_name[item.name]) for item in one.items],
            expected_revision=one.revision,
        )  # fmt: skip
        return made.created
    except HubError:  # it becomes a proposal of its own
        return False


def _by(judged: Repository, tip: str, without: list[str], items: list[Item]) -> str:
    """Who merged it: the author of the merge, or whoever committed it, if that is a person."""
    paths = sorted({names.path_of(item.new_name or item.name) for item in items})
    asked = ("log", "-1", "-z", "--first-parent", "--format=%P%n%an%n%ae%n%cn%n%ce")
    said = judged.run(*asked, "--end-of-options", tip, *without, "--", *paths)
    lines = said.decode("utf-8", "replace").rstrip("\0").split("\n")
    if len(lines) != 5:
        return ""
    name, email = lines[1:3] if " " in lines[0] else lines[3:5]
    return "" if is_nobody(email) and " " not in lines[0] else name.strip()
