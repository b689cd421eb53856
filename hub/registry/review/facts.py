"""What a decision on a proposal looks at, read for many proposals at once.

One statement per table, whatever the number of proposals: a list of fifty costs what one costs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, func, select

from hub.people import rules, rules_store
from hub.people.policy import Actor
from hub.people.rules import Approval, Case, Person
from hub.registry.review import writers
from hub.registry.review.models import Check, Comment, Item, Proposal, Review, Revision, Watcher
from hub.registry.review.rows import WHOSE, accounts_of
from hub.registry.review.views import Word

NOBODY = Actor(kind="operator", name="The rules", email="")
"""Stands for whoever will merge: what the rules lack is then the reviewers' business alone."""


class ItemRow(msgspec.Struct, frozen=True):
    """An item of the latest revision, without its text."""

    kind: str
    prompt_id: str
    name: str
    new_name: str | None
    hash: str | None


class ReviewRow(msgspec.Struct, frozen=True):
    """One word that somebody gave, as it is kept."""

    account_id: int
    name: str
    email: str
    revision: int
    digest: str
    verdict: Literal["approve", "changes", "none"]
    body: str
    at: datetime
    id: int
    stands: bool
    dismissed: bool

    @property
    def counted_as(self) -> Literal["approve", "changes", "none"]:
        return "none" if self.dismissed else self.verdict


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One proposal's row and what stands around it."""

    row: Any
    digest: str
    items: list[ItemRow]
    reviews: list[ReviewRow]
    """The latest of each person."""
    requested: list[int]
    checks: dict[str, Any]
    comments: int
    case: Case
    verdict: rules.Verdict
    words: list[Word]
    required: list[str]
    rule_there: bool
    """Some rule asks for something; else whoever may save may merge."""


def gather(db: Connection, workspace_id: int, numbers: Sequence[int]) -> dict[int, Facts]:
    """The facts of these proposals, by number."""
    rows = {
        row.number: row
        for row in db.execute(
            select(*Proposal.__table__.columns).where(
                Proposal.workspace_id == workspace_id, Proposal.number.in_(numbers)
            )
        )
    }
    if not rows:
        return {}
    read = _Read(db, workspace_id, sorted(rows))
    latest = {number: row.revision for number, row in rows.items()}
    digests, authors = read.revisions(latest)
    items, reviews = read.items(latest), read.reviews()
    requested, comments, checks = read.requested(), read.comments(), read.checks(digests)
    loaded = rules_store.load(db, workspace_id)
    ids = {one.account_id for found in reviews.values() for one in found}
    ids |= {one for found in requested.values() for one in found}
    people = rules_store.people_now(db, workspace_id, sorted(ids))
    made: dict[int, Facts] = {}
    for number, row in rows.items():
        ids, emails = writers.of_texts(db, workspace_id, loaded.policy, items[number])
        case = Case(
            policy=loaded.policy, actor=NOBODY, mover=None, names=_names(items[number]),
            releases=_releases(items[number], row.target), digest=digests.get(number, ""),
            approvals=_approvals(reviews[number], people), authors=authors[number][0] | ids,
            author_emails=authors[number][1] | emails,
            checks={name: one.state for name, one in checks[number].items()},
            called=loaded.called,
        )  # fmt: skip
        verdict = rules.judge(case)
        made[number] = Facts(
            row=row, digest=case.digest, items=items[number], reviews=reviews[number],
            requested=requested[number], checks=checks[number], comments=comments.get(number, 0),
            case=case, verdict=verdict, required=_required(case), rule_there=_rule_there(case),
            words=_words(case, verdict, reviews[number], requested[number], people),
        )  # fmt: skip
    return made


class _Read:
    """The statements, each for all the proposals."""

    def __init__(self, db: Connection, workspace_id: int, numbers: list[int]) -> None:
        self.db, self.workspace_id, self.numbers = db, workspace_id, numbers

    def _of(self, model: Any) -> Any:
        return (model.workspace_id == self.workspace_id) & model.number.in_(self.numbers)

    def revisions(
        self, latest: dict[int, int]
    ) -> tuple[dict[int, str], dict[int, tuple[frozenset[int], frozenset[str]]]]:
        """The latest digest, and who wrote any revision."""
        digests: dict[int, str] = {}
        ids: defaultdict[int, set[int]] = defaultdict(set)
        emails: defaultdict[int, set[str]] = defaultdict(set)
        query = select(
            Revision.number, Revision.revision, Revision.digest, Revision.account_id,
            Revision.author_email, Revision.co_authors,
        ).where(self._of(Revision))  # fmt: skip
        rows = self.db.execute(query).all()
        named = {email for row in rows for email in row.co_authors}
        behind = accounts_of(self.db, named) if named else {}
        for number, revision, digest, account_id, email, others in rows:
            if revision == latest[number]:
                digests[number] = digest
            ids[number] |= {account_id} if account_id is not None else set()
            ids[number] |= {behind[one] for one in others if one in behind}
            emails[number] |= {email.lower(), *others} if email else {*others}
        return digests, {
            number: (frozenset(ids[number]), frozenset(emails[number])) for number in self.numbers
        }

    def items(self, latest: dict[int, int]) -> dict[int, list[ItemRow]]:
        found: defaultdict[int, list[ItemRow]] = defaultdict(list)
        query = (
            select(
                Item.number,
                Item.revision,
                Item.kind,
                Item.prompt_id,
                Item.name,
                Item.new_name,
                Item.hash,
            )
            .where(self._of(Item))
            .order_by(Item.number, Item.position, Item.prompt_id)
        )
        for row in self.db.execute(query):
            if row.revision == latest[row.number]:
                one = ItemRow(row.kind, row.prompt_id, row.name, row.new_name, row.hash)
                found[row.number].append(one)
        return found

    def reviews(self) -> dict[int, list[ReviewRow]]:
        """Of each person the last word."""
        found: defaultdict[int, dict[int | str, ReviewRow]] = defaultdict(dict)
        query = select(
            Review.number, WHOSE.label("account_id"), Review.name, Review.email, Review.revision,
            Review.digest, Review.verdict, Review.body, Review.at, Review.id, Review.stands,
            Review.dismissed_at.is_not(None).label("dismissed"),
        ).where(self._of(Review))  # fmt: skip
        for one in self.db.execute(query.order_by(Review.id)).mappings():
            word = msgspec.convert(one, ReviewRow)
            of_one = found[one["number"]]
            whose = word.account_id if word.account_id > 0 else word.email.lower()
            of_one.pop(whose, None)  # the latest word stands last
            of_one[whose] = word
        return defaultdict(list, {number: [*rows.values()] for number, rows in found.items()})

    def requested(self) -> dict[int, list[int]]:
        found: defaultdict[int, list[int]] = defaultdict(list)
        query = select(Watcher.number, Watcher.account_id).where(
            self._of(Watcher), Watcher.requested.is_(True)
        )
        for number, account_id in self.db.execute(query.order_by(Watcher.account_id)):
            found[number].append(account_id)
        return found

    def comments(self) -> dict[int, int]:
        """Threads that nobody has resolved yet."""
        query = select(Comment.number, func.count()).where(
            self._of(Comment), Comment.parent_id.is_(None), Comment.resolved_at.is_(None)
        )
        return dict(self.db.execute(query.group_by(Comment.number)).all())

    def checks(self, digests: dict[int, str]) -> dict[int, dict[str, Any]]:
        found: defaultdict[int, dict[str, Any]] = defaultdict(dict)
        query = select(*Check.__table__.columns).where(
            self._of(Check), Check.digest.in_(sorted(set(digests.values())))
        )
        for row in self.db.execute(query.order_by(Check.name)):
            if row.digest == digests.get(row.number):
                found[row.number][row.name] = row
        return found


def _names(items: list[ItemRow]) -> tuple[str, ...]:
    """Names on main that the proposal touches, old and new."""
    said = [one for item in items if item.kind != "release" for one in (item.name, item.new_name)]
    return tuple(dict.fromkeys(one for one in said if one))


def _releases(items: list[ItemRow], target: str | None) -> tuple[tuple[str, str], ...]:
    if target is None:
        return ()
    return tuple((target, item.new_name or item.name) for item in items if item.kind != "delete")


def _approvals(reviews: list[ReviewRow], people: dict[int, Person]) -> tuple[Approval, ...]:
    """Words of people as they are now; whoever left has no role."""
    return tuple(
        Approval(
            person=people.get(one.account_id)
            or Person(
                account_id=one.account_id, name=one.name, email=one.email, role="",
                groups=frozenset(),
            ),
            digest=one.digest, verdict=one.counted_as, at=one.at, stands=one.stands,
        )
        for one in reviews
    )  # fmt: skip


def rules_of(case: Case) -> list[rules.Rule]:
    """The rules that a proposal falls under."""
    asked = [rules.rule_for(case.policy, "change", name) for name in case.names]
    asked += [rules.rule_for(case.policy, "release", name, at) for at, name in case.releases]
    return [rule for rule in asked if rule is not None]


def _required(case: Case) -> list[str]:
    return list(dict.fromkeys(name for rule in rules_of(case) for name in rule.checks))


def _rule_there(case: Case) -> bool:
    return any(rule.approvals or rule.checks for rule in rules_of(case))


def _words(
    case: Case, verdict: rules.Verdict, reviews: list[ReviewRow], requested: list[int],
    people: dict[int, Person],
) -> list[Word]:  # fmt: skip
    """Who gave a word, in the order they gave it, then who was asked for one."""
    counted = {one.account_id for one in verdict.counted}
    against = {one.account_id for one in verdict.against}
    said = [
        Word(
            account_id=one.account_id, name=one.name, email=one.email, verdict=one.verdict,
            body=one.body, revision=one.revision, at=one.at, current=one.digest == case.digest,
            counts=one.account_id in counted, requested=one.account_id in requested, id=one.id,
            in_the_way=one.account_id in against, dismissed=one.dismissed,
        )
        for one in reviews
    ]  # fmt: skip
    spoken = {one.account_id for one in reviews}
    silent = [people[one] for one in requested if one not in spoken and one in people]
    return said + [
        Word(
            account_id=one.account_id, name=one.name, email=one.email, verdict="none",
            requested=True,
        )
        for one in silent
    ]  # fmt: skip
