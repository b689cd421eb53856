"""Commits that are not ours yet, read with two gits: one lists them, the other hands out objects.

    with Newcomers(repository) as found:
        news = found.commits(tip, old)          which commits, and what each changed
        found.sizes(ids), found.read(ids)       of objects

Only what they changed is read, however large the rest is. That is enough to know that nothing is
missing: each tree is listed against its first parent's, which is complete, or a newcomer that was
listed the same way; what differs was opened, and that the contents are there, `sizes` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from hub.errors import Invalid
from hub.registry.git.commits import Commit, Entry, changes_of, fill, parse_commit, sections
from hub.registry.git.git_terms import check_ids
from hub.registry.git.gits import Gits, TooMuch
from hub.registry.git.repository import MOST_LISTED, Repository

MOST_COMMITS, MOST_PARENTS = 1_000, 100
TOO_MANY_FILES = "This changes more files than a push may change. Push less at a time."
_LIST = (
    "log", "--topo-order", f"--max-count={MOST_COMMITS + 1}", "--diff-merges=first-parent",
    "--root", "--raw", "-z", "--no-abbrev", "--no-renames", "--format=commit %H %P",
    "--end-of-options",
)  # fmt: skip


class News(msgspec.Struct, frozen=True):
    """Commits with their parents, the newest first, and the files that each of them changed."""

    parents: dict[str, list[str]]
    files: dict[str, list[Entry]]

    def line(self, tip: str) -> list[str]:
        """Those of the first-parent line, the oldest first."""
        found: list[str] = []
        at: str | None = tip
        while at is not None and at in self.parents:
            found.append(at)
            at = next(iter(self.parents[at]), None)
        return found[::-1]

    def base(self, tip: str) -> str | None:
        """What all of them stand on, if they are one line without a merge."""
        line = self.line(tip)
        straight = len(line) == len(self.parents)
        if not straight or any(len(those) != 1 for those in self.parents.values()):
            return None
        return self.parents[line[0]][0]


class NothingNew(Invalid):
    """All of these commits are there."""


class Newcomers:
    """See the top of the file. All methods block."""

    def __init__(self, repository: Repository) -> None:
        self._gits = Gits(repository.path, repository.given)
        self._objects = self._gits.open(("cat-file", "--batch-command", "--buffer"))

    def __enter__(self) -> Newcomers:
        return self

    def __exit__(self, *_: object) -> None:
        self._objects.kill()  # it only reads

    def commits(self, tip: str, old: str | None) -> News:
        """Those that `old` has not.

        Raises:
            Invalid: there are none, or too many, or something else than commits.
            GitFailed: what they need is not at hand.
        """
        since = [f"^{old}"] if old else []
        try:
            raw = self._gits.heard((*_LIST, tip, *since), MOST_LISTED // 4)
        except TooMuch:
            raise Invalid(TOO_MANY_FILES) from None
        news = News({}, {})
        for words, entry in sections(raw):
            if entry is None:
                news.parents[words[0]] = words[1:]
            else:
                news.files.setdefault(words[0], []).append(entry)
        if next(iter(news.parents), tip) != tip or self.sizes([tip]).get(tip, ("",))[0] != "commit":
            raise Invalid("Only commits can be pushed.")
        if not news.parents:
            raise NothingNew("There is nothing new in this: main has all of it already.")
        if len(news.parents) > MOST_COMMITS:
            raise Invalid(f"A push may bring {MOST_COMMITS:,} commits at most.")
        for id, parents in news.parents.items():
            if len(parents) > MOST_PARENTS:
                raise Invalid(
                    f"Commit {id[:10]} brings {len(parents):,} others together; {MOST_PARENTS} is "
                    "the most."
                )
        return news

    def sizes(self, ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Kind and bytes of each object; those that are missing are left out."""
        found: dict[str, tuple[str, int]] = {}
        for line in self._ask("info", ids):
            id, _, rest = line.partition(b" ")
            kind, _, size = rest.partition(b" ")
            if size:
                found[id.decode()] = (kind.decode(), int(size))
        return found

    def read(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The bytes of each; those that are missing are left out."""
        found: dict[str, bytes] = {}
        for line in self._ask("contents", ids):
            words = line.split(b" ")
            if len(words) == 3:
                found[words[0].decode()] = self._objects.part(int(words[2]))
                self._objects.part(1)
        return found

    def parsed(self, ids: Sequence[str], files: dict[str, list[Entry]]) -> list[Commit]:
        """These commits, with such of their files and what those said before and say now."""
        changes = {one: changes_of(files.get(one, [])) for one in ids}
        every = [change for those in changes.values() for change in those]
        blobs = {blob for one in every for blob in (one.old, one.new) if blob}
        bodies = self.read([*ids, *sorted(blobs)])
        fill(every, bodies)
        return [parse_commit(one, bodies[one], changes[one]) for one in ids]

    def _ask(self, what: str, ids: Sequence[str]) -> Iterator[bytes]:
        """A line for each; what follows one is to be taken before the next."""
        check_ids(*ids)
        if ids:
            asked = "".join(f"{what} {one}\n" for one in ids)
            self._objects.ask(f"{asked}flush\n".encode("ascii"))
        for _ in ids:
            yield self._objects.line()
