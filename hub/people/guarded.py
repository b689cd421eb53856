"""Where the rules are guarded, one administrator alone gives nobody a word that counts, nor takes
somebody's: else they could approve what they like, by a second account or by a colleague's."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Forbidden
from hub.people import rules_store
from hub.people.models import Member
from hub.people.policy import Actor

COUNTED = ("reviewer", "admin")
"""Roles whose word the rules can ask for."""


class NeedsAgreement(Forbidden):
    """Another administrator has to agree; `hub.people.appointing` asks for it."""

    def __init__(self) -> None:
        super().__init__(
            "The rules here are guarded, so another administrator has to agree before somebody has "
            "a word that counts. Nothing was changed."
        )


async def is_guarded(db: AsyncSession, workspace_id: int, role: str, actor: Actor) -> bool:
    """Whether another administrator has to agree to that role: it brings a word that counts."""
    if actor.kind == "operator" or role not in COUNTED:
        return False
    return (await rules_store.read(db, workspace_id)).policy.change_needs > 0


async def keeps_word(db: AsyncSession, member: Member, actor: Actor) -> bool:
    """Whether this member's word is out of `actor`'s hands: it counts by their role, or because a
    rule names them or a group of theirs."""
    if actor.kind == "operator":
        return False
    policy = (await rules_store.read(db, member.workspace_id)).policy
    (who,) = (await rules_store.people(db, member.workspace_id, [member.account_id])).values()
    named = member.account_id in policy.named("person") or who.groups & policy.named("group")
    return policy.change_needs > 0 and (member.role in COUNTED or bool(named))
