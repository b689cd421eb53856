"""What a round asks git about commits that arrived. Everything blocks."""

from __future__ import annotations

from collections.abc import Iterator

from hub.registry.git.git_terms import GitFailed
from hub.registry.git.repository import Repository
from hub.registry.writing.joining import Told
from hub.sync.remotes.troubles import Trouble

INCOMPLETE = (
    "What arrived is incomplete: the repository over there holds only a part of its history (a "
    "shallow copy), or is damaged. Nothing was taken in."
)
PART = 300
"""Commits of the line that are taken at once, where all are too many."""
MOST_COMMITS = 1000
"""So many are told of; any number may arrive."""
MOST_PEOPLE = 100_000
"""Commits whose authors and committers are asked for."""


def check_whole(judged: Repository, tip: str, ours: str | None) -> None:
    """Raises:
    Trouble: a part of it is missing.
    """
    without = [f"^{ours}"] if ours else []
    try:
        judged.run("rev-list", "--objects", "--quiet", "--end-of-options", tip, *without)
    except GitFailed:
        raise Trouble("objects", INCOMPLETE) from None


def base_of(judged: Repository, ours: str | None, tip: str) -> str | None:
    """Where both lines begin to differ; None: they have nothing in common."""
    if ours is None:
        return None
    try:
        return judged.run("merge-base", "--", ours, tip).decode("ascii").strip() or None
    except GitFailed as failed:
        if failed.code == 1:  # git's word for: nothing in common
            return None
        raise


def milestones(judged: Repository, ours: str | None, tip: str) -> list[str]:
    """Commits on the way from `ours` to `tip`, and `tip`, few enough apart to be taken one after
    the other; none if it is a short way."""
    without = [f"^{ours}"] if ours else []
    asked = ("rev-list", "--first-parent", "--reverse", "--end-of-options", tip, *without)
    ids = judged.run(*asked).decode("ascii").split()
    if len(ids) <= PART:
        return []
    return [*ids[PART - 1 : -1 : PART], tip]


def told_by(judged: Repository, tip: str, ours: str | None) -> Told:
    """What the commits say that `ours` has not, the newest first."""
    without = [f"^{ours}"] if ours else []
    asked = ("rev-list", "--topo-order", "--no-merges", f"--max-count={MOST_COMMITS}")
    ids = judged.run(*asked, "--end-of-options", tip, *without).decode("ascii").split()
    found = judged.read(ids)
    told = Told.by([found[one] for one in ids if one in found])
    return told.also(_people(judged, tip, without))


def _people(judged: Repository, tip: str, without: list[str]) -> Iterator[tuple[str, str]]:
    """Also of merges: what a merge says can be in neither of its sides."""
    asked = ("log", "-z", f"--max-count={MOST_PEOPLE}", "--format=%an%n%ae%n%cn%n%ce")
    said = judged.run(*asked, "--end-of-options", tip, *without).decode("utf-8", "replace")
    for one in said.split("\0"):
        if len(lines := one.split("\n")) == 4:
            yield lines[0], lines[1]
            yield lines[2], lines[3]
