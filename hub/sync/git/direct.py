"""A push to main or deploy itself: the commits are taken as they are, where whoever pushes may
save, or release.

The hub's writer moves the ref, together with what people save at the same moment, so a push wins or
loses against a save like one save against another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.git.git_terms import DEPLOY, MAIN
from hub.registry.git.line import Overtaken
from hub.registry.git.quarantine import Quarantine
from hub.registry.git.repository import Repository
from hub.registry.writing import arrivals
from hub.registry.writing.publish import Publisher
from hub.registry.writing.taking import Arrived

NEEDS: Mapping[str, Need] = {MAIN: Need.SAVE, DEPLOY: Need.RELEASE}
NOBODY = "0" * 40
WAY = "Propose it: git push origin HEAD:refs/for/main"
MOST_SHOWN = 20


class Update(msgspec.Struct, frozen=True):
    """One line of what a push asks for."""

    old: str
    new: str
    ref: str


class Refused(HubError):
    """The sentence of another refusal, and the other way."""

    status = 403

    def __init__(self, refused: HubError, ref: str) -> None:
        said = refused.sentence.removesuffix(" Propose it instead.")
        super().__init__(f"{said} {WAY}" if ref == MAIN else said)


def check(
    repository: Repository, update: Update, workspace: WorkspaceRef, actor: Actor
) -> None:  # fmt: skip
    """What can be said before the pack is read.

    Raises:
        Refused: they may not.
        Overtaken: the branch is not where they saw it.
    """
    if update.ref not in NEEDS:
        return
    try:
        require(actor, NEEDS[update.ref], workspace.id)
    except HubError as refused:
        raise Refused(refused, update.ref) from refused
    if update.old != (repository.tip(update.ref) or NOBODY):
        raise Overtaken(update.ref)


async def take(
    publisher: Publisher, workspace: WorkspaceRef, actor: Actor, update: Update,
    quarantine: Quarantine,
) -> list[str]:  # fmt: skip
    """Have it done; what the pusher reads.

    Raises:
        HubError: nothing was changed; the sentence says why, and what to do.
    """
    line = await asyncio.to_thread(quarantine.line, update.ref, update.new)
    try:
        done = await arrivals.arrive(
            publisher, workspace, line, actor=actor, bring=quarantine.keep
        )  # fmt: skip
    except Overtaken:
        raise
    except HubError as refused:
        raise Refused(refused, update.ref) from refused
    return _told(done)


def _told(done: Arrived) -> list[str]:
    last = dict(done.versions)
    said = [f"{name} is at version {number}" for name, number in sorted(last.items())]
    said += [
        f"{label} of {name} {f'is at version {number}' if number else 'is taken off'}"
        for label, name, number in done.moves
    ]
    more = [f"and {len(said) - MOST_SHOWN} more"] if len(said) > MOST_SHOWN else []
    return [*said[:MOST_SHOWN], *more] or ["Done."]
