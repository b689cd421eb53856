"""The pack of a push, into a quarantine: read by a git that can do no more harm than take its time.

body of the request --> git index-pack, bounded and checked --> `hub.registry.git.quarantine`
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import struct
import sys

from hub.errors import Invalid, Unavailable
from hub.registry.git.children import Child
from hub.registry.git.gits import stream
from hub.registry.git.quarantine import Quarantine
from hub.registry.git.repository import Repository
from hub.sync.git import packets as packets
from hub.sync.git import serving as serving

log = logging.getLogger("hub")

LARGEST_PACK = 16 << 20
MOST_OBJECTS = 20_000
MOST_MEMORY = 1 << 30
MOST_SECONDS = 30
"""Of one processor, for a pack of the largest size; a made-up one could take hours."""
_SETTINGS = (
    ("core.bigFileThreshold", "2m"),  # larger contents are checked in pieces, not held
    ("core.packedGitWindowSize", "32m"), ("core.packedGitLimit", "256m"),
    ("pack.threads", "1"), ("core.hooksPath", "/dev/null"), ("core.fsync", "none"),
)  # fmt: skip


async def unpack(repository: Repository, quarantine: Quarantine, read: packets.Packets) -> None:
    """Have git read the pack into the quarantine, and look at every object.

    Raises:
        Invalid: git finds fault with one, or there are too many.
        Unavailable: there is no room.
    """
    head = await read.peek(12)
    if len(head) < 12 or head[:4] != b"PACK":
        raise Invalid(packets.NOT_GIT)
    if (count := struct.unpack(">I", head[8:12])[0]) > MOST_OBJECTS:
        raise Invalid(f"A push may bring {MOST_OBJECTS:,} objects at most; this is {count:,}.")
    words = (
        f"--git-dir={repository.path}", "index-pack", "--stdin", "--fix-thin", "--fsck-objects",
        f"--max-input-size={LARGEST_PACK}",
    )  # fmt: skip
    started = await stream(words, settings=_SETTINGS, given=quarantine.given)
    async with serving.ended(started) as child:
        _bound(child)
        async with asyncio.timeout(10 * MOST_SECONDS):
            _, _, complaint = await asyncio.gather(
                serving.feed(child, read.rest()), _drained(child), serving.said(child)
            )
            code = await child.wait()
    if code == 0:
        return
    if code < 0 and not complaint:
        raise Invalid("Unpacking this takes more than a push may take. Push less at a time.")
    log.info("a push to %s was not unpacked (%s): %a", repository.path.name, code, complaint)
    if "No space left" in complaint:
        raise Unavailable("The hub's disk is full, so this was not taken. Nothing was changed.")
    raise Invalid(f"git does not accept what was pushed: {ascii(_why(complaint))[1:-1][:200]}")


def _why(complaint: str) -> str:
    """Which object it is about, if git says so; else its last word."""
    lines = complaint.splitlines() or [""]
    named = [one for one in lines if one.startswith("error: object ")]
    return (named or lines)[-1].removeprefix("error: ")


def _bound(child: Child) -> None:
    """A small pack can stand for a great deal."""
    if sys.platform != "linux":  # elsewhere the time limit alone holds
        return
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(child.pid, resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.prlimit(child.pid, resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        most = 4 * LARGEST_PACK
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (most, most))


async def _drained(child: Child) -> None:
    while await child.stdout.read(serving.PART):
        pass
