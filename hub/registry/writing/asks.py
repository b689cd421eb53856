"""What can be asked of a workspace's history, and what it takes: expectations in, commits out.

Asks are settled one after the other against a ledger, so each sees what the one before has done;
one that cannot be fulfilled raises and leaves the ledger as it was. Nothing here does I/O.
"""

from __future__ import annotations

import hashlib
import secrets
from abc import ABC, abstractmethod
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.db import now
from hub.errors import Conflict, Invalid, NotFound
from hub.people.policy import Actor
from hub.registry.git.commits import Change, Commit, Plan, clean_email, clean_message, clean_name
from hub.registry.indexing.ledger import Held, Ledger

LONGEST_MESSAGE = 10_000
LONGEST_REASON = 2_000
LONGEST_REQUEST_ID = 80
KEY_MAIL = "@keys.localhost"


class Later(Exception):
    """This ask needs something the batch is still writing; take it with the next one."""


@dataclass(kw_only=True)
class Ask(ABC):
    """One request of one person; the subclasses say what for."""

    actor: Actor
    message: str
    at: datetime | None = None
    request_id: str | None = None
    names: set[str] = field(default_factory=set)
    """Prompts concerned, to be loaded."""
    ids: set[str] = field(default_factory=set)
    labelled: bool = False
    """Whether the prompts' labels must be loaded, too."""
    action: str = ""
    """For the audit log."""
    proposal: int | None = None
    """The proposal that this changes."""
    broke_glass: str = ""
    """Why the rules shall be set aside for this, if an administrator says so."""
    breaks_glass: bool = False
    """They had to be: the gate says so."""
    despite: str = ""
    """Why running programs shall not stop this, though it breaks them."""
    despite_programs: bool = False
    """There were some: the gate says so."""
    bring: Callable[[], None] | None = None
    """Puts objects where git finds them, synced, before anything stands on them; blocks."""

    def __post_init__(self) -> None:
        self.message = clean_message(self.message)
        if len(self.message) > LONGEST_MESSAGE:
            raise Invalid(
                f"The sentence about why has {len(self.message):,} characters; "
                f"{LONGEST_MESSAGE:,} is the most. Shorten it."
            )
        self.broke_glass = checked_reason(self.broke_glass)
        self.despite = checked_reason(self.despite)
        if self.request_id is not None:
            # A key counts for who sent it: two apps may both begin with "1".
            who = self.actor.key_id or self.actor.account_id or self.actor.kind
            self.request_id = f"{who}:{_checked_request_id(self.request_id)}"

    def fingerprint(self) -> str:
        """What makes a repeated request the same request."""
        return hashlib.sha256(repr((self.actor.said, *self.parts())).encode()).hexdigest()

    @abstractmethod
    def parts(self) -> tuple[Any, ...]:
        """What was asked for, in plain values."""

    @property
    def insisting(self) -> tuple[str, ...]:
        """The part that says why programs shall not stop it."""
        return ("despite", self.despite) if self.despite else ()

    def subjects(self) -> list[str]:
        """What the audit log says it was done to."""
        return sorted(self.names)

    def detail(self) -> dict[str, Any]:
        """What else the audit log says, once it is settled."""
        glass = {"broke_glass": self.broke_glass} if self.breaks_glass else {}
        return glass | ({"despite_programs": self.despite} if self.despite_programs else {})

    def look(self, db: Connection, ledger: Ledger) -> None:  # noqa: B027 - most look at nothing
        """Load what else `settle` asks for, before everything below is asked."""

    def bases_wanted(self, ledger: Ledger) -> set[tuple[str, str]]:
        """Versions to load by prompt id and hash; the prompts are loaded by then."""
        return set()

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        """Versions to load before `settle`; the prompts are loaded by then."""
        return set()

    def contents_wanted(self, ledger: Ledger) -> set[str]:
        """File contents to load before `settle`; the versions are loaded by then."""
        return set()

    @abstractmethod
    def settle(self, ledger: Ledger) -> Settled:
        """The commits this takes, as things stand.

        Raises:
            HubError: it cannot be done; nothing else is affected.
            Later: it can be tried with the next batch.
        """

    def plan(self, ref: str, default: str, changes: list[Change], **trailers: str) -> Plan:
        """A commit in the name of whoever asks."""
        if self.request_id is not None:
            trailers |= {
                "Request-Id": self.request_id, "Request-Hash": self.fingerprint()
            }  # fmt: skip
        commit = Commit(
            id="", parent=None, author=clean_name(self.actor.name),
            email=clean_email(address_of(self.actor)), at=whole_second(self.at),
            message=self.message or default, changes=changes, trailers=trailers,
        )  # fmt: skip
        return Plan(ref=ref, parent=None, commit=commit)


@dataclass
class Settled:
    """What an ask comes to: commits to be written (maybe none), and then the answer."""

    plans: list[Plan]
    answer: Callable[[], dict[str, Any]]
    """To be called once the commits have their ids."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """The version a save led to; `created` is False if nothing had changed."""

    name: str
    id: str
    version: int
    commit: str
    hash: str
    created: bool


class BaseMoved(Conflict):
    """Somebody saved in the meantime; `facts["current"]` is what they made."""

    def __init__(self, name: str, current: dict[str, Any]) -> None:
        super().__init__(
            f"{current['author']} saved version {current['version']} of {name} after you began. "
            "Nothing was overwritten and your text is kept; bring the two together, then save.",
            current=current,
        )


def checked_reason(reason: str) -> str:
    """Why the rules shall be set aside, as git can carry it; without a word, it is none.

    Raises:
        Invalid: it is longer than anybody reads.
    """
    if not reason:
        return ""
    lines = (" ".join(line.split()) for line in clean_message(reason).split("\n"))
    reason = "\n".join(filter(None, lines))
    if len(reason) > LONGEST_REASON:
        raise Invalid(
            f"The reason for breaking the glass has {len(reason):,} characters; "
            f"{LONGEST_REASON:,} is the most. Shorten it."
        )
    return reason if any(map(str.isalnum, reason)) else ""


def whole_second(at: datetime | None) -> datetime:
    """Git counts in seconds; so do we, lest a rebuilt index differ."""
    return (at or now()).astimezone(UTC).replace(microsecond=0)


def address_of(actor: Actor) -> str:
    """What git is told; a key's leads to the person who made it, who wrote what the key writes."""
    return f"{actor.key_id}{KEY_MAIL}" if actor.kind == "key" and not actor.email else actor.email


def new_id() -> str:
    return "p_" + b32encode(secrets.token_bytes(8)).decode().lower()[:12]


def alive(ledger: Ledger, name: str) -> Held:
    """The living prompt of that name, or a refusal."""
    held = ledger.at(name)
    if held is None:
        dead = newest_dead(ledger, name)
        raise NoSuchPrompt(name, deleted=dead is not None)
    return held


def newest_dead(ledger: Ledger, name: str) -> Held | None:
    """The prompt that had this name when it was deleted, the latest if there were several."""
    dead = [h for h in ledger.prompts.values() if h.name == name and h.deleted_at is not None]
    return max(dead, key=lambda held: (held.deleted_at, held.id), default=None)


class NoSuchPrompt(NotFound):
    """There is no prompt of that name, or not any more."""

    def __init__(self, name: str, *, deleted: bool) -> None:
        super().__init__(
            f"{name} was deleted. Bring it back first, then try again."
            if deleted
            else f"There is no prompt called {name} here. Look for it in the list."
        )


def _checked_request_id(given: str) -> str:
    given = given.strip()
    if not given or len(given) > LONGEST_REQUEST_ID or not given.isascii():
        raise Invalid(
            f"An Idempotency-Key is 1 to {LONGEST_REQUEST_ID} plain characters, such as a UUID."
        )
    if not given.isprintable() or "  " in given:
        raise Invalid("An Idempotency-Key holds printable characters alone, such as a UUID.")
    return given
