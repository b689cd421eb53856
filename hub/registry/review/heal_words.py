"""Words that git has and the tables do not: for a rebuild, or after an old backup of the database
was put back. And the other way round: words that a crash kept from going into git.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from hub.db import Database
from hub.people import rules_store
from hub.registry.git.git_terms import REVIEWS, GitFailed, RefMoved
from hub.registry.git.repository import Repository
from hub.registry.indexing.reading import blob_id
from hub.registry.review import keeping, rows
from hub.registry.review.models import Proposal, Review, Revision
from hub.registry.review.notebook import Closed, Line, Said, commit_of, lines

log = logging.getLogger(__name__)


class _Place(msgspec.Struct, frozen=True):
    """The revision that a note is on."""

    number: int
    revision: int
    digest: str


async def follow_words(database: Database, repository: Repository, workspace_id: int) -> None:
    """Bring SQL and git to the same; where both know something, SQL is right."""
    tip = await asyncio.to_thread(_tip, repository)
    files = await asyncio.to_thread(repository.files, tip) if tip else []
    there = {commit: blob for _, blob, path in files if (commit := commit_of(path))}
    read = partial(keeping.notes, workspace_id=workspace_id)
    here = await database.read_at_once(read)
    other = {one: blob for one, blob in there.items() if blob_id(here.get(one, b"")) != blob}
    if other:
        bodies = await asyncio.to_thread(repository.read, sorted(set(other.values())))
        said = {one: lines(bodies.get(blob, b"")) for one, blob in other.items()}
        await database.write_at_once(lambda db: _put_back(db, workspace_id, said))
        here = await database.read_at_once(read)
    await database.write_at_once(lambda db: _name_again(db, workspace_id))
    missing = {one: data for one, data in here.items() if blob_id(data) != there.get(one)}
    missing |= {one: b"" for one in other if one not in here}
    if missing:
        await asyncio.to_thread(_write, repository, tip, missing)


def _tip(repository: Repository) -> str | None:
    """None, too, where a power cut left the ref broken: SQL has all that it named."""
    try:
        return repository.tip(REVIEWS)
    except GitFailed as broken:
        log.error("%s of %s is written anew: %s", REVIEWS, repository.path.name, broken)
        (repository.path / REVIEWS).unlink(missing_ok=True)
        return None


def _write(repository: Repository, tip: str | None, missing: dict[str, bytes]) -> None:
    try:
        keeping.write(repository, tip, missing, keeping.HUB, "Words that git did not have yet")
    except RefMoved:
        log.warning("%s of %s is being written; nothing to do", REVIEWS, repository.path.name)


def _put_back(db: Connection, workspace_id: int, said: dict[str, list[Line]]) -> None:
    places = _places(db, workspace_id, said)
    known = _known(db, workspace_id, {place.number for place in places.values()})
    given = [(one, places[commit]) for commit in places for one in said[commit]]
    words = [(one, place) for one, place in given if isinstance(one, Said)]
    accounts = rows.accounts_of(db, {one.email for one, _ in words})
    for one, place in sorted(words, key=lambda pair: pair[0].at):
        if one.digest != place.digest:
            continue
        key = (place.number, place.revision, one.email.lower(), one.at)
        account = accounts.get(one.email.lower())
        if key not in known:
            db.execute(insert(Review), _row(workspace_id, place, one, account))
            _touched(db, workspace_id, place.number, account, one.at)
        elif one.dismissed and not known[key][1]:
            query = update(Review).where(Review.id == known[key][0])
            db.execute(query.values(_dismissed(one)))
        if one.dismissed:
            _touched(db, workspace_id, place.number, account, one.dismissed.at)
    for one, place in given:
        if isinstance(one, Closed):
            _close(db, workspace_id, place.number, one)
    rules_store.bump_now(db, workspace_id)


def _places(db: Connection, workspace_id: int, commits: Collection[str]) -> dict[str, _Place]:
    columns = (Revision.commit, Revision.number, Revision.revision, Revision.digest)
    query = select(*columns).where(Revision.workspace_id == workspace_id)
    return {
        row.commit: _Place(row.number, row.revision, row.digest)
        for row in db.execute(query) if row.commit in commits
    }  # fmt: skip


def _known(db: Connection, workspace_id: int, numbers: Collection[int]) -> dict[Any, Any]:
    """The row's id and whether it is dismissed, by what names a word."""
    columns = (Review.id, Review.number, Review.revision, Review.email, Review.at,
               Review.dismissed_at)  # fmt: skip
    query = select(*columns).where(Review.workspace_id == workspace_id)
    return {
        (row.number, row.revision, row.email.lower(), row.at): (row.id, row.dismissed_at)
        for row in db.execute(query) if row.number in numbers
    }  # fmt: skip


def _row(workspace_id: int, place: _Place, one: Said, account: int | None) -> dict[str, Any]:
    return _dismissed(one) | {
        "workspace_id": workspace_id, "number": place.number, "revision": place.revision,
        "digest": one.digest, "account_id": account, "name": one.name, "email": one.email,
        "verdict": one.verdict, "body": one.body, "at": one.at, "stands": one.stands,
    }  # fmt: skip


def _dismissed(one: Said) -> dict[str, Any]:
    it = one.dismissed
    return {
        "dismissed_at": it.at if it else None, "dismissed_by": it.by if it else None,
        "dismissed_why": it.why if it else None,
    }  # fmt: skip


def _touched(
    db: Connection, workspace_id: int, number: int, account: int | None, at: datetime
) -> None:  # fmt: skip
    """The proposal changed then, and whoever spoke hears what becomes of it."""
    key = {"workspace_id": workspace_id, "number": number}
    rows.watch(db, key, account, ())
    mine = (Proposal.workspace_id == workspace_id, Proposal.number == number)
    db.execute(update(Proposal).where(*mine, Proposal.updated_at < at).values(updated_at=at))


def _close(db: Connection, workspace_id: int, number: int, one: Closed) -> None:
    """Unless SQL has heard of something since, such as that it was opened again."""
    mine = (Proposal.workspace_id == workspace_id, Proposal.number == number)
    open_then = (Proposal.state == "open", Proposal.updated_at < one.at)
    closed = {
        "state": one.state, "closed_at": one.at, "closed_by": one.by,
        "close_reason": one.why, "updated_at": one.at,
    }  # fmt: skip
    db.execute(update(Proposal).where(*mine, *open_then).values(closed))


def _name_again(db: Connection, workspace_id: int) -> None:
    """Whoever spoke and had no account when the tables were built may have one by now."""
    mine = (Review.workspace_id == workspace_id, Review.account_id.is_(None))
    emails = set(db.scalars(select(func.lower(Review.email)).where(*mine)))
    for email, account in rows.accounts_of(db, emails).items() if emails else ():
        same = func.lower(Review.email) == email
        db.execute(update(Review).where(*mine, same).values(account_id=account))
