"""A proposal as people read it: values without behaviour, made by `record.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal, TypeVar

import msgspec

from hub.people.policy import Actor
from hub.people.rules import Case, Person, Verdict, judge
from hub.registry.prompt.document import Document

T = TypeVar("T")

Mergeable = Literal["clean", "moved", "clash"]
"""`clean`: main is as the author saw it. `moved`: it is not, and both fit together. `clash`: a
person must choose."""


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """What a revision does to one prompt, with both texts."""

    kind: Literal["create", "change", "rename", "delete", "release"]
    prompt_id: str
    name: str
    new_name: str | None
    version: int | None
    """Of a release: which."""
    base_version: int | None
    base_hash: str | None
    hash: str | None
    old: Document | None
    """What was edited; of a release, what is live. None: nothing yet."""
    new: Document | None
    """None: it goes away."""
    problem: str = ""
    """Why one of the texts cannot be shown."""

    @property
    def title(self) -> str:
        """What people call the prompt."""
        shown = self.new or self.old
        return (shown.title if shown else "") or self.new_name or self.name


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One person's latest word, or that it is still wanted."""

    account_id: int
    name: str
    email: str
    verdict: Literal["approve", "changes", "none"]
    """`none`: asked, and nothing said yet, or the word was taken back."""
    body: str = ""
    revision: int = 0
    at: datetime | None = None
    current: bool = False
    """Said of the latest revision's content; an approval of another is void."""
    counts: bool = False
    """The rules count this approval."""
    requested: bool = False
    id: int | None = None
    in_the_way: bool = False
    """Asks for a change, and nothing is merged until it is settled."""
    dismissed: bool = False

    @property
    def said(self) -> str:
        """`approved`, `asked for a change`, `approved revision 2`, `not yet`."""
        if self.verdict == "none":
            return "not yet"
        return self._deed + (" (dismissed)" if self.dismissed else "")

    @property
    def _deed(self) -> str:
        deed = "approved" if self.verdict == "approve" else "asked for a change"
        if self.current:
            return deed
        return f"{deed} revision {self.revision}" if self.verdict == "approve" else (
            f"{deed} to revision {self.revision}"
        )  # fmt: skip


class CheckLine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's verdict on the latest content."""

    name: str
    state: str
    summary: str
    link: str
    at: datetime
    required: bool = False


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """How a proposal was merged, as git tells it."""

    commit: str
    by: str
    at: datetime
    reviewers: list[str]
    broke_glass: bool
    versions: list[tuple[str, int]]
    """Names and the version numbers that it made."""


class Dismissal(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a change that somebody dismissed; kept for good, whatever came after."""

    name: str
    """Who had asked."""
    body: str
    by: str
    why: str
    at: datetime


class RevisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One revision, without its texts."""

    revision: int
    digest: str
    commit: str
    author: str
    account_id: int | None
    message: str
    at: datetime
    words: list[Word]
    """What people said of exactly this one."""


class ProposalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal in a list."""

    number: int
    title: str
    why: str
    state: str
    state_now: str
    """As `state`, but `approved` for an open one that lacks nothing."""
    sentence: str
    target: str | None
    revision: int
    digest: str
    author: str
    account_id: int | None
    created_at: datetime
    updated_at: datetime
    closed_by: str | None
    names: list[str]
    """Prompts it touches, in its order."""
    kinds: list[str]
    words: list[Word]
    comments: int
    """Those that nobody has resolved yet."""
    required: list[str]
    """Checks that the rules ask for."""


class View(ProposalLine, frozen=True, kw_only=True):
    """A proposal with everything its page shows."""

    workspace_id: int
    author_email: str
    closed_at: datetime | None
    close_reason: str | None
    merge_commit: str | None
    base: str | None
    """Main's tip that the latest revision was written upon."""
    items: list[ItemView]
    checks: list[CheckLine]
    case: Case
    verdict: Verdict
    """What the rules say, whoever presses; `verdict_for` says it of one person."""
    mergeable: Mergeable
    moved: list[str]
    """Prompts that were changed since, in words: `clinical/intake is at version 9 now (Ben)`."""
    landed: Landed | None
    dismissals: list[Dismissal] = []

    def verdict_for(self, actor: Actor, mover: Person | None) -> Verdict:
        """What the rules say if this person merges, and moves the target if there is one."""
        return judge(msgspec.structs.replace(self.case, actor=actor, mover=mover))

    @property
    def open(self) -> bool:
        return self.state == "open"

    @property
    def reviews(self) -> list[Word]:
        """The latest word of each person who gave one."""
        return [one for one in self.words if one.at is not None]

    def word_of(self, account_id: int | None) -> Word | None:
        return next((one for one in self.words if one.account_id == account_id), None)


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some of a list; `next` is the cursor of the rest."""

    items: list[T]
    next: str | None
    total: int
