"""Rules as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.people.rules.values import OWNERS, Asked, Owners, Policy, Rule

SAID = {
    "role:reviewer": "reviewers", "role:admin": "administrators", OWNERS: "the folder’s owners",
}  # fmt: skip
NUMBERS = "no one two three four five six seven eight nine ten".split()
GONE = {"group": "a group that is gone", "person": "a person who is gone"}


def called(groups: Mapping[int, str], people: Mapping[int, str]) -> dict[str, str]:
    """Names of who a rule may name, by the words used there: `group:7`, `person:3`."""
    return {f"group:{number}": name for number, name in groups.items()} | {
        f"person:{number}": name for number, name in people.items()
    }


def sentences(policy: Policy, groups: Mapping[int, str], people: Mapping[int, str]) -> list[str]:
    """The whole policy, a sentence a rule, then who owns what, the rule about the rules last."""
    names = called(groups, people)
    told = [sentence(rule, names, policy.rules) for rule in in_order(policy.rules)]
    if not told:
        told = ["Nothing needs review: whoever may save or release does so at once."]
    told += [owners_sentence(one, names, policy.owners) for one in owned_in_order(policy.owners)]
    if _stand_in(policy):
        told.append("Where nobody owns the folder, administrators count as its owners.")
    if policy.change_needs:
        told.append(
            f"A change of these rules needs {approvals(policy.change_needs)} from administrators "
            "who did not propose it."
        )
    return told


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """Changes before releases; what holds everywhere else last."""
    return sorted(rules, key=lambda one: (one.kind, not one.folder, one.folder, not one.label))


def owned_in_order(owners: Iterable[Owners]) -> list[Owners]:
    """By folder; whoever owns everything else last."""
    return sorted(owners, key=lambda one: (not one.folder, one.folder))


def _stand_in(policy: Policy) -> bool:
    """Whether a rule may be asked about a prompt that nobody owns."""
    return any(
        OWNERS in (*rule.who, *rule.may_release)
        and not any(f"{rule.folder}/".startswith(one.folder and f"{one.folder}/")
                    for one in policy.owners)
        for rule in policy.rules
    )  # fmt: skip


def owners_sentence(one: Owners, names: Mapping[str, str], among: Iterable[Owners] = ()) -> str:
    """`clinical/ is owned by Clinical Leads.`; `among` all that are said."""
    rest = "Every other folder" if any(other.folder for other in among) else "Every folder"
    where = f"{one.folder}/" if one.folder else rest
    return f"{where} is owned by {who_words(one.who, names, 'and')}."


def sentence(rule: Rule, names: Mapping[str, str], among: Iterable[Rule] = ()) -> str:
    """One rule: what it is about, what that needs, who may do it; `among` the others."""
    needs: list[str] = []
    if rule.approvals:
        needs.append(
            f"{approvals(rule.approvals)} from {whose(rule, names)} other than the authors"
        )
    if rule.checks:
        passed = listed([f"“{one}”" for one in rule.checks])
        needs.append(f"the {'check' if len(rule.checks) == 1 else 'checks'} {passed} passed")
    verb = "need" if rule.kind == "change" else "needs"
    said = f"{about(rule, among)} {verb} {', and '.join(needs) or 'no approval'}"
    if rule.may_release:
        said += f"; only {movers(rule, names)} may move it"
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


def whose(rule: Rule, names: Mapping[str, str]) -> str:
    """Whose approval counts: `Clinical Leads (they own clinical/)`."""
    return _asked_words(rule, (rule.written if isinstance(rule, Asked) else rule).who, names)


def movers(rule: Rule, names: Mapping[str, str]) -> str:
    """Who may move the label, said as `whose` says it."""
    written = rule.written if isinstance(rule, Asked) else rule
    return _asked_words(rule, written.may_release, names)


def _asked_words(rule: Rule, written: tuple[str, ...], names: Mapping[str, str]) -> str:
    """`reviewers, or Ana Ruiz (they own clinical/)`: only the owners are said to own it."""
    if not isinstance(rule, Asked) or OWNERS not in written:
        return who_words(written, names)
    others = who_words([one for one in written if one != OWNERS], names)
    if rule.owned is None:
        why = "nobody owns the folder"
    else:
        why = f"they own {rule.owned}/" if rule.owned else "they own what nobody else does"
    owners = f"{who_words(rule.owners, names)} ({why})"
    return owners if len(written) == 1 else f"{others}, or {owners}"


def who_words(who: Iterable[str], names: Mapping[str, str], joint: str = "or") -> str:
    """`Clinical Leads or Ana`; whoever was deleted meanwhile is said to be gone."""
    return listed([_one(word, names) for word in who], joint) or "nobody"


def _one(word: str, names: Mapping[str, str]) -> str:
    return SAID.get(word) or names.get(word) or GONE.get(word.partition(":")[0], "nobody")


def approvals(number: int) -> str:
    return f"{number} approval" + ("" if number == 1 else "s")


def in_words(number: int) -> str:
    return NUMBERS[number] if 0 <= number < len(NUMBERS) else str(number)


def listed(words: list[str], joint: str = "and") -> str:
    """`a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"
