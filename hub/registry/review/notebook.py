"""What people decided of proposals, as git keeps it: a note on each revision's commit. Pure.

    Said, Closed --- note() --> lines of JSON, at refs/notes/reviews
    Said, Closed <-- lines() --- the same lines

`git log --notes=reviews` shows them to a stranger. Accounts are not in git: a word names its
person by their address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

_PATH = re.compile(r"([0-9a-f]{2})/([0-9a-f]{38})", re.ASCII)


class Dismissed(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a change was put aside."""

    by: str
    why: str
    at: datetime


class Said(msgspec.Struct, frozen=True, kw_only=True, tag="word", omit_defaults=True):
    """One person's word on the revision: `models.Review`, without what only a database knows."""

    name: str
    email: str
    verdict: Literal["approve", "changes", "none"]
    digest: str
    at: datetime
    body: str = ""
    stands: bool = False
    dismissed: Dismissed | None = None


class Closed(msgspec.Struct, frozen=True, kw_only=True, tag="closed"):
    """The proposal was closed without a merge, at this revision; it says so until it is opened
    again. What was merged is told by the merge."""

    state: Literal["declined", "withdrawn"]
    by: str
    why: str
    at: datetime


Line = Said | Closed


def note(said: Iterable[Line]) -> bytes:
    """The file's bytes, the same for the same lines."""
    return b"".join(msgspec.json.encode(one) + b"\n" for one in said)


def lines(data: bytes) -> list[Line]:
    """The other way round; what is no line of ours is left out."""
    found: list[Line] = []
    for one in data.splitlines():
        try:
            found.append(msgspec.json.decode(one, type=Line))
        except msgspec.DecodeError:
            continue
    return found


def path_of(commit: str) -> str:
    """Where the note on a commit lies."""
    return f"{commit[:2]}/{commit[2:]}"


def commit_of(path: str) -> str | None:
    """The commit that a file is the note on."""
    found = _PATH.fullmatch(path)
    return f"{found[1]}{found[2]}" if found else None
