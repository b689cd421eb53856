"""The form of the rules: what was typed is kept as it was typed, right or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from hub.errors import Invalid
from hub.people.rules import Kind, Owners, Policy, Rule, in_order
from hub.people.rules.values import MOST_OWNERS, MOST_RULES
from hub.people.rules.words import owned_in_order

WORDS = ("role", "group", "person", "owners")
"""In this order they stand in a rule."""


class Draft(msgspec.Struct, kw_only=True):
    """One rule as typed."""

    kind: Kind
    folder: str = ""
    label: str = ""
    approvals: str = "1"
    who: frozenset[str] = frozenset()
    may_release: frozenset[str] = frozenset()
    checks: str = ""
    wrong: str | None = None
    is_open: bool = False
    """Its parts show."""


class OwnersDraft(msgspec.Struct, kw_only=True):
    """Who owns a folder, as typed."""

    folder: str = ""
    who: frozenset[str] = frozenset()
    wrong: str | None = None
    is_open: bool = False


class Typed(msgspec.Struct, kw_only=True):
    """The whole form."""

    drafts: list[Draft]
    owners: list[OwnersDraft] = []
    change_needs: str = "0"
    why: str = ""
    base: int | None = None
    """The rules that were looked at."""
    wrong: str | None = None


class Refused(Invalid):
    """Some rule or owner cannot be used; the drafts say which and why."""


def of_policy(policy: Policy, policy_id: int | None) -> Typed:
    """The form as it is opened."""
    drafts = [
        Draft(
            kind=rule.kind, folder=rule.folder, label=rule.label, approvals=str(rule.approvals),
            who=frozenset(rule.who), may_release=frozenset(rule.may_release),
            checks=", ".join(rule.checks),
        )
        for rule in in_order(policy.rules)
    ]  # fmt: skip
    owners = [
        OwnersDraft(folder=one.folder, who=frozenset(one.who))
        for one in owned_in_order(policy.owners)
    ]
    needs = str(policy.change_needs)
    return Typed(drafts=drafts, owners=owners, change_needs=needs, base=policy_id)


def read(form: Mapping[str, str]) -> Typed:
    """What was typed, and what a button of the form does to it: add, take out."""
    count = min(_number(form.get("count", "0")) or 0, MOST_RULES)
    drafts = [_draft(form, f"r{place}-") for place in range(count)]
    do, _, which = form.get("do", "").partition("-")
    if do == "remove":
        _take_out(drafts, which)
    elif do == "add" and which in ("change", "release") and len(drafts) < MOST_RULES:
        label = "production" if which == "release" else ""
        who = frozenset({"role:reviewer"})
        drafts.append(Draft(kind=which, label=label, who=who, is_open=True))
    return Typed(
        drafts=drafts, owners=_owners(form, do, which), why=form.get("why", ""),
        change_needs=form.get("change_needs", "0"), base=_number(form.get("base", "")),
    )  # fmt: skip


def _owners(form: Mapping[str, str], do: str, which: str) -> list[OwnersDraft]:
    count = min(_number(form.get("owned", "0")) or 0, MOST_OWNERS)
    owners = [
        OwnersDraft(folder=form.get(f"o{place}-folder", ""), who=_ticked(form, f"o{place}-who-"))
        for place in range(count)
    ]
    if do == "disown":
        _take_out(owners, which)
    elif (do, which) == ("add", "owners") and count < MOST_OWNERS:
        owners.append(OwnersDraft(is_open=True))
    return owners


def _take_out(drafts: list[Draft] | list[OwnersDraft], which: str) -> None:
    if (place := _number(which)) is not None and place < len(drafts):
        del drafts[place]


def build(typed: Typed) -> Policy:
    """The policy that the form describes.

    Raises:
        Refused: a rule or an owner cannot be used; it is opened and says why.
    """
    rules: list[Rule] = []
    owners: list[Owners] = []
    for draft in (*typed.drafts, *typed.owners):
        try:
            if isinstance(draft, Draft):
                rules.append(rule_of(draft))
            else:
                owners.append(owners_of(draft))
        except Invalid as refusal:
            draft.wrong, draft.is_open = refusal.sentence, True
    if len(rules) < len(typed.drafts):
        raise Refused("One of the rules cannot be used as it is; it says why below.")
    if len(owners) < len(typed.owners):
        raise Refused("The owners of a folder cannot be used as they are; it says why below.")
    needs = _count(typed.change_needs)
    return Policy(rules=tuple(rules), owners=tuple(owners), change_needs=needs)


def rule_of(draft: Draft) -> Rule:
    """Raises:
    Invalid: it cannot be used as it is.
    """
    of_release = draft.kind == "release"
    return Rule(
        kind=draft.kind,
        folder=draft.folder.strip().strip("/"),
        label=draft.label.strip() if of_release else "",
        approvals=_count(draft.approvals),
        who=_in_order(draft.who),
        checks=tuple(one.strip() for one in draft.checks.split(",") if one.strip()),
        may_release=_in_order(draft.may_release) if of_release else (),
    )


def owners_of(draft: OwnersDraft) -> Owners:
    """Raises:
    Invalid: they cannot be used as they are.
    """
    return Owners(folder=draft.folder.strip().strip("/"), who=_in_order(draft.who))


def _draft(form: Mapping[str, str], start: str) -> Draft:
    return Draft(
        kind="release" if form.get(start + "kind") == "release" else "change",
        folder=form.get(start + "folder", ""),
        label=form.get(start + "label", ""),
        approvals=form.get(start + "approvals", ""),
        who=_ticked(form, start + "who-"),
        may_release=_ticked(form, start + "may-"),
        checks=form.get(start + "checks", ""),
    )


def _ticked(form: Mapping[str, str], start: str) -> frozenset[str]:
    return frozenset(name[len(start) :] for name in form if name.startswith(start))


def _in_order(words: Iterable[str]) -> tuple[str, ...]:
    """The same people ticked are the same rule, however the browser sent them."""

    def place(word: str) -> tuple[int, int, str]:
        kind, _, which = word.partition(":")
        return WORDS.index(kind) if kind in WORDS else len(WORDS), _number(which) or 0, which

    return tuple(sorted(words, key=place))


def _count(text: str) -> int:
    number = _number(text.strip())
    return -1 if number is None else number


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
