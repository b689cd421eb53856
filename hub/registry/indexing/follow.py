"""The rules by which commits become prompts, versions and labels. Pure; the same for a click, a
push and a rebuild, so the same history always gives the same numbers.

A prompt is known by the `id` in its file. A file without one keeps the prompt that lived there, or
gets an id from its first path and commit. An id lives in one file: the one that had it keeps it,
among newcomers the first path wins; the others are kept apart and flagged.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode

import msgspec

from hub.registry.git.commits import Change, Commit
from hub.registry.indexing.ledger import Happened, Held, Known, Ledger
from hub.registry.indexing.reading import Reading, read
from hub.registry.prompt import names


class _File(msgspec.Struct):
    """One prompt file that the commit touched."""

    name: str
    change: Change
    reading: Reading | None
    """None: it is gone."""
    occupant: str | None
    """Id of the prompt that lived here before."""


class _Place(msgspec.Struct):
    id: str
    problem: str | None = None


def prompt_changes(commit: Commit) -> list[tuple[str, Change]]:
    """The prompt files among a commit's changes, by name."""
    found = ((names.name_of(change.path), change) for change in commit.changes)
    return sorted(((name, change) for name, change in found if name), key=lambda pair: pair[0])


def declared_ids(commit: Commit) -> set[str]:
    """Ids that the commit's files give themselves; reads them on the way."""
    return {
        change.reading.id
        for _, change in prompt_changes(commit)
        if _read(change) and change.reading and change.reading.id
    }


def _read(change: Change) -> bool:
    if change.reading is None and change.data is not None:
        change.reading = read(change.data)
    return change.reading is not None


def follow_main(ledger: Ledger, commit: Commit) -> None:
    """Bring the ledger up to `commit`; its prompts by name and by declared id must be loaded."""
    files: list[_File] = []
    for name, change in prompt_changes(commit):
        if change.old != change.new:  # else only the file's mode changed
            reading = change.reading if _read(change) else None
            files.append(_File(name, change, reading, ledger.live.get(name)))
    places = _Placing(ledger, commit, files).places
    held_before = {file.occupant for file in files if file.occupant}
    for file in files:
        ledger.live.pop(file.name, None)
    for id in sorted(held_before - {place.id for place in places.values()}):
        _delete(ledger, commit, ledger.prompts[id])
    left: list[tuple[str, str]] = []
    for file in files:
        if file.reading is not None:
            left += _put(ledger, commit, file, file.reading, places[file.name])
    for old, id in left:
        if old not in ledger.live:
            ledger.name_changes[old] = ledger.former[old] = id


class _Placing:
    """Which prompt each touched file is, after the commit."""

    def __init__(self, ledger: Ledger, commit: Commit, files: list[_File]) -> None:
        self.ledger, self.commit, self.files = ledger, commit, files
        self.after = {file.name: file for file in files if file.reading is not None}
        self.taken: dict[str, str] = {}
        self.places: dict[str, _Place] = {}
        twins = [file for file in self.after.values() if self._claims_known(file)]
        for file in self.after.values():
            if file.name not in self.places and file not in twins:
                self._settle(file)
        for file in twins:
            self._flag(file, self._twin_sentence(file))

    def _claims_known(self, file: _File) -> bool:
        """Give the file the known prompt it names; True if another file has that one."""
        wanted = file.reading.id if file.reading else None
        known = self.ledger.prompts.get(wanted or "")
        if wanted is None or known is None:
            return False
        if wanted in self.taken:
            return True
        if known.deleted_at is None and known.name != file.name:
            home = self.after.get(known.name)
            stays = home is not None and home.reading is not None and home.reading.id == wanted
            untouched = home is None and self.ledger.live.get(known.name) == wanted
            if stays or (untouched and all(f.name != known.name for f in self.files)):
                return True
        self._take(file, wanted)
        return False

    def _settle(self, file: _File) -> None:
        """A file that names no prompt we know."""
        reading = file.reading
        assert reading is not None
        occupant = file.occupant if file.occupant not in self.taken else None
        if reading.id is not None and occupant is None:
            if reading.id in self.taken:
                self._flag(file, self._twin_sentence(file))
            else:
                self._take(file, reading.id)
        elif reading.id is not None:
            self._flag(
                file,
                f"The file's id was changed from {occupant} to {reading.id}. Put {occupant} back, "
                "or give the file a new name to make it a new prompt.",
            )
        else:
            self._flag(file, reading.problem)

    def _flag(self, file: _File, problem: str | None) -> None:
        """Keep who lived here, or who was moved here byte for byte, or make somebody new."""
        occupant = file.occupant if file.occupant not in self.taken else None
        id = occupant or self._moved_here(file) or _derived_id(file.name, self.commit)
        self._take(file, id, problem)

    def _moved_here(self, file: _File) -> str | None:
        for gone in self.files:
            free = gone.reading is None and gone.occupant not in self.taken
            if free and gone.change.old == file.change.new:
                return gone.occupant
        return None

    def _take(self, file: _File, id: str, problem: str | None = None) -> None:
        self.taken[id] = file.name
        self.places[file.name] = _Place(id, problem)

    def _twin_sentence(self, file: _File) -> str:
        wanted = file.reading.id if file.reading else None
        known = self.ledger.prompts.get(wanted or "")
        other = self.taken.get(wanted or "") or (known.name if known else "another file")
        return f"The file has the same id as {other}. Remove the line `id: {wanted}` from it."


def _derived_id(name: str, commit: Commit) -> str:
    digest = hashlib.sha256(f"{name}\n{commit.id}".encode()).digest()
    return "f_" + b32encode(digest).decode().lower()[:12]


def _delete(ledger: Ledger, commit: Commit, held: Held) -> None:
    ledger.events.append(
        Happened(prompt_id=held.id, kind="deleted", old=held.name, new="", commit=commit)
    )
    held.deleted_at = commit.at
    held.found = True
    _stamp(held, commit)


def _put(
    ledger: Ledger, commit: Commit, file: _File, reading: Reading, place: _Place
) -> list[tuple[str, str]]:
    """The prompt as the file has it now; returns the name that it left, if it did."""
    held = ledger.prompts.get(place.id)
    left: list[tuple[str, str]] = []
    blob = file.change.new or ""
    new = held is None
    if held is None:
        held = Held(
            id=place.id, name=file.name, blob=blob, created_at=commit.at, changed_at=commit.at,
            changed_by=commit.author, change=commit.message,
        )  # fmt: skip
        ledger.prompts[place.id] = held
    back = held.deleted_at is not None
    held.deleted_at = None
    if back:
        _event(ledger, commit, held, "restored", "", file.name)
    if held.name != file.name:
        _event(ledger, commit, held, "renamed", held.name, file.name)
        left.append((held.name, held.id))
        held.name = file.name
    if new or back or left:
        ledger.name_changes[file.name] = None
        ledger.former.pop(file.name, None)
        held.found = True
    ledger.live[file.name] = held.id
    held.blob = blob
    _stamp(held, commit)
    if place.problem is not None:
        if held.problem is None:
            _event(ledger, commit, held, "broken", file.name, file.name)
        held.problem = place.problem
        return left
    if held.problem is not None:
        _event(ledger, commit, held, "mended", file.name, file.name)
        held.problem = None
    if back or held.head == 0 or held.hash != reading.hash:
        _version(ledger, commit, held, reading)
    return left


def _version(ledger: Ledger, commit: Commit, held: Held, reading: Reading) -> None:
    held.head += 1
    held.hash, held.title, held.description = reading.hash, reading.title, reading.description
    held.tags, held.reading, held.found = list(reading.tags), reading, True
    known = Known(
        prompt_id=held.id, number=held.head, hash=reading.hash, blob=held.blob, commit=commit,
        name=held.name, author=commit.author, message=commit.message, reading=reading,
    )  # fmt: skip
    ledger.versions[held.id, held.head] = known
    ledger.contents[reading.hash] = reading.data
    ledger.new_versions.append(known)


def _event(ledger: Ledger, commit: Commit, held: Held, kind: str, old: str, new: str) -> None:
    ledger.events.append(Happened(prompt_id=held.id, kind=kind, old=old, new=new, commit=commit))


def _stamp(held: Held, commit: Commit) -> None:
    held.changed_at, held.changed_by, held.change = commit.at, commit.author, commit.message
    held.dirty = True
