"""Proposals written straight into the tables, for tests of what people read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.db import Database, now
from hub.people import rules
from hub.people.models import Account, PolicyChange
from hub.registry.prompt.document import Document, Message, serialise
from hub.registry.review.models import Item, Proposal, Review, Revision, Watcher

TITLE = "Treat names in any case"
WHY = "The look-up failed for callers whose name arrives in lower case."


@dataclass(kw_only=True)
class Piece:
    """One item of a proposal."""

    name: str
    kind: str = "change"
    prompt_id: str = "p_new"
    document: Document | None = None
    base_hash: str | None = None
    base_version: int | None = None
    hash: str | None = None
    new_name: str | None = None
    version: int | None = None


def text(*contents: str, **more: Any) -> Document:
    return Document(messages=tuple(Message(role="system", content=c) for c in contents), **more)


async def set_rules(database: Database, workspace_id: int, *made: rules.Rule) -> None:
    """Put rules in force."""
    import msgspec

    policy = msgspec.to_builtins(rules.Policy(rules=made))
    async with database.write() as db:
        db.add(
            PolicyChange(
                workspace_id=workspace_id, base_id=None, policy=policy, why="", by="tests",
                account_id=None, at=now(), approvals=[], accepted_at=now(), declined_at=None,
            )
        )  # fmt: skip


async def offer(
    database: Database, workspace_id: int, account_id: int, *pieces: Piece, number: int = 1,
    revision: int = 1, title: str = TITLE, why: str = WHY, target: str | None = None,
    asked: tuple[int, ...] = (), at: datetime | None = None, message: str = "", **more: Any,
) -> str:  # fmt: skip
    """A proposal, or its next revision; returns the digest."""
    moment = at or now()
    digest = hashlib.sha256(repr((number, revision, pieces, target)).encode()).hexdigest()
    async with database.write() as db:
        who = await db.get_one(Account, account_id)
        held = await db.get(Proposal, (workspace_id, number))
        if held is None:
            given: dict[str, Any] = {
                "state": "open", "closed_at": None, "closed_by": None, "close_reason": None,
                "merge_commit": None,
            }  # fmt: skip
            db.add(
                Proposal(
                    workspace_id=workspace_id, number=number, title=title, why=why, target=target,
                    revision=revision, author=who.name, author_email=who.email,
                    account_id=account_id, created_at=moment, updated_at=moment,
                    **(given | more),
                )
            )  # fmt: skip
        else:
            held.revision, held.updated_at = revision, moment
        await db.flush()
        db.add(
            Revision(
                workspace_id=workspace_id, number=number, revision=revision, commit="c" * 40,
                base=None, digest=digest, author=who.name, author_email=who.email,
                account_id=account_id, message=message, at=moment,
            )
        )  # fmt: skip
        await db.flush()
        for position, one in enumerate(pieces):
            data = serialise(one.document) if one.document else None
            made = hashlib.sha256(data).hexdigest() if data else one.hash
            db.add(
                Item(
                    workspace_id=workspace_id, number=number, revision=revision,
                    prompt_id=one.prompt_id, position=position, kind=one.kind, name=one.name,
                    new_name=one.new_name, base_hash=one.base_hash,
                    base_version=one.base_version, hash=made, data=data, version=one.version,
                )
            )  # fmt: skip
        for one in asked:
            db.add(
                Watcher(
                    workspace_id=workspace_id, number=number, account_id=one, requested=True,
                    seen_at=None,
                )
            )  # fmt: skip
    return digest


async def say(
    database: Database, workspace_id: int, account_id: int, digest: str, verdict: str, *,
    number: int = 1, revision: int = 1, body: str = "",
) -> None:  # fmt: skip
    """Somebody's word on a revision."""
    async with database.write() as db:
        who = await db.get_one(Account, account_id)
        db.add(
            Review(
                workspace_id=workspace_id, number=number, revision=revision, digest=digest,
                account_id=account_id, name=who.name, email=who.email, verdict=verdict,
                body=body, at=now(),
            )
        )  # fmt: skip
