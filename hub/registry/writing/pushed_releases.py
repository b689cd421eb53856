"""Asking for pushed commits of deploy to be taken as they are: each file that they change is a
release, and must say what the hub would have written."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, and_, select

from hub.errors import Invalid
from hub.registry.git import deploy_file
from hub.registry.git.commits import Change, Commit
from hub.registry.git.deploy_file import Beside, Pointer
from hub.registry.indexing.ledger import Known, Ledger
from hub.registry.prompt import names
from hub.registry.review.models import Merge, Revision
from hub.registry.writing.asks import Later, Settled
from hub.registry.writing.taking import TakeLine


class _Moved(msgspec.Struct, frozen=True):
    """One file that a commit changes."""

    path: str
    label: str
    name: str
    commit: str
    old: Pointer | None
    new: Pointer | None

    @property
    def id(self) -> str:
        one = self.new or self.old
        return one.prompt if one else ""

    def said(self) -> list[Pointer | Beside]:
        """Each version that it names."""
        both = (self.new, self.new.beside if self.new else None)
        return [one for one in both if one is not None]


@dataclass(kw_only=True)
class PushedRelease(TakeLine):
    """Move labels by commits that somebody made."""

    _moved: list[_Moved] = field(default_factory=list[_Moved])
    _merges: dict[str, str] = field(default_factory=dict[str, str])
    """The commit on main that merged a revision, by the revision's: a file may name either."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for step in self.line.steps:
            self._moved += [_moved(step.commit, change) for change in step.commit.changes]
        _check_once(self._moved)
        self.names = {one.name for one in self._moved}
        self.ids = {one.id for one in self._moved}

    def look(self, db: Connection, ledger: Ledger) -> None:
        its = and_(
            Merge.workspace_id == Revision.workspace_id, Merge.number == Revision.number,
            Merge.revision == Revision.revision,
        )  # fmt: skip
        wanted = {said.commit for one in self._moved for said in one.said()}
        query = select(Revision.commit, Merge.commit.label("merge")).join(Merge, its).where(
            Revision.workspace_id == ledger.workspace_id, Revision.commit.in_(wanted)
        )  # fmt: skip
        self._merges = {row.commit: row.merge for row in db.execute(query)}

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        return {(one.id, said.version) for one in self._moved for said in one.said()}

    def settle(self, ledger: Ledger) -> Settled:
        self.check_tip(ledger)
        for one in self._moved:
            self._check(ledger, one)
        return self.settled(ledger, self.steps())

    def _check(self, ledger: Ledger, one: _Moved) -> None:
        held = ledger.prompts.get(one.id)
        here = held is not None and ledger.at(one.name) is held
        if one.new is None:
            same = (one.id, one.label)
            goes_on = any((other.id, other.label) == same and other.new for other in self._moved)
            if not here and held is not None and held.deleted_at is None and not goes_on:
                path = deploy_file.path_of(one.label, held.name)
                raise Invalid(f"{one.path}: the prompt is called {held.name} now; see {path}.")
            return
        if not here:
            raise Invalid(
                f"{one.path}: {one.name} is not the prompt {one.id}. Take the `prompt` from its "
                f"file {names.path_of(one.name)} (`id`), or the path from its name."
            )
        if one.old and one.old.prompt != one.id:
            raise Invalid(f"{one.path}: this is the file of another prompt ({one.old.prompt}).")
        if one.new.beside and one.new.beside.version == one.new.version:
            raise Invalid(f"{one.path}: both shares name version {one.new.version}.")
        for said in one.said():
            self._check_version(ledger, one, said)

    def _check_version(self, ledger: Ledger, one: _Moved, said: Pointer | Beside) -> None:
        known = ledger.versions.get((one.id, said.version))
        if known is None:
            raise Invalid(f"{one.path}: {one.name} has no version {said.version}.")
        if not known.commit_id:
            raise Later
        same_commit = known.commit_id in (said.commit, self._merges.get(said.commit))
        if (said.hash, said.blob) != (known.hash, known.blob) or not same_commit:
            raise Invalid(f"{one.path}: {_right(known)}")


def _right(known: Known) -> str:
    return (
        f'version {known.number} has `blob: "{known.blob}"`, `hash: "{known.hash}"` and '
        f'`commit: "{known.commit_id}"`. Write these lines, and it can be released.'
    )


def _moved(commit: Commit, change: Change) -> _Moved:
    """Raises:
    Invalid: the file is not in the form that the hub writes.
    """
    label = deploy_file.label_of(change.path) or ""
    name = change.path[len(label) + 1 :].removesuffix(deploy_file.SUFFIX)
    old = deploy_file.parse(change.old_data) if change.old_data is not None else None
    new = None
    if change.data is not None:
        new = deploy_file.parse(change.data)
        if new is None:
            raise Invalid(f"{change.path}: this does not say which version of which prompt.")
        if (line := _other_line(change.data, deploy_file.serialise(new))) is not None:
            raise Invalid(
                f"{change.path}: line {line} is not as the hub writes it. Change a file of the "
                "hub's own in place: its keys, their order and their quotes stay."
            )
    return _Moved(change.path, label, name, commit.id, old, new)


def _other_line(data: bytes, ours: bytes) -> int | None:
    """The first line where they part, counted from 1."""
    if data == ours:
        return None
    said, wanted = data.split(b"\n"), ours.split(b"\n")
    pairs = zip(said, wanted, strict=False)
    return next((n for n, (a, b) in enumerate(pairs, 1) if a != b), min(len(said), len(wanted)))


def _check_once(moved: list[_Moved]) -> None:
    """What was live for no moment must not stand in the record as if it had been.

    Raises:
        Invalid: two commits move the same label of the same prompt.
    """
    first: dict[tuple[str, str], str] = {}
    for one in moved:
        for id in {pointer.prompt for pointer in (one.old, one.new) if pointer}:
            if first.setdefault((one.label, id), one.commit) != one.commit:
                raise Invalid(
                    f"{one.path}: two of these commits move it. What is live moves once: make "
                    "one commit of them (`git rebase -i`)."
                )
