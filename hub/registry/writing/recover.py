"""After a crash: what was begun is finished or forgotten, by asking git."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from hub.db import Database, now
from hub.errors import HubError
from hub.people.models import Workspace
from hub.registry.git.git_terms import PROPOSALS, RefMove
from hub.registry.git.git_writes import marks
from hub.registry.git.repository import Repository
from hub.registry.indexing import index
from hub.registry.models import Intent
from hub.registry.review import heal, heal_words
from hub.registry.writing import batch

log = logging.getLogger(__name__)

KEEP_REQUESTS = timedelta(days=30)
"""How long a request with an Idempotency-Key is remembered."""


async def at_start(database: Database, repositories: Path) -> list[str]:
    """Put every workspace in order; call it while holding the data folder (`hub.lock.hold`).

    Returns what an operator should read; a workspace that needs a person does not stop the others.
    """
    async with database.read() as db:
        workspaces = (await db.execute(select(Workspace.id, Workspace.slug))).all()
    troubles: list[str] = []
    for id, slug in workspaces:
        repository = Repository(repositories / f"{slug}.git")
        try:
            if repository.exists:
                known = await database.read_at_once(partial(index.tips, workspace_id=id))
                await asyncio.to_thread(sweep, repository, known)
                await heal.put_back_refs(database, repository, id)
                await heal.follow_refs(database, repository, id)
                await heal_words.follow_words(database, repository, id)
                await settle(database, repository, id, patience=0.1)
                await index.catch_up(database, repository, id)
        except HubError as refused:
            log.error("%s: %s", slug, refused)
            troubles.append(f"{slug}: {refused.sentence}")
    async with database.write() as db:
        old = Intent.at < now() - KEEP_REQUESTS
        await db.execute(delete(Intent).where(Intent.state != "open", old))
    return troubles


def sweep(repository: Repository, known: dict[str, str]) -> list[str]:
    """Clear what a killed git left: locks, half-written files, an empty ref."""
    if repository.locks():
        time.sleep(2 * _MOMENT)  # a git that outlived its hub may be about to let go
    swept = [str(path) for path in repository.clear_locks(older_than=_MOMENT)]
    for pattern in LEFTOVERS:
        for path in repository.path.glob(pattern):
            swept.append(str(path))
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in (*_cut_off(repository.path), *marks(repository.path)):
        swept.append(str(path))
        path.unlink(missing_ok=True)
    for ref, tip in known.items():
        if _is_broken(repository.path / ref):
            log.error("%s of %s was broken; put back to %s", ref, repository.path.name, tip)
            (repository.path / ref).unlink()
            repository.move([RefMove(ref, None, tip)])
            swept.append(f"{ref} put back")
    if swept:
        more = f" and {len(swept) - 3} more" if len(swept) > 3 else ""
        log.warning("swept after a crash: %s%s", ", ".join(swept[:3]), more)
    return swept


def _cut_off(repository: Path) -> list[Path]:
    """Packs that never got their index, as of a push cut off while it was handed over.

    Git ignores them. Young ones are left alone: a git that outlived its hub puts the pack in its
    place first and the index after, and then takes away what it rolled up.
    """
    before = time.time() - _ABANDONED
    found: list[Path] = []
    for pack in repository.glob("objects/pack/*.pack"):
        with contextlib.suppress(FileNotFoundError):
            if not pack.with_suffix(".idx").exists() and pack.stat().st_mtime < before:
                found.append(pack)
    return found


_MOMENT = 0.15
_ABANDONED = 600.0
"""Seconds after which nobody is coming back to a pack."""
LEFTOVERS = (
    "objects/??/tmp_obj_*",
    "objects/pack/tmp_*",
    "objects/pack/.tmp-*",
    "objects/tmp_objdir-*",
    "objects/incoming-*",
    "fast_import_crash_*",
)


def _is_broken(ref: Path) -> bool:
    """A ref file that a power cut left empty or half written."""
    if not ref.is_file():
        return False
    said = ref.read_bytes().strip()
    return len(said) != 40 or any(byte not in b"0123456789abcdef" for byte in said)


async def settle(
    database: Database, repository: Repository, workspace_id: int, *, patience: float = 0.0
) -> None:
    """Close every open intent: done if git has it, cancelled if git never heard of it.

    `patience`: a git that outlived its hub may still be moving the refs; wait so long for it.
    """
    async with database.read() as db:
        query = select(Intent.batch, Intent.refs).where(
            Intent.workspace_id == workspace_id, Intent.state == "open"
        )
        found = {row.batch: row.refs for row in await db.execute(query)}
    if not found:
        return
    await asyncio.sleep(patience)
    done = {
        name: await asyncio.to_thread(_finish, repository, [RefMove(*ref) for ref in refs])
        for name, refs in found.items()
    }
    if any(ref.startswith(PROPOSALS) for refs in found.values() for ref, _, _ in refs):
        await heal.follow_refs(database, repository, workspace_id)
    await index.catch_up(database, repository, workspace_id)

    def close(db: Connection) -> None:
        for name, is_done in done.items():
            if is_done:
                batch.close_intents(db, workspace_id, name)
            else:
                mine = (Intent.workspace_id == workspace_id, Intent.batch == name)
                db.execute(delete(Intent).where(*mine, Intent.request_id.is_(None)))
                db.execute(update(Intent).where(*mine).values(state="cancelled"))

    await database.write_at_once(close)


def _finish(repository: Repository, moves: list[RefMove]) -> bool:
    """Whether the batch is in git. A swap of two refs that a power cut halved is completed."""
    there = [repository.contains(move.ref, move.new) for move in moves]
    if all(there) or not any(there):
        return all(there)
    rest = [m for m, is_there in zip(moves, there, strict=True) if not is_there]
    try:
        repository.move([RefMove(m.ref, m.old or None, m.new) for m in rest])
    except Exception:
        log.exception("half of a change is in %s; run doctor", repository.path.name)
        return False
    return True
