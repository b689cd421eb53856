"""Whose word is awaited: the proposals that wait for one person, and how many there are.

Waiting for somebody means: open, not theirs, they were asked or the rules count them and still lack
an approval, and they have said nothing about what it is now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, select

from hub.db import Database
from hub.outbox import Event
from hub.people import rules, rules_store
from hub.people.models import Workspace
from hub.people.rules import Person, Policy
from hub.registry.review.facts import gather
from hub.registry.review.models import Item, Proposal, Review, Revision, Watcher

KEPT = 5_000
"""Answers held; beyond it they are read afresh."""

Stamp = tuple[int, int]


class Queue:
    """Remembers, per person, what waits for them, until something happens in the workspace.

    What happens is announced in the outbox or counted in the epoch, in the same transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[tuple[int, int], tuple[Stamp, list[int]]] = {}

    async def waiting(self, workspace_id: int, account_id: int) -> list[int]:
        """Numbers of the proposals that wait for this person, what changed last first."""

        def read(db: Connection) -> list[int]:
            return self.read(db, workspace_id, account_id)

        return await self._database.read_at_once(read)

    def read(self, db: Connection, workspace_id: int, account_id: int) -> list[int]:
        """As `waiting`, in a snapshot that is open already."""
        key, stamp = (workspace_id, account_id), _stamp(db, workspace_id)
        held = self._held.get(key)
        if held and held[0] == stamp:
            return held[1]
        found = awaited(db, workspace_id, account_id)
        if len(self._held) >= KEPT:
            self._held.clear()
        self._held[key] = (stamp, found)
        return found


def awaited(db: Connection, workspace_id: int, account_id: int) -> list[int]:
    """The numbers; a handful of statements, whatever the number of open proposals."""
    person = rules_store.people_now(db, workspace_id, [account_id]).get(account_id)
    if person is None or not person.role:
        return []
    read = _Read(db, workspace_id, person)
    asked, muted = read.asked()
    done = read.written() | read.spoken() | muted
    counting = read.counting(rules_store.load(db, workspace_id).policy) - done
    counting = _still_lacking(db, workspace_id, counting - asked, read.approved())
    return [one for one in read.open() if one in counting or one in asked - done]


def _stamp(db: Connection, workspace_id: int) -> Stamp:
    last = (
        select(func.max(Event.id)).where(Event.workspace_id == workspace_id).scalar_subquery()
    )  # fmt: skip
    row = db.execute(select(Workspace.epoch, last).where(Workspace.id == workspace_id)).one()
    return row[0], row[1] or 0


def _still_lacking(
    db: Connection, workspace_id: int, counting: set[int], approved: set[int]
) -> set[int]:
    """Those that have all the approvals they need wait for somebody to merge them."""
    some = sorted(counting & approved)
    met = {
        number
        for number, one in (gather(db, workspace_id, some) if some else {}).items()
        if one.verdict.met
    }
    return counting - met


class _Read:
    """The statements; all about open proposals of one workspace and one person."""

    def __init__(self, db: Connection, workspace_id: int, person: Person) -> None:
        self.db, self.workspace_id, self.person = db, workspace_id, person
        self._open = and_(Proposal.workspace_id == workspace_id, Proposal.state == "open")

    def _numbers(self, query: Any) -> set[int]:
        return set(self.db.scalars(query))

    def _of(self, model: Any) -> Any:
        return and_(
            model.workspace_id == Proposal.workspace_id, model.number == Proposal.number, self._open
        )

    def open(self) -> list[int]:
        query = select(Proposal.number).where(self._open)
        order = query.order_by(Proposal.updated_at.desc(), Proposal.number.desc())
        return list(self.db.scalars(order))

    def written(self) -> set[int]:
        """Those that the person wrote at, under this account or address."""
        mine = (Revision.account_id == self.person.account_id) | (
            func.lower(Revision.author_email) == self.person.email.lower()
        )
        return self._numbers(select(Revision.number).join(Proposal, self._of(Revision)).where(mine))

    def spoken(self) -> set[int]:
        """Those whose latest content the person has given a word on."""
        latest = (
            select(func.max(Review.id))
            .where(
                Review.workspace_id == self.workspace_id,
                Review.account_id == self.person.account_id,
            )
            .group_by(Review.number)
        )
        query = (
            select(Review.number)
            .join(Proposal, self._of(Review))
            .join(Revision, and_(self._of(Revision), Revision.revision == Proposal.revision))
            .where(Review.id.in_(latest), Review.verdict != "none")
            .where(Review.digest == Revision.digest)
        )
        return self._numbers(query)

    def approved(self) -> set[int]:
        """Those that somebody has approved; only they can have all they need."""
        query = select(Review.number).join(Proposal, self._of(Review))
        return self._numbers(query.where(Review.verdict == "approve"))

    def asked(self) -> tuple[set[int], set[int]]:
        """Those that the person was asked to review, and those they want to hear nothing of."""
        query = select(Watcher.number, Watcher.requested, Watcher.muted).where(
            Watcher.workspace_id == self.workspace_id,
            Watcher.account_id == self.person.account_id,
        )
        rows = self.db.execute(query).all()
        muted = {row.number for row in rows if row.muted}
        return {row.number for row in rows if row.requested} - muted, muted

    def counting(self, policy: Policy) -> set[int]:
        """Those that fall under a rule which counts the person's approval."""
        may = (rules.anybody(policy, rule) for rule in policy.rules if rule.approvals)
        if not any(self.person.is_one_of(who) for who in may):
            return set()
        query = (
            select(Item.number, Item.kind, Item.name, Item.new_name, Proposal.target)
            .join(Proposal, self._of(Item))
            .where(Item.revision == Proposal.revision)
        )
        ask = _Asked(policy, self.person)
        return {row.number for row in self.db.execute(query) if ask.about(row)}


class _Asked(msgspec.Struct, frozen=True):
    """Whether the rules ask this person about an item; said once per name."""

    policy: Policy
    person: Person
    known: dict[tuple[str, str], bool] = {}

    def about(self, row: Any) -> bool:
        names = [one for one in (row.name, row.new_name) if one]
        changes = row.kind != "release" and any(self._one(name, "") for name in names)
        return changes or (
            row.target is not None and row.kind != "delete" and self._one(names[-1], row.target)
        )

    def _one(self, name: str, label: str) -> bool:
        key = (name, label)
        if key not in self.known:
            kind = "release" if label else "change"
            rule = rules.rule_for(self.policy, kind, name, label)
            self.known[key] = rule is not None and _counts(rule, self.person)
        return self.known[key]


def _counts(rule: rules.Rule, person: Person) -> bool:
    return rule.approvals > 0 and person.is_one_of(rule.who)


def among(waiting: Iterable[int], cursor: int | None, most: int) -> tuple[list[int], int | None]:
    """A page of a list of numbers, and how many come before the next one."""
    numbers, start = list(waiting), cursor or 0
    end = start + most
    return numbers[start:end], end if end < len(numbers) else None
