"""Groups of people who count together in a rule.

What the rules name is changed through `hub.people.policy_changes`, which asks for approval where
the rules say so; the functions here do it, in the transaction at hand.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Invalid, NotFound
from hub.people import audit, guarded, rules_store
from hub.people.models import Account, Group, GroupMember, Member
from hub.people.policy import Actor, Need, require
from hub.people.rules import GroupEdit

MOST = 200
MOST_MEMBERS = 500
RESERVED = frozenset(
    "admin admins administrator administrators anybody anyone author authors editor editors "
    "everybody everyone folder_owner folder_owners member members nobody no_one operator operators "
    "owner owners people reviewer reviewers somebody someone viewer viewers"
    .split()
)  # fmt: skip
"""What rules and their sentences say of somebody else: `one approval from owners` must not be
about a group of that name."""
_KEPT = re.compile(r"\A(role|group|person):|\S@\S")
"""How the rules keep whom they name, and addresses: both are looked up as such."""


class GroupView(msgspec.Struct, frozen=True):
    """A group and who is in it: members of the workspace alone, by name."""

    id: int
    name: str
    members: tuple[tuple[int, str, str], ...]
    """(account id, name, e-mail address)."""

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(one[0] for one in self.members)


async def make(db: AsyncSession, workspace_id: int, name: str, *, actor: Actor) -> Group:
    """A group with nobody in it; no rule can name it yet, so making it needs no approval."""
    require(actor, Need.ADMIN, workspace_id)
    await guarded.confirm(db, workspace_id, actor)
    name = clean_name(name)
    check_word(name)
    await _free(db, workspace_id, name)
    count = select(func.count()).where(Group.workspace_id == workspace_id)
    if (await db.scalar(count) or 0) >= MOST:
        raise Invalid(f"A workspace has at most {MOST} groups.")
    group = Group(workspace_id=workspace_id, name=name, created_at=now())
    db.add(group)
    await db.flush()
    audit.record(db, actor, "group.made", name, workspace_id, group=group.id)
    await rules_store.bump(db, workspace_id)
    return group


async def apply(db: AsyncSession, workspace_id: int, edit: GroupEdit, *, actor: Actor) -> None:
    """Do what `edit` says; whoever is in already, or left the workspace meanwhile, is passed over.

    Whether it may be done without approval was decided by `policy_changes.edit_group`.
    """
    group = await find(db, workspace_id, edit.group_id)
    if edit.name and edit.name != group.name:
        await _free(db, workspace_id, edit.name, but=group.id)
        audit.record(
            db, actor, "group.renamed", edit.name, workspace_id, group=group.id, before=group.name
        )
        group.name = edit.name
    there = set(
        await db.scalars(select(GroupMember.account_id).where(GroupMember.group_id == group.id))
    )
    add = await _members_of(db, workspace_id, set(edit.add) - there)
    if len(there | add.keys()) > MOST_MEMBERS:
        raise Invalid(f"A group has at most {MOST_MEMBERS} people.")
    for account_id, email in add.items():
        db.add(GroupMember(group_id=group.id, account_id=account_id))
        _tell(db, actor, "group.member-added", email, workspace_id, group, account_id)
    leaving = select(Account.id, Account.email).where(Account.id.in_(set(edit.remove) & there))
    for account_id, email in await db.execute(leaving):
        await db.execute(
            delete(GroupMember).where(
                GroupMember.group_id == group.id, GroupMember.account_id == account_id
            )
        )
        _tell(db, actor, "group.member-removed", email, workspace_id, group, account_id)
    await db.flush()
    await rules_store.bump(db, workspace_id)


async def remove(db: AsyncSession, workspace_id: int, group: Group, *, actor: Actor) -> None:
    """Delete a group that nothing names: its id may be given again (`policy_changes` saw to it)."""
    await db.execute(delete(GroupMember).where(GroupMember.group_id == group.id))
    await db.delete(group)
    await db.flush()
    audit.record(db, actor, "group.deleted", group.name, workspace_id, group=group.id)
    await rules_store.bump(db, workspace_id)


async def forget(db: AsyncSession, workspace_id: int, account_id: int) -> None:
    """Whoever is invited anew starts outside of the groups they were in before they left."""
    mine = select(Group.id).where(Group.workspace_id == workspace_id)
    await db.execute(
        delete(GroupMember).where(
            GroupMember.account_id == account_id, GroupMember.group_id.in_(mine)
        )
    )


async def find(db: AsyncSession, workspace_id: int, group_id: int) -> Group:
    """Raises:
    NotFound: there is no such group in this workspace.
    """
    group = await db.get(Group, group_id)
    if group is None or group.workspace_id != workspace_id:
        raise NotFound("There is no such group here; somebody may have deleted it meanwhile.")
    return group


async def listed(db: AsyncSession, workspace_id: int) -> list[GroupView]:
    """Every group, by name."""
    query = select(Group).where(Group.workspace_id == workspace_id).order_by(func.lower(Group.name))
    found = list(await db.scalars(query))
    inside = (
        select(GroupMember.group_id, Account.id, Account.name, Account.email)
        .join(Account, Account.id == GroupMember.account_id)
        .join(Member, (Member.account_id == Account.id) & (Member.workspace_id == workspace_id))
        .where(GroupMember.group_id.in_([one.id for one in found]))
        .order_by(func.lower(Account.name))
    )
    members: dict[int, list[tuple[int, str, str]]] = {}
    for group_id, account_id, name, email in await db.execute(inside):
        members.setdefault(group_id, []).append((account_id, name, email))
    return [GroupView(one.id, one.name, tuple(members.get(one.id, ()))) for one in found]


def clean_name(name: str) -> str:
    """Raises:
    Invalid: it cannot be a group's name.
    """
    name = " ".join("".join(c for c in name if c.isprintable()).split())
    if not 1 <= len(name) <= 80:
        raise Invalid("Give the group a name of 1 to 80 characters, such as Clinical Leads.")
    return name


def check_word(name: str) -> None:
    """For a group that gets this name now; those that have such a name from before keep it.

    Raises:
        Invalid: in a rule it would be read as somebody else.
    """
    plain = unicodedata.normalize("NFKC", name).casefold().replace("’", "'")
    bare = plain.removeprefix("the ").replace("'s ", " ").replace(" ", "_")
    if bare in RESERVED or _KEPT.search(plain):
        raise Invalid(
            f"“{name}” already means something in a rule, so a group of that name would be "
            "mistaken for it. Give the group a name of its own, such as Clinical Leads."
        )


async def _free(db: AsyncSession, workspace_id: int, name: str, *, but: int = 0) -> None:
    """Names that differ in capitals alone would be mistaken for each other in a sentence."""
    query = select(Group.id, Group.name).where(Group.workspace_id == workspace_id)
    for group_id, other in await db.execute(query):
        if group_id != but and other.casefold() == name.casefold():
            raise Conflict(f"There is a group called “{other}” here already. Choose another name.")


async def _members_of(db: AsyncSession, workspace_id: int, account_ids: set[int]) -> dict[int, str]:
    query = (
        select(Account.id, Account.email)
        .join(Member, Member.account_id == Account.id)
        .where(Member.workspace_id == workspace_id, Account.id.in_(account_ids))
        .order_by(Account.id)
    )
    return {row.id: row.email for row in await db.execute(query)}


def _tell(
    db: AsyncSession, actor: Actor, action: str, email: str, workspace_id: int, group: Group,
    account_id: int,
) -> None:  # fmt: skip
    audit.record(
        db, actor, action, email, workspace_id, in_group=group.name, group=group.id,
        account=account_id,
    )  # fmt: skip
