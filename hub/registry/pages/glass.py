"""When the rules refuse: what the page says, and whom it offers to set them aside."""

from __future__ import annotations

from hub.errors import Forbidden, HubError
from hub.people.policy import Actor, Need, WorkspaceRef, allows


def may_break(actor: Actor, workspace: WorkspaceRef, refused: HubError | None) -> bool:
    """Whether the field for the reason is shown; the one gate asks again."""
    by_rule = isinstance(refused, Forbidden)
    return by_rule and allows(actor, Need.ADMIN, workspace.id)
