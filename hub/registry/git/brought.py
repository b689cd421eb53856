"""Who pushed which commit, as git keeps it: a note on each, `Pushed-by: Name <address>`. Pure.

A commit that somebody made elsewhere names whomever it likes as its author. The hub cannot change
that and keep the commit, so it says beside it who brought it: `git log --notes=pushed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from hub.registry.git.commits import Change, Commit, clean_email, clean_name

_PATH = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}", re.ASCII)
_NOTE = re.compile(
    r"(?:Pushed-by: (.+) <([^<>]+)>|Brought-by: (.+))\n((?:Linked-by: .+ <[^<>]+>\n)*)"
)
_LINKED = re.compile(r"Linked-by: .+ <([^<>]+)>\n")


class Brought(msgspec.Struct, frozen=True):
    """A commit, and who brought it; with an address, they answer for it as its author."""

    commit: str
    name: str
    email: str
    others: list[str]
    """Addresses of those who answer for it, too: they linked the place that it came from."""
    at: datetime
    """By the hub's own clock; what the commit says of its time is a claim, too."""


def notes(
    commits: list[str], name: str, email: str = "", others: Iterable[tuple[str, str]] = ()
) -> list[Change]:
    """The files that say so; on their ref no other hand writes."""
    line = f"Brought-by: {clean_name(name)}"
    if email:
        line = f"Pushed-by: {clean_name(name)} <{clean_email(email)}>"
    lines = [f"Linked-by: {clean_name(who)} <{clean_email(mail)}>" for who, mail in others if mail]
    said = "".join(f"{one}\n" for one in (line, *lines)).encode()
    return [Change(f"{one[:2]}/{one[2:]}", new="-", data=said) for one in commits]


def brought(commit: Commit) -> list[Brought]:
    """The other way round."""
    found: list[Brought] = []
    for change in commit.changes:
        note = _NOTE.fullmatch((change.data or b"").decode("utf-8", "replace"))
        if note and _PATH.fullmatch(change.path):
            id = change.path.replace("/", "")
            others = [one.lower() for one in _LINKED.findall(note[4])]
            found.append(Brought(id, note[1] or note[3], note[2] or "", others, commit.at))
    return found
