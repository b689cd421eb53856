"""How we and git talk: refs, settings, refusals, and what git prints. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from hub.errors import Unavailable

MAIN = "refs/heads/main"
DEPLOY = "refs/heads/deploy"
PUSHED = "refs/notes/pushed"
"""A note on each commit that somebody pushed, saying who: git's own `author` is a claim."""
REVIEWS = "refs/notes/reviews"
"""A note on each revision of a proposal: what people decided of it (`review/notebook.py`)."""
REFS = (MAIN, DEPLOY, PUSHED)
"""Those that are followed from where the index stands."""
PROPOSALS = "refs/proposals/"
"""One ref for each revision, `refs/proposals/<number>/<revision>`; none of them ever moves."""
OLDEST_GIT = (2, 36)
"""`core.fsync` came with 2.36; before it, a power cut could take an acknowledged save."""

SETTINGS = {
    "core.repositoryformatversion": "0",
    "core.bare": "true",
    "core.filemode": "true",
    "core.fsync": "all",
    "core.fsyncMethod": "fsync",
    "core.hooksPath": "/dev/null",
    "core.logAllRefUpdates": "false",
    "fastimport.unpackLimit": "1",
    "pack.compression": "1",
    "receive.fsckObjects": "true",
    "receive.denyDeletes": "true",
    "receive.denyNonFastForwards": "true",
    "receive.autogc": "false",
    "fetch.fsckObjects": "true",
    "transfer.hideRefs": "refs/hub\n\thideRefs = refs/proposals",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
MANY_PACKS = 100
"""Rolling them up holds up whatever is synced meanwhile: with 50, saves stood still for a tenth of
the time while 32 people saved without a pause."""
ID = re.compile(r"[0-9a-f]{40}", re.ASCII)
FULL = re.compile(r"No space left|Out of diskspace|Disk quota|File too large")


class GitFailed(Unavailable):
    """git said no; `said` is its own words, for the log."""

    def __init__(self, command: str, code: int, said: str) -> None:
        super().__init__(
            "The workspace's git repository could not be used, so nothing was changed. "
            "Try again; if it goes on, ask the operator to run `prompthub doctor`."
        )
        self.command, self.code, self.said = command, code, said

    def __str__(self) -> str:
        return f"git {self.command} ended with {self.code}: {self.said}"


class RepositoryFull(Unavailable):
    """There is no room for another object; nothing was changed."""

    status = 507

    def __init__(self) -> None:
        super().__init__(
            "The hub's disk is full, so this was not saved. What was saved before is safe. "
            "Ask the operator to make room, then try again."
        )


class RefMoved(Exception):
    """Somebody else moved the ref first, or is moving it; look again."""


class RefMove(msgspec.Struct, frozen=True):
    """Move `ref` from `old` to `new`, if it is still at `old` (None: if it is not there)."""

    ref: str
    old: str | None
    new: str


def check_ids(*ids: str) -> None:
    for one in ids:
        if not ID.fullmatch(one):
            raise ValueError(f"not an object id: {one!r}")


def config_text() -> str:
    groups: dict[str, list[str]] = {}
    for key, value in SETTINGS.items():
        group, _, name = key.partition(".")
        groups.setdefault(group, []).append(f"\t{name} = {value}\n")
    return "".join(f"[{group}]\n{''.join(lines)}" for group, lines in groups.items())


def objects_in(out: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        words = out[at:end].split(b" ")
        at = end + 1
        if len(words) == 3:
            size = int(words[2])
            yield words[0].decode(), out[at : at + size]
            at += size + 1


def mode_and_blob(line: str) -> tuple[str, str]:
    mode, _, blob = line.split("\t", 1)[0].split(" ")
    return mode, blob
