"""Finding prompts: lists, filters, folders, tags, names old and new. Reads SQL alone, never git."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Invalid, NotFound
from hub.registry.indexing.ledger import Steps, steps_of
from hub.registry.models import Label, OldName, Prompt
from hub.registry.prompt import names
from hub.registry.reading.listing import Item, Listing, find, label_order
from hub.registry.reading.record import LATEST, VersionView, look_up, record

__all__ = [
    "About", "Folder", "Item", "LabelAt", "Listing", "Moved", "NoSuchPrompt",
    "VersionView", "count", "find", "folders", "free_name", "get", "get_by_id", "labels",
    "labels_of", "record", "tags", "version",
]  # fmt: skip


class LabelAt(msgspec.Struct, frozen=True, kw_only=True):
    """A label of one prompt, where it is and since when."""

    label: str
    version: int
    hash: str
    moved_at: datetime
    moved_by: str
    reason: str
    beside: dict[str, Any] | None = None

    @property
    def steps(self) -> Steps | None:
        """Set while only some get a new version."""
        return steps_of(self.beside, self.version)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt as it stands: what every view of it begins with."""

    id: str
    name: str
    title: str
    description: str
    tags: list[str]
    head: int
    """Number of the latest version; 0: no version of its file could ever be read."""
    hash: str
    created_at: datetime
    changed_at: datetime
    changed_by: str
    change: str
    deleted_at: datetime | None
    problem: str | None
    labels: list[LabelAt]

    @property
    def place(self) -> str:
        """Another one when a label has moved, for pages that are open."""
        return "_".join(f"{at.label}.{at.version}.{at.moved_at.timestamp()}" for at in self.labels)

    def live(self, label: str = "production") -> LabelAt | None:
        """Where `label` is, if it is set."""
        return next((one for one in self.labels if one.label == label), None)


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder and how many prompts lie in it, those of sub-folders included."""

    path: str
    name: str
    depth: int
    count: int


class Moved(NotFound):
    """The prompt has another name now; pages redirect there, reads of the API follow it."""

    def __init__(self, old: str, name: str) -> None:
        super().__init__(f"{old} is called {name} now. Ask for it by that name.", name=name)
        self.old, self.name = old, name


class NoSuchPrompt(NotFound):
    """No prompt has that name; `facts` say so if one was deleted."""


_ABOUT = (
    "id", "name", "title", "description", "tags", "head", "hash", "created_at", "changed_at",
    "changed_by", "change", "deleted_at", "problem",
)  # fmt: skip
_ABOUT_COLUMNS = [getattr(Prompt, name) for name in _ABOUT]
_LABEL = ("label", "version", "hash", "moved_at", "moved_by", "reason", "beside")
_LABEL_COLUMNS = [getattr(Label, name) for name in _LABEL]


async def get(db: AsyncSession, workspace_id: int, name: str, *, deleted: bool = False) -> About:
    """The prompt of that name; `deleted`: a deleted one will do, if no other has the name.

    Raises:
        Moved: it has another name now.
        NotFound: there is none, or it was deleted (the sentence says by whom).
    """
    folder, _ = names.split(name)
    query = select(*_ABOUT_COLUMNS).where(
        Prompt.workspace_id == workspace_id, Prompt.folder == folder, Prompt.name == name
    )
    found = [_named(row, _ABOUT) for row in await db.execute(query)]
    living = [one for one in found if one["deleted_at"] is None]
    if not living:
        await _raise_if_moved(db, workspace_id, name)
    dead = max(found, key=lambda one: (str(one["deleted_at"]), one["id"]), default=None)
    if not living and dead is not None and not deleted:
        raise NoSuchPrompt(
            f"{name} was deleted by {dead['changed_by']}. Somebody who may save can bring it back.",
            deleted=True,
        )
    if not living and dead is None:
        raise NoSuchPrompt(
            f"There is no prompt called {names.shown(name)} here. Look for it in the list."
        )
    one = living[0] if living else dead
    assert one is not None
    return About(**one, labels=await labels_of(db, workspace_id, one["id"]))


async def version(
    db: AsyncSession, workspace_id: int, name: str, number: int | None = None,
    label: str | None = None,
) -> VersionView:  # fmt: skip
    """Version `number`, or what `label` points at; neither: the latest.

    Raises:
        Moved: the prompt has another name now.
        NotFound: no such prompt, version or label; the sentence says which there are.
        Invalid: both a number and a label were given.
    """
    if number is not None and label:
        raise Invalid("Ask for a `version` or for a `label`, not for both.")
    view = await look_up(db, workspace_id, name, number, label)
    if view is not None:
        return view
    about = await get(db, workspace_id, name)
    if about.head == 0:
        raise NotFound(f"{name} has no version that can be used yet: {about.problem}")
    if number is not None:
        raise NotFound(
            f"{name} has no version {number}; its newest is {about.head}.", newest=about.head
        )
    known = [one.label for one in about.labels]
    says = f"it has {', '.join(known)}" if known else "it has none yet"
    asked = names.shown(label or LATEST)
    raise NotFound(f"{name} has no label {asked}: {says}.", labels=known)


async def get_by_id(db: AsyncSession, workspace_id: int, prompt_id: str) -> About:
    """The prompt with that id, deleted or not.

    Raises:
        NotFound: there is none in this workspace.
    """
    query = select(*_ABOUT_COLUMNS).where(
        Prompt.workspace_id == workspace_id, Prompt.id == prompt_id
    )
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise NoSuchPrompt("There is no such prompt here. Look for it in the list.")
    return About(**_named(row, _ABOUT), labels=await labels_of(db, workspace_id, prompt_id))


async def _raise_if_moved(db: AsyncSession, workspace_id: int, name: str) -> None:
    query = (
        select(Prompt.name)
        .join(
            OldName,
            (OldName.workspace_id == Prompt.workspace_id) & (OldName.prompt_id == Prompt.id),
        )
        .where(
            OldName.workspace_id == workspace_id, OldName.name == name,
            Prompt.deleted_at.is_(None), Prompt.name != name,
        )
    )  # fmt: skip
    if now := await db.scalar(query):
        raise Moved(name, now)


async def labels_of(db: AsyncSession, workspace_id: int, prompt_id: str) -> list[LabelAt]:
    """Where the labels of one prompt are; production comes first."""
    query = select(*_LABEL_COLUMNS).where(
        Label.workspace_id == workspace_id, Label.prompt_id == prompt_id
    )
    found = [LabelAt(**_named(row, _LABEL)) for row in await db.execute(query)]
    return sorted(found, key=lambda one: label_order(one.label))


async def folders(db: AsyncSession, workspace_id: int) -> list[Folder]:
    """Every folder, parents before their children, in the order of a tree."""
    query = (
        select(Prompt.folder, func.count())
        .where(Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None))
        .group_by(Prompt.folder)
    )
    counts: Counter[str] = Counter()
    for folder, count in await db.execute(query):
        parts = folder.split("/") if folder else []
        for depth in range(1, len(parts) + 1):
            counts["/".join(parts[:depth])] += count
    return [
        Folder(path=path, name=path.rpartition("/")[2], depth=path.count("/"), count=counts[path])
        for path in sorted(counts, key=lambda path: path.split("/"))
    ]


async def count(db: AsyncSession, workspace_id: int) -> int:
    """How many prompts there are."""
    query = select(func.count()).where(
        Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None)
    )
    return await db.scalar(query) or 0


async def tags(db: AsyncSession, workspace_id: int) -> list[tuple[str, int]]:
    """Every tag in use and on how many prompts, by name."""
    as_text = cast(Prompt.tags, Text)  # counted where it lies: few lists of tags are many prompts
    query = (
        select(as_text, func.count())
        .where(Prompt.workspace_id == workspace_id, Prompt.deleted_at.is_(None))
        .group_by(as_text)
    )
    found: Counter[str] = Counter()
    for written, number in await db.execute(query):
        for tag in set(json.loads(written)):
            found[tag] += number
    return sorted(found.items(), key=lambda pair: pair[0].casefold())


async def labels(db: AsyncSession, workspace_id: int) -> list[tuple[str, int]]:
    """Every label in use and on how many prompts; production comes first."""
    query = (
        select(Label.label, func.count())
        .where(Label.workspace_id == workspace_id)
        .group_by(Label.label)
    )
    rows = [(label, number) for label, number in await db.execute(query)]
    return sorted(rows, key=lambda pair: label_order(pair[0]))


async def free_name(db: AsyncSession, workspace_id: int, name: str) -> str:
    """A name for a copy: `support/triage-copy`, or with a number if that is taken."""
    stem = name[: names.LONGEST_NAME - 10]
    folder, slug = names.split(stem)
    slug = f"{slug[:50]}-copy"
    taken = set(
        await db.scalars(
            select(Prompt.name).where(
                Prompt.workspace_id == workspace_id, Prompt.folder == folder,
                Prompt.deleted_at.is_(None),
            )
        )
    )  # fmt: skip
    within = f"{folder}/" if folder else ""
    copies = (f"{within}{slug}{'' if n == 1 else f'-{n}'}" for n in range(1, len(taken) + 2))
    return next(one for one in copies if one not in taken)


def _named(row: Any, columns: tuple[str, ...]) -> Mapping[str, Any]:
    return dict(zip(columns, row, strict=True))
