"""What somebody looks at before labels move: which prompts could, and what each would replace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Text, and_, cast, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import NotFound
from hub.registry.indexing.ledger import Steps, steps_of
from hub.registry.models import Content, Label, Prompt, Version
from hub.registry.prompt.diff import Change, compare
from hub.registry.prompt.document import Document, from_json
from hub.registry.reading.callers import Key, Running, running
from hub.registry.review.models import Merge
from hub.registry.writing.releases import Move

MOST = 200
"""Prompts on one page; a folder or a tag narrows it down."""
MOST_CHANGES = 40
"""Of a larger release, the changes are a link each: their words would make a book."""


class At(msgspec.Struct, frozen=True, kw_only=True):
    """Where a label is, since when, by whom."""

    version: int
    moved_at: datetime
    moved_by: str
    steps: Steps | None = None
    """A release step by step is under way; `version` is what most get."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that may be released, and what the label serves of it now."""

    id: str
    name: str
    title: str
    head: int
    change: str
    changed_by: str
    changed_at: datetime
    live: At | None
    differs: bool


class Approved(msgspec.Struct, frozen=True):
    """A merged proposal that holds exactly this text, and who approved it."""

    number: int
    by: list[str]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One label of one prompt: what it serves, and what would be different."""

    label: str
    live: At | None
    change: Change | None
    """None: nothing is replaced, it is the same, or the release is too large to tell."""
    apps: list[str] = []
    """Programs that run and read it under this label."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt of a release that is about to happen; version None: its labels come off."""

    id: str
    name: str
    title: str
    version: int | None
    author: str = ""
    why: str = ""
    at: datetime | None = None
    approved: list[Approved] = []
    targets: list[Target]

    @property
    def moves(self) -> bool:
        """Whether anything of it is not there already, for everybody."""
        return any(self._moves(one.live) for one in self.targets)

    def _moves(self, live: At | None) -> bool:
        if live is None:
            return self.version is not None
        return live.version != self.version or live.steps is not None


async def candidates(
    db: AsyncSession, workspace_id: int, label: str, *, folder: str = "", tag: str = "",
    only: str = "",
) -> tuple[list[Candidate], int]:  # fmt: skip
    """Prompts by name and how many there are; `only`: differs, new (not live there), or all."""
    its = and_(
        Label.workspace_id == Prompt.workspace_id, Label.prompt_id == Prompt.id,
        Label.label == label,
    )  # fmt: skip
    where = [Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None), Prompt.head > 0]
    if folder:
        where.append(
            or_(Prompt.folder == folder, Prompt.folder.startswith(f"{folder}/", autoescape=True))
        )
    if only == "differs":
        where.append(Label.hash != Prompt.hash)
    elif only == "new":
        where.append(Label.hash.is_(None))
    query = select(Prompt, Label).outerjoin(Label, its).where(*where).order_by(Prompt.name)
    if tag:  # few prompts have many tags, so the last word is not the database's
        query = query.where(cast(Prompt.tags, Text).contains(tag, autoescape=True))
        rows = [row for row in await db.execute(query) if tag in row[0].tags]
        return [_candidate(prompt, its) for prompt, its in rows[:MOST]], len(rows)
    rows = (await db.execute(query.limit(MOST))).all()
    total = len(rows)
    if total == MOST:
        every = select(func.count()).select_from(Prompt).outerjoin(Label, its).where(*where)
        total = await db.scalar(every) or 0
    return [_candidate(prompt, its) for prompt, its in rows], total


def below(folder: str) -> ColumnElement[bool]:
    """Prompts in the folder and in those inside it."""
    inside = Prompt.folder.startswith(f"{folder}/", autoescape=True)
    return or_(Prompt.folder == folder, inside)


def _candidate(prompt: Prompt, its: Label | None) -> Candidate:
    return Candidate(
        id=prompt.id, name=prompt.name, title=prompt.title, head=prompt.head, change=prompt.change,
        changed_by=prompt.changed_by, changed_at=prompt.changed_at, live=_at(its),
        differs=its is not None and its.hash != prompt.hash,
    )  # fmt: skip


def _at(its: Label | None) -> At | None:
    if its is None:
        return None
    return At(
        version=its.version, moved_at=its.moved_at, moved_by=its.moved_by,
        steps=steps_of(its.beside, its.version),
    )  # fmt: skip


async def look(db: AsyncSession, workspace_id: int, moves: Sequence[Move]) -> list[Looked]:
    """What these moves would replace, prompt by prompt, with the change in words.

    Raises:
        NotFound: a prompt or a version is not there; the sentence names it.
    """
    wanted: dict[str, list[Move]] = {}
    for move in moves:
        wanted.setdefault(move.name, []).append(move)
    prompts = await _prompts(db, workspace_id, wanted)
    ids = [one.id for one in prompts.values()]
    live = await _live(db, workspace_id, ids)
    pairs = {
        (prompts[name].id, move.version)
        for name, its in wanted.items() for move in its if move.version is not None
    }  # fmt: skip
    telling = len(wanted) <= MOST_CHANGES
    found = await _versions(
        db, workspace_id, pairs | {(id, at.version) for (_, id), at in live.items() if telling}
    )
    for name, its in wanted.items():
        for move in its:
            if move.version is not None and (prompts[name].id, move.version) not in found:
                raise NotFound(f"{name} has no version {move.version}. Choose one of its history.")
    approved = await approvals(db, workspace_id, [found[pair] for pair in pairs])
    apps = await db.run_sync(lambda held: running(held.connection(), workspace_id, ids))
    return [
        _looked(prompts[name], its, live, found, approved, apps, telling=telling)
        for name, its in wanted.items()
    ]


class _Text(msgspec.Struct, frozen=True):
    """A version with its text."""

    version: Version
    document: Document


def _looked(
    prompt: Prompt, moves: list[Move], live: dict[tuple[str, str], At],
    found: dict[tuple[str, int], _Text], approved: dict[str, list[Approved]],
    apps: dict[Key, list[Running]], *, telling: bool,
) -> Looked:  # fmt: skip
    newer = found.get((prompt.id, moves[0].version or 0))
    targets: list[Target] = []
    for move in moves:
        at = live.get((move.label, prompt.id))
        older = found.get((prompt.id, at.version)) if at else None
        change = None
        if telling and newer and older and older.version.number != newer.version.number:
            change = compare(older.document, newer.document)
        who = [one.said for one in apps.get((prompt.id, move.label), [])]
        targets.append(Target(label=move.label, live=at, change=change, apps=who))
    if newer is None:
        return Looked(
            id=prompt.id, name=prompt.name, title=prompt.title, version=None, targets=targets
        )
    return Looked(
        id=prompt.id, name=prompt.name, title=prompt.title, version=newer.version.number,
        author=newer.version.author, why=newer.version.message, at=newer.version.created_at,
        approved=approved.get(newer.version.blob, []), targets=targets,
    )  # fmt: skip


async def _prompts(db: AsyncSession, workspace_id: int, names: Iterable[str]) -> dict[str, Prompt]:
    wanted = list(names)
    query = select(Prompt).where(
        Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None), Prompt.name.in_(wanted)
    )
    found = {one.name: one for one in await db.scalars(query)}
    for name in wanted:
        if name not in found:
            raise NotFound(f"There is no prompt called {name} here. Look for it in the list.")
    return found


async def _live(db: AsyncSession, workspace_id: int, ids: list[str]) -> dict[tuple[str, str], At]:
    query = select(Label).where(Label.workspace_id == workspace_id, Label.prompt_id.in_(ids))
    return {(one.label, one.prompt_id): at for one in await db.scalars(query) if (at := _at(one))}


async def _versions(
    db: AsyncSession, workspace_id: int, pairs: set[tuple[str, int]]
) -> dict[tuple[str, int], _Text]:
    query = (
        select(Version, Content.document)
        .join(
            Content,
            (Content.workspace_id == Version.workspace_id) & (Content.hash == Version.hash),
        )
        .where(
            Version.workspace_id == workspace_id,
            tuple_(Version.prompt_id, Version.number).in_(sorted(pairs)),
        )
    )
    return {
        (one.prompt_id, one.number): _Text(one, from_json(msgspec.json.decode(bytes(raw))))
        for one, raw in await db.execute(query)
    }


async def approvals(
    db: AsyncSession, workspace_id: int, texts: Iterable[_Text]
) -> dict[str, list[Approved]]:
    """Per git id of a file, the proposals that brought exactly that file, with who approved."""
    blobs = sorted({one.version.blob for one in texts})
    if not blobs:
        return {}
    as_text = cast(Merge.blobs, Text)
    query = select(Merge).where(Merge.workspace_id == workspace_id)
    if len(blobs) <= MOST_CHANGES:
        query = query.where(or_(*(as_text.contains(blob) for blob in blobs)))
    found: dict[str, list[Approved]] = {}
    for merge in await db.scalars(query.order_by(Merge.at.desc())):
        by = [one.partition(" <")[0] for one in merge.reviewers]
        for blob in set(merge.blobs).intersection(blobs) if by else ():
            found.setdefault(blob, []).append(Approved(merge.number, by))
    return found
