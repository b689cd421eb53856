"""The changes of the rules as a person reads them: waiting, in force, and what was before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.models import Account, Group, PolicyChange
from hub.people.rules import GroupEdit, Kept, RoleEdit, called, in_order, sentence
from hub.people.rules.words import approvals, listed, owned_in_order, owners_sentence
from hub.people.rules_store import Loaded

SHOWN = 50


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the rules."""

    id: int
    by: str
    account_id: int | None
    at: datetime
    why: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    approved_by: tuple[str, ...]
    approver_ids: frozenset[int]
    broke_glass: str
    accepted_at: datetime | None
    declined_at: datetime | None
    stale: bool
    """It waits, but other rules came into force since it was made."""


async def lines(db: AsyncSession, workspace_id: int, force: Loaded) -> list[Line]:
    """The newest first: waiting ones and decided ones."""
    query = select(PolicyChange).where(PolicyChange.workspace_id == workspace_id)
    rows = list(await db.scalars(query.order_by(PolicyChange.id.desc()).limit(SHOWN)))
    known = {row.id: msgspec.convert(row.policy, Kept) for row in rows}
    bases = {row.base_id for row in rows if row.base_id is not None} - known.keys()
    for row in await db.scalars(select(PolicyChange).where(PolicyChange.id.in_(bases))):
        known[row.id] = msgspec.convert(row.policy, Kept)
    names = await _names(db, workspace_id, list(known.values()))
    return [_line(row, known, names, force) for row in rows]


def _line(row: PolicyChange, known: dict[int, Kept], names: dict[str, str], force: Loaded) -> Line:
    kept, base = known[row.id], known.get(row.base_id or 0, Kept())
    now, before = _said(kept, names), _said(base, names)
    waits = row.accepted_at is None and row.declined_at is None
    given = [one for one in row.approvals if "account_id" in one]
    glass = [one["broke_glass"] for one in row.approvals if "broke_glass" in one]
    return Line(
        id=row.id, by=row.by, account_id=row.account_id, at=row.at, why=row.why,
        added=(
            *(one for one in now if one not in before), *_edits(kept.edits, names),
            *_roles(kept.roles, names),
        ),
        removed=tuple(one for one in before if one not in now),
        approved_by=tuple(one["name"] for one in given),
        approver_ids=frozenset(one["account_id"] for one in given),
        broke_glass="".join(glass), accepted_at=row.accepted_at, declined_at=row.declined_at,
        stale=waits and row.base_id != force.policy_id,
    )  # fmt: skip


def _said(kept: Kept, names: dict[str, str]) -> list[str]:
    said = [sentence(rule, names) for rule in in_order(kept.rules)]
    said += [owners_sentence(one, names) for one in owned_in_order(kept.owners)]
    if kept.change_needs:
        said.append(f"A change of these rules needs {approvals(kept.change_needs)}.")
    return said


def _edits(edits: Sequence[GroupEdit], names: dict[str, str]) -> list[str]:
    """`Clinical Leads: with Ana, without Ben.`"""
    said: list[str] = []
    for edit in edits:
        parts = [f"is called “{edit.name}”"] if edit.name else []
        for word, ids in (("with", edit.add), ("without", edit.remove)):
            if ids:
                who = [names.get(f"person:{one}", "somebody") for one in ids]
                parts.append(f"{word} {listed(who)}")
        group = names.get(f"group:{edit.group_id}", "A group that is gone")
        said.append(f"{group}: {', '.join(parts) or 'as it was'}.")
    return said


def _roles(roles: Sequence[RoleEdit], names: dict[str, str]) -> list[str]:
    """`Dora becomes a reviewer.`"""
    called_so = {"reviewer": "a reviewer", "admin": "an administrator"}
    return [
        f"{names.get(f'person:{one.account_id}', 'Somebody')} becomes {called_so[one.role]}."
        for one in roles
    ]


async def _names(db: AsyncSession, workspace_id: int, policies: Sequence[Kept]) -> dict[str, str]:
    groups = await db.execute(
        select(Group.id, Group.name).where(Group.workspace_id == workspace_id)
    )
    ids = {one for kept in policies for one in kept.named("person")}
    ids |= {one for kept in policies for edit in kept.edits for one in (*edit.add, *edit.remove)}
    ids |= {one.account_id for kept in policies for one in kept.roles}
    people = await db.execute(select(Account.id, Account.name).where(Account.id.in_(ids)))
    return called({row.id: row.name for row in groups}, {row.id: row.name for row in people})
