"""What another repository has that main has not, prompt by prompt, beside what main has.

    base, ours, theirs (three commits) --> `bring_together` --> pieces, each with what it comes to

A prompt is known by the `id` in its file, or by its place: a rename there and an edit here meet.
What both changed is merged as everywhere (`merge`); what cannot be is marked for a person. All
methods block; what arrives is judged here before anything else reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from hub.errors import Invalid
from hub.registry.git.git_terms import GitFailed
from hub.registry.git.pushed_files import FILES
from hub.registry.git.repository import Repository
from hub.registry.indexing.reading import read
from hub.registry.prompt import names
from hub.registry.prompt.document import InvalidDocument, parse, serialise
from hub.registry.prompt.includes import includes
from hub.registry.prompt.merge import merge
from hub.registry.prompt.yaml_read import LARGEST_FILE

LARGEST = 64 << 20
"""Bytes of all texts that one arrival may change."""
Id = str


class Side(msgspec.Struct, frozen=True):
    """The files of one commit: prompts by name, all others by path."""

    prompts: Mapping[str, str]
    others: Mapping[str, tuple[str, str]]
    """Mode and blob."""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt that is another one there."""

    name: str
    """Where main has it; of a new one, where it shall be."""
    new_name: str | None = None
    data: bytes | None
    """What main shall say; None: nothing any more."""
    theirs: bytes | None
    held: str | None
    """Git's id of what main says; None: it is not there."""
    base: str | None
    """Hash of what both began from."""
    clash: str = ""
    """What a person must decide, if it cannot be brought together."""

    @property
    def lands_at(self) -> str:
        return self.new_name or self.name


class Other(msgspec.Struct, frozen=True):
    """A file that is no prompt, as it is there; blob None: it is gone."""

    path: str
    mode: str
    blob: str | None


class Arrived(msgspec.Struct, frozen=True):
    pieces: tuple[Piece, ...]
    others: tuple[Other, ...]

    @property
    def clashes(self) -> list[Piece]:
        return [one for one in self.pieces if one.clash]


def side(repository: Repository, commit: str | None) -> Side:
    """Its files; what lies at a prompt's place and is no plain file is one of the others."""
    prompts: dict[str, str] = {}
    others: dict[str, tuple[str, str]] = {}
    for mode, blob, path in repository.files(commit) if commit else ():
        name = names.name_of(path)
        if name is not None and mode in FILES:
            prompts[name] = blob
        else:
            others[path] = (mode, blob)
    return Side(prompts, others)


def bring_together(
    repository: Repository, base: str | None, ours: str | None, theirs: str
) -> Arrived:
    """What `theirs` changed since `base`, and what it comes to beside what `ours` changed.

    Raises:
        Invalid: something of it cannot be a prompt; the sentence names file and line.
    """
    try:
        was, here = side(repository, base), side(repository, ours)
        there = side(repository, theirs)
        meeting = _Meeting(repository, was, here, there)
        return Arrived(tuple(meeting.pieces()), tuple(_others(was, here, there)))
    except GitFailed as failed:
        raise Invalid(f"What arrived is incomplete: {ascii(failed.said)[1:-1][:200]}") from failed


def _others(was: Side, here: Side, there: Side) -> Iterable[Other]:
    """Files beside the prompts are the other side's: nobody writes them here. A link at the place
    of a prompt stays there: that place is judged by the rules."""
    beside = {path for path in {*was.others, *there.others} if names.name_of(path) is None}
    for path in sorted(beside):
        new = there.others.get(path)
        if new != was.others.get(path) and new != here.others.get(path):
            yield Other(path, new[0] if new else "", new[1] if new else None)


class _Meeting:
    """Three sides, and the texts in which they differ."""

    def __init__(self, repository: Repository, was: Side, here: Side, there: Side) -> None:
        self.was, self.here, self.there = was.prompts, here.prompts, there.prompts
        moved = self._differing(self.was, self.there)
        ours = self._differing(self.was, self.here)
        lost = {name for name in ours if name not in self.here}
        came = {name for name in ours if name not in self.was}
        wanted = {self.there.get(name) for name in moved}
        for one in (self.was, self.here):
            wanted |= {one.get(name) for name in (*moved, *lost, *came)}
        self.texts = _read(repository, {blob for blob in wanted if blob})
        self.moved = moved
        self.renamed_here = self._renames(lost, came, self.here)

    @staticmethod
    def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
        return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))

    def _renames(
        self, lost: Iterable[str], came: Iterable[str], side: Mapping[str, str]
    ) -> dict[str, str]:
        """New name by old one: by the id in the file, or byte for byte."""
        found: dict[str, str] = {}
        free = sorted(lost)
        for name in sorted(came):
            blob, id = side[name], self._id(side[name])
            for old in free:
                same = id is not None and self._id(self.was[old]) == id
                if same or self.was[old] == blob:
                    found[old] = name
                    free.remove(old)
                    break
        return found

    def _id(self, blob: str) -> Id | None:
        return read(self.texts[blob]).id

    def pieces(self) -> Iterable[Piece]:
        gone = {name for name in self.moved if name not in self.there}
        came = {name for name in self.moved if name not in self.was}
        for name in self.moved:
            if name in self.there:
                self._judge(name)
        renamed = self._renames(gone, came, self.there)
        for name in self.moved:
            if name in renamed:
                yield from self._changed(name, renamed[name])
            elif name in gone:
                yield from self._deleted(name)
            elif name in came and name not in renamed.values():
                yield from self._created(name)
            elif name not in came:
                yield from self._changed(name, name)

    def _judge(self, name: str) -> None:
        """One that broke is taken as it is where nothing else was done to it: its last good version
        is served on, and the prompt says what is wrong.

        Raises:
            Invalid: the file is not one that could be served.
        """
        data, path = self.texts[self.there[name]], name + names.SUFFIX
        if name in self.was and self.was[name] == self.here.get(name):
            return
        if problem := read(data).problem:
            raise Invalid(f"{path}: {problem}")
        try:
            includes(parse(data))
        except Invalid as refused:
            raise Invalid(f"{path}: {refused.sentence}") from None

    def _at(self, name: str) -> str | None:
        """Where main has the prompt that the base had there."""
        return self.renamed_here.get(name) or (name if name in self.here else None)

    def _created(self, name: str) -> Iterable[Piece]:
        theirs = self.texts[self.there[name]]
        held = self.here.get(name)
        if held == self.there[name]:
            return
        clash = "both sides made a prompt of this name" if held else ""
        data = self.texts[held] if held else theirs
        yield Piece(name=name, data=data, theirs=theirs, held=held, base=None, clash=clash)

    def _deleted(self, name: str) -> Iterable[Piece]:
        at = self._at(name)
        if at is None:
            return
        held, base = self.here[at], self.was[name]
        same = held == base and at == name
        yield Piece(
            name=at, data=None if same else self.texts[held], theirs=None, held=held,
            base=_hash(self.texts[base]),
            clash="" if same else "it was deleted there and changed here",
        )  # fmt: skip

    def _changed(self, name: str, new: str) -> Iterable[Piece]:
        theirs, base = self.texts[self.there[new]], self.texts[self.was[name]]
        at = self._at(name)
        if at is None:
            if theirs != base:
                yield Piece(
                    name=new, data=None, theirs=theirs, held=None, base=_hash(base),
                    clash="it was changed there and deleted here",
                )  # fmt: skip
            return
        held = self.here[at]
        data, clash = _merged(base, self.texts[held], theirs)
        # Who renamed it here as well keeps the name; so does who has that name already.
        new_name = new if at == name and new != name and new not in self.here else None
        if clash or new_name or data != self.texts[held]:
            yield Piece(
                name=at, new_name=new_name, data=data, theirs=theirs, held=held, base=_hash(base),
                clash=clash,
            )  # fmt: skip


def _merged(base: bytes, mine: bytes, theirs: bytes) -> tuple[bytes, str]:
    """What both come to (mine, where they clash), and where they clash."""
    if mine in (base, theirs):
        return theirs, ""
    if theirs == base:
        return mine, ""
    try:
        merged = merge(parse(base), parse(mine), parse(theirs))
    except InvalidDocument:
        return mine, "the whole file"
    if merged.clashes:
        return mine, ", ".join(dict.fromkeys(one.where for one in merged.clashes))
    return serialise(merged.document), ""


def _read(repository: Repository, blobs: set[str]) -> dict[str, bytes]:
    """Raises:
    Invalid: one is too large, or all together, or one is missing.
    """
    ids = sorted(blobs)
    if not ids:
        return {}
    asked = "".join(f"{one}\n" for one in ids).encode()
    out = repository.run("cat-file", "--batch-check", stdin=asked).decode("ascii", "replace")
    whole = 0
    for line in out.splitlines():
        _, kind, size = (*line.split(" "), "", "")[:3]
        if kind != "blob" or int(size) > LARGEST_FILE:
            raise Invalid("A prompt's file is missing, or larger than 1 MiB.")
        whole += int(size)
    if whole > LARGEST:
        raise Invalid(f"This changes {whole:,} bytes of text; {LARGEST:,} is the most at once.")
    return repository.read(ids)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
