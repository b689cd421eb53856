"""Below the web: a workspace with its people, so that tests can propose, review and merge."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from hub.db import Database, now
from hub.people import accounts, rules, rules_store, workspaces
from hub.people.models import Account, Group, GroupMember, Member, PolicyChange, Workspace
from hub.people.policy import Actor
from hub.registry.labels import labels
from hub.registry.models import Label, LabelMove, Prompt
from hub.registry.review import proposals
from hub.registry.review.drawing import Wanted
from hub.registry.review.models import Proposal
from hub.registry.review.propose import Made
from tests.shelf import Shelf, make_shelf, saying

ROLES = {"maria": "admin", "ana": "editor", "ben": "reviewer", "dora": "reviewer",
         "carla": "viewer"}  # fmt: skip


@dataclass
class Bench(Shelf):
    """A shelf where people have accounts and roles."""

    people: dict[str, Actor] = field(default_factory=dict[str, Actor])

    async def rule(
        self, *made: rules.Rule, needs: int = 0, owners: tuple[rules.Owners, ...] = ()
    ) -> None:
        """Put rules in force."""
        whole = rules.Policy(rules=made, change_needs=needs, owners=owners)
        policy = msgspec.to_builtins(whole)
        async with self.database.write() as db:
            db.add(
                PolicyChange(
                    workspace_id=self.workspace.id, base_id=None, policy=policy, why="", by="tests",
                    account_id=None, at=now(), approvals=[], accepted_at=now(), declined_at=None,
                )
            )  # fmt: skip
            await rules_store.bump(db, self.workspace.id)

    async def group(self, name: str, *who: str) -> int:
        async with self.database.write() as db:
            group = Group(workspace_id=self.workspace.id, name=name, created_at=now())
            db.add(group)
            await db.flush()
            for one in who:
                id = self.people[one].account_id
                db.add(GroupMember(group_id=group.id, account_id=id))
            return group.id

    async def propose(self, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        given: dict[str, Any] = {"title": "Say it better", "why": "It was unclear."}
        return await proposals.propose(
            self.publisher, self.database, self.workspace, actor=self.people[by], items=items,
            **(given | more),
        )  # fmt: skip

    async def revise(self, number: int, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        given: dict[str, Any] = {"message": "As asked", "expected_revision": None}
        return await proposals.revise(
            self.publisher, self.database, self.workspace, number, actor=self.people[by],
            items=items, **(given | more),
        )  # fmt: skip

    async def review(self, made: Made, *who: str, verdict: Any = "approve", **more: Any) -> None:
        for one in who:
            await proposals.review(
                self.publisher, self.workspace, made.number, actor=self.people[one],
                digest=made.digest, verdict=verdict, **more,
            )  # fmt: skip

    async def merge(self, made: Made, by: str = "ben", **more: Any) -> proposals.Merged:
        given: dict[str, Any] = {"digest": made.digest, "actor": self.people[by]}
        return await proposals.merge(self.publisher, self.workspace, made.number, **(given | more))

    async def move(self, name: str, version: int | None, by: str = "ben", **more: Any) -> LabelMove:
        given: dict[str, Any] = {"actor": self.people[by], "reason": "Because"}
        label = more.pop("label", "production")
        return await labels.move(
            self.publisher, self.workspace, label, name, version, **(given | more)
        )

    async def state(self, number: int) -> str:
        async with self.database.read() as db:
            return (await db.get_one(Proposal, (self.workspace.id, number))).state

    async def head(self, name: str) -> tuple[int, str]:
        """Newest version and its hash."""
        async with self.database.read() as db:
            query = select(Prompt.head, Prompt.hash).where(
                Prompt.workspace_id == self.workspace.id, Prompt.name == name,
                Prompt.deleted_at.is_(None),
            )  # fmt: skip
            row = (await db.execute(query)).one()
            return row.head, row.hash

    async def live(self, name: str, label: str = "production") -> int | None:
        async with self.database.read() as db:
            query = select(Label.version).join(
                Prompt,
                (Prompt.workspace_id == Label.workspace_id) & (Prompt.id == Label.prompt_id),
            )
            here = Prompt.workspace_id == self.workspace.id
            return await db.scalar(query.where(here, Prompt.name == name, Label.label == label))

    async def set_role(self, who: str, role: str) -> None:
        async with self.database.write() as db:
            member = await db.get_one(Member, (self.workspace.id, self.people[who].account_id or 0))
            member.role = role
            await rules_store.bump(db, self.workspace.id)


def change(name: str, text: str, base: str | None = None, **more: Any) -> Wanted:
    return Wanted(kind="change", name=name, document=saying(text, **more), base=base)


def create(name: str, text: str, **more: Any) -> Wanted:
    return Wanted(kind="create", name=name, document=saying(text, **more))


async def make_bench(database: Database, folder: Path) -> Bench:
    shelf = await make_shelf(database, folder)
    people: dict[str, Actor] = {}
    async with database.write() as db:
        row = await db.get_one(Workspace, shelf.workspace.id)
        for who, role in ROLES.items():
            account = await accounts.create(db, f"{who}@example.org", who.title())
            account.password_hash = "unset"
            people[who] = _actor(account, shelf.workspace.id, role)
            await workspaces.add(
                db, workspaces.ref(row), account.email, "", role, actor=accounts.OPERATOR
            )
    return Bench(
        shelf.database, shelf.publisher, shelf.workspace, people["ana"], people["ben"], people
    )


def _actor(account: Account, workspace_id: int, role: str) -> Actor:
    return Actor(
        kind="person", name=account.name, email=account.email, account_id=account.id,
        workspace_id=workspace_id, role=role,
    )  # fmt: skip
