"""Rules as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.people.rules.values import Policy, Rule

ROLES = {"role:reviewer": "reviewers", "role:admin": "administrators"}
NUMBERS = "no one two three four five six seven eight nine ten".split()
GONE = {"group": "a group that is gone", "person": "a person who is gone"}


def called(groups: Mapping[int, str], people: Mapping[int, str]) -> dict[str, str]:
    """Names of who a rule may name, by the words used there: `group:7`, `person:3`."""
    return {f"group:{number}": name for number, name in groups.items()} | {
        f"person:{number}": name for number, name in people.items()
    }


def sentences(policy: Policy, groups: Mapping[int, str], people: Mapping[int, str]) -> list[str]:
    """The whole policy, a sentence a rule, the rule about the rules last."""
    names = called(groups, people)
    told = [sentence(rule, names, policy.rules) for rule in in_order(policy.rules)]
    if not told:
        told = ["Nothing needs review: whoever may save or release does so at once."]
    if policy.change_needs:
        told.append(
            f"A change of these rules needs {approvals(policy.change_needs)} from administrators "
            "who did not propose it."
        )
    return told


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """Changes before releases; what holds everywhere else last."""
    return sorted(rules, key=lambda one: (one.kind, not one.folder, one.folder, not one.label))


def sentence(rule: Rule, names: Mapping[str, str], among: Iterable[Rule] = ()) -> str:
    """One rule: what it is about, what that needs, who may do it; `among` the others."""
    needs: list[str] = []
    if rule.approvals:
        whose = who_words(rule.who, names)
        needs.append(f"{approvals(rule.approvals)} from {whose} other than the authors")
    if rule.checks:
        passed = listed([f"“{one}”" for one in rule.checks])
        needs.append(f"the {'check' if len(rule.checks) == 1 else 'checks'} {passed} passed")
    verb = "need" if rule.kind == "change" else "needs"
    said = f"{about(rule, among)} {verb} {', and '.join(needs) or 'no approval'}"
    if rule.may_release:
        said += f"; only {who_words(rule.may_release, names)} may move it"
    return said + "."


def about(rule: Rule, among: Iterable[Rule] = ()) -> str:
    """The subject of a rule's sentence: of a wider rule, only what the narrower ones leave."""
    others = [one for one in among if one.kind == rule.kind]
    narrower = not rule.folder and any(one.folder for one in others)
    where = f"under {rule.folder}/" if rule.folder else "anywhere" + " else" * narrower
    if rule.kind == "change":
        return f"Changes {where}"
    labels = any(one.folder == rule.folder and one.label for one in others)
    return f"Moving {rule.label or ('any other label' if labels else 'any label')} {where}"


def who_words(who: Iterable[str], names: Mapping[str, str], joint: str = "or") -> str:
    """`Clinical Leads or Ana`; whoever was deleted meanwhile is said to be gone."""
    return listed([_one(word, names) for word in who], joint) or "nobody"


def _one(word: str, names: Mapping[str, str]) -> str:
    return ROLES.get(word) or names.get(word) or GONE.get(word.partition(":")[0], "nobody")


def approvals(number: int) -> str:
    return f"{number} approval" + ("" if number == 1 else "s")


def in_words(number: int) -> str:
    return NUMBERS[number] if 0 <= number < len(NUMBERS) else str(number)


def listed(words: list[str], joint: str = "and") -> str:
    """`a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"
