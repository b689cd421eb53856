"""The one indexer: commits into rows. A save, a push, recovery and a rebuild all come through here.

It can be told the same thing twice: a ref is followed from where the index stands (`IndexedRef`),
and that mark moves in the same transaction as the rows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Base, Database, now
from hub.errors import Conflict
from hub.executemany import insert_many, table_of
from hub.outbox import Event
from hub.registry.git.brought import brought
from hub.registry.git.commits import Commit
from hub.registry.git.git_terms import DEPLOY, MAIN, PUSHED, REFS
from hub.registry.git.repository import Repository
from hub.registry.indexing import feed, ledger_rows
from hub.registry.indexing.follow import declared_ids, follow_main, prompt_changes
from hub.registry.indexing.follow_labels import deploy_pointers, follow_deploy
from hub.registry.indexing.ledger import Ledger
from hub.registry.models import (
    Content,
    IndexedRef,
    Intent,
    Label,
    LabelMove,
    OldName,
    Prompt,
    PromptEvent,
    PushedCommit,
    Version,
)
from hub.registry.reading import search
from hub.registry.review import heal, heal_words
from hub.registry.review import rows as review_rows
from hub.registry.review.follow_proposals import follow_merge, follow_revision, landed
from hub.registry.review.models import Merge

log = logging.getLogger(__name__)


class Rewound(Conflict):
    """The ref no longer holds what the index has followed; a person must decide."""

    def __init__(self, repository: Repository, ref: str, tip: str) -> None:
        branch = ref.rpartition("/")[2]
        super().__init__(
            f"The history of `{branch}` in {repository.path.name} was rewritten or put back to an "
            f"older state: it no longer holds commit {tip[:10]}, which was saved here. Nothing was "
            "changed. Restore that commit, or run `prompthub reindex` to accept the history as it "
            "is now.",
            ref=ref,
            tip=tip,
        )


def tips(db: Connection, workspace_id: int, *, lock: bool = False) -> dict[str, str]:
    """How far the index has followed each ref."""
    rows = db.execute(_TIPS_HELD if lock else _TIPS, {"workspace": workspace_id})
    return {row.ref: row.tip for row in rows}


_TIPS = select(IndexedRef.ref, IndexedRef.tip).where(
    IndexedRef.workspace_id == bindparam("workspace")
)
_TIPS_HELD = _TIPS.with_for_update()


def load_for(db: Connection, ledger: Ledger, ref: str, commits: Iterable[Commit]) -> None:
    """Fill the ledger with what following these commits will ask of it."""
    commits = list(commits)
    claims = {claim.number for claim in map(landed, commits) if claim}
    review_rows.load_revisions(db, ledger, claims)
    if ref == MAIN:
        named = {name for commit in commits for name, _ in prompt_changes(commit)}
        ledger.load_prompts(db, named, set[str]().union(*map(declared_ids, commits)))
        return
    pointers = [pointer for commit in commits for pointer in deploy_pointers(commit)]
    ids = {pointer.prompt for pointer in pointers}
    ledger.load_prompts(db, (), ids)
    ledger.load_labels(db, ids)
    named = [(p.prompt, one) for p in pointers for one in (p, p.beside) if one]
    ledger.load_versions(db, {(id, one.version) for id, one in named})
    ledger.load_versions_by_hash(db, {(id, one.hash) for id, one in named if one.hash})


def follow(ledger: Ledger, ref: str, commit: Commit) -> None:
    """Bring the ledger up to a commit of main, of deploy or of a proposal."""
    if ref == MAIN:
        follow_main(ledger, commit)
        follow_merge(ledger, ref, commit)
    elif ref == DEPLOY:
        follow_deploy(ledger, commit)
        follow_merge(ledger, ref, commit)
    elif ref == PUSHED:
        ledger.brought += brought(commit)
    else:
        follow_revision(ledger, ref, commit)


def apply(
    db: Connection, ledger: Ledger, new_tips: dict[str, str], *, announce: bool = True
) -> None:
    """Write down what the ledger has followed, and how far it has."""
    ledger_rows.write(db, ledger, announce=announce)
    told = review_rows.write(db, ledger)
    if announce:
        feed.note(db, ledger)
    if told and announce:
        said = {"workspace_id": ledger.workspace_id, "at": now()}
        insert_many(db, Event, [said | event for event in told])
    rows = [
        {"workspace_id": ledger.workspace_id, "ref": ref, "tip": tip}
        for ref, tip in new_tips.items()
    ]
    ledger_rows.upsert(db, IndexedRef, rows)


async def catch_up(database: Database, repository: Repository, workspace_id: int) -> bool:
    """Follow the refs to their tips; whether there was anything to follow.

    Raises:
        Rewound: a ref has left the line that the index followed.
    """
    at = repository.tips()
    known = await database.read_at_once(lambda db: tips(db, workspace_id))
    if at == known:
        return False
    for ref in REFS:
        old = known.get(ref)
        if old and old != at.get(ref):
            await _check_line(repository, ref, old, at.get(ref))

    def follow(db: Connection) -> None:
        known = tips(db, workspace_id, lock=True)
        for ref in REFS:
            if ref in at and at[ref] != known.get(ref):
                _follow(db, repository, workspace_id, ref, known.get(ref), at[ref])

    await database.write_at_once(follow)
    return True


async def _check_line(repository: Repository, ref: str, old: str, new: str | None) -> None:
    if new is None or not await asyncio.to_thread(repository.contains, new, old):
        log.error("ref rewound: %s of %s no longer holds %s", ref, repository.path, old)
        raise Rewound(repository, ref, old)


def _follow(
    db: Connection, repository: Repository, workspace_id: int, ref: str, old: str | None,
    new: str, *, announce: bool = True,
) -> None:  # fmt: skip
    expected = old
    for commits in repository.walk(old, new):
        if expected and commits[0].parent != expected:
            raise Rewound(repository, ref, expected)  # still there, but off the first-parent line
        expected = commits[-1].id
        ledger = Ledger(workspace_id)
        load_for(db, ledger, ref, commits)
        for commit in commits:
            follow(ledger, ref, commit)
        if not announce:
            _remember_requests(db, workspace_id, ref, commits)
        apply(db, ledger, {ref: commits[-1].id}, announce=announce)


_FORGOTTEN = (
    Version, Content, PromptEvent, OldName, Label, LabelMove, Prompt, IndexedRef, Merge,
    PushedCommit,
)  # fmt: skip


async def reindex(database: Database, repository: Repository, workspace_id: int) -> None:
    """Forget the index of the workspace and build it from git, in one transaction."""
    at = repository.tips()
    await heal.follow_refs(database, repository, workspace_id)
    await heal_words.follow_words(database, repository, workspace_id)

    def build(db: Connection) -> None:
        search.clear(db, workspace_id)
        for model in _FORGOTTEN:
            db.execute(delete(model).where(model.workspace_id == workspace_id))
        for ref in REFS:
            if ref in at:
                _follow(db, repository, workspace_id, ref, None, at[ref], announce=False)
        feed.restart(db, workspace_id)
        told = {"workspace_id": workspace_id, "kind": "index.rebuilt", "subject": "", "payload": {}}
        db.execute(insert(Event).values(**told, at=now()))

    await database.write_at_once(build)


def _remember_requests(db: Connection, workspace_id: int, ref: str, commits: list[Commit]) -> None:
    """A request that was answered before the index was lost must not be done twice after."""
    ids = {c.trailers["Request-Id"]: c for c in commits if "Request-Id" in c.trailers}
    if not ids:
        return
    known = select(Intent.request_id).where(
        Intent.workspace_id == workspace_id, Intent.request_id.in_(ids)
    )
    for known_id in db.scalars(known):
        ids.pop(known_id or "")
    rows = [
        {
            "workspace_id": workspace_id, "batch": "reindex", "request_id": request_id[:120],
            "request_hash": commit.trailers.get("Request-Hash"), "commits": [commit.id],
            "refs": [[ref, commit.parent or "", commit.id]], "answer": None, "state": "done",
            "at": now(),
        }
        for request_id, commit in ids.items()
    ]  # fmt: skip
    if rows:
        db.execute(insert(Intent), rows)


_DUMPED: dict[type[Base], tuple[str, ...]] = {
    Prompt: ("id",),
    OldName: ("name",),
    Content: ("hash",),
    Version: ("prompt_id", "number"),
    PromptEvent: ("id",),
    Label: ("label", "prompt_id"),
    LabelMove: ("id",),
    IndexedRef: ("ref",),
    Merge: ("commit",),
    PushedCommit: ("commit",),
}
_COUNTERS = {"prompts.row", "prompt_events.id", "label_moves.id"}


async def dump(db: AsyncSession, workspace_id: int) -> str:
    """The whole index of a workspace as text, to compare two of them.

    Counters of the database itself are left out; their order is kept.
    """
    lines: list[str] = []
    for model, order in _DUMPED.items():
        table = table_of(model)
        columns = [c for c in table.columns if f"{table.name}.{c.name}" not in _COUNTERS]
        query = select(*columns).where(table.c.workspace_id == workspace_id)
        for row in await db.execute(query.order_by(*(table.c[name] for name in order))):
            shown = [f"{c.name}={value!r}" for c, value in zip(columns, row, strict=True)]
            lines.append(f"{table.name}: {' '.join(shown)}")
    return "\n".join(lines) + "\n"
