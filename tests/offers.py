"""Proposals written straight into the tables, for tests of what is read of them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.people.models import Account, PolicyChange
from hub.people.policy import Actor
from hub.people.rules import Policy, Rule
from hub.registry.models import Content
from hub.registry.prompt.document import Document, Message, serialise
from hub.registry.prompt.document import to_json as document_to_json
from hub.registry.review.models import Item, Proposal, Review, Revision, Watcher
from tests.cast import NAMES, ROLES, Cast


def person(cast: Cast, who: str) -> Actor:
    """Somebody of the cast, as the gate would say."""
    place = cast.rival if who == "mallory" else cast.workspace
    return Actor(
        kind="person", name=NAMES[who], email=f"{who}@example.org",
        account_id=cast.account_ids[who], workspace_id=place.id, role=ROLES.get(who, "admin"),
    )  # fmt: skip


def text(*contents: str, **more: Any) -> Document:
    roles = ("system", "user", "assistant")
    said = tuple(Message(role=roles[at % 3], content=one) for at, one in enumerate(contents))
    return Document(messages=said, **more)


async def offer(
    database: Database, cast: Cast, number: int, new: Document, *, by: str = "ana",
    old: Document | None = None, name: str = "clinical/triage", title: str = "", revision: int = 1,
    at: datetime | None = None, target: str | None = None, state: str = "open",
) -> None:  # fmt: skip
    """A proposal of one prompt, or its next revision."""
    async with database.write() as db:
        await offer_in(
            db, cast, number, new, by=by, old=old, name=name, title=title, revision=revision,
            at=at, target=target, state=state,
        )  # fmt: skip


async def offer_in(
    db: AsyncSession, cast: Cast, number: int, new: Document, *, by: str = "ana",
    old: Document | None = None, name: str = "clinical/triage", title: str = "", revision: int = 1,
    at: datetime | None = None, target: str | None = None, state: str = "open",
) -> None:  # fmt: skip
    moment = at or now()
    who = person(cast, by)
    key = {"workspace_id": cast.workspace.id, "number": number}
    signed = {"author": who.name, "author_email": who.email, "account_id": who.account_id}
    held = await db.get(Proposal, (cast.workspace.id, number))
    if held is None:
        title = title or f"Proposal {number}"
        db.add(
            Proposal(
                **key, **signed, title=title, why="It reads better.", state=state, target=target,
                revision=revision, created_at=moment, updated_at=moment,
            )
        )  # fmt: skip
    else:
        held.revision, held.updated_at = revision, moment
    await db.flush()
    data = serialise(new)
    its = key | {"revision": revision}
    db.add(
        Revision(
            **its, **signed, commit=hashlib.sha1(data).hexdigest(), base=None,
            digest=digest(number, revision), message="", at=moment,
        )
    )  # fmt: skip
    await db.flush()
    base = await _content(db, cast.workspace.id, old) if old else None
    db.add(
        Item(
            **its, prompt_id=f"p-{name}"[:40], position=0, kind="change" if old else "create",
            name=name, base_hash=base, base_version=1 if old else None,
            hash=hashlib.sha256(data).hexdigest(), data=data,
        )
    )  # fmt: skip
    await db.flush()


def digest(number: int, revision: int = 1) -> str:
    return hashlib.sha256(f"{number}/{revision}".encode()).hexdigest()


async def _content(db: AsyncSession, workspace_id: int, document: Document) -> str:
    data = serialise(document)
    key = hashlib.sha256(data).hexdigest()
    if await db.get(Content, (workspace_id, key)) is None:
        raw = msgspec.json.encode(document_to_json(document))
        db.add(Content(workspace_id=workspace_id, hash=key, data=data, document=raw))
        await db.flush()
    return key


async def give_word(
    database: Database, cast: Cast, number: int, who: str, verdict: str, *, revision: int = 1
) -> None:
    one = person(cast, who)
    async with database.write() as db:
        db.add(
            Review(
                workspace_id=cast.workspace.id, number=number, revision=revision, verdict=verdict,
                digest=digest(number, revision), account_id=cast.account_ids[who], name=one.name,
                email=one.email, body="", at=now(),
            )
        )  # fmt: skip


async def ask_for_review(database: Database, cast: Cast, number: int, who: str) -> None:
    key = {"workspace_id": cast.workspace.id, "number": number}
    async with database.write() as db:
        await db.execute(
            insert(Watcher).values(
                **key, account_id=cast.account_ids[who], requested=True, muted=False,
                seen_revision=0,
            )
        )  # fmt: skip


async def agree_on(database: Database, cast: Cast, *rules: Rule) -> None:
    """These rules are in force from now on."""
    async with database.write() as db:
        maria = await db.scalar(select(Account).where(Account.email == "maria@example.org"))
        assert maria
        db.add(
            PolicyChange(
                workspace_id=cast.workspace.id, base_id=None, why="", by=maria.email, at=now(),
                policy=msgspec.to_builtins(Policy(rules=rules)), account_id=maria.id,
                approvals=[], accepted_at=now(),
            )
        )  # fmt: skip
