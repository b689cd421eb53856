"""Who should hear of an event, and in which words. Reads the tables; writes nothing.

Never the one who did it. The author, the reviewers, whoever watches and whoever is called by name;
of a new proposal also those whom the rules count, who may know nothing of it yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hub.outbox import Event
from hub.people import rules_store
from hub.people.models import Member, Workspace
from hub.people.rules import Person
from hub.registry.review.facts import Facts, gather, rules_of
from hub.registry.review.models import Revision, Watcher

LONGEST = 500
_TYPED = re.compile(r"`([^`]+)`")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one person hears."""

    account_id: int
    text: str
    url: str


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the outbox."""

    id: int
    workspace_id: int
    kind: str
    subject: str
    payload: dict[str, Any]

    @property
    def number(self) -> int | None:
        return self.payload.get("number")

    @property
    def by(self) -> str:
        return str(self.payload.get("by") or "Somebody")

    @property
    def called(self) -> set[int]:
        return set(self.payload.get("mentioned") or ())

    def says(self, name: str) -> str:
        return str(self.payload.get(name) or "")

    @property
    def sentence(self) -> str:
        """What the hub said, with quotation marks where a page shows a name as one types it."""
        return _TYPED.sub(r"“\1”", self.says("sentence"))


def tell(db: Connection, event: Happened) -> list[Told]:
    """What is to be said to whom; nothing of events that are nobody's business."""
    say = _SAY.get(event.kind)
    slug = db.scalar(select(Workspace.slug).where(Workspace.id == event.workspace_id))
    if say is None or slug is None:
        return []
    circle = _Circle(db, event)
    if (doer := circle.people.get(circle.doer or 0)) is not None:
        event = msgspec.structs.replace(event, payload={**event.payload, "by": doer.name})
    told: dict[int, Told] = {}
    for account_ids, text, url in say(circle, event):
        for account_id in sorted(account_ids):
            if account_id in circle.people and account_id not in told:
                told[account_id] = Told(
                    account_id=account_id, text=text[:LONGEST], url=f"/{slug}/{url}"[:400]
                )
    if event.kind not in _TO_THE_DOER:
        told.pop(circle.doer or 0, None)
    return [*told.values()]


class _Circle:
    """The people around an event: members of now, and what they have to do with the proposal."""

    def __init__(self, db: Connection, event: Happened) -> None:
        self._db, self._event = db, event
        members = select(Member.account_id).where(Member.workspace_id == event.workspace_id)
        found = rules_store.people_now(db, event.workspace_id, list(db.scalars(members)))
        self.people: dict[int, Person] = {id: one for id, one in found.items() if one.role}
        self.doer = self._doer()
        self.facts: Facts | None = None
        if event.number is not None:
            self.facts = gather(db, event.workspace_id, [event.number]).get(event.number)

    def _doer(self) -> int | None:
        """By account, or by address where the event only knows that."""
        account_id, email = self._event.payload.get("account_id"), self._event.says("email")
        same = (one for one in self.people.values() if one.email.lower() == email.lower())
        return account_id if account_id is not None else next((p.account_id for p in same), None)

    @property
    def title(self) -> str:
        if self.facts is not None:
            return str(self.facts.row.title)
        return self._event.says("title") or self._event.subject

    def authors(self) -> set[int]:
        query = select(Revision.account_id).where(
            Revision.workspace_id == self._event.workspace_id,
            Revision.number == self._event.number,
            Revision.account_id.is_not(None),
        )
        return {one for one in self._db.scalars(query) if one is not None}

    def watchers(self, *, muted: bool = False, requested: bool | None = None) -> set[int]:
        query = select(Watcher.account_id).where(
            Watcher.workspace_id == self._event.workspace_id,
            Watcher.number == self._event.number,
            Watcher.muted.is_(muted),
        )
        if requested is not None:
            query = query.where(Watcher.requested.is_(requested))
        return set(self._db.scalars(query))

    def reviewers(self) -> set[int]:
        """Who has given a word."""
        given = self.facts.reviews if self.facts else []
        return {one.account_id for one in given if one.account_id > 0}

    def counting(self) -> set[int]:
        """Whose approval the rules ask for."""
        if self.facts is None:
            return set()
        asked = [one for one in rules_of(self.facts.case) if one.approvals]
        return {
            person.account_id
            for person in self.people.values()
            if any(person.is_one_of(rule.who) for rule in asked)
        }

    def interested(self) -> set[int]:
        """Everybody who has to do with it, and has not said that they want to hear no more."""
        return (self.authors() | self.watchers() | self.reviewers()) - self.watchers(muted=True)

    def mended_since(self) -> bool:
        """Whether sync went on again after what this event tells of."""
        later = select(Event.id).where(
            Event.workspace_id == self._event.workspace_id, Event.kind == "sync.mended",
            Event.id > self._event.id,
        )  # fmt: skip
        return self._db.scalar(later.limit(1)) is not None

    def with_role(self, *roles: str) -> set[int]:
        return {one.account_id for one in self.people.values() if one.role in roles}


Saying = tuple[Iterable[int], str, str]
"""To whom, what, and which page shows it (below the workspace)."""


def _page(event: Happened) -> str:
    return f"proposals/{event.number}"


def _opened(circle: _Circle, event: Happened) -> list[Saying]:
    counting = circle.counting() - circle.watchers(requested=True)
    return [(counting, f"{event.by} proposes “{circle.title}”.", _page(event))]


def _asked(circle: _Circle, event: Happened) -> list[Saying]:
    asked = set(event.payload.get("reviewers") or ()) - circle.watchers(muted=True)
    text = f"{event.by} asks you to review “{circle.title}”."
    return [(asked, text, _page(event))]


def _revised(circle: _Circle, event: Happened) -> list[Saying]:
    text = f"{event.by} changed “{circle.title}”: revision {event.payload.get('revision')}."
    return [(circle.interested(), text, _page(event))]


def _reviewed(circle: _Circle, event: Happened) -> list[Saying]:
    title = circle.title
    text = {
        "approve": f"{event.by} approved “{title}”.",
        "changes": f"{event.by} asked for a change of “{title}”.",
    }.get(event.says("verdict"), f"{event.by} took back their word on “{title}”.")
    return [(circle.interested(), text, _page(event))]


def _dismissed(circle: _Circle, event: Happened) -> list[Saying]:
    text = f"{event.by} dismissed what {event.says('asked_by')} asked for of “{circle.title}”."
    return [(circle.interested(), text, _page(event))]


def _commented(circle: _Circle, event: Happened) -> list[Saying]:
    url = f"{_page(event)}/talk#remark-{event.payload.get('comment')}"
    called = f"{event.by} called you in the talk about “{circle.title}”."
    said: list[Saying] = [(event.called, called, url)]
    if not event.payload.get("edited"):
        text = f"{event.by} said something about “{circle.title}”."
        said.append((circle.interested(), text, url))
    return said


def _merged(circle: _Circle, event: Happened) -> list[Saying]:
    text = f"{event.by} merged “{circle.title}”."
    return [(circle.interested(), text, _page(event))]


def _merged_elsewhere(circle: _Circle, event: Happened) -> list[Saying]:
    text = f"{event.by} merged “{circle.title}”. Here it still waits for people."
    return [(circle.interested() | circle.counting(), text, _page(event))]


def _closed(circle: _Circle, event: Happened) -> list[Saying]:
    deed = event.kind.partition(".")[2]
    verb = {"withdrawn": "withdrew", "declined": "declined", "reopened": "reopened"}[deed]
    return [(circle.interested(), f"{event.by} {verb} “{circle.title}”.", _page(event))]


def _check(circle: _Circle, event: Happened) -> list[Saying]:
    if event.says("state") != "fail":
        return []
    text = f"The check “{event.says('name')}” of “{circle.title}” failed."
    return [(circle.authors() - circle.watchers(muted=True), text, _page(event))]


def _glass(circle: _Circle, event: Happened) -> list[Saying]:
    """Everybody who reviews hears of it, muted or not."""
    text = f"{event.by} broke glass for “{circle.title}”: {event.says('reason')}"
    everybody = circle.with_role("reviewer", "admin") | circle.counting() | circle.authors()
    url = "settings/rules" if event.payload.get("change") else ""
    return [(everybody, text, url if event.number is None else _page(event))]


def _release_refused(_: _Circle, event: Happened) -> list[Saying]:
    asked = event.payload.get("account_id")
    text = f"The release of {event.subject} was not made: {event.sentence}"
    return [({asked} if asked else set[int](), text, "scheduled")]


def _policy(circle: _Circle, event: Happened) -> list[Saying]:
    deed = {
        "policy.proposed": "proposes to change the rules",
        "policy.approved": "agreed to a change of the rules",
        "policy.declined": "declined a change of the rules",
    }.get(event.kind, "changed the rules")
    return [(circle.with_role("admin"), f"{event.by} {deed}.", "settings/rules")]


def _sync(circle: _Circle, event: Happened) -> list[Saying]:
    if circle.mended_since():
        return []
    text = f"Sync with {event.subject} needs you. {event.sentence}"
    return [(circle.with_role("admin"), text, "settings/git")]


def _webhook(circle: _Circle, event: Happened) -> list[Saying]:
    text = f"The webhook “{event.subject}” was paused: {event.sentence}"
    url = f"settings/webhooks/{event.payload.get('webhook')}"
    return [(circle.with_role("admin"), text, url)]


_SAY: dict[str, Callable[[_Circle, Happened], list[Saying]]] = {
    "proposal.opened": _opened,
    "proposal.revised": _revised,
    "proposal.reviewed": _reviewed,
    "proposal.commented": _commented,
    "proposal.merged": _merged,
    "proposal.merged-elsewhere": _merged_elsewhere,
    "proposal.withdrawn": _closed,
    "proposal.declined": _closed,
    "proposal.reopened": _closed,
    "review.dismissed": _dismissed,
    "review.requested": _asked,
    "check.posted": _check,
    "glass.broken": _glass,
    "release.refused": _release_refused,
    "policy.proposed": _policy,
    "policy.approved": _policy,
    "policy.declined": _policy,
    "policy.changed": _policy,
    "webhook.paused": _webhook,
    "sync.stopped": _sync,
}
_TO_THE_DOER = frozenset({"release.refused"})
"""The hub did it; they asked for it earlier."""
KINDS = frozenset(_SAY)
