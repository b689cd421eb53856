"""Revisions that git has and the tables do not: after a crash, or for a rebuild.

Proposals are not followed like branches: each revision has a ref of its own that never moves. So
the refs are listed and compared, which is done where something may be missing and not at a save.
"""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy import Connection, insert, select

from hub.db import Database, now
from hub.errors import HubError
from hub.outbox import Event
from hub.registry.git.commits import Change, Commit
from hub.registry.git.git_terms import PROPOSALS, RefMove
from hub.registry.git.repository import Repository
from hub.registry.indexing.ledger import Ledger
from hub.registry.review import rows
from hub.registry.review.follow_proposals import (
    follow_revision,
    missing_blobs,
    offered,
    place_of,
    ref_of,
)
from hub.registry.review.models import Revision

log = logging.getLogger(__name__)
_AT_ONCE = 100


async def follow_refs(database: Database, repository: Repository, workspace_id: int) -> int:
    """Write down the revisions that only git knows; how many there were."""
    there = await asyncio.to_thread(repository.refs, PROPOSALS)
    known = await database.read_at_once(lambda db: _known(db, workspace_id))
    places = {place: ref for ref in there if (place := place_of(ref)) is not None}
    missing = [places[place] for place in sorted(places.keys() - known.keys())]
    for start in range(0, len(missing), _AT_ONCE):
        part = missing[start : start + _AT_ONCE]
        read = await asyncio.to_thread(_read, repository, {ref: there[ref] for ref in part})

        def write(db: Connection, read: dict[str, Commit] = read) -> None:
            ledger = Ledger(workspace_id)
            for ref, commit in read.items():
                if follow_revision(ledger, ref, commit) is None:
                    log.warning("%s of %s is no proposal of ours", ref, repository.path.name)
            said = {"workspace_id": workspace_id, "at": now()}
            if told := rows.write(db, ledger):
                db.execute(insert(Event), [said | event for event in told])

        await database.write_at_once(write)
    return len(missing)


async def put_back_refs(database: Database, repository: Repository, workspace_id: int) -> None:
    """A ref that a power cut left empty or took away is put back to what the table says."""
    there = await asyncio.to_thread(repository.refs, PROPOSALS)
    known = await database.read_at_once(lambda db: _known(db, workspace_id))
    for (number, revision), commit in known.items():
        ref = ref_of(number, revision)
        if ref not in there:
            await asyncio.to_thread(_put_back, repository, ref, commit)


def _put_back(repository: Repository, ref: str, commit: str) -> None:
    (repository.path / ref).unlink(missing_ok=True)
    try:
        repository.move([RefMove(ref, None, commit)])
    except HubError:
        log.exception("%s of %s is lost", ref, repository.path.name)
    else:
        log.error("%s of %s was broken; put back to %s", ref, repository.path.name, commit)


def _known(db: Connection, workspace_id: int) -> dict[tuple[int, int], str]:
    query = select(Revision.number, Revision.revision, Revision.commit)
    rows = db.execute(query.where(Revision.workspace_id == workspace_id))
    return {(row.number, row.revision): row.commit for row in rows}


def _read(repository: Repository, tips: dict[str, str]) -> dict[str, Commit]:
    """The commits, with every text they name, be it the same as main's."""
    commits = dict(zip(tips, repository.commits([*tips.values()]), strict=True))
    for ref, commit in commits.items():
        offer = offered(ref, commit)
        if offer is not None and (blobs := missing_blobs(offer)):
            bodies = repository.read([*blobs])
            commit.changes += [
                Change(path, new=blob, data=bodies[blob])
                for blob, path in blobs.items() if blob in bodies
            ]  # fmt: skip
    return commits
