"""Personal keys: a person's own door for scripts and the command line, with their own rights."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Forbidden, Invalid, NotFound
from hub.people import keys, rules_store
from hub.people.models import Account, ApiKey, Member, Workspace
from hub.people.policy import Actor, WorkspaceRef


async def create(
    db: AsyncSession, workspace: WorkspaceRef, name: str, scope: str, *, account: Account,
    actor: Actor,
) -> keys.NewKey:  # fmt: skip
    """Make a key that acts as `account`: for themselves, or by the operator.

    Raises:
        Forbidden: it is somebody else's account.
        NotFound: they are no member there.
        Invalid, Conflict: as for an app's key.
    """
    if actor.kind != "operator" and (actor.account_id != account.id or actor.key_id is not None):
        raise Forbidden("Everybody makes their own personal keys, signed in with the browser.")
    if scope in keys.SCOPES and scope not in keys.OF_PEOPLE:
        raise Invalid("Only an app's key can do that. A personal key reads, or does what you may.")
    if (member := await db.get(Member, (workspace.id, account.id))) is None:
        raise NotFound(f"{account.email} is not a member of that workspace.")
    if scope == "admin" and member.role != "admin":
        raise Invalid("Only an administrator of that workspace can have a key for administering.")
    name = f"{keys.clean_name(name, 40)} – {account.name[:36]}"
    made = await keys.issue(db, workspace, name, scope, actor=actor, account_id=account.id)
    await rules_store.bump(db, workspace.id)
    return made


async def revoke(db: AsyncSession, key_id: str, *, actor: Actor) -> str:
    """Stop a personal key of one's own, in whichever workspace. Returns its name."""
    key = await db.get(ApiKey, key_id)
    if key is None or key.account_id is None or key.account_id != actor.account_id:
        raise NotFound("You have no such key.")
    await keys.stop(db, key, actor)
    return key.name


async def listed(db: AsyncSession, account_id: int) -> list[tuple[ApiKey, str]]:
    """A person's working keys with the names of the workspaces, the newest first."""
    query = (
        select(ApiKey, Workspace.name)
        .join(Workspace, Workspace.id == ApiKey.workspace_id)
        .where(ApiKey.account_id == account_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.created_at.desc())
    )
    return [(key, name) for key, name in await db.execute(query)]
