"""What the judge looks at, read from the tables: rules in force, groups, people as of now.

`load` and `people_now` take a plain connection, so that the deed and what it is judged by are read
in one snapshot. The epoch says whether any of it changed meanwhile: whoever changes a role, a
member, a group, a rule, a review or a check raises it in the same transaction (`bump`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, Select, Text, Update, bindparam, cast, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.models import Account, Group, GroupMember, Member, PolicyChange, Workspace
from hub.people.rules import FREE, Kept, Person, Policy, called


class Loaded(msgspec.Struct, frozen=True):
    """The rules in force and what they speak of."""

    policy: Policy
    policy_id: int | None
    """The change that brought it; None: no rules were ever made."""
    epoch: int
    groups: Mapping[int, str] = {}
    """Names of the groups that the rules name."""
    people: Mapping[int, str] = {}

    @property
    def called(self) -> dict[str, str]:
        """For the sentences: `group:7` → `Clinical Leads`."""
        return called(self.groups, self.people)


def load(db: Connection, workspace_id: int) -> Loaded:
    """The rules in force; one statement, and two more where they name groups or people."""
    row = db.execute(_IN_FORCE, {"workspace": workspace_id}).one()
    policy = parse(row.policy) if row.policy is not None else FREE
    groups = _group_names(db, workspace_id, policy.named("group"))
    return Loaded(policy, row.id, row.epoch, groups, _names(db, policy.named("person")))


def _in_force() -> Select[int, int, str]:
    """Made once: SQLAlchemy takes longer to build it than the database to answer it."""
    mine = PolicyChange.workspace_id == bindparam("workspace")
    # A change can only be accepted upon the one in force, so the latest by id is the latest.
    accepted = (
        select(PolicyChange.id, cast(PolicyChange.policy, Text).label("policy"))
        .where(mine, PolicyChange.accepted_at.isnot(None))
        .order_by(PolicyChange.id.desc())
        .limit(1)
        .subquery()
    )
    query = select(Workspace.epoch, accepted.c.id, accepted.c.policy)
    return query.outerjoin(accepted, true()).where(Workspace.id == bindparam("workspace"))


_IN_FORCE = _in_force()


def epoch_of(db: Connection, workspace_id: int, *, lock: bool = False) -> int:
    """The count of changes of all that a judgement rests on; with `lock`, it stays so."""
    query = _EPOCH_HELD if lock else _EPOCH
    return db.execute(query, {"workspace": workspace_id}).scalar_one()


_EPOCH = select(Workspace.epoch).where(Workspace.id == bindparam("workspace"))
_EPOCH_HELD = _EPOCH.with_for_update(read=True)


def people_now(
    db: Connection, workspace_id: int, account_ids: Collection[int]
) -> dict[int, Person]:
    """Accounts as they stand now; who is no member, or was disabled, has no role and no group."""
    if not account_ids:
        return {}
    member = (Member.account_id == Account.id) & (Member.workspace_id == workspace_id)
    query = (
        select(Account.id, Account.name, Account.email, Account.disabled_at, Member.role)
        .outerjoin(Member, member)
        .where(Account.id.in_(account_ids))
    )
    rows = db.execute(query).all()
    groups = _memberships(db, workspace_id, account_ids)
    found: dict[int, Person] = {}
    for row in rows:
        role = row.role if row.role and row.disabled_at is None else ""
        found[row.id] = Person(
            account_id=row.id, name=row.name, email=row.email, role=role,
            groups=frozenset(groups.get(row.id, ())) if role else frozenset(),
        )  # fmt: skip
    return found


async def bump(db: AsyncSession, workspace_id: int) -> None:
    """Something changed that a judgement rests on; in the transaction of the change."""
    await db.execute(_raise(workspace_id), execution_options={"synchronize_session": False})


def bump_now(db: Connection, workspace_id: int) -> None:
    """As `bump`, for who has a plain connection."""
    db.execute(_raise(workspace_id))


async def read(db: AsyncSession, workspace_id: int) -> Loaded:
    """As `load`, for a page."""
    return await db.run_sync(lambda session: load(session.connection(), workspace_id))


async def people(
    db: AsyncSession, workspace_id: int, account_ids: Collection[int]
) -> dict[int, Person]:
    """As `people_now`, for a page."""
    return await db.run_sync(
        lambda session: people_now(session.connection(), workspace_id, account_ids)
    )


async def named_by_waiting(db: AsyncSession, workspace_id: int) -> frozenset[int]:
    """The groups that changes of the rules name which may still come into force."""
    force = await read(db, workspace_id)
    query = select(PolicyChange).where(
        PolicyChange.workspace_id == workspace_id, PolicyChange.accepted_at.is_(None),
        PolicyChange.declined_at.is_(None),
    )  # fmt: skip
    named = frozenset[int]()
    for row in await db.scalars(query):
        if row.base_id == force.policy_id:
            kept = msgspec.convert(row.policy, Kept)
            named |= kept.named("group") | {edit.group_id for edit in kept.edits}
    return named


@lru_cache(maxsize=512)
def parse(text: str) -> Kept:
    """A policy as the table keeps it. What cannot be read stops the deed: no rules is not a guess.

    The text itself is the key: the same id may mean another policy in another database.
    """
    return msgspec.json.decode(text, type=Kept)


def _raise(workspace_id: int) -> Update:
    return update(Workspace).where(Workspace.id == workspace_id).values(epoch=Workspace.epoch + 1)


def _group_names(db: Connection, workspace_id: int, ids: Collection[int]) -> dict[int, str]:
    if not ids:
        return {}
    query = select(Group.id, Group.name).where(
        Group.workspace_id == workspace_id, Group.id.in_(ids)
    )
    return {row.id: row.name for row in db.execute(query)}


def _names(db: Connection, ids: Collection[int]) -> dict[int, str]:
    if not ids:
        return {}
    query = select(Account.id, Account.name).where(Account.id.in_(ids))
    return {row.id: row.name for row in db.execute(query)}


def _memberships(
    db: Connection, workspace_id: int, account_ids: Collection[int]
) -> dict[int, set[int]]:
    """The groups of each, of this workspace alone."""
    query = (
        select(GroupMember.account_id, GroupMember.group_id)
        .join(Group, Group.id == GroupMember.group_id)
        .where(Group.workspace_id == workspace_id, GroupMember.account_id.in_(account_ids))
    )
    found: dict[int, set[int]] = {}
    for row in db.execute(query):
        found.setdefault(row.account_id, set()).add(row.group_id)
    return found
