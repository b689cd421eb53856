"""Where the rules are guarded, one administrator alone gives nobody a word that counts, nor takes
somebody's: else they could approve what they like, by a second account or by a colleague's."""

from __future__ import annotations

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Forbidden
from hub.people import rules_store
from hub.people.models import Account, ApiKey, Member, SignInLink
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


async def still(db: AsyncSession, workspace_id: int, actor: Actor, need: Need) -> None:
    """Return if `actor` may at this moment what `need` says: the role, or that the key is good, is
    read again, in the transaction of the deed.

    Raises:
        Forbidden, NotFound: they may not any more.
    """
    require(actor, need, workspace_id)
    if actor.kind == "operator":
        return
    if actor.account_id is not None:
        mine = actor.account_id
        who = (await rules_store.people(db, workspace_id, [mine])).get(mine)
        now = msgspec.structs.replace(actor, role=who.role if who and who.role else "")
        require(now, need, workspace_id)
    if actor.key_id is not None:
        key = await db.get(ApiKey, actor.key_id)
        if key is None or key.revoked_at is not None:
            raise Forbidden("This key was revoked. Make another, or ask an administrator for one.")


async def is_guarded(db: AsyncSession, workspace_id: int, role: str, actor: Actor) -> bool:
    """Whether another administrator has to agree to that role: it brings a word that counts."""
    if actor.kind == "operator" or role not in COUNTED:
        return False
    return (await rules_store.read(db, workspace_id)).policy.change_needs > 0


async def keeps_word(db: AsyncSession, member: Member, actor: Actor) -> bool:
    """Whether this member's word is out of `actor`'s hands: it counts by their role, or because a
    rule names them or a group of theirs; or one that waits does: who is in that group was seen."""
    if actor.kind == "operator":
        return False
    policy = (await rules_store.read(db, member.workspace_id)).policy
    (who,) = (await rules_store.people(db, member.workspace_id, [member.account_id])).values()
    if not policy.change_needs:
        return False
    groups = policy.named("group") | await rules_store.named_by_waiting(db, member.workspace_id)
    named = member.account_id in policy.named("person") or who.groups & groups
    return member.role in COUNTED or bool(named)


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


async def stands_behind(db: AsyncSession, link: SignInLink, account: Account) -> bool:
    """Whether the administrator who made a link to sign in could make it at this moment: else it
    would open what `account` came to since, or outlive their own role or key."""
    if link.made_by is None or link.workspace_id is None:
        return True
    key = await db.get(ApiKey, link.key_id) if link.key_id else None
    if link.key_id and (key is None or key.revoked_at is not None):
        return False
    maker = Actor(
        kind="person", name="", email="", account_id=link.made_by, key_id=link.key_id,
        workspace_id=link.workspace_id, role="admin",
    )  # fmt: skip
    try:
        await confirm(db, link.workspace_id, maker)
    except Forbidden:
        return False
    member = await db.get(Member, (link.workspace_id, account.id))
    if member is None or not await may_link(db, maker, account.id):
        return False
    return account.password_hash is None or not await keeps_word(db, member, maker)
