"""One rule added, changed or taken out, or the owners of one folder, for doors that name it instead
of sending them all."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict, Invalid, NotFound
from hub.people import groups, policy_changes, rules_store
from hub.people.models import Account, Group, Member
from hub.people.policy import Actor
from hub.people.policy_changes import Outcome
from hub.people.rules import MOST_NAMED, Owners, Policy, Rule, plain
from hub.people.rules.values import OWNERS
from hub.people.rules.words import SAID, about

Place = tuple[str, str, str]
"""What there is one rule for: its kind, the folder, the label."""


async def add(
    db: AsyncSession, workspace_id: int, rule: Rule, *, why: str, actor: Actor
) -> Outcome:
    """Raises:
    Conflict: there is a rule about the same.
    """
    loaded = await rules_store.read(db, workspace_id)
    if _at(loaded.policy, rule.place) is not None:
        raise Conflict(f"There is a rule about this already ({about(rule)}). Change it instead.")
    rules = (*loaded.policy.rules, rule)
    return await _propose(db, workspace_id, loaded, why, actor, rules=rules)


async def change(
    db: AsyncSession, workspace_id: int, rule: Rule, *, why: str, actor: Actor
) -> Outcome:
    """Put `rule` in the place of the one about the same.

    Raises:
        NotFound: there is none.
    """
    loaded = await rules_store.read(db, workspace_id)
    old = _find(loaded.policy, rule.place)
    rules = tuple(rule if one is old else one for one in loaded.policy.rules)
    return await _propose(db, workspace_id, loaded, why, actor, rules=rules)


async def remove(
    db: AsyncSession, workspace_id: int, place: Place, *, why: str, actor: Actor
) -> Outcome:
    """Raises:
    NotFound: there is no such rule.
    """
    loaded = await rules_store.read(db, workspace_id)
    old = _find(loaded.policy, place)
    rules = tuple(one for one in loaded.policy.rules if one is not old)
    return await _propose(db, workspace_id, loaded, why, actor, rules=rules)


async def own(
    db: AsyncSession, workspace_id: int, owners: Owners, *, why: str, actor: Actor
) -> Outcome:
    """These own their folder from now on, in place of whoever did."""
    loaded = await rules_store.read(db, workspace_id)
    others = [one for one in loaded.policy.owners if one.folder != owners.folder]
    return await _propose(db, workspace_id, loaded, why, actor, owners=(*others, owners))


async def disown(
    db: AsyncSession, workspace_id: int, folder: str, *, why: str, actor: Actor
) -> Outcome:
    """Nobody owns the folder by its own name any more; one above it may still have owners.

    Raises:
        NotFound: it has none.
    """
    loaded = await rules_store.read(db, workspace_id)
    others = tuple(one for one in loaded.policy.owners if one.folder != folder)
    if others == loaded.policy.owners:
        where = f"{folder}/ has" if folder else "All folders together have"
        raise NotFound(f"{where} no owners here.")
    return await _propose(db, workspace_id, loaded, why, actor, owners=others)


async def whom(db: AsyncSession, workspace_id: int, said: Sequence[str]) -> tuple[str, ...]:
    """Who a rule shall name, as it is kept: `reviewers` and `administrators` are roles, `owners`
    those of the folder, what has an @ is a member's address, `group:7` and the like stay, all else
    is the name of a group.

    Raises:
        Invalid: nobody is called so, or there are more than a rule names.
    """
    if len(said) > MOST_NAMED:  # each is looked up while nobody else writes
        raise Invalid(f"A rule names at most {MOST_NAMED} of a kind.")
    kept = [await _one(db, workspace_id, word.strip()) for word in said]
    return tuple(dict.fromkeys(kept))


async def members(db: AsyncSession, workspace_id: int, emails: Sequence[str]) -> tuple[int, ...]:
    """The accounts of members with these addresses.

    Raises:
        Invalid: one of them is no member, or there are more than a group has room for.
    """
    if len(emails) > groups.MOST_MEMBERS:  # each is looked up while nobody else writes
        raise Invalid(f"A group has at most {groups.MOST_MEMBERS} people.")
    return tuple([await _member(db, workspace_id, email) for email in emails])


async def _one(db: AsyncSession, workspace_id: int, word: str) -> str:
    fixed = {said: kept for kept, said in SAID.items()} | {OWNERS: OWNERS}
    if (said := word.casefold().replace("'", "’")) in fixed:
        return fixed[said]
    if word.partition(":")[0] in ("role", "group", "person"):
        return word  # the rule itself says whether it can be kept
    if "@" in word:
        return f"person:{await _member(db, workspace_id, word)}"
    query = select(Group.id, Group.name).where(Group.workspace_id == workspace_id)
    for number, name in await db.execute(query):
        if name.casefold() == word.casefold():
            return f"group:{number}"
    raise Invalid(
        f"“{word[:80]}” is nobody a rule can name. Write reviewers, administrators, owners, the "
        "name of a group, or the e-mail address of a member."
    )


async def _member(db: AsyncSession, workspace_id: int, email: str) -> int:
    query = (
        select(Account.id)
        .join(Member, Member.account_id == Account.id)
        .where(
            Member.workspace_id == workspace_id,
            func.lower(Account.email) == email.strip().lower(),
        )
    )
    if (found := await db.scalar(query)) is None:
        raise Invalid(f"{email[:100]} is not a member of this workspace.")
    return found


def _find(policy: Policy, place: Place) -> Rule:
    if (found := _at(policy, place)) is None:
        kind, folder, label = place
        what = f"moving {label or 'any label'}" if kind == "release" else "changes"
        where = f"under {folder}/" if folder else "anywhere"
        raise NotFound(f"There is no rule about {what} {where} here.")
    return found


def _at(policy: Policy, place: Place) -> Rule | None:
    return next((one for one in policy.rules if one.place == place), None)


async def _propose(
    db: AsyncSession, workspace_id: int, loaded: rules_store.Loaded, why: str, actor: Actor,
    **anew: tuple[Rule, ...] | tuple[Owners, ...],
) -> Outcome:  # fmt: skip
    policy = msgspec.structs.replace(plain(loaded.policy), **anew)
    return await policy_changes.propose(
        db, workspace_id, policy, base_id=loaded.policy_id, why=why, actor=actor
    )
