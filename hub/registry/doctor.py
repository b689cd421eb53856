"""The doctor looks and says; it mends nothing. Each finding is a sentence with what to do."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
from sqlalchemy import Connection, select, text

from hub.db import Database
from hub.people.models import Workspace
from hub.registry.git import deploy_file
from hub.registry.git.git_terms import DEPLOY, MAIN, OLDEST_GIT, REFS, SETTINGS, GitFailed
from hub.registry.git.repository import Repository, version
from hub.registry.indexing import index
from hub.registry.models import Intent, Label, Prompt
from hub.registry.prompt import names
from hub.registry.writing.recover import LEFTOVERS

Level = Literal["error", "warning", "note"]
_WATCHED = ("core.fsync", "core.fsyncmethod", "core.hookspath", "receive.fsckobjects", "gc.auto")
_LOCK_IS_OLD = 60.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """An `error` puts what was saved at risk, a `warning` wants a look, a `note` need not."""

    level: Level
    where: str
    """The workspace, or `hub`."""
    sentence: str


async def examine(database: Database, repositories: Path) -> list[Finding]:
    """Everything there is to find, errors first."""
    found = [*await asyncio.to_thread(_machine), *await database.read_at_once(_database)]
    rows = await database.read_at_once(_workspaces)
    for id, slug in rows:
        repository = Repository(repositories / f"{slug}.git")
        known = await database.read_at_once(partial(index.tips, workspace_id=id))
        if not repository.exists:
            found += _missing(slug, repository, known)
            continue
        look = partial(_repository, slug, repository, known)
        found += await asyncio.to_thread(look)
        found += await database.read_at_once(partial(_rows, slug=slug, workspace_id=id))
    order = ("error", "warning", "note")
    return sorted(found, key=lambda one: order.index(one.level))


def _machine() -> list[Finding]:
    has = version()
    if has >= OLDEST_GIT:
        return []
    shown, oldest = (".".join(map(str, one)) for one in (has, OLDEST_GIT))
    sentence = f"git {shown} is too old: without {oldest} a power cut can lose saves. Update git."
    return [Finding(level="error", where="hub", sentence=sentence)]


def _database(db: Connection) -> list[Finding]:
    if db.dialect.name == "sqlite":
        mode = db.execute(text("PRAGMA journal_mode")).scalar()
        sound = db.execute(text("PRAGMA quick_check(1)")).scalar()
        weak = db.execute(text("PRAGMA synchronous")).scalar() != 2
        complaint = f"The database file is damaged: {sound}. Restore it from a backup."
    else:
        mode, sound, complaint = "wal", "ok", ""
        weak = db.execute(text("SHOW synchronous_commit")).scalar() == "off"
    found: list[Finding] = []
    if sound != "ok":
        found.append(Finding(level="error", where="hub", sentence=complaint))
    if weak or mode != "wal":
        sentence = (
            "The database answers before its disk has the data, so a power cut can lose saves. "
            "Set `synchronous` to FULL (SQLite) or `synchronous_commit` to on (Postgres)."
        )
        found.append(Finding(level="error", where="hub", sentence=sentence))
    return found


def _workspaces(db: Connection) -> list[tuple[int, str]]:
    rows = db.execute(select(Workspace.id, Workspace.slug).order_by(Workspace.slug))
    return [(row.id, row.slug) for row in rows]


def _missing(slug: str, repository: Repository, known: dict[str, str]) -> list[Finding]:
    if not known:
        sentence = "It has no repository yet; the first save makes one."
        return [Finding(level="note", where=slug, sentence=sentence)]
    sentence = f"Its repository {repository.path} is missing. Restore it from a backup."
    return [Finding(level="error", where=slug, sentence=sentence)]


def _repository(slug: str, repository: Repository, known: dict[str, str]) -> list[Finding]:
    found: list[tuple[Level, str]] = []
    try:
        for line in repository.check()[:5]:
            found.append(("error", _damaged(line)))
        found += _settings(repository)
        found += _tips(repository, known)
        found += _strange_files(repository)
    except GitFailed as failed:
        found.append(("error", _damaged(failed.said or str(failed))))
    for lock in repository.locks():
        if time.time() - lock.stat().st_mtime > _LOCK_IS_OLD:
            found.append(
                ("warning", f"A lock was left behind: {lock}. Restarting the hub clears it.")
            )
    left = sum(1 for pattern in LEFTOVERS for _ in repository.path.glob(pattern))
    if left:
        found.append(
            ("note", f"Half-written files were left by a crash: {left}. Restarting clears them.")
        )
    return [Finding(level=level, where=slug, sentence=said) for level, said in found]


def _damaged(line: str) -> str:
    return f"git says: {line}. Restore the repository from a backup or a clone."


def _settings(repository: Repository) -> list[tuple[Level, str]]:
    has = repository.settings()
    wanted = {key.lower(): value for key, value in SETTINGS.items()}
    return [
        (
            "error",
            f"Its git setting {key} is {has.get(key, 'not set')}, not {wanted[key]}. Run: git -C "
            f"{repository.path} config {key} {wanted[key]}",
        )
        for key in _WATCHED
        if has.get(key) != wanted[key]
    ]


def _tips(repository: Repository, known: dict[str, str]) -> list[tuple[Level, str]]:
    found: list[tuple[Level, str]] = []
    for ref in REFS:
        branch, tip, seen = ref.rpartition("/")[2], repository.tip(ref), known.get(ref)
        if tip == seen:
            continue
        if tip is None:
            said = f"The branch {branch} is gone. Restore it: git update-ref {ref} {seen}"
            found.append(("error", said))
        elif seen and not repository.contains(tip, seen):
            found.append(("error", index.Rewound(repository, ref, seen).sentence))
        else:
            found.append(
                ("warning", f"The index is behind {branch}; the next save or start follows it.")
            )
    return found


def _strange_files(repository: Repository) -> list[tuple[Level, str]]:
    """Files that a push brought and that are no prompts and no labels to us."""
    found: list[tuple[Level, str]] = []
    for ref in REFS:
        tip = repository.tip(ref)
        for mode, _, path in repository.files(tip) if tip else ():
            branch, shown = ref.rpartition("/")[2], path.encode("unicode_escape").decode("ascii")
            if mode not in ("100644", "100755"):
                kind = {"120000": "a symbolic link", "160000": "a submodule"}.get(mode, mode)
                found.append(("warning", f"{shown} on {branch} is {kind}; it is ignored."))
            elif ref == MAIN and path.endswith(names.SUFFIX) and not names.name_of(path):
                said = f"{shown} on main is ignored: no prompt can be called so. Rename the file."
                found.append(("warning", said))
            elif ref == DEPLOY and not deploy_file.label_of(path):
                found.append(("note", f"{shown} on deploy is not a label's file; it is ignored."))
    return found[:20]


def _rows(db: Connection, *, slug: str, workspace_id: int) -> list[Finding]:
    found: list[Finding] = []
    broken = select(Prompt.name, Prompt.problem).where(
        Prompt.workspace_id == workspace_id, Prompt.problem.is_not(None),
        Prompt.deleted_at.is_(None),
    ).order_by(Prompt.name)  # fmt: skip
    for name, problem in db.execute(broken):
        said = f"The file of {name} cannot be used: {problem} The last good version is served."
        found.append(Finding(level="warning", where=slug, sentence=said))
    orphaned = (
        select(Label.label, Prompt.name)
        .join(Prompt, (Prompt.workspace_id == Label.workspace_id) & (Prompt.id == Label.prompt_id))
        .where(Label.workspace_id == workspace_id, Prompt.deleted_at.is_not(None))
    )
    for label, name in db.execute(orphaned):
        said = f"{label} still points at {name}, whose file a push deleted. Bring it back, or take"
        found.append(Finding(level="warning", where=slug, sentence=f"{said} the label off."))
    waiting = select(Intent.id).where(Intent.workspace_id == workspace_id, Intent.state == "open")
    if db.execute(waiting.limit(1)).first():
        said = "A save is under way, or was cut off; the next save or start settles it."
        found.append(Finding(level="note", where=slug, sentence=said))
    return found
