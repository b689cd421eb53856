"""What is on record of versions whose label somebody moves directly: who wrote them, who approved
them for which label, what the checks said, and where the labels were before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, select

from hub.db import Instant
from hub.registry.indexing.ledger import Ledger
from hub.registry.models import LabelMove, PromptEvent, PushedCommit, Version
from hub.registry.review.follow_proposals import co_authors, person
from hub.registry.review.models import Check, Item, Merge, Revision
from hub.registry.review.rows import accounts_of

Key = tuple[str, int]
"""Prompt id and version."""
Text = tuple[str, str]
"""Prompt id and hash of a content."""


class Approved(msgspec.Struct, frozen=True):
    """A word that a merge tells of."""

    target: str | None
    email: str
    at: datetime


class OnRecord(msgspec.Struct):
    """Of one content of one prompt."""

    emails: set[str] = msgspec.field(default_factory=set[str])
    """Of everybody who wrote it, in small letters."""
    writers: set[int] = msgspec.field(default_factory=set[int])
    approved: list[Approved] = msgspec.field(default_factory=list[Approved])
    checks: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class LabelGone(msgspec.Struct, frozen=True, kw_only=True):
    """A move of a label."""

    old: int | None
    new: int | None
    broke_glass: bool
    at: datetime


class Moves(msgspec.Struct, frozen=True):
    """The moves of the labels at hand, the oldest first."""

    rows: dict[tuple[str, str], list[LabelGone]]
    left: dict[str, list[tuple[str, datetime]]] = {}
    """Names that the prompts left, and when."""

    def goes_back(
        self, label: str, prompt_id: str, to: int | None, same: Callable[[str], bool]
    ) -> bool:
        """Whether `to` was live directly before what is live now, by a move within the rules.

        `same`: whether the rule of a name is the one in question. What went live elsewhere, under
        other rules, was not allowed under this one.
        """
        moves = self.rows.get((label, prompt_id), [])
        if not moves or to is None or moves[-1].old != to:
            return False
        came = [move for move in moves[:-1] if move.new == to]
        if not came or came[-1].broke_glass:
            return False
        # In whole seconds: a name that was left in the second of the move may be the one it had.
        names = [name for name, at in self.left.get(prompt_id, ()) if at >= came[-1].at]
        return all(map(same, names))


def load_versions(
    db: Connection, ledger: Ledger, wanted: Collection[Key]
) -> dict[Key, OnRecord]:  # fmt: skip
    """What is known of these versions; the same content counts, whichever version held it."""
    held = {key: ledger.versions[key] for key in wanted if key in ledger.versions}
    if not held:
        return {}
    blobs = {(one.prompt_id, one.hash): one.blob for one in held.values()}
    found = of_texts(db, ledger.workspace_id, blobs, blobs)
    return {key: found[one.prompt_id, one.hash] for key, one in held.items()}


def of_texts(
    db: Connection, workspace_id: int, texts: Collection[Text], blobs: Mapping[Text, str] = {}
) -> dict[Text, OnRecord]:
    """What is known of contents; approvals only of those whose git id is given, too."""
    found = {text: OnRecord() for text in texts}
    if not found:
        return found
    _writers(db, workspace_id, found)
    _merges(db, workspace_id, found, blobs)
    emails = {email for one in found.values() for email in one.emails}
    accounts = accounts_of(db, emails)
    for one in found.values():
        one.writers |= {accounts[email] for email in one.emails if email in accounts}
    return found


def _writers(db: Connection, workspace_id: int, found: dict[Text, OnRecord]) -> None:
    """Of what was pushed, whoever pushed it: the author that a commit names is a claim."""
    query = select(
        Version.prompt_id, Version.hash, Version.author_email, Version.message, PushedCommit.email,
        PushedCommit.others,
    ).outerjoin(PushedCommit, _brought(Version)).where(
        Version.workspace_id == workspace_id,
        Version.prompt_id.in_({id for id, _ in found}), Version.hash.in_({h for _, h in found}),
    )  # fmt: skip
    for row in db.execute(query):
        if one := found.get((row.prompt_id, row.hash)):
            said = set[str]() if row.email else co_authors(row.message)
            one.emails |= {(row.email or row.author_email).lower()} | said | {*(row.others or ())}


def _merges(
    db: Connection, workspace_id: int, found: dict[Text, OnRecord], blobs: Mapping[Text, str]
) -> None:  # fmt: skip
    its = and_(
        Merge.workspace_id == Item.workspace_id, Merge.number == Item.number,
        Merge.revision == Item.revision,
    )  # fmt: skip
    query = (
        select(Item.prompt_id, Item.hash, Merge)
        .join(Merge, its)
        .where(
            Item.workspace_id == workspace_id,
            Item.prompt_id.in_({id for id, _ in found}), Item.hash.in_({h for _, h in found}),
        )
        .with_only_columns(
            Item.prompt_id, Item.hash, Merge.number, Merge.digest, Merge.target, Merge.blobs,
            Merge.reviewers, Merge.at,
        )
    )  # fmt: skip
    numbers: dict[int, list[tuple[OnRecord, str]]] = {}
    for row in db.execute(query):
        key = (row.prompt_id, row.hash)
        if key not in found:
            continue
        one = found[key]
        numbers.setdefault(row.number, []).append((one, row.digest))
        if blobs.get(key) in row.blobs:
            said = [person(reviewer) for reviewer in row.reviewers]
            one.approved += [Approved(row.target, who[1].lower(), row.at) for who in said if who]
    _of_proposals(db, workspace_id, numbers)


def _of_proposals(
    db: Connection, workspace_id: int, numbers: dict[int, list[tuple[OnRecord, str]]]
) -> None:
    """Who wrote at the proposals, and what the checks said of them."""
    if not numbers:
        return
    revisions = select(
        Revision.number, Revision.author_email, Revision.account_id, Revision.co_authors
    ).where(Revision.workspace_id == workspace_id, Revision.number.in_(numbers))
    for row in db.execute(revisions):
        for one, _ in numbers[row.number]:
            one.emails |= {row.author_email.lower(), *row.co_authors}
            one.writers |= {row.account_id} - {None}
    checks = select(Check.number, Check.digest, Check.name, Check.state).where(
        Check.workspace_id == workspace_id, Check.number.in_(numbers)
    )
    for row in db.execute(checks.order_by(Check.at)):
        for one, digest in numbers[row.number]:
            if digest == row.digest:
                one.checks[row.name] = row.state


def load_moves(db: Connection, ledger: Ledger, prompt_ids: Collection[str]) -> Moves:
    """Each by the time at which the hub knew of it: a commit that somebody brought says of its
    time what it likes."""
    found: dict[tuple[str, str], list[LabelGone]] = {}
    query = (
        select(
            LabelMove.label, LabelMove.prompt_id, LabelMove.old, LabelMove.new,
            LabelMove.broke_glass, _known_at(LabelMove),
        )
        .outerjoin(PushedCommit, _brought(LabelMove))
        .where(
            LabelMove.workspace_id == ledger.workspace_id, LabelMove.prompt_id.in_(prompt_ids)
        )
        .order_by(LabelMove.id)
    )  # fmt: skip
    for row in db.execute(query):
        one = LabelGone(old=row.old, new=row.new, broke_glass=row.broke_glass, at=row.at)
        found.setdefault((row.label, row.prompt_id), []).append(one)
    left: dict[str, list[tuple[str, datetime]]] = {}
    events = (
        select(PromptEvent.prompt_id, PromptEvent.old, _known_at(PromptEvent))
        .outerjoin(PushedCommit, _brought(PromptEvent))
        .where(
            PromptEvent.workspace_id == ledger.workspace_id, PromptEvent.kind == "renamed",
            PromptEvent.prompt_id.in_(prompt_ids),
        )
    )  # fmt: skip
    for row in db.execute(events):
        left.setdefault(row.prompt_id, []).append((row.old, row.at))
    return Moves(found, left)


def _known_at(model: type[LabelMove | PromptEvent]) -> ColumnElement[datetime]:
    return func.coalesce(PushedCommit.at, model.at, type_=Instant()).label("at")


def _brought(model: type[LabelMove | PromptEvent | Version]) -> ColumnElement[bool]:
    """Of rows whose commit somebody brought: who."""
    same = (PushedCommit.workspace_id == model.workspace_id, PushedCommit.commit == model.commit)
    return and_(*same)
