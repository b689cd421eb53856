"""One workspace's git repository: the only door to git.

Everything runs through `git` with fixed arguments; text from people travels on standard input
alone. Nothing here knows what a prompt is. All methods block; call them off the event loop.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hub.registry.git.commits import Commit, fill, parse_commit, parse_log
from hub.registry.git.git_terms import (
    ID,
    REFS,
    GitFailed,
    RefMove,
    check_ids,
    config_text,
    mode_and_blob,
    objects_in,
)
from hub.registry.git.git_writes import Writes, full_or, sync
from hub.registry.git.gits import Gits

_COMMITS_AT_ONCE = 200
_OBJECTS_AT_ONCE = 1000
MOST_LISTED = 64 << 20
"""Bytes of a list of files."""


class Repository:
    """A bare repository at `path`."""

    def __init__(self, path: Path, given: Mapping[str, str] | None = None) -> None:
        """`given`: environment for git, such as where else to look for objects."""
        self.path, self.given = path, given or {}
        self._gits = Gits(path, given)
        self._writes = Writes(path, self._gits, self.tip)

    @classmethod
    def create(cls, path: Path) -> Repository:
        """Make it, synced to the disk with its folder, or leave nothing at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        cls(fresh).run("init", "--bare", "--quiet", "--template=", "--initial-branch=main")
        (fresh / "config").write_text(config_text())
        for folder, _, files in os.walk(fresh):
            for name in files:
                sync(Path(folder, name))
            sync(Path(folder))
        fresh.rename(path)
        sync(path.parent)
        sync(path.parent.parent)
        return cls(path)

    @property
    def exists(self) -> bool:
        return (self.path / "HEAD").is_file()

    def run(self, command: str, *args: str, stdin: bytes = b"", aside: bool = False) -> bytes:
        """Run one git command and return what it printed; `aside`: it gives way to all else."""
        try:
            return self._gits.check((command, *args), stdin, aside=aside)
        except GitFailed as failed:
            raise full_or(failed) from None

    @property
    def ready(self) -> bool:
        return self._writes.ready

    def make_ready(self) -> None:
        """Start the gits that a save needs while it is settled, to wait for what it comes to."""
        self._writes.make_ready()

    def dismiss(self) -> None:
        """End those that are kept, once no save follows upon the other any more."""
        self._writes.dismiss()

    def tip(self, ref: str) -> str | None:
        """Where `ref` points, None if it is not there."""
        # The files are read here, not by git: this is asked before each save, a child takes 4 ms.
        with contextlib.suppress(FileNotFoundError):
            said = (self.path / ref).read_text("ascii", "replace").strip()
            if not ID.fullmatch(said):
                raise GitFailed("show-ref", 0, f"{ref} is broken: {said[:60]!r}")
            return said
        with contextlib.suppress(FileNotFoundError):
            for line in (self.path / "packed-refs").read_text("utf-8", "replace").splitlines():
                id, _, name = line.partition(" ")
                if name == ref and ID.fullmatch(id):
                    return id
        return None

    def tips(self) -> dict[str, str]:
        """Every ref we index that exists, with where it points."""
        found = {ref: self.tip(ref) for ref in REFS}
        return {ref: tip for ref, tip in found.items() if tip}

    def write(self, stream: bytes, count: int) -> list[str]:
        """Make the objects of a fast-import stream; the ids of its `count` commits.

        Raises:
            GitFailed: nothing of it can be seen.
        """
        return self._writes.write(stream, count)

    def sync_written(self) -> None:
        """Have what was written on the disk; raises as `write`."""
        self._writes.sync_written()

    def write_at_once(self, stream: bytes, count: int) -> list[str]:
        """Both, and no git is kept; raises as `write`."""
        try:
            ids = self.write(stream, count)
            self.sync_written()
            return ids
        finally:
            self.dismiss()

    def move(self, moves: Iterable[RefMove]) -> None:
        """Move all of the refs or none.

        Raises:
            RefMoved: one of them is no longer where the caller saw it.
        """
        self._writes.move(moves)

    def locks(self) -> list[Path]:
        return [*self.path.glob("*.lock"), *self.path.glob("refs/**/*.lock")]

    def clear_locks(self, *, older_than: float) -> list[Path]:
        """Remove lock files that nobody has touched for so many seconds."""
        removed: list[Path] = []
        for lock in self.locks():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime >= older_than:
                    lock.unlink()
                    removed.append(lock)
        return removed

    def contains(self, ref: str, commit: str) -> bool:
        """Whether `commit` is part of `ref`'s history."""
        check_ids(commit)
        code, _, _ = self._gits.run(("merge-base", "--is-ancestor", commit, ref), b"")
        return code == 0

    def walk(self, old: str | None, new: str) -> Iterator[list[Commit]]:
        """The first-parent commits after `old` up to `new`, oldest first, in handy portions.

        Each comes with the files it changed and their bytes before and after.
        """
        check_ids(new, *([old] if old else []))
        spec = [new, f"^{old}"] if old else [new]
        listed = self.run("rev-list", "--first-parent", "--reverse", "--end-of-options", *spec)
        ids = listed.decode("ascii").split()
        for start in range(0, len(ids), _COMMITS_AT_ONCE):
            yield self.commits(ids[start : start + _COMMITS_AT_ONCE])

    def refs(self, prefix: str) -> dict[str, str]:
        """Where every ref below `prefix` points."""
        out = self.run("for-each-ref", "--format=%(objectname) %(refname)", "--", prefix)
        lines = out.decode("utf-8", "replace").splitlines()
        return {name: id for id, _, name in (line.partition(" ") for line in lines)}

    def commits(self, ids: list[str]) -> list[Commit]:
        """These commits, each with the files it changed against its first parent."""
        changes = parse_log(self._log(ids))
        blobs = {
            blob
            for files in changes.values()
            for change in files
            for blob in (change.old, change.new)
            if blob
        }
        bodies = self.read([*ids, *sorted(blobs)])
        for files in changes.values():
            fill(files, bodies)
        return [parse_commit(one, bodies[one], changes.get(one, [])) for one in ids]

    def _log(self, ids: list[str]) -> bytes:
        check_ids(*ids)
        return self.run(
            "log", "--stdin", "--no-walk=unsorted", "--diff-merges=first-parent", "--root",
            "--raw", "-z", "--no-abbrev", "--no-renames", "--format=commit %H",
            stdin="".join(f"{one}\n" for one in ids).encode(),
        )  # fmt: skip

    def read(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The objects' bytes; those that are missing are left out."""
        check_ids(*ids)
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), _OBJECTS_AT_ONCE):
            asked = "".join(f"{one}\n" for one in ids[start : start + _OBJECTS_AT_ONCE])
            found.update(objects_in(self.run("cat-file", "--batch", stdin=asked.encode())))
        return found

    def changed(self, old: str, new: str) -> bytes:
        """What `commits.sections` reads: the files in which two commits differ."""
        check_ids(old, new)
        how = ("-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--end-of-options")
        return self._gits.heard(("diff-tree", *how, old, new), MOST_LISTED)

    def files(self, tip: str) -> list[tuple[str, str, str]]:
        """Mode, blob and path of every file at `tip`."""
        check_ids(tip)
        command = ("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", tip)
        out = self._gits.heard(command, MOST_LISTED)
        lines = out.decode("utf-8", "surrogateescape").split("\0")[:-1]
        return [(*mode_and_blob(line), line.split("\t", 1)[1]) for line in lines]

    def settings(self) -> dict[str, str]:
        """What the repository's own config says, keys in small letters."""
        out = self.run("config", "--local", "--list", "-z").decode("utf-8", "replace")
        pairs = (line.partition("\n") for line in out.split("\0") if line)
        return {key.lower(): value for key, _, value in pairs}

    def check(self) -> list[str]:
        """What `git fsck` has to complain about."""
        command = ("fsck", "--full", "--no-dangling", "--no-progress")
        code, out, said = self._gits.run(command, b"")
        lines = [*out.decode("utf-8", "replace").splitlines(), *said.splitlines()]
        wrong = [line for line in lines if line and not line.startswith(("notice:", "dangling"))]
        return wrong or ([f"git fsck ended with {code}"] if code else [])

    def packs(self) -> int:
        return sum(1 for _ in (self.path / "objects" / "pack").glob("pack-*.pack"))

    def pack_together(self) -> None:
        """Roll small packs into larger ones; readers and writers go on meanwhile."""
        how = ("-d", "--geometric=2", "--quiet", "--no-write-bitmap-index", "--threads=1")
        self.run("repack", *how, aside=True)


def version() -> tuple[int, ...]:
    """Which git this machine has."""
    _, said, _ = Gits(Path()).run(("version",), b"")
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said.decode("ascii", "replace"))
    return tuple(int(part) for part in found.groups("0")) if found else (0,)
