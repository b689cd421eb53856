"""What is ours goes there: main, releases, and open proposals as branches; each only from where it
was seen."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from hub.errors import HubError
from hub.registry.git.git_terms import DEPLOY, MAIN, PROPOSALS
from hub.registry.git.repository import Repository
from hub.registry.review.models import Proposal, Revision
from hub.sync.remotes.sides import Again, Sides
from hub.sync.remotes.troubles import Trouble

Moves = dict[str, tuple[str | None, str | None]]
MIRRORED = "proposals/"


async def send(sides: Sides, *, main: bool) -> None:
    """Push what is not there yet; `main`: whether ours holds all that is there.

    Raises:
        Again: something moved there meanwhile.
        Trouble: it was not taken.
    """
    state, moves = sides.state, Moves()
    for ref, branch, may in ((MAIN, state.main, main), (DEPLOY, state.deploy, True)):
        new, old = sides.repository.tip(ref), sides.heads.tips.get(branch)
        if not may or not branch or not new or new == old:
            continue
        if old is None or await asyncio.to_thread(sides.repository.contains, ref, old):
            moves[branch] = (old, new)
        elif ref == MAIN:
            raise Again
        elif not state.held:
            state.held = True
            state.note = (
                f"The branch {branch} at {sides.name} holds releases that were not made here. They "
                "are not taken in, and ours are not sent. Release here instead, and delete that "
                "branch there: it is made anew."
            )
    if moves:
        await _push(sides, moves)
    for branch, (_, new) in moves.items():
        state.agreed["main" if branch == state.main else "deploy"] = str(new)


async def tell_put_back(sides: Sides, tip: str) -> None:
    """Say it where main over there was put back to an older commit of ours: ours goes there again,
    and somebody may have meant to take something back. It is said until main moves here."""
    state, was = sides.state, sides.state.agreed.get("main")
    if was and was != tip and await asyncio.to_thread(sides.repository.contains, was, tip):
        state.agreed["back"] = sides.ours or ""
    if state.agreed.get("back", "") != (sides.ours or ""):
        state.agreed.pop("back", None)
    if "back" in state.agreed and not state.one_way:
        state.note = (
            f"The branch {state.main} at {sides.name} was put back to an older commit, and sent "
            "there again as it is here: that takes nothing back. To do so, revert the commit over "
            "there, or save the older version here."
        )


async def _push(sides: Sides, moves: Moves) -> None:
    try:
        await sides.push(moves)
    except Trouble as trouble:
        if trouble.kind == "moved":
            raise Again from None
        if trouble.kind != "atomic":
            raise
        for branch, move in moves.items():
            await sides.push({branch: move})
    sides.sent({branch: str(new) for branch, (_, new) in moves.items()})


async def mirror(sides: Sides) -> None:
    """Open proposals as branches over there, closed ones taken away. A branch on which somebody
    put commits of their own is left alone."""
    state, moves = sides.state, Moves()
    wanted = await _open(sides) if state.mirror else {}
    there = {one: tip for one, tip in sides.heads.tips.items() if one.startswith(MIRRORED)}
    for branch in sorted({*wanted, *there}):
        old, new = there.get(branch), wanted.get(branch)
        if old != new and (old is None or await _is_ours(sides, branch, old)):
            moves[branch] = (old, new)
    try:
        if moves:
            await sides.push(moves, force=True, atomic=False)
    except Trouble as trouble:
        state.note = state.note or f"Proposals could not be shown there. {trouble.sentence}"


async def _is_ours(sides: Sides, branch: str, tip: str) -> bool:
    """Whether it is a revision of that proposal."""
    revisions = f"{PROPOSALS}{branch.removeprefix(MIRRORED)}/"
    return tip in (await asyncio.to_thread(sides.repository.refs, revisions)).values()


async def _open(sides: Sides) -> dict[str, str]:
    """The commits of open proposals, by their branches."""
    last = (
        (Revision.workspace_id == Proposal.workspace_id) & (Revision.number == Proposal.number)
        & (Revision.revision == Proposal.revision)
    )  # fmt: skip
    query = (
        select(Proposal.number, Proposal.elsewhere, Revision.commit)
        .join(Revision, last)
        .where(Proposal.workspace_id == sides.workspace.id, Proposal.state == "open")
    )
    async with sides.publisher.database.read() as db:
        rows = [(f"{MIRRORED}{row.number}", row) for row in await db.execute(query)]
    # What was merged there, and its branch deleted, is not put there again.
    gone = {branch for branch, row in rows if row.elsewhere and branch not in sides.heads.tips}
    return {branch: row.commit for branch, row in rows if branch not in gone}


async def count(sides: Sides) -> None:
    """How far the sides are apart. What was not kept here was counted when it was looked at, or is
    one at least."""
    state, ours, theirs = sides.state, sides.ours, sides.heads.tips.get(sides.state.main)
    state.ahead = state.behind = 0
    if not ours or theirs in (ours, state.even):
        return
    git, seen = sides.repository, state.stopped or {}
    try:
        state.ahead, state.behind = await apart(git, ours, theirs)
    except HubError:
        if "apart" in seen:
            state.ahead, state.behind = seen["apart"]
            state.ahead += (await apart(git, ours, seen["ours"]))[0]
        elif state.waiting:
            state.ahead, state.behind = await apart(git, ours, str(state.waiting["tip"]))
            state.behind += 1
        else:
            state.behind = 1


async def apart(git: Repository, ours: str | None, theirs: str | None) -> tuple[int, int]:
    """How many commits each has that the other has not.

    Raises:
        HubError: one of them is not here.
    """
    both = [one for one in (ours, theirs) if one]
    spec = ("--left-right", "--count", "--end-of-options", "...".join(both))
    said = await asyncio.to_thread(git.run, "rev-list", *spec)
    left, right = map(int, said.split())
    if len(both) == 2:
        return left, right
    return (left + right, 0) if ours else (0, left + right)
