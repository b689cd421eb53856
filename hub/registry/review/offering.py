"""From drafts to a proposal, or to the next revision of one; the drafts go once it exists."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict
from hub.people import rules, rules_store, workspaces
from hub.people.policy import Actor, WorkspaceRef
from hub.registry import drafts
from hub.registry.drafts import DraftView
from hub.registry.review import lists, proposals, record, seen
from hub.registry.review.models import Proposal, Revision
from hub.registry.review.proposals import Made, Wanted
from hub.registry.review.views import ItemView
from hub.registry.writing.publish import Publisher


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says about the change, beside the change itself."""

    title: str = ""
    why: str = ""
    target: str | None = None
    reviewers: tuple[int, ...] = ()
    into: int | None = None
    """The proposal it shall be a new revision of; None: a new one."""
    expected: int | None = None
    """The latest revision of it that was on the screen."""


class OpenOne(msgspec.Struct, frozen=True, kw_only=True):
    """An open proposal, in a line that leads to it."""

    number: int
    title: str
    author: str
    account_id: int | None
    revision: int


class Reviewer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who can be asked; `counts`: a rule names them."""

    account_id: int
    name: str
    role: str
    counts: bool


DOES = {
    "create": "You make", "change": "You change", "rename": "You rename", "delete": "You delete",
    "release": "You release",
}  # fmt: skip


async def offer(
    publisher: Publisher, database: Database, workspace: WorkspaceRef, *, actor: Actor,
    wanted: Sequence[Wanted], offered: Offered, used: Sequence[DraftView] = (),
) -> Made:  # fmt: skip
    """Make it, and then forget the drafts it was made of, unless they have grown meanwhile.

    Raises:
        HubError: it cannot be proposed; the drafts are as they were.
    """
    if offered.into is None:
        made = await proposals.propose(
            publisher, database, workspace, actor=actor, title=offered.title, why=offered.why,
            items=wanted, target=offered.target, reviewers=offered.reviewers,
        )  # fmt: skip
    else:
        async with database.read() as db:
            view = await record.get(db, workspace.id, offered.into)
        made = await proposals.revise(
            publisher, database, workspace, offered.into, actor=actor,
            items=together(view.items, wanted), message=offered.why,
            expected_revision=offered.expected, reviewers=offered.reviewers,
            target=offered.target or UNSET,
        )  # fmt: skip
        if actor.account_id is not None:  # whoever wrote it has read it
            await seen.mark(database, workspace.id, made.number, actor.account_id, made.revision)
    async with database.write() as db:
        for one in used:
            await drafts.drop(
                db, workspace.id, actor.account_id or 0, one.prompt_id, revision=one.revision
            )
    return made


def wanted_of(item: ItemView) -> Wanted:
    """The same again, as a wish.

    Raises:
        Conflict: its text cannot be read any more.
    """
    if item.kind in ("create", "change") and item.new is None:
        raise Conflict(f"{item.name}: {item.problem}")
    text = item.new if item.kind in ("create", "change") else None
    return Wanted(
        kind=item.kind, name=item.name, document=text, new_name=item.new_name,
        base=item.base_hash if item.kind in ("change", "rename", "delete") else None,
        version=item.version, prompt_id=item.prompt_id if item.kind == "create" else None,
    )  # fmt: skip


def together(items: Sequence[ItemView], wanted: Sequence[Wanted]) -> list[Wanted]:
    """What a proposal does already, with the wishes in place of what they are about.

    Raises:
        Conflict: it does something else to one of these prompts already.
    """
    fresh = {one.name: one for one in wanted}
    made: list[Wanted] = []
    for item in items:
        if (newer := fresh.pop(item.name, None)) is None:
            made.append(wanted_of(item))
        elif item.kind == "create" and newer.kind == "change":
            made.append(msgspec.structs.replace(newer, kind="create", prompt_id=item.prompt_id))
        elif item.kind != newer.kind:
            raise Conflict(
                f"{DOES[item.kind]} {item.name} there already, and a proposal does one thing to a "
                "prompt. Put this one up by itself."
            )
        else:
            made.append(newer)
    return [*made, *fresh.values()]


_LINE = (
    Proposal.number, Proposal.title, Proposal.author, Proposal.account_id, Proposal.revision,
)  # fmt: skip


async def open_on(db: AsyncSession, workspace_id: int, prompt_id: str) -> list[OpenOne]:
    """Open proposals that touch the prompt, the newest first: one light statement."""
    query = (
        select(*_LINE)
        .where(
            Proposal.workspace_id == workspace_id, Proposal.state == "open",
            lists.touching(prompt_id),
        )
        .order_by(Proposal.number.desc())
    )  # fmt: skip
    return [OpenOne(**row) for row in (await db.execute(query)).mappings()]


async def mine_beside(
    db: AsyncSession, workspace_id: int, account_id: int | None, prompt_id: str
) -> list[OpenOne]:
    """Open proposals that the person began and that leave this prompt alone, the newest first."""
    query = select(*_LINE).where(
        Proposal.workspace_id == workspace_id, Proposal.state == "open",
        Proposal.account_id == account_id, ~lists.touching(prompt_id),
    )  # fmt: skip
    rows = await db.execute(query.order_by(Proposal.number.desc()).limit(20))
    return [OpenOne(**row) for row in rows.mappings()] if account_id is not None else []


async def mine_on(
    db: AsyncSession, workspace_id: int, account_id: int | None, prompt_ids: Sequence[str]
) -> list[OpenOne]:
    """Open proposals on any of these prompts that the person wrote at."""
    found: dict[int, OpenOne] = {}
    for prompt_id in prompt_ids:
        found |= {one.number: one for one in await open_on(db, workspace_id, prompt_id)}
    wrote = select(Revision.number).where(
        Revision.workspace_id == workspace_id, Revision.number.in_(found),
        Revision.account_id == account_id,
    )  # fmt: skip
    mine = set(await db.scalars(wrote)) if found and account_id is not None else set[int]()
    return [found[number] for number in sorted(mine, reverse=True)]


def needs_review(policy: rules.Policy, name: str) -> bool:
    """Whether a change of that prompt is proposed rather than saved."""
    rule = rules.rule_for(policy, "change", name)
    return rule is not None and bool(rule.approvals or rule.checks)


def asked_rules(policy: rules.Policy, names: Sequence[str], target: str | None) -> list[rules.Rule]:
    """The rules that will be asked when these land."""
    found = [rules.rule_for(policy, "change", name) for name in names]
    if target:
        found += [rules.rule_for(policy, "release", name, target) for name in names]
    return list(dict.fromkeys(rule for rule in found if rule is not None and rule.approvals))


async def reviewers_for(
    db: AsyncSession, workspace_id: int, actor: Actor, names: Sequence[str],
    target: str | None = None,
) -> list[Reviewer]:  # fmt: skip
    """Everybody who can be asked, those the rules name first; not the person themselves."""
    loaded = await rules_store.read(db, workspace_id)
    asked = asked_rules(loaded.policy, names, target)
    members = [
        one
        for one in await workspaces.people(db, workspace_id)
        if one.account_id != actor.account_id
    ]
    now = await rules_store.people(db, workspace_id, [one.account_id for one in members])
    made = [
        Reviewer(
            account_id=one.account_id, name=one.name, role=one.role,
            counts=any(now[one.account_id].is_one_of(rule.who) for rule in asked),
        )
        for one in members
    ]  # fmt: skip
    return sorted(made, key=lambda one: (not one.counts, one.name.casefold()))
