"""The form of the rules: what was typed is kept as it was typed, right or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from hub.errors import Invalid
from hub.people.rules import Kind, Policy, Rule, in_order
from hub.people.rules.values import MOST_RULES

WORDS = ("role", "group", "person")
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


class Typed(msgspec.Struct, kw_only=True):
    """The whole form."""

    drafts: list[Draft]
    change_needs: str = "0"
    why: str = ""
    base: int | None = None
    """The rules that were looked at."""
    wrong: str | None = None


class Refused(Invalid):
    """Some rule cannot be used; the drafts say which and why."""


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
    return Typed(drafts=drafts, change_needs=str(policy.change_needs), base=policy_id)


def read(form: Mapping[str, str]) -> Typed:
    """What was typed, and what a button of the form does to it: add, take out."""
    count = min(_number(form.get("count", "0")) or 0, MOST_RULES)
    drafts = [_draft(form, f"r{place}-") for place in range(count)]
    do, _, which = form.get("do", "").partition("-")
    if do == "remove" and (place := _number(which)) is not None and place < len(drafts):
        del drafts[place]
    elif do == "add" and which in ("change", "release") and len(drafts) < MOST_RULES:
        label = "production" if which == "release" else ""
        who = frozenset({"role:reviewer"})
        drafts.append(Draft(kind=which, label=label, who=who, is_open=True))
    return Typed(
        drafts=drafts, change_needs=form.get("change_needs", "0"), why=form.get("why", ""),
        base=_number(form.get("base", "")),
    )  # fmt: skip


def build(typed: Typed) -> Policy:
    """The policy that the form describes.

    Raises:
        Refused: a rule cannot be used; it is opened and says why.
    """
    rules: list[Rule] = []
    for draft in typed.drafts:
        try:
            rules.append(rule_of(draft))
        except Invalid as refusal:
            draft.wrong, draft.is_open = refusal.sentence, True
    if len(rules) < len(typed.drafts):
        raise Refused("One of the rules cannot be used as it is; it says why below.")
    return Policy(rules=tuple(rules), change_needs=_count(typed.change_needs))


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
