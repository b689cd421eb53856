"""How the rules change: at once, or after as many administrators agreed as the rules in force say.

Every state of the rules is a row; the latest accepted one is in force. A change of a group that the
rules name is a change of the rules: it decides whose word counts. So is making somebody a reviewer
or an administrator (`hub.people.appointing`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.outbox import announce
from hub.people import audit, groups, guarded, rules_store, workspaces
from hub.people.models import Group, Member, PolicyChange, Workspace
from hub.people.policy import Actor, Need, require
from hub.people.rules import GroupEdit, Kept, Policy, RoleEdit, plain
from hub.people.rules.words import listed, owned_in_order
from hub.people.rules_store import Loaded

CHANGED_MEANWHILE = (
    "The rules were changed meanwhile. Nothing of yours was kept; look at them as they are now."
)


class Outcome(msgspec.Struct, frozen=True):
    """What became of a change."""

    id: int | None
    """None: a group that no rule names was changed; that is no change of the rules."""
    accepted: bool
    waits_for: int = 0
    """Approvals that are missing."""


async def propose(
    db: AsyncSession, workspace_id: int, policy: Policy, *, base_id: int | None, why: str,
    actor: Actor, edits: tuple[GroupEdit, ...] = (), roles: tuple[RoleEdit, ...] = (),
    broke_glass: str = "",
) -> Outcome:  # fmt: skip
    """Offer new rules; in force at once where the rules in force ask for no approval.

    `base_id`: the rules that were looked at. `broke_glass`: the operator's way out when the rules
    ask for more administrators than there are.

    Raises:
        Conflict: other rules are in force by now.
        Invalid: they are the same, or name somebody who is not here.
    """
    force = await _begin(db, workspace_id, actor)
    if force.policy_id != base_id:
        raise Conflict(CHANGED_MEANWHILE)
    bare = plain(policy)
    await _check(db, workspace_id, force, bare, also=bool(edits or roles))
    kept = Kept(**msgspec.structs.asdict(bare), edits=edits, roles=roles)
    row = _row(workspace_id, force, kept, why, actor)
    db.add(row)
    await db.flush()
    needed = force.policy.change_needs
    if needed and broke_glass.strip() and actor.kind == "operator":
        row.approvals = [{"name": actor.name, "broke_glass": broke_glass.strip()}]
        _tell(db, row, actor, "glass.broken", reason=broke_glass.strip())
        needed = 0
    if not needed:
        await _accept(db, row, actor)
        return Outcome(row.id, accepted=True)
    _tell(db, row, actor, "policy.proposed", needs=needed)
    return Outcome(row.id, accepted=False, waits_for=needed)


async def approve(db: AsyncSession, workspace_id: int, change_id: int, *, actor: Actor) -> Outcome:
    """Agree to a waiting change; with the last approval needed it is in force.

    Raises:
        Forbidden: it is one's own, or whoever asks is no administrator (any more).
        Conflict: it was decided, or other rules came into force since it was made.
    """
    force = await _begin(db, workspace_id, actor)
    row = await _waiting(db, workspace_id, change_id)
    if row.base_id != force.policy_id:
        raise Conflict(
            "Other rules came into force after this change was made, so it cannot be accepted. "
            "Make it again upon the rules as they are now."
        )
    if actor.kind != "person" or actor.account_id is None:
        raise Forbidden("A change of the rules is approved by a person.")
    if actor.account_id == row.account_id:
        raise Forbidden("You proposed this change; another administrator has to approve it.")
    if all(one.get("account_id") != actor.account_id for one in row.approvals):
        word = {"account_id": actor.account_id, "name": actor.name, "at": now().isoformat()}
        row.approvals = [*row.approvals, word]
        _tell(db, row, actor, "policy.approved")
    counted = await _admins(db, workspace_id) - {row.account_id}
    given = {one.get("account_id") for one in row.approvals} & counted
    lacking = force.policy.change_needs - len(given)
    if lacking > 0:
        return Outcome(row.id, accepted=False, waits_for=lacking)
    await _accept(db, row, actor)
    return Outcome(row.id, accepted=True)


async def decline(db: AsyncSession, workspace_id: int, change_id: int, *, actor: Actor) -> None:
    """Put a waiting change away: any administrator may, its author too."""
    await _begin(db, workspace_id, actor)
    row = await _waiting(db, workspace_id, change_id)
    row.declined_at = now()
    _tell(db, row, actor, "policy.declined")
    await rules_store.bump(db, workspace_id)


async def make_group(
    db: AsyncSession, workspace_id: int, name: str, members: Collection[int], *, actor: Actor
) -> Group:
    """A new group with these people in it."""
    made = await groups.make(db, workspace_id, name, actor=actor)
    edit = GroupEdit(group_id=made.id, add=tuple(members))
    await edit_group(db, workspace_id, edit, actor=actor)
    return made


async def edit_group(
    db: AsyncSession, workspace_id: int, edit: GroupEdit, *, actor: Actor, why: str = ""
) -> Outcome:
    """Rename a group, put people in or take them out; waits where the rules name the group."""
    force = await _begin(db, workspace_id, actor)
    group = await groups.find(db, workspace_id, edit.group_id)
    if edit.name:
        edit = msgspec.structs.replace(edit, name=groups.clean_name(edit.name))
    if edit.name and edit.name != group.name:
        groups.check_word(edit.name)
    if not force.policy.change_needs:
        await groups.apply(db, workspace_id, edit, actor=actor)
        return Outcome(None, accepted=True)
    if edit.group_id in force.policy.named("group"):
        return await propose(
            db, workspace_id, force.policy, base_id=force.policy_id, why=why, actor=actor,
            edits=(edit,),
        )  # fmt: skip
    if edit.group_id in await rules_store.named_by_waiting(db, workspace_id):
        raise Conflict(
            "A change of the rules that waits for approval names this group. Decide on that first."
        )
    await groups.apply(db, workspace_id, edit, actor=actor)
    return Outcome(None, accepted=True)


async def delete_group(db: AsyncSession, workspace_id: int, group_id: int, *, actor: Actor) -> str:
    """Delete a group that no rule names, in force or waiting; returns its name."""
    force = await _begin(db, workspace_id, actor)
    group = await groups.find(db, workspace_id, group_id)
    _check_unnamed(force.policy, group)
    if group_id in await rules_store.named_by_waiting(db, workspace_id):
        raise Conflict(
            f"A change of the rules that waits for approval names “{group.name}”. Decide on that "
            "first, then delete the group."
        )
    await groups.remove(db, workspace_id, group, actor=actor)
    return group.name


def _check_unnamed(policy: Policy, group: Group) -> None:
    word = f"group:{group.id}"
    if any(word in (*rule.who, *rule.may_release) for rule in policy.rules):
        raise Conflict(
            f"A rule names “{group.name}”. Take the group out of the rules first, then delete it."
        )
    rest = "every other folder" if len(policy.owners) > 1 else "every folder"
    owned = [one.folder for one in owned_in_order(policy.owners) if word in one.who]
    if owned:
        what = listed([f"{folder}/" if folder else rest for folder in owned])
        raise Conflict(
            f"“{group.name}” owns {what}. Say who else does first, then delete the group."
        )


async def _begin(db: AsyncSession, workspace_id: int, actor: Actor) -> Loaded:
    """One change of the rules at a time; the actor's role is read again, not believed."""
    require(actor, Need.ADMIN, workspace_id)
    await db.execute(
        select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True)
    )
    await guarded.confirm(db, workspace_id, actor)
    return await rules_store.read(db, workspace_id)


async def _admins(db: AsyncSession, workspace_id: int) -> set[int | None]:
    query = select(Member.account_id).where(
        Member.workspace_id == workspace_id, Member.role == "admin"
    )
    ids = list(await db.scalars(query))
    people = await rules_store.people(db, workspace_id, ids)
    return {one.account_id for one in people.values() if one.role == "admin"}


async def _accept(db: AsyncSession, row: PolicyChange, actor: Actor) -> None:
    row.accepted_at = now()
    kept = msgspec.convert(row.policy, Kept)
    for edit in kept.edits:
        await groups.apply(db, row.workspace_id, edit, actor=actor)
    for one in kept.roles:
        if await db.get(Member, (row.workspace_id, one.account_id)) is not None:
            await workspaces.change_role(
                db, row.workspace_id, one.account_id, one.role, actor=actor, agreed=True
            )
    _tell(db, row, actor, "policy.changed")
    await db.flush()
    await rules_store.bump(db, row.workspace_id)


async def _waiting(db: AsyncSession, workspace_id: int, change_id: int) -> PolicyChange:
    row = await db.get(PolicyChange, change_id, populate_existing=True)
    if row is None or row.workspace_id != workspace_id:
        raise NotFound("There is no such change of the rules here.")
    if row.accepted_at is not None or row.declined_at is not None:
        raise Conflict("This change was decided already. Reload the page to see how.")
    return row


async def _check(
    db: AsyncSession, workspace_id: int, force: Loaded, policy: Policy, *, also: bool
) -> None:
    """Refuse what changes nothing, names strangers, or could never be changed again."""
    before = plain(force.policy)
    if policy == before and not also:
        raise Invalid("These are the rules already; there is nothing to change.")
    known = await db.scalars(select(Group.id).where(Group.workspace_id == workspace_id))
    if policy.named("group") - set(known):
        raise Invalid("A rule names a group that is not here (any more). Choose another one.")
    members = await db.scalars(select(Member.account_id).where(Member.workspace_id == workspace_id))
    # Whoever left meanwhile may stay in a rule: their word counts for nothing.
    strangers = policy.named("person") - set(members) - before.named("person")
    if strangers:
        raise Invalid(
            "A rule names a person who is not a member of this workspace. Add them first, or "
            "choose somebody else."
        )
    others = len(await _admins(db, workspace_id)) - 1
    if policy.change_needs > max(others, before.change_needs):
        raise Invalid(
            f"A change of the rules cannot need {policy.change_needs} approvals: besides whoever "
            f"proposes it there {'is' if others == 1 else 'are'} {max(others, 0)} other "
            f"administrator{'' if others == 1 else 's'}. Make more people administrators first."
        )


def _row(workspace_id: int, force: Loaded, kept: Kept, why: str, actor: Actor) -> PolicyChange:
    return PolicyChange(
        workspace_id=workspace_id, base_id=force.policy_id, policy=msgspec.to_builtins(kept),
        why=clean_why(why), by=actor.name, account_id=actor.account_id, at=now(), approvals=[],
        accepted_at=None, declined_at=None,
    )  # fmt: skip


def clean_why(why: str) -> str:
    """Raises:
    Invalid: it is longer than anybody reads.
    """
    why = why.replace("\r\n", "\n").strip()
    if len(why) > 2000:
        raise Invalid("Say why in at most 2,000 characters.")
    return why


def _tell(db: AsyncSession, row: PolicyChange, actor: Actor, what: str, **more: Any) -> None:
    """In the audit log and to whoever listens, in one transaction with the deed."""
    subject = f"change {row.id} of the rules"
    audit.record(
        db, actor, what, subject, row.workspace_id, change=row.id, why=row.why[:500], **more
    )
    announce(
        db, what, workspace_id=row.workspace_id, subject=subject, by=actor.said,
        account_id=actor.account_id, change=row.id, **more,
    )  # fmt: skip
