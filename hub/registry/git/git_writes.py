"""What changes a repository: objects written and synced, then refs moved, all or none.

make_ready() --> write() --> sync_written() --> move() --> write() ... --> dismiss()

Two gits are kept while one batch follows upon the other; each is told what to do and says line by
line what came of it. All methods block.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hub.registry.git.commits import ZERO
from hub.registry.git.git_terms import FULL, ID, GitFailed, RefMove, RefMoved, RepositoryFull
from hub.registry.git.gits import Gits

log = logging.getLogger(__name__)

_WRITE = ("fast-import", "--quiet", "--done", "--date-format=raw")
_MOVE = ("update-ref", "--stdin")
_CHECKPOINT = b"checkpoint\nprogress written\n"
"""The pack is ended, with its index, both synced; and then git says so."""
_MOMENT = 0.15


class Writes:
    """The one hand that writes in the repository at `path`."""

    def __init__(self, path: Path, gits: Gits, tip: Callable[[str], str | None]) -> None:
        self._path, self._gits, self._tip = path, gits, tip
        self._began = time.time()
        """Since when the pack that is being written has been there."""
        self._starting = threading.Lock()
        """Nobody is dismissed while half of them are there."""
        self._open: float | None = None
        """When what is being synced was handed over; None: there is nothing of that kind."""

    @property
    def ready(self) -> bool:
        """Whether the gits that a save needs are kept, as they are once it followed another."""
        return all(self._gits.kept(command) for command in (_WRITE, _MOVE))

    def make_ready(self) -> None:
        """Start the gits that a save needs while it is settled, to wait for what it comes to."""
        with self._starting:
            if self._gits.kept(_WRITE) is None:
                self._began = time.time()
            for command in (_WRITE, _MOVE):
                with contextlib.suppress(GitFailed):  # they who need it will report it
                    self._gits.keep(command)

    def dismiss(self) -> None:
        """End those that are kept; what is written and not synced is nobody's.

        Until then git marks the packs that it has written (`.keep`), and nobody rolls them up.
        """
        with self._starting:
            if self._open is not None:
                self._drop()
            if not self._gits.dismiss():
                self._clear()

    def write(self, stream: bytes, count: int) -> list[str]:
        """Have git make the objects of a fast-import stream; the ids of its `count` commits.

        It goes on to sync them by itself: what happens until `sync_written` happens meanwhile.
        Once more by another git if the first was killed: objects that nobody points at can be
        written again without harm.

        Raises:
            GitFailed: nothing of it can be seen.
        """
        try:
            return self._told(stream, count)
        except GitFailed as failed:
            if failed.code >= 0:
                raise
            log.warning("git was killed (%s); writing the batch once more", failed.code)
        return self._told(stream, count)

    def _told(self, stream: bytes, count: int) -> list[str]:
        self.sync_written()
        self._open = time.time()
        ids = self._hear(count, told=stream + _CHECKPOINT)
        if not all(map(ID.fullmatch, ids)):
            self._drop()
            raise GitFailed("fast-import", 0, f"no ids for {count} commits")
        return ids

    def sync_written(self) -> None:
        """Wait until all that was written is on the disk.

        Raises:
            GitFailed: nothing of it can be seen; it may be written again.
        """
        if self._open is None:
            return
        self._hear(1)
        self._open, self._began = None, self._open
        sync(self._path / "objects" / "pack")  # git syncs the files, never the folder

    def _hear(self, lines: int, *, told: bytes = b"") -> list[str]:
        try:
            return self._gits.keep(_WRITE).tell(told, lines)
        except GitFailed as failed:
            self._drop()
            raise full_or(failed) from failed
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        self._open = None
        self._gits.forget(_WRITE)
        self._clear()

    def _clear(self) -> None:
        """A fast-import that died must not fill the disk, try after try, nor hold its packs."""
        left = (*self._path.glob("objects/pack/tmp_*"), *self._path.glob("fast_import_crash_*"))
        for path in left:
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= self._began - 1:
                    path.unlink()
        for mark in marks(self._path):
            mark.unlink(missing_ok=True)

    def move(self, moves: Iterable[RefMove]) -> None:
        """Move all of the refs or none.

        Raises:
            RefMoved: one of them is no longer where the caller saw it.
        """
        moves = list(moves)
        lines = [f"update {move.ref} {move.new} {move.old or ZERO}\n" for move in moves]
        script = "".join(["start\n", *lines, "prepare\n", "commit\n"])
        try:
            self._swap(script.encode("ascii"))
        except GitFailed as failed:
            self._drop_own_locks(moves, killed=failed.code < 0)
            if all(self._tip(move.ref) == move.new for move in moves):
                pass  # git was killed after the deed
            elif failed.code < 0 or _in_the_way(failed.said):
                raise RefMoved(failed.said) from failed
            else:
                raise full_or(failed) from failed
        for folder in {folder for move in moves for folder in _folders(move)}:
            sync(self._path / folder)

    def _swap(self, script: bytes) -> None:
        """By the git that is kept for it, if there is one; else by one that comes for this."""
        kept = self._gits.kept(_MOVE)
        try:
            if kept is None:
                self._gits.check(_MOVE, script)
            else:
                kept.tell(script, 3)  # start, prepare, commit: ok
        except BaseException:
            # What fast-import wrote is nobody's now, and may be tidied away: let it not count on it
            self.dismiss()
            raise

    def _drop_own_locks(self, moves: list[RefMove], *, killed: bool) -> None:
        """Locks that a killed git of ours left: only ours can hold these ids, and whoever lives
        does not leave one empty for long. Of HEAD, which names main, git locks the log alone."""
        ids = {f"{move.ref}.lock": move.new for move in moves}
        for name, new in (ids | {"HEAD.lock": ""}).items():
            lock = self._path / name
            with contextlib.suppress(FileNotFoundError):
                made, said = lock.stat(), _said(lock)
                if killed and not said:
                    time.sleep(_MOMENT)
                    if not _said(lock) and os.path.samestat(made, lock.stat()):
                        lock.unlink()
                elif said and said == new:
                    lock.unlink()


def _said(lock: Path) -> str:
    return lock.read_text("ascii", "replace").strip()


def full_or(failed: GitFailed) -> GitFailed | RepositoryFull:
    """What a git that failed failed of."""
    if FULL.search(failed.said) or failed.code == -25:  # 25: SIGXFSZ, a file-size limit
        return RepositoryFull()
    return failed


def marks(repository: Path) -> list[Path]:
    """Those that fast-import puts on its packs until it ends; nobody rolls these up.

    One that it was killed at is empty, and its pack is not there yet.
    """
    found: list[Path] = []
    for mark in repository.glob("objects/pack/*.keep"):
        with contextlib.suppress(FileNotFoundError):
            said, alone = mark.read_bytes(), not mark.with_suffix(".pack").exists()
            if said == b"fast-import" or (alone and not said):
                found.append(mark)
    return found


def sync(path: Path) -> None:
    """Have a file, or a folder's list of files, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _folders(move: RefMove) -> Iterator[Path]:
    """Those whose entries a move changes; a new ref may have made folders on the way."""
    yield from [Path(move.ref).parent] if move.old else list(Path(move.ref).parents)[:-2]


def _in_the_way(said: str) -> bool:
    """The last: somebody tidied up (`git repack -ad`) before the ref named what was written."""
    return any(one in said for one in ("cannot lock ref", "Unable to create", "nonexistent object"))
