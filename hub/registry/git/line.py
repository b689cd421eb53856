"""A line of commits that somebody brings, from where a ref is to where it shall be: read and looked
through commit by commit, since each of them becomes part of the record.

    line = read_line(repository, MAIN, old, new)      blocks; what cannot be taken is refused
    await arrivals.arrive(publisher, workspace, line, actor=…)

Only the first-parent line is followed; what its merges bring along must be as harmless as it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from hub.errors import Conflict, Invalid
from hub.registry.git import deploy_file, pushed_files
from hub.registry.git.commits import Change, Commit, Entry, claims_hub
from hub.registry.git.git_terms import MAIN, PROPOSALS, GitFailed
from hub.registry.git.newcomers import Newcomers, News, NothingNew
from hub.registry.git.repository import Repository
from hub.registry.indexing.reading import read
from hub.registry.prompt import names
from hub.registry.prompt.document import parse
from hub.registry.prompt.includes import includes
from hub.registry.writing.asks import LONGEST_MESSAGE

MOST_FILES = 2_000
"""Changes of files, counted commit by commit."""
LARGEST = 16 << 20
"""Bytes of all texts together."""
NOT_BACK = (
    "has these commits already, and never goes back to older ones. To undo what came after them, "
    "push a commit that does: `git revert`."
)
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
        with Newcomers(repository) as found:
            news = found.commits(new, old)
            line = news.line(new)
            if next(iter(news.parents[line[0]]), None) != old:
                raise Overtaken(ref)  # or a merge that has it on its second side
            changed = _files(found, ref, news, strict=strict)
            whole = ref == MAIN and old is None and not strict and not repository.refs(PROPOSALS)
            _check_people(found.read([*news.parents]), copy=whole)
            commits = found.parsed(line, changed)
    except GitFailed as failed:
        raise Invalid(why(failed)) from failed
    except NothingNew:
        raise Invalid(f"{ref.rpartition('/')[2]} {NOT_BACK}") from None
    steps = [_step(one, ref, strict=strict) for one in commits]
    return Line(ref, old, new, tuple(steps))


def why(failed: GitFailed) -> str:
    """What whoever pushed reads of it."""
    if failed.command == "merge-base":
        return "These commits have no common history with main. Clone again, and put them on top."
    found = _SAID.search(failed.said)
    more = ascii(found[1])[1:-1][:200] if found else "it is incomplete"
    return f"What was pushed cannot be used: {more}."


def _files(found: Newcomers, ref: str, news: News, *, strict: bool) -> dict[str, list[Entry]]:
    """The files that each commit changes and that concern us, looked at before they are read."""
    kept: dict[str, list[Entry]] = {}
    new, others = dict[tuple[str, str], None](), dict[tuple[str, str], None]()
    oldest_first = [*news.files.items()][::-1]
    for commit, entry in ((id, one) for id, those in oldest_first for one in those):
        _, mode, _, blob, path = entry
        ours = _concerns(ref, entry, strict=strict)
        if ours:
            kept.setdefault(commit, []).append(entry)
        if mode not in pushed_files.WITHOUT:
            (new if ours and mode in pushed_files.FILES else others)[path, blob] = None
    if sum(map(len, kept.values())) > MOST_FILES:
        raise Invalid(f"A push may change {MOST_FILES:,} files at most. Push less at a time.")
    pushed_files.check_sizes(found, [*new], [*others], LARGEST)
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


def _check_people(bodies: Mapping[str, bytes], *, copy: bool) -> None:
    """Nobody speaks in the hub's name: what it says about approvals is believed. `copy`: where
    there is neither history nor a proposal, what another hub had comes in whole; on main alone,
    where a merge names its revision by a commit that cannot be foretold."""
    for id, body in bodies.items():
        if not copy and claims_hub(body):
            raise Invalid(
                f"Commit {id[:10]} says that the hub itself made it. Make it yours: "
                "git commit --amend --reset-author"
            )


def _step(commit: Commit, ref: str, *, strict: bool) -> Step:
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
