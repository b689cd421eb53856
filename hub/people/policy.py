"""The one policy function: every door (browser, API, CLI, later git and sync) asks it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from hub.errors import Forbidden, NotFound


class Need(StrEnum):
    """What a route or a function needs; declared on every route as `needs=`."""

    PUBLIC = "public"
    """Anybody, signed in or not."""
    SIGNED_IN = "signed-in"
    """Any person with an account; no workspace is concerned."""
    READ = "read"
    """See prompts, versions, labels, runs of the workspace."""
    DRAFT = "draft"
    """Write drafts and examples, run models."""
    PROPOSE = "propose"
    """Offer a change for review; whoever may read may suggest."""
    REVIEW = "review"
    """Give a word on a proposal; whether it counts, the rules say."""
    CHECK = "check"
    """Post a machine's verdict on a proposal."""
    RUN = "run"
    """Have the hub fill in a prompt and ask a model, for a program."""
    SAVE = "save"
    """Save versions, rename, delete, restore, import."""
    RELEASE = "release"
    """Move a label."""
    ADMIN = "admin"
    """People, keys, connections, settings."""


Role = Literal["viewer", "editor", "reviewer", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "editor", "reviewer", "admin")

_TALK = frozenset({Need.READ, Need.PROPOSE, Need.REVIEW})

MAY: dict[str, frozenset[Need]] = {
    "viewer": _TALK,
    "editor": _TALK | {Need.DRAFT, Need.SAVE},
    "reviewer": _TALK | {Need.DRAFT, Need.SAVE, Need.RELEASE},
    "admin": _TALK | {Need.DRAFT, Need.SAVE, Need.RELEASE, Need.ADMIN},
    # API keys have a scope in place of a role. An app is nobody: it gives no word on a proposal.
    # Whoever can write says nothing of what was written: checks come by keys that do nothing else.
    "key:read": frozenset({Need.READ}),
    "key:write": frozenset({Need.READ, Need.PROPOSE, Need.SAVE, Need.RELEASE}),
    "key:checks": frozenset({Need.READ, Need.CHECK}),
    # It spends money, and nothing else needs to.
    "key:run": frozenset({Need.READ, Need.RUN}),
    # A person's own key that is not for administering, of somebody who is an administrator.
    "key:own": _TALK | {Need.DRAFT, Need.SAVE, Need.RELEASE},
    # The operator at the machine's own command line.
    "operator": frozenset(Need),
}

WHO_CAN: dict[Need, str] = {
    Need.READ: "a member of this workspace",
    Need.DRAFT: "an editor, a reviewer or an administrator",
    Need.PROPOSE: "a member of this workspace",
    Need.REVIEW: "a member of this workspace",
    Need.CHECK: "a key for checks",
    Need.RUN: "a key for running prompts",
    Need.SAVE: "an editor, a reviewer or an administrator",
    Need.RELEASE: "a reviewer or an administrator",
    Need.ADMIN: "an administrator",
}

DEED: dict[Need, str] = {
    Need.READ: "see this workspace",
    Need.DRAFT: "write drafts and run models here",
    Need.PROPOSE: "propose a change here",
    Need.REVIEW: "approve or ask for a change here",
    Need.CHECK: "post checks here",
    Need.RUN: "run prompts through the hub here",
    Need.SAVE: "save versions here",
    Need.RELEASE: "move labels here",
    Need.ADMIN: "change this workspace's settings",
}

KEY_DEEDS = {
    "key:read": "read", "key:write": "read, propose, save and release",
    "key:checks": "read and post checks", "key:run": "read and run prompts",
    "key:own": "propose, review, save and release",
}  # fmt: skip


class WorkspaceRef(msgspec.Struct, frozen=True):
    """The workspace a request is about."""

    id: int
    slug: str
    name: str


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking: a person, an app's key, or the operator at the command line."""

    kind: Literal["person", "key", "operator"]
    name: str
    email: str
    account_id: int | None = None
    key_id: str | None = None
    workspace_id: int | None = None
    """The workspace `role` counts in; None: no workspace (yet)."""
    role: str = ""

    @property
    def said(self) -> str:
        """How the audit log and `created_by` columns name this actor."""
        return self.email or self.name


def allows(actor: Actor, need: Need, workspace_id: int) -> bool:
    """Whether `actor` may do what `need` names in that workspace."""
    if actor.kind == "operator":
        return True
    return actor.workspace_id == workspace_id and need in MAY.get(actor.role, frozenset())


def require(actor: Actor, need: Need, workspace_id: int) -> None:
    """Return if `actor` may; else say who can.

    Raises:
        NotFound: the workspace is somebody else's; we do not say that it exists.
        Forbidden: the actor may see it, but not do this.
    """
    if allows(actor, need, workspace_id):
        return
    if not allows(actor, Need.READ, workspace_id):
        raise NotFound("There is no such page, or you may not see it.")
    if need is Need.CHECK:
        raise Forbidden(
            "Checks are posted by machines: use a key for checks, which an administrator can "
            "make. Your own word on a proposal is a review."
        )
    if actor.role in KEY_DEEDS:
        way = "An administrator can make another key."
        if need is Need.REVIEW:
            way = (
                "A word on a proposal is a person's: use a key of your own, from your account page."
            )
        if need is Need.ADMIN:
            way = "An administrator makes a key for administering on their account page."
        raise Forbidden(f"This key may only {KEY_DEEDS[actor.role]}; it cannot {DEED[need]}. {way}")
    raise Forbidden(
        f"You are {_article(actor.role)} here and cannot {DEED[need]}. "
        f"{WHO_CAN[need].capitalize()} can; ask one to do it or to change your role."
    )


def _article(role: str) -> str:
    return f"an {role}" if role[:1] in "aeio" else f"a {role}"
