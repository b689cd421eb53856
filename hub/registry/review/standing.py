"""How a proposal stands, in a word and in one sentence. Pure."""

from __future__ import annotations

from hub.people import rules
from hub.people.rules.words import in_words, listed, whose
from hub.registry.review.facts import Facts

NO_RULE = "No rule asks for review here: whoever may save can merge it."


def state_now(facts: Facts) -> str:
    """As stored, but `approved` for an open one that has all the rules ask for.

    Where no rule asks for anything, it takes somebody's approval all the same to be called so.
    """
    if facts.row.state != "open":
        return facts.row.state
    agreed = facts.rule_there or any(one.verdict == "approve" and one.current for one in
                                     facts.words)  # fmt: skip
    return "approved" if agreed and facts.verdict.met else "open"


def sentence(facts: Facts) -> str:
    """`Waiting for one more approval from Clinical Leads.`"""
    row = facts.row
    if row.state == "merged":
        return f"Merged by {row.closed_by}."
    if row.state in ("declined", "withdrawn"):
        why = f": “{row.close_reason}”" if row.close_reason else "."
        return f"{row.state.capitalize()} by {row.closed_by}{why}"
    there = f"Merged by {row.elsewhere}, but not here yet. " if row.elsewhere else ""
    if facts.verdict.met:
        return there + _ready(facts)
    return there + " ".join([*_against(facts), *_waiting(facts), *_checks(facts)])


def _ready(facts: Facts) -> str:
    names = [one.name for one in facts.words if one.verdict == "approve" and one.current]
    if names:
        return f"Approved by {listed(names)}."
    return "Nothing is missing; it can be merged." if facts.rule_there else NO_RULE


def _against(facts: Facts) -> list[str]:
    return [one for one in facts.verdict.missing if one.endswith(" asked for a change.")]


def _checks(facts: Facts) -> list[str]:
    return [one for one in facts.verdict.missing if one.startswith("The check ")]


def _waiting(facts: Facts) -> list[str]:
    """`Waiting for one more approval from …, and for two from … before production moves.`"""
    case, said = facts.case, []
    asked: dict[rules.Rule, str] = {}
    for name in case.names:
        if rule := rules.rule_for(case.policy, "change", name):
            asked.setdefault(rule, "")
    for label, name in case.releases:
        if rule := rules.rule_for(case.policy, "release", name, label):
            asked.setdefault(rule, label)
    for rule, label in asked.items():
        have = sum(one.is_one_of(rule.who) for one in facts.verdict.counted)
        lacking = rule.approvals - have
        if lacking > 0:
            more = " more" if have else ""
            words = f"{in_words(lacking)}{more} approval{'s' if lacking > 1 else ''}"
            moves = f" before {label} moves" if label else ""
            said.append(f"for {words} from {whose(rule, case.called)}{moves}")
    return [f"Waiting {', and '.join(said)}."] if said else []
