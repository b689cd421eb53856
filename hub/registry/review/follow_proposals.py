"""Proposals in git: a revision's commit and the commit that merges it, as values and back. Pure.

    Offered  --- trailers_of(), text_of() --> a commit at refs/proposals/<number>/<revision>
    Offered  <-- offered() ------------------ that commit
    Landed   <-- landed() ------------------- the commit on main (or deploy) that merged it

Trailers are claims. They count only where the committer is the hub and, on main, where the second
parent is that very revision: what a pusher types counts for nothing.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from hub.registry.git.commits import Commit
from hub.registry.git.git_terms import DEPLOY, MAIN, PROPOSALS
from hub.registry.prompt.names import path_of
from hub.registry.review.digest import Part, digest_of

if TYPE_CHECKING:
    from hub.registry.indexing.ledger import Ledger

LONGEST_TITLE = 200
BROKE_GLASS = "Broke-Glass"
DESPITE = "Despite-Programs"
"""Why it was done although programs that ran then could not go on."""
_REF = re.compile(re.escape(PROPOSALS) + r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", re.ASCII)
_PERSON = re.compile(r"(.*) <([^<>]*)>")
_COAUTHOR = re.compile(r"^\s*(?:co-authored|linked)-by:.*?<([^<>\s]+)>\s*$", re.I | re.M)


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """A revision."""

    number: int
    revision: int
    title: str
    why: str
    target: str | None
    digest: str
    note: str
    """What it changes against the one before; empty for the first."""
    parts: tuple[Part, ...]
    files: dict[str, bytes]
    """The texts that would land, by git's ids."""
    asked: tuple[str, ...] = ()
    """Addresses of people who were asked to review."""
    commit: Commit

    @property
    def co_authors(self) -> frozenset[str]:
        return co_authors(self.title, self.why, self.note)


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """A merge, as its commit tells it."""

    number: int
    revision: int
    digest: str
    target: str | None
    blobs: list[str]
    reviewers: list[str]
    merged_by: tuple[str, str]
    broke_glass: str
    commit: Commit


def ref_of(number: int, revision: int) -> str:
    return f"{PROPOSALS}{number}/{revision}"


def place_of(ref: str) -> tuple[int, int] | None:
    """Number and revision of a proposal's ref."""
    found = _REF.fullmatch(ref)
    return (int(found[1]), int(found[2])) if found else None


def text_of(title: str, why: str) -> str:
    """A commit's message: the title, and below it why."""
    return f"{title}\n\n{why}" if why else title


def trailers_of(
    number: int, revision: int, target: str | None, parts: tuple[Part, ...], note: str,
    asked: tuple[str, ...],
) -> dict[str, str]:  # fmt: skip
    """What the commit of a revision says about itself, for machines."""
    said = {"Proposal": str(number), "Revision": str(revision)}
    if target is not None:
        said["Target"] = target
    said["Digest"] = digest_of(parts, target)
    if note:
        said["Note"] = msgspec.json.encode(note).decode()  # it may have lines
    if asked:
        said["Asked"] = "\n".join(asked)
    return said | {"Items": msgspec.json.encode(parts).decode()}


def offered(ref: str, commit: Commit) -> Offered | None:
    """The revision that lies at `ref`; None if it is not one of ours, or not sound."""
    place, said = place_of(ref), commit.trailers
    if place is None or (said.get("Proposal"), said.get("Revision")) != tuple(map(str, place)):
        return None
    try:
        parts = msgspec.json.decode(said.get("Items", ""), type=tuple[Part, ...])
        note = msgspec.json.decode(said.get("Note", '""'), type=str)
    except msgspec.DecodeError:
        return None
    target = said.get("Target")
    if said.get("Digest") != digest_of(parts, target):
        return None
    title, _, why = commit.message.partition("\n\n")
    files = {one.new: one.data for one in commit.changes if one.new and one.data is not None}
    return Offered(
        number=place[0], revision=place[1], title=title[:LONGEST_TITLE], why=why, target=target,
        digest=said["Digest"], note=note, parts=parts, files=files,
        asked=tuple(filter(None, said.get("Asked", "").split("\n"))), commit=commit,
    )  # fmt: skip


def missing_blobs(offer: Offered) -> dict[str, str]:
    """Texts that main held already when the revision was made: path by git's id."""
    return {
        one.blob: path_of(one.lands_at)
        for one in offer.parts
        if one.kind != "release" and one.blob and one.blob not in offer.files
    }


def landed(commit: Commit) -> Landed | None:
    """What a commit says it merged."""
    said = commit.trailers
    number, revision = said.get("Proposal", ""), said.get("Revision", "")
    if not (number.isdigit() and revision.isdigit()) or len(number + revision) > 18:
        return None
    return Landed(
        number=int(number), revision=int(revision), digest=said.get("Digest", ""),
        target=said.get("Target"), blobs=_lines(said.get("Approved-blob")),
        reviewers=_lines(said.get("Reviewed-by")),
        merged_by=person(said.get("Merged-by", "")) or (commit.author, commit.email),
        broke_glass=said.get(BROKE_GLASS, ""), commit=commit,
    )  # fmt: skip


def person(said: str) -> tuple[str, str] | None:
    """Name and address in `Name <address>`."""
    found = _PERSON.fullmatch(said)
    return (found[1], found[2]) if found else None


def co_authors(*texts: str) -> frozenset[str]:
    """Addresses that a text names as co-authors, or as who linked the place that it came from; in
    small letters."""
    return frozenset(found.lower() for text in texts for found in _COAUTHOR.findall(text))


def proposal_of(commit: Commit) -> int | None:
    """The proposal that a commit on deploy released."""
    number = commit.trailers.get("Proposal", "")
    return int(number) if number.isdigit() and len(number) < 10 else None


def _lines(value: str | None) -> list[str]:
    return value.split("\n") if value else []


# --- followed by a ledger ------------------------------------------------------------------------


class Word(msgspec.Struct, frozen=True):
    """Somebody's latest word on a proposal."""

    account_id: int
    name: str
    email: str
    digest: str
    verdict: Literal["approve", "changes", "none"]
    at: datetime
    stands: bool


class HeldProposal(msgspec.Struct, kw_only=True):
    """A proposal as the ledger knows it: its row, or what the row will be."""

    number: int
    state: str
    title: str
    why: str
    target: str | None
    revision: int
    """The latest, and below what is known of it."""
    digest: str
    commit: Commit | str
    author: str
    author_email: str
    parts: tuple[Part, ...] = ()
    files: dict[str, bytes] = {}
    """Texts by git's ids."""
    writers: frozenset[int] = frozenset()
    """Accounts behind any revision."""
    writer_emails: frozenset[str] = frozenset()
    """Addresses of any revision's author and co-authors, in small letters."""
    at: datetime
    words: tuple[Word, ...] = ()
    checks: dict[str, str] = {}
    """Of the latest digest; both only where somebody asked for it."""
    unread: list[tuple[str, str, str]] = []
    """Versions since the bases that no reviewer saw: prompt id, author and address."""

    @property
    def commit_id(self) -> str:
        return self.commit if isinstance(self.commit, str) else self.commit.id


def follow_revision(ledger: Ledger, ref: str, commit: Commit) -> Offered | None:
    """Bring the ledger up to a revision."""
    offer = offered(ref, commit)
    if offer is None:
        return None
    ledger.offered.append(offer)
    ledger.revisions[offer.number, offer.revision] = (commit, offer.digest)
    ledger.last_number = max(ledger.last_number or 0, offer.number)
    before = ledger.proposals.get(offer.number)
    if before is not None and before.revision >= offer.revision:
        return offer
    ledger.proposals[offer.number] = HeldProposal(
        number=offer.number, state=before.state if before else "open", title=offer.title,
        why=offer.why, target=offer.target, revision=offer.revision, digest=offer.digest,
        commit=commit, author=commit.author, author_email=commit.email, parts=offer.parts,
        files=offer.files, writers=before.writers if before else frozenset(),
        writer_emails=(before.writer_emails if before else frozenset())
        | offer.co_authors | {commit.email.lower()}, at=commit.at,
    )  # fmt: skip
    return offer


def follow_merge(ledger: Ledger, ref: str, commit: Commit) -> None:
    """Note that a commit merged a proposal, if it did."""
    claim = landed(commit)
    if claim is None or ref not in (MAIN, DEPLOY):
        return
    known = ledger.revisions.get((claim.number, claim.revision))
    if known is None or known[1] != claim.digest:
        return
    revision = known[0] if isinstance(known[0], str) else known[0].id
    if ref == MAIN and (not revision or commit.second != revision):
        return
    ledger.landed.append(claim)
    held = ledger.proposals.get(claim.number)
    if held is not None:
        held.state = "merged"
