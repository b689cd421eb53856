"""Rules of a workspace, as they are written down; what cannot be kept is refused when it is made.

`who` and `may_release` are lists of: `role:reviewer` (administrators too: a role holds all that a
lesser one may), `role:admin`, `group:<id>`, `person:<account id>`, and `owners`: whoever owns the
folder of the prompt that is asked about (`rule_for` puts them in its place).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

from hub.errors import Invalid

Kind = Literal["change", "release"]

MOST_APPROVALS = 10
MOST_RULES = 100
MOST_NAMED = 50
"""People, groups and checks named in one rule."""
MOST_OWNERS = 100
"""Folders that have owners."""
OWNERS = "owners"
STAND_INS = ("role:admin",)
"""Who is asked where a rule says `owners` and no folder above the prompt has any."""

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
        _check_folder(self.folder)
        if self.label and not _LABEL.fullmatch(self.label):
            raise Invalid(f"“{self.label[:80]}” is not a label, such as production.")
        if self.kind == "change" and (self.label or self.may_release):
            raise Invalid("Only a rule about releases names a label or who may move it.")
        check_count(self.approvals)
        _check_who([one for one in self.who if one != OWNERS], "who counts")
        _check_who([one for one in self.may_release if one != OWNERS], "who may release")
        _check_many(self.who, "entry")
        _check_many(self.may_release, "entry")
        if self.approvals and not self.who:
            raise Invalid("Say whose approvals count: tick at least one role, group or person.")
        _check_many(self.checks, "check")
        if not all(one == one.strip() and _CHECK.fullmatch(one) for one in self.checks):
            raise Invalid("The name of a check has 1 to 80 characters and stands on one line.")

    @property
    def place(self) -> tuple[str, str, str]:
        """What a policy may have one rule for."""
        return (self.kind, self.folder, self.label)


class Asked(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as it is asked about one prompt: its `who` and `may_release` name the owners."""

    written: Rule
    owners: tuple[str, ...]
    owned: str | None
    """The folder that they own; None: no folder above the prompt has owners."""

    def __post_init__(self) -> None:
        """What was written is checked already; with the owners it may name more than one may."""


class Owners(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who answers for a folder and what is below it, wherever a rule says `owners`."""

    folder: str = ""
    """Empty: everywhere."""
    who: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_folder(self.folder)
        _check_who(self.who, "who owns a folder")
        _check_many(self.who, "entry")
        if not self.who:
            raise Invalid("Say who owns the folder: tick at least one role, group or person.")


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rules of a workspace; where none applies, people save and release as their roles say."""

    rules: tuple[Rule, ...] = ()
    change_needs: int = 0
    """Approvals of administrators that a change of the rules, or of a group they name, needs."""
    owners: tuple[Owners, ...] = ()

    def __post_init__(self) -> None:
        check_count(self.change_needs)
        if len(self.rules) > MOST_RULES:
            raise Invalid(f"A workspace has at most {MOST_RULES} rules.")
        places = [rule.place for rule in self.rules]
        if len(set(places)) < len(places):
            raise Invalid("Two rules are about the same thing. Change one of them, or remove it.")
        if len(self.owners) > MOST_OWNERS:
            raise Invalid(f"At most {MOST_OWNERS} folders of a workspace have owners.")
        if len({one.folder for one in self.owners}) < len(self.owners):
            raise Invalid("The owners of a folder are said once. Put them together, or remove one.")

    def named(self, what: Literal["group", "person"]) -> frozenset[int]:
        """The ids of the groups or people that some rule names, or that own a folder."""
        words = {word for rule in self.rules for word in (*rule.who, *rule.may_release)}
        words |= {word for one in self.owners for word in one.who}
        return frozenset(
            int(number)
            for kind, _, number in (word.partition(":") for word in words)
            if kind == what
        )


def rule_for(policy: Policy, kind: Kind, name: str, label: str = "") -> Rule | None:
    """The rule a prompt (and label) falls under: the deepest folder; in it, the label's own rule.
    It names people: where it says `owners`, it is `Asked` of those who own that prompt's folder,
    so that prompts of several owners make several rules, each to be met by itself.

    None: nothing was agreed, so nothing is asked.
    """
    found = [
        rule
        for rule in policy.rules
        if rule.kind == kind and _below(name, rule.folder) and rule.label in ("", label)
    ]
    rule = max(found, key=lambda rule: (len(rule.folder), len(rule.label)), default=None)
    if rule is None or OWNERS not in (*rule.who, *rule.may_release):
        return rule
    owners = owners_of(policy, name)
    who = STAND_INS if owners is None else owners.who
    return Asked(
        kind=rule.kind, folder=rule.folder, label=rule.label, approvals=rule.approvals,
        who=_with(rule.who, who), checks=rule.checks, may_release=_with(rule.may_release, who),
        written=rule, owners=who, owned=None if owners is None else owners.folder,
    )  # fmt: skip


def owners_of(policy: Policy, name: str) -> Owners | None:
    """Those of the deepest folder above a prompt that has any."""
    found = [one for one in policy.owners if _below(name, one.folder)]
    return max(found, key=lambda one: len(one.folder), default=None)


def anybody(policy: Policy, rule: Rule) -> tuple[str, ...]:
    """Whose approval a rule as written may ask for, of one prompt or another."""
    owners = [word for one in policy.owners for word in one.who]
    return _with(rule.who, (*owners, *STAND_INS))


def plain(policy: Policy) -> Policy:
    """Without what came in the same step of groups and roles."""
    return Policy(rules=policy.rules, change_needs=policy.change_needs, owners=policy.owners)


def _with(who: tuple[str, ...], owners: tuple[str, ...]) -> tuple[str, ...]:
    said = [one for word in who for one in (owners if word == OWNERS else (word,))]
    return tuple(dict.fromkeys(said))


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


def _check_folder(folder: str) -> None:
    if folder and not _FOLDER.fullmatch(folder):
        raise Invalid(f"“{folder[:80]}” is not a folder, such as clinical or legal/letters.")


def _check_who(who: Iterable[str], what: str) -> None:
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
