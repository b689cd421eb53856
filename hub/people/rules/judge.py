"""The judge: may this be merged, saved or released, and if not, what is missing?

Every door asks here, at the bottom, with everything read in one snapshot. Where a rule applies, the
answer is no until all it asks for is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from hub.people.policy import DEED, MAY, WHO_CAN, Actor, Need
from hub.people.rules.values import Policy, Rule, matches, rule_for
from hub.people.rules.words import about, in_words, listed, movers, whose

GOOD = frozenset({"pass", "warn"})


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody as of now; `role` is empty when they are no member (any more)."""

    account_id: int
    name: str
    email: str
    role: str
    groups: frozenset[int] = frozenset()

    def is_one_of(self, who: tuple[str, ...]) -> bool:
        return matches(who, account_id=self.account_id, role=self.role, groups=self.groups)


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A word somebody gave, on the contents that `digest` names."""

    person: Person
    digest: str
    verdict: Literal["approve", "changes", "none"]
    at: datetime
    stands: bool = False
    """Asks for a change, and the rules counted the person then: it is in the way until they say
    otherwise or it is dismissed, even if they may say nothing any more. Else whoever can change
    roles, groups, rules or authors could be rid of it unseen."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that the decision looks at.

    Several labels moved at once and directly are several cases: each version has its own authors
    and its own approvals on record.
    """

    policy: Policy
    actor: Actor
    mover: Person | None
    """Who does it, as of now; None: an app's key, or the operator."""
    names: tuple[str, ...] = ()
    """Prompts touched on main, under the names before and after."""
    releases: tuple[tuple[str, str], ...] = ()
    """(label, prompt)."""
    digest: str = ""
    """What approvals must name; empty: done directly, so that no approval can be about it."""
    approvals: tuple[Approval, ...] = ()
    authors: frozenset[int] = frozenset()
    author_emails: frozenset[str] = frozenset()
    checks: Mapping[str, str] = {}
    broke_glass: str = ""
    """The reason; empty: not asked for."""
    rolls_back: bool = False
    """The labels go back to what was live directly before, by an ordinary move: it was allowed
    then, so neither approvals nor checks are asked for again; who may move it still is."""
    called: Mapping[str, str] = {}
    """Names for the sentences, as `rules.called` makes them."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, and why."""

    allowed: bool
    missing: tuple[str, ...] = ()
    """What the rules still ask for, whoever presses the button."""
    barred: tuple[str, ...] = ()
    """Why this actor may not, even if nothing were missing."""
    counted: tuple[Person, ...] = ()
    """Whose approvals counted, in the order they were given."""
    against: tuple[Person, ...] = ()
    """Whose request for a change is in the way."""
    breaks_glass: bool = False
    """It is allowed only because the glass is broken."""

    @property
    def met(self) -> bool:
        """Nothing is missing: the proposal is approved."""
        return not self.missing


def judge(case: Case) -> Verdict:
    """The one policy function for merges, direct saves and label moves."""
    words = _latest_words(case)
    approvers = _approvers(case, words)
    against = _against(case, words)
    missing: list[str] = []
    unpassed: list[str] = []
    counted: dict[int, Person] = {}
    for rule in _rules(case):
        count = [person for person in approvers if person.is_one_of(rule.who)]
        if rule.kind == "release":
            count = _with_the_mover(case, rule, count)
        missing += _lacking(case, rule, count)
        unpassed += _unpassed(case, rule)
        if rule.approvals:
            counted |= {person.account_id: person for person in count}
    if against:
        missing.append(f"{listed([person.name for person in against])} asked for a change.")
    missing += unpassed
    roles, movers = _barred_by_role(case), _barred_by_rule(case)
    breaks = bool((missing or movers) and not roles and _may_break_glass(case))
    if case.broke_glass.strip() and not breaks and (missing or movers):
        movers.append("Only an administrator can break glass.")
    return Verdict(
        allowed=breaks or not (missing or roles or movers),
        missing=tuple(dict.fromkeys(missing)),
        barred=tuple(dict.fromkeys([*roles, *([] if breaks else movers)])),
        counted=tuple(counted.values()),
        against=tuple(against),
        breaks_glass=breaks,
    )


def _rules(case: Case) -> list[Rule]:
    """The rules that apply, each once."""
    found = [rule_for(case.policy, "change", name) for name in case.names]
    found += [rule_for(case.policy, "release", name, label) for label, name in case.releases]
    return list(dict.fromkeys(rule for rule in found if rule is not None))


def _latest_words(case: Case) -> list[Approval]:
    """The latest word of each person. Two accounts of one address are one person."""
    latest: dict[str, Approval] = {}
    whose: dict[int, str] = {}
    for one in sorted(case.approvals, key=lambda one: one.at):
        key = whose.setdefault(one.person.account_id, folded(one.person.email))
        latest.pop(key, None)
        latest[key] = one
    return list(latest.values())


def _has_a_say(case: Case, person: Person) -> bool:
    """A member now, and no author."""
    return bool(person.role) and not _wrote(case, person)


def _approvers(case: Case, words: list[Approval]) -> list[Person]:
    """Whoever approved exactly what is to be done; nobody can have approved a direct change."""
    if not case.digest:
        return []
    approved = [one for one in words if one.verdict == "approve" and one.digest == case.digest]
    return [one.person for one in approved if _has_a_say(case, one.person)]


def _against(case: Case, words: list[Approval]) -> list[Person]:
    """Whose request for a change is in the way; there are none of what is done directly."""
    return [
        one.person for one in words
        if one.verdict == "changes" and (one.stands or counts(case, one.person))
    ]  # fmt: skip


def counts(case: Case, person: Person) -> bool:
    """Whether this person's word counts, as they are now: a rule that applies asks for it or, where
    none asks for anybody's, they could merge it themselves."""
    if not _has_a_say(case, person):
        return False
    if asking := _asking(case):
        return any(person.is_one_of(rule.who) for rule in asking)
    return Need.SAVE in MAY.get(person.role, frozenset())


def _asking(case: Case) -> list[Rule]:
    """The rules that ask for approvals of this."""
    return [
        rule for rule in _rules(case)
        if rule.approvals and not (rule.kind == "release" and case.rolls_back)
    ]  # fmt: skip


def _with_the_mover(case: Case, rule: Rule, count: list[Person]) -> list[Person]:
    """Whoever moves a label looks at what they move: they count, if others like them do."""
    mover = case.mover
    if mover is None or not _acts_with(case, Need.RELEASE) or not mover.is_one_of(rule.who):
        return count
    there = any(
        one.account_id == mover.account_id or folded(one.email) == folded(mover.email)
        for one in count
    )
    return count if there or _wrote(case, mover) else [*count, mover]


def _lacking(case: Case, rule: Rule, count: list[Person]) -> list[str]:
    if rule.kind == "release" and case.rolls_back:
        return []
    lacking = rule.approvals - len(count)
    who = whose(rule, case.called)
    if lacking > 0 and rule.kind == "change" and not case.digest:
        return [f"{about(rule)} need review by {who}. Propose it instead."]
    if lacking > 0:
        more = f"{in_words(lacking)} {'more ' if count else ''}approval{'s' * (lacking > 1)}"
        verb = "need" if rule.kind == "change" else "needs"
        return [f"{about(rule)} {verb} {more} from {who}."]
    return []


def _unpassed(case: Case, rule: Rule) -> list[str]:
    if rule.kind == "release" and case.rolls_back:
        return []
    said = [(name, case.checks.get(name)) for name in rule.checks]
    return [_check_words(name, state) for name, state in said if state not in GOOD]


def _check_words(name: str, state: str | None) -> str:
    if state is None:
        return f"The check “{name}” has not reported."
    return f"The check “{name}” {'is still running' if state == 'running' else 'failed'}."


def _barred_by_role(case: Case) -> list[str]:
    """The roles of this moment decide, not those of the moment somebody signed in."""
    needs = [Need.SAVE] * bool(case.names) + [Need.RELEASE] * bool(case.releases)
    return [
        f"You cannot {DEED[need]}. {WHO_CAN[need].capitalize()} can."
        for need in needs
        if not _acts_with(case, need)
    ]


def _acts_with(case: Case, need: Need) -> bool:
    """Both what the session or key was admitted with, and the role that the person has now."""
    if case.actor.kind == "operator":
        return True
    if need not in MAY.get(case.actor.role, frozenset()):
        return False
    if case.actor.kind == "key" and case.actor.account_id is None:
        return True
    return case.mover is not None and need in MAY.get(case.mover.role, frozenset())


def _barred_by_rule(case: Case) -> list[str]:
    """Who may move a label, where the rule says so."""
    said: list[str] = []
    for label, name in case.releases:
        rule = rule_for(case.policy, "release", name, label)
        if rule is None or not rule.may_release:
            continue
        if case.mover is None or not case.mover.is_one_of(rule.may_release):
            said.append(f"Only {movers(rule, case.called)} may move {label} there.")
    return said


def _may_break_glass(case: Case) -> bool:
    if not case.broke_glass.strip():
        return False
    if case.actor.kind == "operator":
        return True
    return case.actor.role == "admin" and case.mover is not None and case.mover.role == "admin"


def _wrote(case: Case, person: Person) -> bool:
    return person.account_id in case.authors or folded(person.email) in {
        folded(one) for one in case.author_emails
    }


def folded(email: str) -> str:
    """The address by which one person is known: whatever the case, and without the `+word` that
    leads to the same letter box."""
    local, at, place = email.strip().casefold().rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{place}"
