"""Where the rules are guarded, one administrator alone gives nobody a word that counts, nor takes
somebody's: else they could approve what they like, by a second account or by a colleague's."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Forbidden
from hub.people import rules_store
from hub.people.models import Member
from hub.people.policy import Actor, Need, require

COUNTED = ("reviewer", "admin")
"""Roles whose word the rules can ask for."""


class NeedsAgreement(Forbidden):
    """Another administrator has to agree; `hub.people.appointing` asks for it."""

    def __init__(self) -> None:
        super().__init__(
            "The rules here are guarded, so another administrator has to agree before somebody has "
            "a word that counts. Nothing was changed."
        )


async def confirm(db: AsyncSession, workspace_id: int, actor: Actor) -> None:
    """Return if `actor` is an administrator at this moment: their role is read again, in the
    transaction of the deed, not believed.

    Raises:
        Forbidden: they are none any more, or come with a key that is not for administering.
    """
    if actor.kind == "operator":
        return
    if actor.key_id is not None:
        require(actor, Need.ADMIN, workspace_id)
    mine = actor.account_id or 0
    who = (await rules_store.people(db, workspace_id, [mine])).get(mine)
    if who is None or who.role != "admin":
        raise Forbidden("You are no administrator here any more. Another one can do this.")


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


async def may_link(db: AsyncSession, actor: Actor, account_id: int) -> bool:
    """Whether `actor` may make a sign-in link for somebody: only if it opens no workspace that is
    not theirs to administer. Otherwise one workspace's administrator could enter another's."""
    if actor.kind == "operator":
        return True
    theirs = select(Member.workspace_id).where(Member.account_id == account_id)
    mine = select(Member.workspace_id).where(
        Member.account_id == actor.account_id, Member.role == "admin"
    )
    if actor.key_id is not None:  # good for one workspace, whatever else its owner administers
        mine = mine.where(Member.workspace_id == actor.workspace_id)
    beyond = theirs.where(Member.workspace_id.not_in(mine)).limit(1)
    return (await db.scalar(beyond)) is None
