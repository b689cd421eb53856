"""What the REST interface takes and gives about rules, groups and people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from hub.errors import Invalid
from hub.people.groups import GroupView
from hub.people.policy_changes import Outcome
from hub.people.policy_history import Line
from hub.people.rules import (
    MOST_OWNERS,
    MOST_RULES,
    Kind,
    Owners,
    Policy,
    Rule,
    in_order,
    sentences,
)
from hub.people.rules.words import owned_in_order
from hub.people.rules_store import Loaded
from hub.people.workspaces import Person

PEOPLE_TAG, RULES_TAG = ["people"], ["rules"]


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing more needs to be said."""


# ── rules ───────────────────────────────────────────────────────────────────────────────────────


class RuleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change below a folder needs, or moving a label there."""

    kind: Kind
    folder: str = ""
    """Empty: everywhere."""
    label: str = ""
    """Of a rule about releases; empty: any label."""
    approvals: int = 1
    who: list[str] = msgspec.field(default_factory=lambda: ["reviewers"])
    """Whose approval counts: `reviewers`, `administrators`, `owners` (those of the folder of the
    prompt that changes), the name of a group, the e-mail address of a member; or as `GET` says it,
    such as `group:7`."""
    checks: list[str] = []
    """Names of checks that must have passed."""
    may_release: list[str] = []
    """Who may move the label, said like `who`; empty: whoever may move labels at all."""


class OwnersBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who answers for a folder and all below it, wherever a rule says `owners`; the deepest folder
    that has owners counts, and where none has, administrators do."""

    folder: str = ""
    """Empty: everywhere."""
    who: list[str]
    """Said like `who` of a rule, but for `owners`."""


class OwnersEdited(OwnersBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owners of one folder."""

    why: str = ""


class PolicyOut(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force: as people read them, and as they are kept."""

    id: int | None
    """Of the change that brought them, to be sent as `base`; null: there never were any."""
    sentences: list[str]
    """One for each rule, in their order; then who owns which folder; then one about changing all
    that, if it needs approval."""
    policy: dict[str, Any]
    """`rules`, `owners` and `change_needs`, as `PUT` takes them."""


class PolicyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rules, in place of those in force."""

    rules: list[RuleBody]
    base: int | None
    """`id` of the rules that you looked at: 409 if others are in force by now."""
    owners: list[OwnersBody] | None = None
    """Left out: as they are."""
    change_needs: int = 0
    """Approvals of other administrators that a change of the rules needs from then on."""
    why: str = ""


class RuleEdited(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule; there is one for each kind, folder and label."""

    rule: RuleBody
    why: str = ""


class ChangeMade(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change."""

    accepted: bool
    """It is in force."""
    waits_for: int
    """Approvals of other administrators that are missing."""
    change: int | None
    """Its number among the changes of the rules; null: it was none."""


class ChangeOut(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the rules, or of whose word counts."""

    id: int
    state: Literal["waiting", "stale", "in force", "declined"]
    """`stale`: it waits, but other rules came into force since it was made. `in force`: it was
    accepted, and perhaps changed again since."""
    by: str
    at: datetime
    why: str
    added: list[str]
    removed: list[str]
    approved_by: list[str]
    broke_glass: str
    decided_at: datetime | None


class ChangeList(msgspec.Struct, frozen=True):
    """The newest first, fifty at most."""

    items: list[ChangeOut]


def policy_out(loaded: Loaded) -> PolicyOut:
    policy = loaded.policy
    rules = [msgspec.to_builtins(one) for one in in_order(policy.rules)]
    owners = [msgspec.to_builtins(one) for one in owned_in_order(policy.owners)]
    return PolicyOut(
        id=loaded.policy_id, sentences=sentences(policy, loaded.groups, loaded.people),
        policy={"rules": rules, "owners": owners, "change_needs": policy.change_needs},
    )  # fmt: skip


def rule_of(body: RuleBody, who: tuple[str, ...], may_release: tuple[str, ...]) -> Rule:
    return Rule(
        kind=body.kind, folder=body.folder.strip().strip("/"), label=body.label.strip(),
        approvals=body.approvals, who=who, checks=tuple(body.checks), may_release=may_release,
    )  # fmt: skip


def check_many(asked: PolicyBody) -> None:
    """Before whom they name is looked up, while nobody else writes.

    Raises:
        Invalid: there are more than a workspace has.
    """
    if len(asked.rules) > MOST_RULES:
        raise Invalid(f"A workspace has at most {MOST_RULES} rules.")
    if len(asked.owners or ()) > MOST_OWNERS:
        raise Invalid(f"At most {MOST_OWNERS} folders of a workspace have owners.")


def owners_of(body: OwnersBody, who: tuple[str, ...]) -> Owners:
    return Owners(folder=body.folder.strip().strip("/"), who=who)


def policy_of(rules: Sequence[Rule], owners: Sequence[Owners], change_needs: int) -> Policy:
    return Policy(rules=tuple(rules), owners=tuple(owners), change_needs=change_needs)


def made_out(made: Outcome) -> ChangeMade:
    return ChangeMade(accepted=made.accepted, waits_for=made.waits_for, change=made.id)


def change_out(line: Line) -> ChangeOut:
    state = "declined" if line.declined_at else "in force" if line.accepted_at else "waiting"
    return ChangeOut(
        id=line.id, state="stale" if line.stale else state, by=line.by, at=line.at, why=line.why,
        added=list(line.added), removed=list(line.removed), approved_by=list(line.approved_by),
        broke_glass=line.broke_glass, decided_at=line.accepted_at or line.declined_at,
    )  # fmt: skip


# ── people and groups ───────────────────────────────────────────────────────────────────────────


class PersonOut(msgspec.Struct, frozen=True, kw_only=True):
    """A member of the workspace."""

    id: int
    name: str
    email: str
    role: str
    waiting: bool
    """Invited; has not signed in yet."""


class PeopleList(msgspec.Struct, frozen=True):
    """By name."""

    items: list[PersonOut]


class InviteBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who shall be a member."""

    email: str
    role: str
    """viewer, editor, reviewer or admin."""
    name: str = ""


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is a member now."""

    person: PersonOut
    """With the role of now: an editor until others agreed to more."""
    link: str | None
    """It signs them in once, and is told only here; null: they have an account already."""
    made: ChangeMade
    """What became of the role."""


class RoleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member's role."""

    role: str
    sure: bool = False
    """Needed for one's own: you may not be able to change it back."""


class LinkOut(msgspec.Struct, frozen=True, kw_only=True):
    """What signs a person in once."""

    link: str


class GroupOut(msgspec.Struct, frozen=True, kw_only=True):
    """People who count together in a rule."""

    id: int
    name: str
    members: list[str]
    """Their e-mail addresses."""
    in_rules: bool
    """A rule in force names it, or it owns a folder."""


class GroupList(msgspec.Struct, frozen=True):
    """By name."""

    items: list[GroupOut]


class NewGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group; no rule names it yet."""

    name: str
    members: list[str] = []
    """E-mail addresses of members."""


class GroupBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different; what is left out stays."""

    name: str = ""
    add: list[str] = []
    """E-mail addresses of members."""
    remove: list[str] = []
    why: str = ""


def person_out(one: Person) -> PersonOut:
    return PersonOut(
        id=one.account_id, name=one.name, email=one.email, role=one.role, waiting=one.waiting
    )


def group_out(one: GroupView, named: frozenset[int]) -> GroupOut:
    return GroupOut(
        id=one.id, name=one.name, members=[email for _, _, email in one.members],
        in_rules=one.id in named,
    )  # fmt: skip
