"""Making somebody a reviewer or an administrator: where the rules are guarded, it is a change of
the rules, for it decides whose word counts. Until it is agreed to they are an editor."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people import guarded, policy_changes, rules_store, workspaces
from hub.people.models import Account, Member
from hub.people.policy import ROLES, Actor, WorkspaceRef
from hub.people.policy_changes import Outcome
from hub.people.rules import RoleEdit

UNTIL = "editor"
"""What somebody is meanwhile: the most that has no word."""
DONE = Outcome(None, accepted=True)


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


async def _ask(
    db: AsyncSession, workspace_id: int, account_id: int, role: str, actor: Actor
) -> Outcome:
    force = await rules_store.read(db, workspace_id)
    edit = RoleEdit(account_id=account_id, role="admin" if role == "admin" else "reviewer")
    return await policy_changes.propose(
        db, workspace_id, force.policy, base_id=force.policy_id, why="", actor=actor,
        roles=(edit,),
    )  # fmt: skip
