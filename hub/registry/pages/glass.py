"""When a release is refused: what the page offers to whoever wants it all the same."""

from __future__ import annotations

from hub.errors import Forbidden, HubError
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.registry.review.live_callers import BreaksPrograms


def may_break(actor: Actor, workspace: WorkspaceRef, refused: HubError | None) -> bool:
    """Whether the field for the reason is shown; the one gate asks again."""
    by_rule = isinstance(refused, Forbidden)
    return by_rule and allows(actor, Need.ADMIN, workspace.id)


def may_insist(refused: HubError | None) -> bool:
    """Whether the field is shown for a reason to release what running programs lack."""
    return isinstance(refused, BreaksPrograms)
