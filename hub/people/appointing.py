"""Making somebody a reviewer or an administrator: where the rules are guarded, it is a change of
the rules, for it decides whose word counts. Until it is agreed to they are an editor."""

from __future__ import annotations

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Forbidden
from hub.people import accounts, audit, guarded, policy_changes, rules_store, workspaces
from hub.people.models import Account, Member
from hub.people.policy import ROLES, Actor, WorkspaceRef
from hub.people.policy_changes import Outcome
from hub.people.rules import RoleEdit

UNTIL = "editor"
"""What somebody is meanwhile: the most that has no word."""
DONE = Outcome(None, accepted=True)


class Invited(msgspec.Struct, frozen=True):
    """Somebody who was just made a member."""

    account: Account
    made: Outcome
    """What became of the role."""
    token: str | None
    """Of the link that signs them in once; None: they have a password already."""


async def add(
    db: AsyncSession, workspace: WorkspaceRef, email: str, name: str, role: str, *, actor: Actor
) -> tuple[Account, Outcome]:
    """As `workspaces.add`; and what became of the role."""
    waits = await guarded.is_guarded(db, workspace.id, role, actor)
    account = await workspaces.add(
        db, workspace, email, name, UNTIL if waits else role, actor=actor
    )
    if not waits:
        return account, DONE
    await db.flush()
    return account, await _ask(db, workspace.id, account.id, role, actor)


async def change_role(
    db: AsyncSession, workspace_id: int, account_id: int, role: str, *, actor: Actor
) -> tuple[str, Outcome]:
    """As `workspaces.change_role`; and what became of it."""
    account = await workspaces.account_of(db, workspace_id, account_id)
    query = select(Member.role).where(
        Member.workspace_id == workspace_id, Member.account_id == account_id
    )
    now = workspaces.check_role((await db.scalars(query)).one())
    raises = ROLES.index(workspaces.check_role(role)) > ROLES.index(now)
    if raises and await guarded.is_guarded(db, workspace_id, role, actor):
        return account.name, await _ask(db, workspace_id, account_id, role, actor)
    name = await workspaces.change_role(db, workspace_id, account_id, role, actor=actor)
    return name, DONE


async def link(db: AsyncSession, workspace_id: int, account_id: int, *, actor: Actor) -> str:
    """The token of a new sign-in link for a member.

    Raises:
        Forbidden: it would open workspaces of others, or be somebody whose word is guarded; or a
            key asks for its owner's, which would be worth more than the key.
    """
    await guarded.confirm(db, workspace_id, actor)
    if actor.key_id is not None and actor.account_id == account_id:
        raise Forbidden(
            "A key makes no link that signs in as its owner. Ask another administrator, or the "
            "operator of this hub: `prompthub user link`."
        )
    member, account = await workspaces.member_of(db, workspace_id, account_id)
    if not await guarded.may_link(db, actor, account_id):
        whose = "that you do not administer" if actor.key_id is None else "this key is not for"
        raise Forbidden(
            f"{account.name} also belongs to a workspace {whose}, so a link from here would open "
            "that one too. Ask the operator of this hub for it."
        )
    if account.password_hash is not None and await guarded.keeps_word(db, member, actor):
        raise Forbidden(
            f"{account.name}'s word counts here and the rules are guarded, so nobody else gets a "
            "link that signs in as them. Ask the operator of this hub: `prompthub user link`."
        )
    audit.record(db, actor, "account.invited", account.email, workspace_id)
    return await accounts.make_link(db, account, maker=actor, workspace_id=workspace_id)


async def invite(
    db: AsyncSession, workspace: WorkspaceRef, email: str, name: str, role: str, *, actor: Actor
) -> Invited:
    """As `add`; whoever has no password yet gets a link."""
    account, made = await add(db, workspace, email, name, role, actor=actor)
    token = None
    if account.password_hash is None:
        token = await link(db, workspace.id, account.id, actor=actor)
    return Invited(account, made, token)


async def _ask(
    db: AsyncSession, workspace_id: int, account_id: int, role: str, actor: Actor
) -> Outcome:
    force = await rules_store.read(db, workspace_id)
    edit = RoleEdit(account_id=account_id, role="admin" if role == "admin" else "reviewer")
    return await policy_changes.propose(
        db, workspace_id, force.policy, base_id=force.policy_id, why="", actor=actor,
        roles=(edit,),
    )  # fmt: skip
