"""What can be told: every kind of event, its sentence and where to read on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Facts = Mapping[str, Any]

TEST = "webhook.test"
"""Made by the button alone; no choice of events leaves it out."""

CHOICES: tuple[tuple[str, dict[str, str]], ...] = (
    ("Prompts", {
        "version.saved": "A version was saved",
        "prompt.renamed": "A prompt got another name",
        "prompt.deleted": "A prompt was deleted",
        "prompt.restored": "A prompt was brought back",
        "prompt.broken": "A prompt's file cannot be used (after a push)",
        "prompt.mended": "A prompt's file can be used again",
    }),
    ("Releases", {
        "label.moved": "A label was moved: something went live, or came off",
        "release.scheduled": "A release was scheduled",
        "release.cancelled": "A scheduled release was cancelled",
        "release.refused": "A scheduled release was refused",
    }),
    ("Review", {
        "proposal.opened": "A change was proposed",
        "proposal.revised": "A proposal got another revision",
        "proposal.reviewed": "Somebody approved or asked for a change",
        "proposal.merged": "A proposal was merged",
        "proposal.merged-elsewhere": "A proposal was merged elsewhere, and waits here",
        "proposal.declined": "A proposal was declined",
        "proposal.withdrawn": "A proposal was withdrawn",
        "proposal.reopened": "A proposal was reopened",
        "proposal.commented": "Somebody said something about a proposal",
        "proposal.talk-resolved": "A remark was resolved",
        "proposal.talk-reopened": "A remark was reopened",
        "review.dismissed": "A request for a change was dismissed",
        "review.requested": "Somebody was asked for a review",
        "check.posted": "A check was posted",
    }),
    ("The workspace", {
        "policy.proposed": "A change of the rules was proposed",
        "policy.approved": "A change of the rules was approved",
        "policy.changed": "The rules changed",
        "policy.declined": "A change of the rules was declined",
        "glass.broken": "Somebody set the rules aside",
        "key.revoked": "A key was revoked",
        "webhook.paused": "A webhook was paused, because it takes no messages",
        "sync.stopped": "Sync with the linked repository needs an administrator",
        "sync.mended": "Sync with the linked repository works again",
        "index.rebuilt": "The index was rebuilt by the operator",
    }),
)  # fmt: skip
KINDS = frozenset(kind for _, group in CHOICES for kind in group)

_HIDDEN = frozenset({"account_id", "mentioned", "reviewers", "email"})
"""Who is who is the hub's own business."""


def facts(payload: Facts) -> dict[str, Any]:
    """What others are told of an event."""
    return {name: value for name, value in payload.items() if name not in _HIDDEN}


def sentence(kind: str, subject: str, payload: Facts) -> str:
    """What happened, for a person; also of kinds that this file does not know."""
    say = _SAY.get(kind)
    said = say(payload) if say else f"{kind} {subject}".strip()
    why = str(payload.get("why") or "").partition("\n")[0].strip()
    return (f"{said}: {why}" if why else f"{said}.")[:1000]


def place(kind: str, payload: Facts) -> str:
    """The page that shows it, below the workspace's address."""
    if payload.get("number") is not None:
        return f"proposals/{payload['number']}"
    if kind == "prompt.deleted":
        return "prompts"
    if name := payload.get("name") or payload.get("new"):
        if kind == "version.saved":
            return f"version/{payload.get('version')}/{name}"
        return f"history/{name}"
    rooms = {"release": "scheduled", "key": "settings/keys", "webhook": "settings/webhooks"}
    return rooms.get(kind.partition(".")[0], "settings/rules" if payload.get("change") else "")


def _by(facts: Facts) -> str:
    return str(facts.get("by") or "Somebody")


def _bare(facts: Facts, name: str) -> str:
    """A sentence without its full stop."""
    return str(facts.get(name) or "").strip().rstrip(".")


def _about(facts: Facts) -> str:
    """`#12 Shorter greeting`."""
    title = str(facts.get("title") or "").strip()
    return f"#{facts.get('number')} {title}".strip()


def _moved(facts: Facts) -> str:
    name, label, old, new = (facts.get(key) for key in ("name", "label", "old", "new"))
    if new is None:
        return f"{_by(facts)} took {label} off {name}"
    before = f", in place of version {old}" if old is not None else ""
    return f"{_by(facts)} released version {new} of {name} to {label}{before}"


def _reviewed(facts: Facts) -> str:
    deed = {"approve": "approved", "changes": "asks for a change to"}.get(
        str(facts.get("verdict")), "took a word back on"
    )
    return f"{_by(facts)} {deed} {_about(facts)}"


def _deed(verb: str) -> Callable[[Facts], str]:
    return lambda facts: f"{_by(facts)} {verb} {_about(facts)}"


def _file(verb: str, key: str) -> Callable[[Facts], str]:
    return lambda facts: f"{_by(facts)} {verb} {facts.get(key)}"


_SAY: dict[str, Callable[[Facts], str]] = {
    TEST: lambda _: "This is a test: messages from Prompt Hub arrive here",
    "version.saved": lambda f: f"{_by(f)} saved version {f.get('version')} of {f.get('name')}",
    "prompt.renamed": lambda f: f"{_by(f)} renamed {f.get('old')} to {f.get('new')}",
    "prompt.deleted": _file("deleted", "old"),
    "prompt.restored": _file("brought back", "new"),
    "prompt.broken": lambda f: f"The file of {f.get('new')} cannot be used since {_by(f)}'s change",
    "prompt.mended": lambda f: f"The file of {f.get('new')} can be used again",
    "label.moved": _moved,
    "release.scheduled": lambda f: f"{_by(f)} scheduled a release for {f.get('due_at')}",
    "release.cancelled": lambda f: f"{_by(f)} cancelled a scheduled release",
    "release.refused": lambda f: f"A scheduled release was refused: {f.get('sentence')}".rstrip(
        "."
    ),
    "proposal.opened": _deed("proposed"),
    "proposal.revised": _deed("revised"),
    "proposal.reviewed": _reviewed,
    "proposal.merged": _deed("merged"),
    "proposal.merged-elsewhere": _deed("merged"),
    "proposal.declined": _deed("declined"),
    "proposal.withdrawn": _deed("withdrew"),
    "proposal.reopened": _deed("reopened"),
    "proposal.commented": _deed("said something about"),
    "proposal.talk-resolved": _deed("resolved a remark on"),
    "proposal.talk-reopened": _deed("reopened a remark on"),
    "review.dismissed": _deed("dismissed a request for a change of"),
    "review.requested": _deed("asked for a review of"),
    "check.posted": lambda f: f"The check {f.get('name')} on #{f.get('number')}: {f.get('state')}",
    "policy.proposed": lambda f: f"{_by(f)} proposed a change of the rules",
    "policy.approved": lambda f: f"{_by(f)} approved a change of the rules",
    "policy.changed": lambda f: f"{_by(f)} changed the rules",
    "policy.declined": lambda f: f"{_by(f)} declined a change of the rules",
    "glass.broken": lambda f: f"{_by(f)} set the rules aside: {_bare(f, 'reason')}",
    "key.revoked": lambda _: "A key was revoked",
    "webhook.paused": lambda f: f"The webhook {f.get('name')} was paused: {_bare(f, 'sentence')}",
    "sync.stopped": lambda f: f"Sync with {f.get('name')} stopped: {_bare(f, 'sentence')}",
    "sync.mended": lambda f: f"Sync with {f.get('name')} works again",
    "index.rebuilt": lambda _: "The index was rebuilt from git",
}
