"""Commits as values: what git says about one, and how we ask git to write some. Pure.

plans --- stream() --> bytes for `git fast-import` --> commits in the repository
Commit <-- parse_commit(), parse_log() --- what `git cat-file` and `git log --raw -z` print
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from hub.registry.indexing.reading import Reading

ZERO = "0" * 40
HUB_NAME = "Prompt Hub"
HUB_EMAIL = "hub@localhost"
_TRAILER = re.compile(
    r"(Prompts?|Label|Request-Id|Request-Hash|Proposal|Revision|Target|Digest|Items|Note|Asked"
    r"|Approved-blob|Reviewed-by|Merged-by|Broke-Glass): .+"
)
_WHO = re.compile(rb"(.*?) ?<(.*?)> ?(-?\d+)? ?([+-]\d{4})?", re.S)


class Change(msgspec.Struct):
    """One file that a commit changed; a blob is None where there is no (plain) file."""

    path: str
    old: str | None = None
    new: str | None = None
    data: bytes | None = None
    old_data: bytes | None = None
    reading: Reading | None = None
    """`data` as a prompt, if the writer knows it already."""
    mode: str = ""
    """Of a file that is no prompt and is taken as it lies in the repository, by its id
    `new`; `000000`: it goes away."""
    awaits: Commit | None = None
    """`data` names this commit, which git has not written yet (`deploy_file.AWAITED`)."""


class Commit(msgspec.Struct):
    """A commit of the first-parent line; `id` is empty until git has written it."""

    id: str
    parent: str | None
    author: str
    email: str
    at: datetime
    message: str
    changes: list[Change]
    trailers: dict[str, str] = {}
    """Only of commits that say the hub made them; a claim, not a proof. One that is said several
    times holds its values in lines."""
    second: str | None = None
    """Of a merge: what was merged."""
    brought_by: tuple[str, str] | None = None
    """Name and address of whoever pushes it, while that is being written down."""


class Plan(msgspec.Struct):
    """A commit that we want written on `ref`, after the one before it in the same batch."""

    ref: str
    parent: str | None
    """For the first plan of a ref: its tip, or main's if the ref is new and a proposal's."""
    commit: Commit
    moved: list[tuple[str, str]] = []
    there: bool = False
    """Somebody brought the commit: it has its id, and nothing of it is to be written."""


def clean_name(text: str) -> str:
    """A person's name as git can carry it."""
    return " ".join(re.sub(r"[<>\x00-\x1f\x7f]", " ", _sound(text)).split())[:120] or "Unknown"


def clean_email(text: str) -> str:
    """An address as git can carry it; an empty one gets a no-reply address."""
    return re.sub(r"[<>\s\x00-\x1f\x7f]", "", _sound(text))[:254] or "noreply@localhost"


def clean_message(text: str) -> str:
    """A sentence about why, as git gives it back: LF, no NUL, no blank ends."""
    text = _sound(text).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return text.strip()


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def with_trailers(message: str, trailers: dict[str, str]) -> str:
    """The message as it is written, our trailers in a last paragraph of their own."""
    lines = [
        f"{key}: {' '.join(line.split())}"
        for key, value in trailers.items()
        for line in value.split("\n")
        if line.strip()  # a trailer without a value would make the paragraph none of ours
    ]
    return "\n\n".join([message, "\n".join(lines)]) if lines else message


def split_trailers(text: str) -> tuple[str, dict[str, str]]:
    """The other way round, for a commit of the hub."""
    body, gap, last = text.rpartition("\n\n")
    lines = last.split("\n")
    if not gap or not all(map(_TRAILER.fullmatch, lines)):
        return text, {}
    trailers: dict[str, str] = {}
    for key, value in (line.split(": ", 1) for line in lines):
        trailers[key] = f"{trailers[key]}\n{value}" if key in trailers else value
    return body, trailers


def stream(batch: str, plans: Iterable[Plan]) -> bytes:
    """A fast-import stream that writes the plans, prints their commit ids and keeps no ref."""
    plans = list(plans)
    parts: list[bytes] = []
    last: dict[str, str] = {}
    for mark, plan in enumerate(plans, 1):
        ref = last.get(plan.ref) or f"refs/hub/batch/{batch}/{len(last)}"
        parts.extend(_commit(ref, mark, plan, first=plan.ref not in last))
        last[plan.ref] = ref
    parts.extend(b"get-mark :%d\n" % mark for mark in range(1, len(plans) + 1))
    # Without this, git would leave a ref behind for each: a synced file to write and to delete.
    parts.extend(b"reset %s\n\n" % ref.encode() for ref in last.values())
    return b"".join(parts)


def _commit(ref: str, mark: int, plan: Plan, *, first: bool) -> Iterable[bytes]:
    commit = plan.commit
    text = with_trailers(commit.message, commit.trailers).encode() + b"\n"
    at = int(commit.at.timestamp())
    if first and commit.second and not plan.parent:
        # A merge needs a first parent: else what it merges would stand on the ref's own line.
        yield f"commit {ref}\ncommitter {HUB_NAME} <{HUB_EMAIL}> {at} +0000\n".encode()
        yield b"data 6\nBegin\n"
    yield f"commit {ref}\nmark :{mark}\n".encode()
    yield f"author {commit.author} <{commit.email}> {at} +0000\n".encode()
    yield f"committer {HUB_NAME} <{HUB_EMAIL}> {at} +0000\ndata {len(text)}\n".encode()
    yield text
    if first and plan.parent:
        yield f"from {plan.parent}\n".encode()
    if commit.second:
        yield f"merge {commit.second}\n".encode()
    # What goes away first: a folder may come where a file was.
    for change in sorted(commit.changes, key=lambda one: one.data is not None or _taken(one)):
        if _taken(change):
            yield b"M %s %s %s\n" % (
                change.mode.encode(), (change.new or "").encode(), _quoted(change.path)
            )  # fmt: skip
        elif change.data is None:
            yield b"D %s\n" % _quoted(change.path)
        else:
            yield f"M 100644 inline {change.path}\ndata {len(change.data)}\n".encode()
            yield change.data
            yield b"\n"
    yield b"\n"


def _taken(change: Change) -> bool:
    """Whether the file is to be as it lies in the repository already."""
    return change.mode not in ("", "000000")


def _quoted(path: str) -> bytes:
    """A path as fast-import reads any; ours need no quotes."""
    raw = path.encode("utf-8", "surrogateescape")
    if all(32 < byte < 127 and byte not in b'"\\' for byte in raw):
        return raw
    plain = set(range(32, 127)) - set(b'"\\')
    told = (bytes([byte]) if byte in plain else b"\\%03o" % byte for byte in raw)
    return b'"%s"' % b"".join(told)


def parse_commit(id: str, body: bytes, changes: list[Change]) -> Commit:
    """The commit object `body`; whatever bytes it holds, a commit comes out."""
    head, _, text = body.partition(b"\n\n")
    parents: list[str] = []
    who = {b"author": ("Unknown", "", 0), b"committer": ("", "", 0)}
    words = words_in(head)
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key in who:
            who[key] = _person(value, words)
    name, email, seconds = who[b"author"]
    at = datetime.fromtimestamp(seconds, UTC)
    message, trailers = clean_message(text.decode(words, "replace")), {}
    if who[b"committer"][:2] == (HUB_NAME, HUB_EMAIL):
        message, trailers = split_trailers(message)
    return Commit(
        id=id, parent=parents[0] if parents else None, author=name, email=email, at=at,
        message=clean_message(message), changes=changes, trailers=trailers,
        second=parents[1] if len(parents) > 1 else None,
    )  # fmt: skip


_ENCODING = re.compile(
    rb"^encoding (?:utf-?8|ascii|(iso-?8859-?(?:[1-9]|1[013-6])|latin-?1|(?:cp|windows-?)125[0-8]|"
    rb"koi8-[ru]|gbk|gb2312|gb18030|big5|euc-?(?:jp|kr)|shift_?jis|sjis))$",
    re.M | re.I,
)
"""Of these, what is ASCII is ASCII in all: none can spell out the hub's name in other bytes."""


def words_in(head: bytes) -> str:
    """What a commit says its message and names are written in."""
    found = _ENCODING.search(head)
    name = found[1].decode("ascii").lower() if found and found[1] else "utf-8"
    return name.replace("windows", "cp").replace("cp-", "cp")


def claims_hub(body: bytes) -> bool:
    """Whether a commit object says that the hub wrote or committed it."""
    head = body.partition(b"\n\n")[0]
    lines = (line.partition(b" ") for line in head.split(b"\n"))
    people = [_person(value) for key, _, value in lines if key in (b"author", b"committer")]
    return any(email.casefold() == HUB_EMAIL for _, email, _ in people)


def _person(value: bytes, words: str = "utf-8") -> tuple[str, str, int]:
    found = _WHO.match(value)
    if not found:
        return clean_name(value.decode("utf-8", "replace")), "", 0
    name, email = found[1].decode(words, "replace"), found[2].decode("utf-8", "replace")
    # A clock may claim any year; the database keeps only what is a date.
    seconds = min(max(int(found[3] or 0), 0), 253402214400)
    return clean_name(name), clean_email(email), seconds


def parse_log(raw: bytes) -> dict[str, list[Change]]:
    """Files per commit from `git log --raw -z --no-abbrev --no-renames --format='commit %H'`."""
    commits: dict[str, list[Entry]] = {}
    for (commit, *_), entry in sections(raw):
        files = commits.setdefault(commit, [])
        if entry:
            files.append(entry)
    return {commit: changes_of(files) for commit, files in commits.items()}


Entry = tuple[str, str, str, str, str]
"""Mode before and after, id before and after, path."""


def changes_of(files: Iterable[Entry]) -> list[Change]:
    """Symbolic links and submodules are not files of ours."""
    return [
        Change(path, _blob(old_mode, old), _blob(new_mode, new))
        for old_mode, new_mode, old, new, path in files
    ]


def fill(changes: Iterable[Change], bodies: Mapping[str, bytes]) -> None:
    """Put in what each file said before, and says."""
    for change in changes:
        change.data = bodies.get(change.new) if change.new else None
        change.old_data = bodies.get(change.old) if change.old else None


def sections(raw: bytes) -> Iterator[tuple[list[str], Entry | None]]:
    """Each commit of such a log (its id, and what else the format says), first with None, then
    with each file that it changed."""
    commit: list[str] = []
    fields = iter(raw.replace(b"\0\n:", b"\0:").split(b"\0"))
    for field in fields:
        field = field.lstrip(b"\n")
        while field.startswith(b"commit "):
            head, _, field = field.partition(b"\n")
            commit = head.decode("ascii", "replace").split()[1:]
            yield commit, None
        if field.startswith(b":"):
            old_mode, new_mode, old, new, _ = field[1:].decode("ascii").split(" ")
            path = next(fields).decode("utf-8", "surrogateescape")
            yield commit, (old_mode, new_mode, old, new, path)


def _blob(mode: str, blob: str) -> str | None:
    return blob if mode in ("100644", "100755") else None
