"""Workspaces and who belongs to them."""

from __future__ import annotations

import re

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.people import accounts, audit, groups, guarded, rules_store
from hub.people.models import Account, AuditEntry, Member, Workspace
from hub.people.policy import ROLES, Actor, Role, WorkspaceRef

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
RESERVED = frozenset(
    {
        "sign-in", "sign-out", "account", "workspaces", "api", "static", "healthz", "readyz",
        "metrics", "admin", "new", "settings", "help", "docs", "about", "home", "login", "logout",
        "users", "user", "git", "www", "assets", "invite", "search", "robots", "favicon", "public",
        "hub", "prompthub", "theme", "styleguide", "mail", "mcp", "v1",
    }
)  # fmt: skip


class AlreadyHere(Conflict):
    """Nobody is made a member of the same workspace twice."""


class Membership(msgspec.Struct, frozen=True):
    """A workspace a person belongs to, and as what."""

    workspace: WorkspaceRef
    role: Role


class Person(msgspec.Struct, frozen=True):
    """A row of the people table."""

    account_id: int
    name: str
    email: str
    role: str
    waiting: bool
    """Invited; has not signed in with the link yet."""


def ref(workspace: Workspace) -> WorkspaceRef:
    return WorkspaceRef(workspace.id, workspace.slug, workspace.name)


async def find(db: AsyncSession, slug: str) -> WorkspaceRef | None:
    workspace = await db.scalar(select(Workspace).where(Workspace.slug == slug))
    return ref(workspace) if workspace else None


async def memberships(db: AsyncSession, account_id: int) -> list[Membership]:
    """Every workspace of a person, by name."""
    query = (
        select(Workspace, Member.role)
        .join(Member, Member.workspace_id == Workspace.id)
        .where(Member.account_id == account_id)
        .order_by(func.lower(Workspace.name))
    )
    rows = await db.execute(query)
    return [Membership(ref(workspace), check_role(role)) for workspace, role in rows]


def check_role(role: str) -> Role:
    """Raises:
    Invalid: there is no such role.
    """
    for known in ROLES:
        if role == known:
            return known
    raise Invalid("Choose a role: viewer, editor, reviewer or admin.")


def check_slug(slug: str) -> None:
    """Raises:
    Invalid: it cannot be the address of a workspace.
    """
    if not SLUG.fullmatch(slug):
        raise Invalid(
            "A workspace's address is 1 to 40 small letters, digits and hyphens, such as "
            "clinical-leads; it begins and ends with a letter or a digit."
        )
    if slug in RESERVED:
        raise Invalid(f"“{slug}” is used by the hub itself. Choose another address.")


async def create(
    db: AsyncSession, slug: str, name: str, *, actor: Actor, account_id: int | None
) -> WorkspaceRef:
    """A workspace with its first administrator (none: the operator's own). Its repository is
    made by the caller, before the transaction ends."""
    check_slug(slug)
    name = " ".join(name.split()) or slug
    if len(name) > 120:
        raise Invalid("A workspace's name is at most 120 characters long.")
    if await find(db, slug) is not None:
        raise Conflict(f"There is a workspace at /{slug} already. Choose another address.")
    workspace = Workspace(slug=slug, name=name, created_at=now())
    db.add(workspace)
    await db.flush()
    if account_id is not None:
        await _join(db, workspace.id, account_id, "admin", actor=actor)
    audit.record(db, actor, "workspace.created", slug, workspace.id)
    return ref(workspace)


async def open_new(db: AsyncSession, slug: str, name: str, *, actor: Actor) -> WorkspaceRef:
    """A person opens a workspace and becomes its administrator.

    Raises:
        Forbidden: they administer none yet.
    """
    if not await may_create(db, actor.account_id or 0):
        raise Forbidden(
            "Only an administrator of a workspace can open another one; ask one of yours."
        )
    return await create(db, slug, name, actor=actor, account_id=actor.account_id)


async def may_create(db: AsyncSession, account_id: int) -> bool:
    """Who is an administrator somewhere may open another workspace."""
    query = select(Member.role).where(Member.account_id == account_id, Member.role == "admin")
    return (await db.scalar(query.limit(1))) is not None


async def people(db: AsyncSession, workspace_id: int) -> list[Person]:
    """Everybody in the workspace, by name."""
    query = (
        select(Account, Member.role)
        .join(Member, Member.account_id == Account.id)
        .where(Member.workspace_id == workspace_id)
        .order_by(func.lower(Account.name))
    )
    rows = await db.execute(query)
    return [
        Person(one.id, one.name, one.email, role, one.password_hash is None) for one, role in rows
    ]


async def add(
    db: AsyncSession, workspace: WorkspaceRef, email: str, name: str, role: str, *, actor: Actor
) -> Account:
    """Make somebody a member; an address nobody has yet becomes an account that waits for its link.

    Raises:
        AlreadyHere: they are a member already.
        Conflict: they were invited elsewhere and never came.
        NeedsAgreement: another administrator has to agree to that role.
    """
    await guarded.confirm(db, workspace.id, actor)
    role = check_role(role)
    email = accounts.clean_email(email)
    account = await accounts.find(db, email)
    if account is None:
        account = await accounts.create(db, email, name or email.partition("@")[0], actor=actor)
    elif await db.get(Member, (workspace.id, account.id)) is not None:
        raise AlreadyHere(f"{email} is here already; change their role instead.")
    elif account.password_hash is None and not await guarded.may_link(db, actor, account.id):
        # Whoever invited them first holds a link that would open this workspace too.
        raise Conflict(
            f"{email} was invited to another workspace and has not signed in yet. "
            "Ask again when they have."
        )
    await groups.forget(db, workspace.id, account.id)
    await _join(db, workspace.id, account.id, role, actor=actor)
    audit.record(db, actor, "member.added", email, workspace.id, role=role, account=account.id)
    return account


async def account_of(db: AsyncSession, workspace_id: int, account_id: int) -> Account:
    """A member's account; NotFound, if they are none."""
    return (await member_of(db, workspace_id, account_id))[1]


async def change_role(
    db: AsyncSession, workspace_id: int, account_id: int, role: str, *, actor: Actor,
    agreed: bool = False,
) -> str:  # fmt: skip
    """Give a member another role; returns their name. `agreed`: those who guard the rules did;
    else NeedsAgreement."""
    await guarded.confirm(db, workspace_id, actor)
    role = check_role(role)
    member, account = await member_of(db, workspace_id, account_id)
    if member.role == role:
        return account.name
    raises = ROLES.index(role) > ROLES.index(check_role(member.role))
    if not agreed and raises and await guarded.is_guarded(db, workspace_id, role, actor):
        raise guarded.NeedsAgreement
    if role != "admin":
        await _keep_an_admin(db, member)
    audit.record(
        db, actor, "member.changed", account.email, workspace_id, before=member.role, after=role
    )
    member.role = role
    await rules_store.bump(db, workspace_id)
    return account.name


async def remove(db: AsyncSession, workspace_id: int, account_id: int, *, actor: Actor) -> str:
    """Take a member out; what they saved stays. Returns their name."""
    await guarded.confirm(db, workspace_id, actor)
    member, account = await member_of(db, workspace_id, account_id)
    await _keep_an_admin(db, member)
    await db.delete(member)
    detail = {"role": member.role, "account": account_id}
    audit.record(db, actor, "member.removed", account.email, workspace_id, **detail)
    await rules_store.bump(db, workspace_id)
    return account.name


async def put_back(db: AsyncSession, workspace_id: int, account_id: int, *, actor: Actor) -> str:
    """Undo a removal: the same role again. Only for somebody who was removed from here.

    Raises:
        NotFound: nobody with that id was removed from here.
    """
    await guarded.confirm(db, workspace_id, actor)
    account = await db.get(Account, account_id)
    removed = select(AuditEntry).where(
        AuditEntry.workspace_id == workspace_id, AuditEntry.action == "member.removed"
    )
    for entry in await db.scalars(removed.order_by(AuditEntry.id.desc()).limit(20)):
        if account and entry.detail.get("account") == account_id:
            if await db.get(Member, (workspace_id, account_id)) is None:
                role = check_role(entry.detail["role"])
                await _join(db, workspace_id, account_id, role, actor=actor)
                detail = {"role": role, "account": account_id}
                audit.record(db, actor, "member.added", account.email, workspace_id, **detail)
            return account.name
    raise NotFound("Nobody was removed from here just now.")


async def _join(
    db: AsyncSession, workspace_id: int, account_id: int, role: Role, *, actor: Actor
) -> None:
    member = Member(workspace_id=workspace_id, account_id=account_id, role=role, created_at=now())
    db.add(member)
    await rules_store.bump(db, workspace_id)
    if await guarded.keeps_word(db, member, actor):
        raise guarded.NeedsAgreement


async def member_of(db: AsyncSession, workspace_id: int, account_id: int) -> tuple[Member, Account]:
    """A member with their account.

    Raises:
        NotFound: nobody with that id is a member here.
    """
    query = (
        select(Member, Account)
        .join(Account, Account.id == Member.account_id)
        .where(Member.workspace_id == workspace_id, Member.account_id == account_id)
    )
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such member here; somebody may have removed them meanwhile.")
    return row[0], row[1]


async def _keep_an_admin(db: AsyncSession, leaving: Member) -> None:
    """Lock the administrators' rows first: two removing each other at once must not both pass."""
    admins = select(Member.account_id).where(
        Member.workspace_id == leaving.workspace_id, Member.role == "admin"
    )
    if leaving.role == "admin" and len((await db.scalars(admins.with_for_update())).all()) < 2:
        raise Conflict(
            "This is the last administrator here. Make somebody else administrator first."
        )
