"""What the REST interface takes and gives about proposals."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from hub.registry.rest.bodies import Number

Kind = Literal["create", "change", "rename", "delete", "release"]
Verdict = Literal["approve", "changes", "none"]


class ItemBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall happen to one prompt."""

    name: str
    kind: Kind = "change"
    """`create` and `change` bring a `document`, `rename` a `new_name`, `release` a `version`."""
    document: dict[str, Any] | str | None = None
    """The prompt: an object with the keys of its file, or the file itself (YAML) as text."""
    base: str | None = None
    """`hash` of the version that was edited; null: the latest."""
    new_name: str | None = None
    version: Number | None = None


class ProposeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change to be reviewed."""

    title: str
    items: list[ItemBody]
    why: str = ""
    target: str | None = None
    """A label that shall move with the merge."""
    reviewers: list[str] = []
    """E-mail addresses of members who are asked to review."""


class ReviseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another revision; what is left out stays as it was."""

    items: list[ItemBody]
    message: str = ""
    """What this revision changes against the one before."""
    expected_revision: Number | None = None
    """The latest as far as you know; if it is another, nothing happens (409)."""
    title: str | None = None
    why: str | None = None
    target: str | UnsetType | None = UNSET


class ReviewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person's word on what they read."""

    digest: str
    """Of the revision that was read; it must be the latest."""
    verdict: Verdict
    body: str = ""
    saw_hidden: bool = False
    """Must be true to approve a text with hidden characters."""


class MergeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make it the latest version, and move the target label too if `release` is true."""

    digest: str
    release: bool = False
    reason: str = ""
    break_glass: str = ""
    """Why the rules are set aside; administrators alone, and shown for ever."""
    despite_programs: str = ""
    """Why it shall be released though programs that run now do not pass what it needs."""


class CloseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is declined, withdrawn or opened again, or why a word is dismissed."""

    reason: str = ""


class CommentBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A remark; on words of a text if `name`, `place` and `quote` say which."""

    body: str
    parent: int | None = None
    """The remark it answers."""
    name: str | None = None
    place: str | None = None
    """Such as `messages/0` or `description`."""
    quote: str = ""
    start: int | None = None


class CommentMade(msgspec.Struct, frozen=True):
    """The remark that came of it."""

    id: int


class CheckBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine's verdict on the latest revision."""

    digest: str
    name: str
    state: Literal["pass", "warn", "fail", "running"]
    summary: str = ""
    link: str = ""


class WordOut(msgspec.Struct, frozen=True, kw_only=True):
    """A person's latest word; `current`: on the latest content, `counts`: by the rules,
    `in_the_way`: nothing is merged until they take it back, approve, or it is dismissed."""

    id: int | None
    name: str
    email: str
    verdict: str
    body: str
    revision: int
    at: datetime | None
    current: bool
    counts: bool
    requested: bool
    in_the_way: bool
    dismissed: bool


class CheckOut(msgspec.Struct, frozen=True, kw_only=True):
    """A check of the latest revision."""

    name: str
    state: str
    summary: str
    link: str
    required: bool
    at: datetime


class ItemOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the latest revision does to one prompt."""

    kind: str
    name: str
    id: str
    new_name: str | None
    version: int | None
    base: str | None
    base_version: int | None
    hash: str | None
    document: dict[str, Any] | None
    """What would land."""


class ProposalLineOut(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal in a list."""

    number: int
    title: str
    why: str
    state: str
    """open, approved, merged, declined or withdrawn."""
    sentence: str
    """What it waits for, in words."""
    target: str | None
    revision: int
    digest: str
    author: str
    names: list[str]
    comments: int
    created_at: datetime
    updated_at: datetime


class ProposalOut(ProposalLineOut, frozen=True, kw_only=True):
    """A proposal with its texts, people's words and checks."""

    items: list[ItemOut]
    words: list[WordOut]
    checks: list[CheckOut]
    allowed: bool
    """Whether the rules let it be merged now (by somebody who may save)."""
    missing: list[str]
    mergeable: str
    """clean, moved (fits together with what changed since) or clash."""
    commit: str | None
    """Of a merged one."""


class ProposalList(msgspec.Struct, frozen=True):
    """A page of proposals, what changed last first."""

    items: list[ProposalLineOut]
    next: str | None
    total: int


class MadeOut(msgspec.Struct, frozen=True, kw_only=True):
    """The revision that came of it; `created` is false if nothing had changed."""

    number: int
    revision: int
    digest: str
    created: bool
    url: str
