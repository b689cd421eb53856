"""Rules of a workspace, as they are written down; what cannot be kept is refused when it is made.

`who` and `may_release` are lists of: `role:reviewer` (administrators too: a role holds all that a
lesser one may), `role:admin`, `group:<id>`, `person:<account id>`.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from hub.errors import Invalid

Kind = Literal["change", "release"]

MOST_APPROVALS = 10
MOST_RULES = 100
MOST_NAMED = 50
"""People, groups and checks named in one rule."""

_FOLDER = re.compile(r"(?=.{1,200}\Z)[a-z0-9][a-z0-9._-]{0,63}(/[a-z0-9][a-z0-9._-]{0,63}){0,6}")
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,35}")
_WHO = re.compile(r"role:(reviewer|admin)|(group|person):[1-9][0-9]{0,17}")
_CHECK = re.compile(r"[^\x00-\x1f\x7f]{1,80}")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change below a folder needs, or moving a label there."""

    kind: Kind
    folder: str = ""
    """Empty: everywhere; else without slashes at the ends: `clinical` is clinical/ and below."""
    label: str = ""
    """Of a rule about releases; empty: any label."""
    approvals: int = 1
    who: tuple[str, ...] = ("role:reviewer",)
    checks: tuple[str, ...] = ()
    """Names of checks that must be there and not have failed."""
    may_release: tuple[str, ...] = ()
    """Empty: whoever may move labels at all."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise Invalid("A rule is about changes or about releases.")
        if self.folder and not _FOLDER.fullmatch(self.folder):
            raise Invalid(
                f"“{self.folder[:80]}” is not a folder, such as clinical or legal/letters."
            )
        if self.label and not _LABEL.fullmatch(self.label):
            raise Invalid(f"“{self.label[:80]}” is not a label, such as production.")
        if self.kind == "change" and (self.label or self.may_release):
            raise Invalid("Only a rule about releases names a label or who may move it.")
        check_count(self.approvals)
        _check_who(self.who, "who counts")
        _check_who(self.may_release, "who may release")
        if self.approvals and not self.who:
            raise Invalid("Say whose approvals count: tick at least one role, group or person.")
        _check_many(self.checks, "check")
        if not all(one == one.strip() and _CHECK.fullmatch(one) for one in self.checks):
            raise Invalid("The name of a check has 1 to 80 characters and stands on one line.")

    @property
    def place(self) -> tuple[str, str, str]:
        """What a policy may have one rule for."""
        return (self.kind, self.folder, self.label)


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rules of a workspace; where none applies, people save and release as their roles say."""

    rules: tuple[Rule, ...] = ()
    change_needs: int = 0
    """Approvals of administrators that a change of the rules, or of a group they name, needs."""

    def __post_init__(self) -> None:
        check_count(self.change_needs)
        if len(self.rules) > MOST_RULES:
            raise Invalid(f"A workspace has at most {MOST_RULES} rules.")
        places = [rule.place for rule in self.rules]
        if len(set(places)) < len(places):
            raise Invalid("Two rules are about the same thing. Change one of them, or remove it.")

    def named(self, what: Literal["group", "person"]) -> frozenset[int]:
        """The ids of the groups or people that some rule names."""
        words = {word for rule in self.rules for word in (*rule.who, *rule.may_release)}
        return frozenset(
            int(number)
            for kind, _, number in (word.partition(":") for word in words)
            if kind == what
        )


def rule_for(policy: Policy, kind: Kind, name: str, label: str = "") -> Rule | None:
    """The rule a prompt (and label) falls under: the deepest folder; in it, the label's own rule.

    None: nothing was agreed, so nothing is asked.
    """
    found = [
        rule
        for rule in policy.rules
        if rule.kind == kind and _below(name, rule.folder) and rule.label in ("", label)
    ]
    return max(found, key=lambda rule: (len(rule.folder), len(rule.label)), default=None)


def matches(who: tuple[str, ...], *, account_id: int, role: str, groups: frozenset[int]) -> bool:
    """Whether a member with that role (empty: none any more) is one of `who`."""
    if not role:
        return False
    mine = {f"person:{account_id}", f"role:{role}", *(f"group:{one}" for one in groups)}
    if role == "admin":
        mine.add("role:reviewer")
    return not mine.isdisjoint(who)


def check_count(number: int) -> None:
    """Raises:
    Invalid: it is no count of approvals; `True` is none either.
    """
    if type(number) is not int or not 0 <= number <= MOST_APPROVALS:
        raise Invalid(f"The number of approvals is a whole number from 0 to {MOST_APPROVALS}.")


def _below(name: str, folder: str) -> bool:
    return not folder or name.startswith(folder + "/")


def _check_who(who: tuple[str, ...], what: str) -> None:
    _check_many(who, "entry")
    for word in who:
        if not _WHO.fullmatch(word):
            raise Invalid(f"“{word[:80]}” is nobody a rule can name ({what}).")


def _check_many(names: tuple[str, ...], what: str) -> None:
    if len(names) > MOST_NAMED:
        raise Invalid(f"A rule names at most {MOST_NAMED} of a kind.")
    if len(set(names)) < len(names):
        raise Invalid(f"A rule names no {what} twice.")


class GroupEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of a group that the rules name: it changes whose word counts."""

    group_id: int
    name: str = ""
    """The new one; empty: as it is."""
    add: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()


class RoleEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member becomes somebody whose word counts."""

    account_id: int
    role: Literal["reviewer", "admin"]


class Kept(Policy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy as the table keeps it: with what came in the same step of groups and roles."""

    edits: tuple[GroupEdit, ...] = ()
    roles: tuple[RoleEdit, ...] = ()


FREE = Policy()
"""A workspace without rules."""
