"""Whose words a proposal would bring into force, besides those of whoever wrote at it.

A release, or a rename into other rules, carries a text that others wrote before: whoever wrote it
does not approve it either. The same holds for what main has since, when it is brought in unread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from sqlalchemy import Connection, and_, or_, select

from hub.people.rules import Policy, Rule, rule_for
from hub.registry.models import PushedCommit, Version
from hub.registry.review import on_record
from hub.registry.review.models import Merge

Writers = tuple[frozenset[int], frozenset[str]]
"""Accounts, and addresses in small letters."""


class Carrying(Protocol):
    """A part of a proposal."""

    @property
    def kind(self) -> str: ...
    @property
    def prompt_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def new_name(self) -> str | None: ...
    @property
    def hash(self) -> str | None: ...


def of_texts(
    db: Connection, workspace_id: int, policy: Policy, parts: Iterable[Carrying]
) -> Writers:
    """Who wrote the texts that these parts carry; no statement where they carry none."""
    texts = {
        (one.prompt_id, one.hash)
        for one in parts if one.hash is not None and _carries(policy, one)
    }  # fmt: skip
    found = on_record.of_texts(db, workspace_id, texts).values()
    writers = frozenset(id for one in found for id in one.writers)
    return writers, frozenset(email for one in found for email in one.emails)


def _carries(policy: Policy, part: Carrying) -> bool:
    if part.kind == "release":
        return True
    renamed = part.kind == "rename" and part.new_name is not None
    return renamed and _over(policy, part.name) != _over(policy, part.new_name or "")


def _over(policy: Policy, name: str) -> list[Rule | None]:
    """Every rule that the name falls under."""
    labels = sorted({rule.label for rule in policy.rules})
    released = [rule_for(policy, "release", name, label) for label in ["", *labels]]
    return [rule_for(policy, "change", name), *released]


def unread(
    db: Connection, workspace_id: int, since: Collection[tuple[str, int]]
) -> list[tuple[str, str, str]]:
    """Prompt id, name and address of whoever saved a version after these (prompt id and number)
    that no reviewer looked at."""
    if not since:
        return []
    newer = or_(*(and_(Version.prompt_id == id, Version.number > n) for id, n in since))
    merged = and_(Merge.workspace_id == Version.workspace_id, Merge.commit == Version.commit)
    pushed = and_(
        PushedCommit.workspace_id == Version.workspace_id, PushedCommit.commit == Version.commit
    )
    query = (
        select(
            Version.prompt_id,
            Version.author,
            Version.author_email,
            Merge.reviewers,
            PushedCommit.name,
            PushedCommit.email,
        )
        .outerjoin(Merge, merged)
        .outerjoin(PushedCommit, pushed)
        .where(Version.workspace_id == workspace_id, newer)
        .order_by(Version.prompt_id, Version.number)
    )
    rows = db.execute(query)
    return [
        (row.prompt_id, row.name, row.email)
        if row.email
        else (row.prompt_id, row.author, row.author_email)
        for row in rows
        if not row.reviewers
    ]
