"""Asking for a change to be put up for review: a proposal, or another revision of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from hub.errors import Conflict, Forbidden, Invalid
from hub.people.policy import Need, allows
from hub.registry.git.commits import Plan, clean_message
from hub.registry.indexing.ledger import Ledger
from hub.registry.prompt import names
from hub.registry.prompt.document import serialise
from hub.registry.review import rows
from hub.registry.review.digest import digest_of
from hub.registry.review.drawing import Drawn, Wanted, check_apart, check_wanted, draw
from hub.registry.review.follow_proposals import (
    LONGEST_TITLE,
    HeldProposal,
    ref_of,
    text_of,
    trailers_of,
)
from hub.registry.review.record import NoSuchProposal
from hub.registry.writing.asks import Ask, Later, Settled

LONGEST_WHY = 20_000


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The revision that came of it; `created` is False if nothing had changed."""

    number: int
    revision: int
    digest: str
    created: bool = True


class RevisionMoved(Conflict):
    """Somebody revised the proposal in the meantime."""

    def __init__(self, held: HeldProposal) -> None:
        super().__init__(
            f"{held.author} has made revision {held.revision} of proposal {held.number} since you "
            "began. Nothing was overwritten; look at it, then send yours again.",
            number=held.number, revision=held.revision, digest=held.digest,
        )  # fmt: skip


@dataclass(kw_only=True)
class Offer(Ask):
    """Put a change up for review. `message` says what a revision changes against the one before."""

    wanted: tuple[Wanted, ...]
    number: int | None = None
    """The proposal to revise; None: a new one."""
    expected: int | None = None
    """The revision that was on the screen."""
    title: str | None = None
    why: str | None = None
    target: str | UnsetType | None = UNSET
    asked: tuple[str, ...] = ()
    """Addresses of people who shall review."""
    given: int | None = None
    """The number it has got."""
    labelled: bool = True
    action: str = "proposal.opened"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.title = None if self.title is None else checked_title(self.title)
        self.why = None if self.why is None else checked_why(self.why)
        if isinstance(self.target, str):
            names.check_label(self.target)
        check_wanted(self.wanted)
        self.names = {name for one in self.wanted for name in (one.name, one.new_name) if name}
        self.names |= {name for one in self.wanted for name, _ in one.includes}
        self.ids = {one.document.id for one in self.wanted if one.document and one.document.id}
        self.ids |= {one.prompt_id for one in self.wanted if one.prompt_id}
        self.proposal = self.number
        if self.number is not None:
            self.action = "proposal.revised"

    def parts(self) -> tuple[Any, ...]:
        said = [
            (
                one.kind, one.name, one.base, one.new_name, one.version,
                serialise(one.document) if one.document else None,
            )
            for one in self.wanted
        ]  # fmt: skip
        about = (self.number, self.expected, self.title, self.why, str(self.target))
        return ("offer", *about, *said, self.message)

    def subjects(self) -> list[str]:
        what = self.title or ", ".join(sorted({one.name for one in self.wanted}))
        return [f"#{self.given} {what}"]

    def detail(self) -> dict[str, Any]:
        return super().detail() | {"number": self.given}

    def look(self, db: Connection, ledger: Ledger) -> None:
        if self.number is None:
            rows.load_last_number(db, ledger)
        else:
            rows.load(db, ledger, {self.number})

    def bases_wanted(self, ledger: Ledger) -> set[tuple[str, str]]:
        held = [(ledger.at(one.name), one.base) for one in self.wanted]
        return {(one.id, base) for one, base in held if one and base and base != one.hash}

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        found: set[tuple[str, int]] = set()
        for one in self.wanted:
            held = ledger.at(one.name)
            if held is not None:
                found |= {(held.id, held.head), (held.id, one.version or held.head)}
            for name, number in one.includes:
                if snippet := ledger.at(name):
                    found.add((snippet.id, number))
                elif former := ledger.former.get(name):
                    found.add((former, number))
        return found

    def contents_wanted(self, ledger: Ledger) -> set[str]:
        held = [ledger.at(one.name) for one in self.wanted if one.kind == "rename"]
        return {one.hash for one in held if one and one.hash}

    def settle(self, ledger: Ledger) -> Settled:
        before = None if self.number is None else self._before(ledger, self.number)
        target = self.target if not isinstance(self.target, UnsetType) else None
        if isinstance(self.target, UnsetType) and before is not None:
            target = before.target
        drawn = [draw(ledger, one, target) for one in self.wanted]
        check_apart([one.part for one in drawn])
        if before is not None:
            return self._revision(ledger, before, drawn, target)
        number = (ledger.last_number or 0) + 1
        words = Words(self.title or "", self.why or "", self.message, target)
        return self._settled(offer_plan(self, number, 1, words, drawn, self.asked))

    def _before(self, ledger: Ledger, number: int) -> HeldProposal:
        held = open_proposal(ledger, number)
        check_may_revise(self, ledger, held)
        if self.expected is not None and self.expected != held.revision:
            raise RevisionMoved(held)
        return held

    def _revision(
        self, ledger: Ledger, before: HeldProposal, drawn: list[Drawn], target: str | None
    ) -> Settled:
        title = before.title if self.title is None else self.title
        why = before.why if self.why is None else self.why
        same = (title, why) == (before.title, before.why)
        if same and digest_of([one.part for one in drawn], target) == before.digest:
            made = Made(
                number=before.number, revision=before.revision, digest=before.digest, created=False
            )
            return Settled([], lambda: msgspec.structs.asdict(made))
        words = Words(title, why, self.message, target)
        plan = offer_plan(self, before.number, before.revision + 1, words, drawn, self.asked)
        return self._settled(plan)

    def _settled(self, plan: Plan) -> Settled:
        self.given = made_by(plan).number
        return Settled([plan], lambda: msgspec.structs.asdict(made_by(plan)))


class Words(msgspec.Struct, frozen=True):
    """What a revision says about itself."""

    title: str
    why: str
    note: str
    target: str | None


def offer_plan(
    ask: Ask, number: int, revision: int, words: Words, drawn: list[Drawn],
    asked: tuple[str, ...] = (),
) -> Plan:  # fmt: skip
    """The commit of a revision: main as it stands, with the parts applied."""
    parts = tuple(one.part for one in drawn)
    trailers = trailers_of(number, revision, words.target, parts, words.note, asked)
    changes = [change for one in drawn for change in one.changes]
    plan = ask.plan(ref_of(number, revision), words.title, changes, **trailers)
    plan.commit.message = text_of(words.title, words.why)
    return plan


def made_by(plan: Plan) -> Made:
    said = plan.commit.trailers
    return Made(number=int(said["Proposal"]), revision=int(said["Revision"]), digest=said["Digest"])


def check_may_revise(ask: Ask, ledger: Ledger, held: HeldProposal) -> None:
    """Raises:
    Forbidden: a viewer, and the proposal is somebody else's.
    """
    actor = ask.actor
    mine = actor.account_id in held.writers or actor.email.lower() in held.writer_emails
    if not mine and not allows(actor, Need.SAVE, ledger.workspace_id):
        raise Forbidden(
            f"Proposal {held.number} is {held.author}'s. You can comment on it or propose your own."
        )


def open_proposal(ledger: Ledger, number: int) -> HeldProposal:
    """Raises:
    NotFound, Conflict: it is not there, or not open (any more).
    """
    held = ledger.proposals.get(number)
    if held is None:
        raise NoSuchProposal(number)
    if held.state != "open":
        raise Closed(number, held.state)
    if not held.commit_id:
        raise Later
    return held


class Closed(Conflict):
    """The proposal is merged, declined or withdrawn."""

    def __init__(self, number: int, state: str) -> None:
        more = "" if state == "merged" else " Reopen it first."
        super().__init__(f"Proposal {number} is {state} already.{more}", number=number, state=state)


def checked_title(title: str) -> str:
    """Raises:
    Invalid: none, or too long.
    """
    title = " ".join(clean_message(title).split())
    if not 1 <= len(title) <= LONGEST_TITLE:
        raise Invalid(f"Give the proposal a title of 1 to {LONGEST_TITLE} characters.")
    return title


def checked_why(why: str) -> str:
    """Raises:
    Invalid: it is too long.
    """
    why = clean_message(why)
    if len(why) > LONGEST_WHY:
        raise Invalid(f"The reason has {len(why):,} characters; {LONGEST_WHY:,} is the most.")
    return why
