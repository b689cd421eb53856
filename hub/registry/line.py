"""A line of commits that somebody brings, from where a ref is to where it shall be: read and looked
through commit by commit, since each of them becomes part of the record.

    line = read_line(repository, MAIN, old, new)      blocks; what cannot be taken is refused
    await arrivals.arrive(publisher, workspace, line, actor=…)

Only the first-parent line is followed; what its merges bring along must be as harmless as it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from hub.errors import Conflict, Invalid
from hub.registry import deploy_file, names, pushed_files
from hub.registry.asks import LONGEST_MESSAGE
from hub.registry.commits import Change, Commit, Entry, claims_hub, entries
from hub.registry.document import parse
from hub.registry.git_terms import MAIN, PROPOSALS, GitFailed
from hub.registry.includes import includes
from hub.registry.reading import read
from hub.registry.repository import Repository

MOST_COMMITS = 1_000
MOST_FILES = 2_000
"""Changes of files, counted commit by commit."""
LARGEST = 16 << 20
"""Bytes of all texts together."""
_SAID = re.compile(r"(?:fatal|error): (.*)")


class Step(msgspec.Struct, frozen=True):
    """One commit, and which snippets the texts that it changes include, by prompt."""

    commit: Commit
    includes: dict[str, frozenset[tuple[str, int]]]


class Line(msgspec.Struct, frozen=True):
    """The commits that lead `ref` from `old` (None: it is not there yet) to `new`."""

    ref: str
    old: str | None
    new: str
    steps: tuple[Step, ...]


class Overtaken(Conflict):
    """The ref is not where these commits begin."""

    def __init__(self, ref: str) -> None:
        branch = ref.rpartition("/")[2]
        super().__init__(
            f"{branch} has changes that these commits do not stand on. Nothing was changed. "
            f"Fetch, put yours on top (`git pull --rebase origin {branch}`), then push again."
        )


def read_line(
    repository: Repository, ref: str, old: str | None, new: str, *, strict: bool = True
) -> Line:
    """Read what lies between the two; blocks. Not `strict`: files that are no prompts are passed
    over and broken ones come in as they are, as in a repository that others share.

    Raises:
        Overtaken: `new` does not stand on `old`.
        Invalid: they cannot be taken; the sentence names the file and the line.
    """
    try:
        ids = new_commits(repository, new, old)
        found = ("--first-parent", "--reverse", "--end-of-options", new)
        line = repository.run("rev-list", *found, *([f"^{old}"] if old else []))
        if old is not None and not repository.contains(new, old):
            raise Overtaken(ref)
        changed = _files(repository, ref, ids, strict=strict)
        whole = ref == MAIN and old is None and not strict and not repository.refs(PROPOSALS)
        _check_people(repository, ids, copy=whole)
        commits = repository.commits(line.decode("ascii").split())
    except GitFailed as failed:
        raise Invalid(why(failed)) from failed
    if commits[0].parent != old:
        raise Overtaken(ref)  # a merge that has it on its second side
    steps = [_step(one, changed[one.id], ref, strict=strict) for one in commits]
    return Line(ref, old, new, tuple(steps))


def new_commits(repository: Repository, tip: str, old: str | None) -> list[str]:
    """Those that `old` has not, the newest first, with all that they need at hand."""
    if repository.run("cat-file", "-t", tip).strip() != b"commit":
        raise Invalid("Only commits can be pushed.")
    since = [f"^{old}"] if old else []
    asked = ("rev-list", "--topo-order", f"--max-count={MOST_COMMITS + 1}")
    found = repository.run(*asked, "--end-of-options", tip, *since).decode("ascii").split()
    if not found:
        raise Invalid("There is nothing new in this: main has all of it already.")
    if len(found) > MOST_COMMITS:
        raise Invalid(f"A push may bring {MOST_COMMITS:,} commits at most.")
    repository.run("rev-list", "--objects", "--quiet", "--end-of-options", tip, *since)
    return found


def why(failed: GitFailed) -> str:
    """What whoever pushed reads of it."""
    if failed.command == "merge-base":
        return "These commits have no common history with main. Clone again, and put them on top."
    found = _SAID.search(failed.said)
    more = ascii(found[1])[1:-1][:200] if found else "it is incomplete"
    return f"What was pushed cannot be used: {more}."


def _files(
    repository: Repository, ref: str, ids: list[str], *, strict: bool
) -> dict[str, set[str]]:
    """The paths that each commit changes and that concern us, looked at before they are read."""
    kept: dict[str, set[str]] = {}
    new: dict[tuple[str, str], None] = {}
    for commit, entry in entries(repository.log(ids[::-1])):
        paths = kept.setdefault(commit, set())
        if entry is not None and _concerns(ref, entry, strict=strict):
            paths.add(entry[4])
            if entry[1] in pushed_files.FILES:
                new[entry[4], entry[3]] = None
    if sum(map(len, kept.values())) > MOST_FILES:
        raise Invalid(f"A push may change {MOST_FILES:,} files at most. Push less at a time.")
    pushed_files.check_sizes(repository, [*new], LARGEST)
    return kept


def _concerns(ref: str, entry: Entry, *, strict: bool) -> bool:
    before, mode, _, _, path = entry
    if not strict:  # a file that becomes a link is gone: whoever reads this line reads it so
        ours = names.name_of(path) if ref == MAIN else deploy_file.label_of(path)
        return ours is not None and (before in pushed_files.FILES or mode in pushed_files.FILES)
    if ref == MAIN:
        pushed_files.prompt_at(path, mode)
    else:
        pushed_files.check_plain(path, mode)
        if deploy_file.label_of(path) is None:
            raise Invalid(
                f"{pushed_files.shown(path)}: only the files of labels belong here, such as "
                "`production/support/triage.yml`."
            )
    return True


def _check_people(repository: Repository, ids: list[str], *, copy: bool) -> None:
    """Nobody speaks in the hub's name: what it says about approvals is believed. `copy`: where
    there is neither history nor a proposal, what another hub had comes in whole; on main alone,
    where a merge names its revision by a commit that cannot be foretold."""
    for id, body in repository.read(ids).items():
        if not copy and claims_hub(body):
            raise Invalid(
                f"Commit {id[:10]} says that the hub itself made it. Make it yours: "
                "git commit --amend --reset-author"
            )


def _step(commit: Commit, paths: set[str], ref: str, *, strict: bool) -> Step:
    commit.changes = [one for one in commit.changes if one.path in paths]
    if strict and len(commit.message) > LONGEST_MESSAGE:
        raise Invalid(
            f"Commit {commit.id[:10]}: its message has {len(commit.message):,} characters; "
            f"{LONGEST_MESSAGE:,} is the most."
        )
    found = dict(_included(commit, strict=strict)) if ref == MAIN else {}
    return Step(commit, found)


def _included(commit: Commit, *, strict: bool) -> Iterator[tuple[str, frozenset[tuple[str, int]]]]:
    for change in commit.changes:
        if change.data is None:
            continue
        change.reading = read(change.data)
        if not strict:
            continue
        if problem := change.reading.problem:
            raise Invalid(f"{_where(commit, change)}: {problem}")
        try:
            yield names.name_of(change.path) or "", includes(parse(change.data))
        except Invalid as refused:
            raise Invalid(f"{_where(commit, change)}: {refused.sentence}") from refused


def _where(commit: Commit, change: Change) -> str:
    return f"{change.path} ({commit.id[:10]})"
