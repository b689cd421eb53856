"""What somebody pushes, kept apart while it is judged: the repository is not changed by a byte.

    pack --> git index-pack, checked --> a folder of its own --> `arrived` --> the folder is gone

What is wanted of it is read from there and goes on as a value, through the doors that everybody
uses. The objects themselves reach the repository only with a line of commits that was accepted as
it is, and then in the moment before its ref moves (`arrivals`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from hub.errors import Invalid
from hub.registry.git import pushed_files
from hub.registry.git.commits import Entry, sections, words_in
from hub.registry.git.git_terms import ID, MAIN, GitFailed
from hub.registry.git.line import Line, read_line, why
from hub.registry.git.newcomers import Newcomers, News
from hub.registry.git.pushed_files import NONE, PLAIN
from hub.registry.git.repository import Repository, sync
from hub.registry.indexing.reading import read
from hub.registry.prompt import names
from hub.registry.prompt.document import Document, parse
from hub.registry.review.drawing import MOST_ITEMS, Wanted

PREFIX = "tmp_objdir-push-"
"""A start of the hub sweeps away what is called so (`recover.LEFTOVERS`)."""
LARGEST = 4 << 20
"""Bytes of all texts together."""


class Pushed(msgspec.Struct, frozen=True):
    """What a push comes to, against the main it began from."""

    wanted: tuple[Wanted, ...]
    subject: str
    body: str
    authors: tuple[tuple[str, str], ...]
    """Name and address of whoever wrote the commits."""
    commits: tuple[str, ...] = ()
    """Those that main has not, the newest first."""


class Quarantine:
    """A folder for the objects of one push; `with` it, and it is gone afterwards."""

    def __init__(self, repository: Repository) -> None:
        self._of = repository
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=repository.path / "objects"))

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def given(self) -> dict[str, str]:
        """Environment of a git that reads both places and writes here alone."""
        return {
            "GIT_OBJECT_DIRECTORY": str(self.folder),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self._of.path / "objects"),
        }

    def line(self, ref: str, tip: str) -> Line:
        """The commits that `ref` would get with `tip`; blocks.

        Raises:
            Invalid: they cannot be taken as they are; the sentence names the file and the line.
        """
        return read_line(Repository(self._of.path, self.given), ref, self._of.tip(ref), tip)

    def keep(self) -> None:
        """Hand the packs over to the repository, synced, and each index last: by it git knows its
        pack. Blocks; may be asked again."""
        packs = self._of.path / "objects" / "pack"
        found = sorted((self.folder / "pack").glob("pack-*"), key=lambda one: one.suffix == ".idx")
        for one in found:
            sync(one)
        for one in found:
            with contextlib.suppress(FileExistsError):
                os.link(one, packs / one.name)  # it stays here, too, to be handed over again
        sync(packs)

    def arrived(self, tip: str) -> Pushed:
        """Read what `tip` wants changed of main; blocks.

        Raises:
            Invalid: it cannot be a proposal; the sentence names the file and the line.
        """
        repository = Repository(self._of.path, self.given)
        main = self._of.tip(MAIN)
        if main is None:
            raise Invalid("There is nothing here yet. Save the first prompt in the browser.")
        try:
            with Newcomers(repository) as found:
                news = found.commits(tip, main)
                changes = _changes(_entries(repository, news, main, tip))
                texts = _texts(found, changes)
                bodies = found.read([*news.parents])
        except GitFailed as failed:
            raise Invalid(why(failed)) from failed
        heads = [_head(bodies[one]) for one in news.parents]
        subject, _, body = heads[0][0].partition("\n")
        return Pushed(
            wanted=tuple(_together([_Text.of(one, texts) for one in changes])),
            subject=subject.strip(), body=body.strip(),
            authors=tuple(dict.fromkeys(author for _, author in heads)),
            commits=tuple(news.parents),
        )  # fmt: skip


def _entries(repository: Repository, news: News, main: str, tip: str) -> list[Entry]:
    """What all of them together change against the main that they began from."""
    base = news.base(tip)
    if base and len(news.parents) == 1:
        return news.files.get(tip, [])
    base = base or repository.run("merge-base", "--", main, tip).decode("ascii").strip()
    return [entry for _, entry in sections(repository.changed(base, tip)) if entry]


def _changes(entries: Sequence[Entry]) -> list[_Change]:
    if not entries:
        raise Invalid("These commits change nothing, so there is nothing to propose.")
    if len(entries) > 2 * MOST_ITEMS:
        raise Invalid(f"A proposal is about {MOST_ITEMS} prompts at most; this is {len(entries)}.")
    return [_Change.of(entry) for entry in entries]


def _texts(found: Newcomers, changes: Sequence[_Change]) -> dict[str, bytes]:
    new = [(one.path, one.new) for one in changes if one.new]
    pushed_files.check_sizes(found, new, [], LARGEST)
    blobs = {blob for one in changes for blob in (one.old, one.new) if blob}
    return found.read(sorted(blobs))


class _Change(msgspec.Struct, frozen=True):
    """A prompt's file before and after, by the ids of its contents."""

    name: str
    path: str
    old: str | None
    new: str | None

    @classmethod
    def of(cls, entry: Entry) -> _Change:
        """Raises:
        Invalid: no prompt may lie there, or not as what it is.
        """
        old_mode, new_mode, old, new, path = entry
        name = pushed_files.prompt_at(path, new_mode)
        there = old if old_mode in (PLAIN, "100755") else None
        return cls(name, path, there, new if new_mode != NONE else None)


class _Text(msgspec.Struct, frozen=True):
    """What a prompt's file says before and after."""

    name: str
    base: str | None
    old_id: str | None
    document: Document | None
    data: bytes | None

    @classmethod
    def of(cls, change: _Change, texts: dict[str, bytes]) -> _Text:
        """Raises:
        Invalid: the file is not one that could be served.
        """
        before = texts[change.old] if change.old else None
        after = texts[change.new] if change.new else None
        document = None
        if after is not None:
            if problem := read(after).problem:
                raise Invalid(f"{change.path}: {problem}")
            document = parse(after)
        return cls(
            name=change.name, base=hashlib.sha256(before).hexdigest() if before else None,
            old_id=read(before).id if before else None, document=document, data=after,
        )  # fmt: skip


def _together(texts: list[_Text]) -> Iterable[Wanted]:
    """One wish for each prompt: what left one name and came by another is a rename."""
    gone = {one.old_id: one for one in texts if one.document is None and one.old_id}
    moved: set[str] = set()
    for one in texts:
        came = one.document is not None and one.base is None
        left = gone.pop(one.document.id or "", None) if came and one.document else None
        if left is not None:
            if hashlib.sha256(one.data or b"").hexdigest() != left.base:
                raise Invalid(
                    f"{one.name}{names.SUFFIX}: a rename of {left.name} that changes the words, "
                    "too. Push the rename by itself, and the change after it is accepted."
                )
            moved.add(left.name)
            yield Wanted(kind="rename", name=left.name, new_name=one.name, base=left.base)
        elif came:
            yield Wanted(kind="create", name=one.name, document=one.document)
        elif one.document is not None:
            yield Wanted(kind="change", name=one.name, document=one.document, base=one.base)
    for one in texts:
        if one.document is None and one.name not in moved:
            yield Wanted(kind="delete", name=one.name, base=one.base)


def _head(body: bytes) -> tuple[str, tuple[str, str]]:
    """A commit's message, and its author's name and address."""
    words = words_in(body.partition(b"\n\n")[0])
    head, _, text = body.decode(words, "replace").partition("\n\n")
    found = re.search(r"^author (.*?) ?<([^<>\n]*)>", head, re.M)
    return text.strip(), (found[1], found[2]) if found else ("", "")


def checked_id(text: str) -> str:
    """Raises:
    Invalid: it is not the id of an object.
    """
    if not ID.fullmatch(text):
        raise Invalid("The push is not in git's own words.")
    return text
