r"""`git push`: what git's client says and hears; no push moves a ref itself.

    commands, pack --> quarantine --> what it wants changed --> proposals.propose --> its address
                                   \-> the commits themselves --> arrivals.arrive (`direct`)

Both are ways that people have in the browser, so the same policy, rules and checks hold.
`refs/for/main` and `proposals/<any word>` open a proposal, `proposals/<number>` revises it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator

import msgspec
from sqlalchemy import select

from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.git.quarantine import Pushed, Quarantine, checked_id
from hub.registry.review import proposals
from hub.registry.review.drawing import Wanted
from hub.registry.review.follow_proposals import LONGEST_TITLE
from hub.registry.review.models import Item, Proposal
from hub.registry.review.propose import Made
from hub.registry.writing.publish import Publisher
from hub.sync.git import direct
from hub.sync.git import packets as packets
from hub.sync.git.direct import NEEDS, NOBODY, WAY, Update
from hub.sync.git.unpack import unpack

FOR_MAIN = "refs/for/main"
PROPOSALS = "refs/heads/proposals/"
AGENT = b"agent=prompthub"
"""By which another hub knows that it speaks to one."""
CAN = b"report-status side-band-64k quiet delete-refs ofs-delta object-format=sha1 " + AGENT
"""Deletions are refused, with a sentence: a git that may not ask for one shows none."""
MOST_ASKED = 2 << 20
"""Bytes of what a push asks for: some 20,000 branches and tags, which are told apart."""
_WORD = re.compile(r"(?!.*(\.\.|\.lock(/|$)))[\w#+][\w.#+-]*(/[\w#+][\w.#+-]*)*(?<!\.)", re.ASCII)
"""What git lets a branch be called, and less."""


def advertised(tips: dict[str, str]) -> bytes:
    """What a push may stand on: the ends of main and of deploy."""
    lines = [f"{tip} {ref}".encode() for ref, tip in sorted(tips.items())]
    first, *others = lines or [f"{NOBODY} capabilities^{{}}".encode()]
    said = [packets.packet(first + b"\0" + CAN + b"\n")]
    said += [packets.packet(one + b"\n") for one in others]
    service = packets.packet(b"# service=git-receive-pack\n")
    return b"".join([service, packets.FLUSH, *said, packets.FLUSH])


async def receive(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, parts: AsyncIterator[bytes],
    url: str,
) -> bytes:  # fmt: skip
    """Judge a push, and say in git's words what came of it.

    Raises:
        HubError: it was not even a push; no answer of git's can be given.
    """
    read = packets.Packets(parts)
    lines = await read.until_flush(MOST_ASKED)
    if not lines:  # git asks whether it may, before it sends much
        return b""
    updates, can = _updates(lines)
    repository = await publisher.ensure(workspace)
    try:
        update = _one(updates)
        direct.check(repository, update, workspace, actor)
        with await asyncio.to_thread(Quarantine, repository) as quarantine:
            await unpack(repository, quarantine, read)
            if update.ref in NEEDS:
                said = await direct.take(publisher, workspace, actor, update, quarantine)
            else:
                pushed = await asyncio.to_thread(quarantine.arrived, update.new)
                made = await _propose(publisher, workspace, actor, update, pushed)
                said = _told(made, f"{url}/{workspace.slug}/proposals/{made.number}")
    except HubError as refused:
        with contextlib.suppress(HubError):  # git listens once it has said everything
            async for _ in read.rest():
                pass
        return _report(updates, can, refused.sentence, [])
    return _report(updates, can, "", said)


def _told(made: Made, address: str) -> list[str]:
    if not made.created:
        return [f"Proposal {made.number} says that already:", address]
    if made.revision > 1:
        return [f"Proposal {made.number} has revision {made.revision}:", address]
    ref = f"{PROPOSALS}{made.number}"
    again = f"For another revision of it: git push origin HEAD:{ref}"
    return [f"Proposal {made.number} is open:", address, again]


def _updates(lines: list[bytes]) -> tuple[list[Update], frozenset[bytes]]:
    found: list[Update] = []
    can: frozenset[bytes] = frozenset()
    for line in lines:
        said, _, capabilities = line.partition(b"\0")
        can |= frozenset(capabilities.split())
        words = said.decode("utf-8", "replace").rstrip("\n").split(" ", 2)
        if words[0] == "shallow":  # whether enough came is seen from what came
            continue
        if len(words) != 3 or not words[2].isprintable():
            raise Invalid(packets.NOT_GIT)
        found.append(Update(checked_id(words[0]), checked_id(words[1]), words[2]))
    if not found:
        raise Invalid(packets.NOT_GIT)
    return found, can


def _one(updates: list[Update]) -> Update:
    """The one thing that is pushed.

    Raises:
        Invalid: it is not one, or not something that a push can do.
    """
    if len(updates) > 1:
        raise Invalid(f"Push one branch at a time. {WAY}")
    one = updates[0]
    if one.new == NOBODY:
        raise Invalid("Nothing can be deleted by a push. Close a proposal in the browser.")
    if one.ref in (FOR_MAIN, *NEEDS):
        return one
    word = one.ref.removeprefix(PROPOSALS)
    if word != one.ref and len(word) <= 200 and _WORD.fullmatch(word):
        return one
    raise Invalid(f"This hub keeps no branches or tags of its users. {WAY}")


# ── what comes of it ────────────────────────────────────────────────────────────────────────────


async def _propose(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, update: Update, pushed: Pushed
) -> Made:
    require(actor, Need.PROPOSE, workspace.id)
    body = "\n\n".join(filter(None, (pushed.body, _co_authors(pushed, actor))))
    subject = pushed.subject[:LONGEST_TITLE] or f"Change {pushed.wanted[0].name}"
    place = (publisher, publisher.database, workspace)
    number = update.ref.removeprefix(PROPOSALS)
    if number.isascii() and number.isdigit() and len(number) < 10:
        items = await _same_again(publisher, workspace, int(number), pushed)
        return await proposals.revise(
            *place, int(number), actor=actor, items=items, expected_revision=None,
            message="\n\n".join(filter(None, (subject, body))),
        )  # fmt: skip
    again = once = _once(update, pushed)
    while True:
        made = await proposals.propose(
            *place, actor=actor, title=subject, why=body, items=pushed.wanted, request_id=again
        )
        if await _is_open(publisher, workspace, made.number):
            return made
        again = f"{once}-{made.number}"  # that one was closed since


def _once(update: Update, pushed: Pushed) -> str:
    """The same for the same push: one that is sent again, its answer lost, opens no other."""
    what = [(one.kind, one.name, one.base, one.new_name) for one in pushed.wanted]
    return f"push-{hashlib.sha256(repr((update.new, what)).encode()).hexdigest()[:32]}"


async def _is_open(publisher: Publisher, workspace: WorkspaceRef, number: int) -> bool:
    async with publisher.database.read() as db:
        return (await db.get_one(Proposal, (workspace.id, number))).state == "open"


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


def _co_authors(pushed: Pushed, actor: Actor) -> str:
    """Whoever wrote the commits is an author, too, and does not approve them."""
    others = [
        f"Co-authored-by: {name} <{email}>"
        for name, email in pushed.authors
        if email and email.lower() != actor.email.lower()
    ]
    return "\n".join(others)


def _report(updates: list[Update], can: frozenset[bytes], wrong: str, said: list[str]) -> bytes:
    """The answer, and beside it what the person reads; `wrong`: why nothing was done."""
    why = " ".join(wrong.split())
    lines = [f"ng {one.ref} {why}" if why else f"ok {one.ref}" for one in updates]
    report = b"".join(
        packets.packet(line.encode("utf-8", "replace")[:1000] + b"\n")
        for line in ["unpack ok", *lines]
    )
    report += packets.FLUSH
    if b"side-band-64k" not in can:
        return report
    spoken = packets.told(["", *(said or [wrong]), ""])
    return packets.beside(2, spoken) + packets.beside(1, report) + packets.FLUSH
