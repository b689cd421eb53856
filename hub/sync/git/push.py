r"""`git push`: what git's client says and hears; no push moves a ref itself.

    commands, pack --> quarantine --> what it wants changed --> proposals.propose --> its address
                                   \-> the commits themselves --> arrivals.arrive (`direct`)

Both are ways that people have in the browser, so the same policy, rules and checks hold.
What `refs/for/main` and `proposals/…` come to: `proposing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

from hub.errors import HubError, Invalid
from hub.people.policy import Actor, WorkspaceRef
from hub.registry.git.quarantine import Quarantine, checked_id
from hub.registry.writing.publish import Publisher
from hub.sync.git import direct, proposing
from hub.sync.git import packets as packets
from hub.sync.git.direct import NEEDS, NOBODY, WAY, Update
from hub.sync.git.proposing import FOR_MAIN, PROPOSALS
from hub.sync.git.unpack import unpack

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
                said = await proposing.take(publisher, workspace, actor, update, pushed, url)
    except HubError as refused:
        with contextlib.suppress(HubError):  # git listens once it has said everything
            async for _ in read.rest():
                pass
        return _report(updates, can, refused.sentence, [])
    return _report(updates, can, "", said)


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
