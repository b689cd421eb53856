"""The demo's people, what they have put up for review, and what they agreed on.

Told after the history, since the rules would refuse it: `clinical/` needs a word from Clinical
Leads, the rest does not. Every step can be told again and changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.parts import Parts
from hub.people import accounts, groups, policy_changes, rules_store, workspaces
from hub.people.accounts import OPERATOR
from hub.people.models import Account, Member
from hub.people.policy import Actor, WorkspaceRef
from hub.people.rules import GroupEdit, Policy, Rule
from hub.registry.prompt.document import Document, from_json, to_json
from hub.registry.reading import catalog
from hub.registry.review import comments, proposals
from hub.registry.review.models import Comment

MAIL = "harbour-clinic.example"
PEOPLE = {
    "Ana Ruiz": "editor", "Ben Okafor": "reviewer", "Carla Lind": "reviewer",
    "Emma Lang": "editor", "Jonas Weiss": "editor", "Maria Keller": "reviewer",
}  # fmt: skip
LEADS, LEADERS = "Clinical Leads", ("Ben Okafor", "Carla Lind", "Maria Keller")
FOLDER = "clinical"
WHY = "What a nurse reads at the bedside is looked at by two."


def address(name: str) -> str:
    first, _, last = name.partition(" ")
    return f"{first}.{last}@{MAIL}".lower()


async def tell(parts: Parts, workspace: WorkspaceRef, stories: dict[str, dict[str, Any]]) -> None:
    """Bring the people in, then what they propose and say, then the rules."""
    people = await _people(parts, workspace)
    for name, story in stories.items():
        for number, step in enumerate(story.get("proposals", [])):
            made = await _propose(parts, workspace, people, name, step, number)
            await _talk(parts, workspace, people, name, step, made)
    async with parts.database.write() as db:
        await _agree(db, workspace, people)


async def _people(parts: Parts, workspace: WorkspaceRef) -> dict[str, Actor]:
    found: dict[str, Actor] = {}
    async with parts.database.write() as db:
        for name, role in PEOPLE.items():
            account = await accounts.find(db, address(name))
            if account is None or await db.get(Member, (workspace.id, account.id)) is None:
                account = await workspaces.add(
                    db, workspace, address(name), name, role, actor=OPERATOR
                )
            found[name] = _actor(account, workspace, role)
    return found


def _actor(account: Account, workspace: WorkspaceRef, role: str) -> Actor:
    return Actor(
        kind="person", name=account.name, email=account.email, account_id=account.id,
        workspace_id=workspace.id, role=role,
    )  # fmt: skip


async def _propose(
    parts: Parts, workspace: WorkspaceRef, people: dict[str, Actor], name: str,
    step: dict[str, Any], number: int,
) -> proposals.Made:  # fmt: skip
    async with parts.database.read() as db:
        base = await catalog.version(db, workspace.id, name, step["base"])
    wanted = proposals.Wanted(
        kind="change", name=name, document=_changed(base.document, step["document"]),
        base=base.hash,
    )  # fmt: skip
    return await proposals.propose(
        parts.publisher, parts.database, workspace, actor=people[step["by"]], items=[wanted],
        title=step["title"], why=step["why"], target=step.get("target"),
        reviewers=[people[one].account_id or 0 for one in step.get("asks", [])],
        request_id=f"demo:proposal:{name}:{number}", at=_ago(step["days_ago"]),
    )  # fmt: skip


def _changed(document: Document, changes: dict[str, Any]) -> Document:
    return from_json(to_json(document) | changes)


async def _talk(
    parts: Parts, workspace: WorkspaceRef, people: dict[str, Actor], name: str,
    step: dict[str, Any], made: proposals.Made,
) -> None:  # fmt: skip
    async with parts.database.write() as db:
        here = (Comment.workspace_id == workspace.id, Comment.number == made.number)
        if await db.scalar(select(Comment.id).where(*here).limit(1)):
            return
        about = await catalog.version(db, workspace.id, name, step["base"])
        for remark in step.get("remarks", []):
            place = f"messages/{remark['message'] - 1}"
            on = comments.On(prompt_id=about.prompt_id, place=place, quote=remark["quote"])
            await comments.add(
                db, workspace.id, made.number, actor=people[remark["by"]], body=remark["body"],
                on=on, at=_ago(remark["days_ago"]),
            )  # fmt: skip


async def _agree(db: AsyncSession, workspace: WorkspaceRef, people: dict[str, Actor]) -> None:
    """Clinical Leads look at clinical/; production there is moved by a reviewer who did not write
    it. Whoever changed the rules already is left in peace."""
    if (await rules_store.read(db, workspace.id)).policy_id is not None:
        return
    group = await groups.make(db, workspace.id, LEADS, actor=OPERATOR)
    members = tuple(people[name].account_id or 0 for name in LEADERS)
    await policy_changes.edit_group(
        db, workspace.id, GroupEdit(group_id=group.id, add=members), actor=OPERATOR
    )
    rules = (
        Rule(kind="change", folder=FOLDER, approvals=1, who=(f"group:{group.id}",)),
        Rule(kind="release", folder=FOLDER, label="production", approvals=1),
    )
    await policy_changes.propose(
        db, workspace.id, Policy(rules=rules), base_id=None, why=WHY, actor=OPERATOR
    )


def _ago(days: float) -> datetime:
    morning = datetime.now(UTC).replace(hour=8, minute=40, second=0, microsecond=0)
    return morning - timedelta(days=days)
