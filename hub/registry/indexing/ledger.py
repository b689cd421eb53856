"""What the index knows of the prompts at hand, and what it will know once they are written down.

A ledger is filled from the tables (`load_*`), followed along a line of commits (`follow.py`), and
written back in few statements (`ledger_rows.py`). The writer of a batch asks it what the requests
before have done; the indexer asks it nothing and writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, or_, select, tuple_

from hub.registry.git.brought import Brought
from hub.registry.git.commits import Commit
from hub.registry.git.deploy_file import ALL
from hub.registry.indexing.ledger_queries import (
    BY_ID,
    DEAD,
    LIVING,
    PROMPT,
    VERSION,
    parts,
    versions,
)
from hub.registry.indexing.reading import Reading
from hub.registry.models import Content, Label, OldName, Version
from hub.registry.review.follow_proposals import HeldProposal, Landed, Offered


class Held(msgspec.Struct, kw_only=True):
    """A prompt: the row it has, or will have."""

    row: int | None = None
    id: str
    name: str
    title: str = ""
    description: str = ""
    tags: list[str] = []
    head: int = 0
    hash: str = ""
    blob: str
    created_at: datetime
    changed_at: datetime
    changed_by: str
    change: str
    deleted_at: datetime | None = None
    problem: str | None = None
    reading: Reading | None = None
    """Set once the text to be searched has changed."""
    dirty: bool = False
    found: bool = False
    """Whether the full text index must look again."""
    stood: tuple[str | datetime | None, ...] = ()
    """As `stands` when the row was read: an update that keeps it spares the indexes."""

    def stands(self) -> tuple[str | datetime | None, ...]:
        """Name and end, then all that is searched besides them and the text."""
        return (self.name, self.deleted_at, self.title, self.description, *self.tags)


class Known(msgspec.Struct, kw_only=True):
    """A version: the row it has or will have. A commit without id is not written yet."""

    prompt_id: str
    number: int
    hash: str
    blob: str
    commit: Commit | str
    name: str
    author: str
    message: str
    reading: Reading | None = None

    @property
    def commit_id(self) -> str:
        return self.commit if isinstance(self.commit, str) else self.commit.id


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """The smaller share of a gradual release."""

    version: int
    hash: str
    share: int
    """Of 10,000; at most half."""
    first: bool
    """It is the newcomer."""

    def words(self, larger: int) -> Steps:
        """As people see it; `larger`: the version of the larger share."""
        mine, rest = self.share / 100, (ALL - self.share) / 100
        if self.first:
            return Steps(new=self.version, old=larger, percent=f"{mine:g}")
        return Steps(new=larger, old=self.version, percent=f"{rest:g}")


class Steps(msgspec.Struct, frozen=True):
    """A release step by step: so many percent get the new version, the others the old one."""

    new: int
    old: int
    percent: str


def aside_of(beside: dict[str, Any] | None) -> Aside | None:
    """From a table's `beside`."""
    return msgspec.convert(beside, Aside) if beside else None


def steps_of(beside: dict[str, Any] | None, larger: int | None) -> Steps | None:
    """The same from a table's `beside`."""
    aside = aside_of(beside)
    return aside.words(larger) if aside and larger else None


class Pointed(msgspec.Struct, kw_only=True):
    """Where a label points."""

    version: int
    hash: str
    moved_at: datetime
    moved_by: str
    reason: str
    beside: Aside | None = None


class Happened(msgspec.Struct, kw_only=True):
    """A PromptEvent to be."""

    prompt_id: str
    kind: str
    old: str
    new: str
    commit: Commit


class Moved(msgspec.Struct, kw_only=True):
    """A LabelMove to be."""

    prompt_id: str
    name: str
    label: str
    old: int | None
    new: int | None
    commit: Commit
    beside: Aside | None = None


class Ledger:
    """See the top of the file."""

    def __init__(self, workspace_id: int) -> None:
        self.workspace_id = workspace_id
        self.prompts: dict[str, Held] = {}
        self.live: dict[str, str] = {}
        """Id of the living prompt per name."""
        self.former: dict[str, str] = {}
        """Id of the prompt that once had the name."""
        self.pinned: dict[str, bool] = {}
        """Whether some text includes the name, where somebody else's name is asked for."""
        self.versions: dict[tuple[str, int], Known] = {}
        self.labels: dict[tuple[str, str], Pointed] = {}
        """Per label and prompt id."""
        self.contents: dict[str, bytes] = {}
        self.proposals: dict[int, HeldProposal] = {}
        self.revisions: dict[tuple[int, int], tuple[Commit | str, str]] = {}
        """Commit and digest of a revision."""
        self.last_number: int | None = None
        """The newest proposal's number, where somebody asked for it."""
        self.tips: dict[str, str] = {}
        """Where the refs are; empty for what is not written yet. Only while a batch is settled."""
        # What is to be written:
        self.new_versions: list[Known] = []
        self.events: list[Happened] = []
        self.moves: list[Moved] = []
        self.touched_labels: set[tuple[str, str]] = set()
        self.name_changes: dict[str, str | None] = {}
        """Old names to keep (with the prompt's id) or to drop."""
        self.offered: list[Offered] = []
        self.landed: list[Landed] = []
        self.brought: list[Brought] = []

    def at(self, name: str) -> Held | None:
        """The living prompt of that name."""
        return self.prompts.get(self.live.get(name, ""))

    def labels_of(self, prompt_id: str) -> dict[str, Pointed]:
        return {label: to for (label, id), to in self.labels.items() if id == prompt_id}

    def former_names(self, prompt_id: str) -> list[str]:
        return [name for name, id in self.former.items() if id == prompt_id]

    # --- from the tables ---------------------------------------------------------------------

    def load_prompts(self, db: Connection, names: Iterable[str], ids: Iterable[str]) -> None:
        """Prompts by name (living and dead) or by id."""
        asked_names = {name for name in names if name not in self.live}
        # Two questions, since the index by name is one of the living and one of the dead.
        for part in parts(asked_names):
            self._load(db, LIVING, part)
        for part in parts(name for name in asked_names if name not in self.live):
            self._load(db, DEAD, part)
        for part in parts({id for id in ids if id not in self.prompts}):
            self._load(db, BY_ID, part)

    def _load(self, db: Connection, query: Select[*tuple[Any, ...]], wanted: list[str]) -> None:
        for values in db.execute(query, {"workspace": self.workspace_id, "wanted": wanted}):
            held = Held(**dict(zip(PROMPT, values, strict=True)))
            held.stood = held.stands()
            if held.id not in self.prompts:
                self.prompts[held.id] = held
                if held.deleted_at is None:
                    self.live[held.name] = held.id

    def load_former(self, db: Connection, *, names: Iterable[str]) -> None:
        """Who once had these names."""
        self._load_former(db, OldName.name, names)

    def load_former_names(self, db: Connection, ids: Iterable[str]) -> None:
        self._load_former(db, OldName.prompt_id, ids)

    def _load_former(self, db: Connection, by: Any, wanted: Iterable[str]) -> None:
        for part in parts(wanted):
            query = select(OldName.name, OldName.prompt_id).where(
                OldName.workspace_id == self.workspace_id, by.in_(part)
            )
            for name, id in db.execute(query):
                self.former.setdefault(name, id)

    def load_labels(self, db: Connection, ids: Iterable[str]) -> None:
        """Where labels point, for these prompts, and the versions they point at."""
        wanted: set[tuple[str, int]] = set()
        for part in parts(ids):
            query = select(
                Label.label, Label.prompt_id, Label.version, Label.hash, Label.moved_at,
                Label.moved_by, Label.reason, Label.beside,
            ).where(Label.workspace_id == self.workspace_id, Label.prompt_id.in_(part))  # fmt: skip
            for label, id, version, digest, at, by, reason, beside in db.execute(query):
                aside = msgspec.convert(beside, Aside | None)
                pointed = Pointed(
                    version=version, hash=digest, moved_at=at, moved_by=by, reason=reason,
                    beside=aside,
                )  # fmt: skip
                self.labels.setdefault((label, id), pointed)
                wanted |= {(id, version), (id, aside.version if aside else version)}
        self.load_versions(db, wanted)

    def load_versions(self, db: Connection, wanted: Iterable[tuple[str, int]]) -> None:
        for part in parts({pair for pair in wanted if pair not in self.versions}):
            query = versions(self.workspace_id).where(
                tuple_(Version.prompt_id, Version.number).in_(part)
            )
            self._load_versions(db, query)

    def load_versions_by_hash(self, db: Connection, wanted: Iterable[tuple[str, str]]) -> None:
        for part in parts(wanted):
            query = versions(self.workspace_id).where(
                or_(*(and_(Version.prompt_id == id, Version.hash == h) for id, h in part))
            )
            self._load_versions(db, query)

    def _load_versions(self, db: Connection, query: Select[*tuple[Any, ...]]) -> None:
        for values in db.execute(query):
            known = Known(**dict(zip(VERSION, values, strict=True)))
            self.versions.setdefault((known.prompt_id, known.number), known)

    def load_contents(self, db: Connection, hashes: Iterable[str]) -> None:
        """The bytes of prompt files."""
        for part in parts({one for one in hashes if one not in self.contents}):
            query = select(Content.hash, Content.data).where(
                Content.workspace_id == self.workspace_id, Content.hash.in_(part)
            )
            for digest, data in db.execute(query):
                self.contents[digest] = data
