"""The rules of review: what can be written down, which rule applies, and the judge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Invalid
from hub.people.accounts import OPERATOR
from hub.people.policy import Actor
from hub.people.rules import (
    Approval,
    Case,
    Person,
    Policy,
    Rule,
    Verdict,
    called,
    judge,
    rule_for,
)
from hub.registry.prompt import names

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEADS, LAWYERS = 7, 8
D1, D2 = "d1" * 32, "d2" * 32
NAMES = called({LEADS: "Clinical Leads", LAWYERS: "Lawyers"}, {3: "Ben Okafor"})


def person(number: int, role: str = "reviewer", *groups: int, email: str = "") -> Person:
    email = email or f"p{number}@clinic.example"
    return Person(
        account_id=number, name=f"P{number}", email=email, role=role, groups=frozenset(groups)
    )


def acting(person: Person, role: str | None = None) -> dict[str, Any]:
    """The actor and the mover of a case; `role`: what the session was admitted with."""
    actor = Actor(
        kind="person", name=person.name, email=person.email, account_id=person.account_id,
        workspace_id=1, role=person.role if role is None else role,
    )  # fmt: skip
    return {"actor": actor, "mover": person}


APP = Actor(kind="key", name="key app", email="", key_id="k", workspace_id=1, role="key:write")
ANA, BEN, CARLA, DORA = person(1, "editor"), person(2), person(3, "viewer"), person(4, "admin")


def said(who: Person, verdict: Any = "approve", digest: str = D1, *, minute: int = 0) -> Approval:
    at = NOON + timedelta(minutes=minute)
    return Approval(person=who, digest=digest, verdict=verdict, at=at)


def change(**more: Any) -> Rule:
    return Rule(kind="change", **more)


def release(**more: Any) -> Rule:
    return Rule(kind="release", **more)


def judged(*rules: Rule, words: tuple[Approval, ...] = (), by: Any = ANA, **more: Any) -> Verdict:
    """A merge of `clinical/note`, written by Ana, pressed by `by`."""
    who = acting(by) if isinstance(by, Person) else {"actor": by, "mover": None}
    given: dict[str, Any] = {
        **who, "policy": Policy(rules=rules), "names": ("clinical/note",), "digest": D1,
        "approvals": words, "authors": frozenset({1}), "author_emails": frozenset({ANA.email}),
        "called": NAMES,
    }  # fmt: skip
    return judge(Case(**(given | more)))


# ── what can be written down ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [True, False, -1, 11, 10**30, 1.0, "1", None])
def test_counts_that_are_no_counts_are_refused(count: Any) -> None:
    with pytest.raises(Invalid):
        change(approvals=count)
    with pytest.raises(Invalid):
        Policy(change_needs=count)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "merge"}, {"folder": "/clinical"}, {"folder": "clinical/"}, {"folder": "a//b"},
        {"folder": "Clinical"}, {"folder": "../x"}, {"folder": "a" * 201}, {"folder": "a\n"},
        {"label": "production"}, {"may_release": ("role:admin",)}, {"who": ()},
        {"who": ("role:editor",)}, {"who": ("role:viewer",)}, {"who": ("group:0",)},
        {"who": ("group:x",)}, {"who": ("person:-1",)}, {"who": ("anybody",)},
        {"who": ("role:admin\n",)}, {"who": ("role:admin", "role:admin")},
        {"who": tuple(f"person:{n}" for n in range(1, 52))},
        {"checks": ("",)}, {"checks": ("a\nb",)}, {"checks": (" a",)}, {"checks": ("a", "a")},
        {"checks": ("x" * 81,)},
    ],
)  # fmt: skip
def test_rules_that_say_nothing_sensible_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Rule(**({"kind": "change"} | wrong))


def test_two_rules_about_the_same_thing_are_refused() -> None:
    with pytest.raises(Invalid, match="same thing"):
        Policy(rules=(change(folder="a", approvals=1), change(folder="a", approvals=2)))
    Policy(rules=(release(folder="a"), change(folder="a"), release(folder="a", label="staging")))


def test_too_many_rules_are_refused() -> None:
    with pytest.raises(Invalid):
        Policy(rules=tuple(change(folder=f"f{n}") for n in range(101)))


def test_a_policy_is_the_same_after_being_kept_as_plain_values() -> None:
    policy = Policy(
        rules=(change(folder="a", who=("group:7", "person:3"), checks=("eval",)),
               release(label="production", may_release=("role:admin",), approvals=0)),
        change_needs=2,
    )  # fmt: skip
    kept = msgspec.to_builtins(policy)
    assert msgspec.convert(kept, Policy) == policy
    for broken in ({"rules": [{"kind": "change", "approvals": True}]}, {"other": 1}):
        with pytest.raises((msgspec.ValidationError, Invalid)):
            msgspec.convert(broken, Policy)


segment = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,5}", fullmatch=True).filter(
    lambda text: names.is_name(text)
)
paths = st.lists(segment, min_size=1, max_size=8).map("/".join)


@given(paths)
def test_every_folder_of_a_prompt_may_have_a_rule(name: str) -> None:
    parts = name.split("/")
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth])
        rule = change(folder=folder)
        assert rule_for(Policy(rules=(rule,)), "change", name) is rule
        assert rule_for(Policy(rules=(rule,)), "change", folder) is None
        assert rule_for(Policy(rules=(rule,)), "change", f"{folder}x/y") is None
        assert rule_for(Policy(rules=(rule,)), "release", name) is None


# ── which rule applies ──────────────────────────────────────────────────────────────────────────


def test_the_deepest_folder_wins_and_in_it_the_label_s_own_rule() -> None:
    every, folder, deep = release(), release(folder="a"), release(folder="a/b")
    label = release(folder="a", label="production")
    policy = Policy(rules=(label, deep, every, folder))

    def found(name: str, label: str) -> Rule | None:
        return rule_for(policy, "release", name, label)

    assert found("x", "production") is every
    assert found("ab/x", "production") is every
    assert found("a/x", "production") is label
    assert found("a/x", "staging") is folder
    assert found("a/b/x", "production") is deep
    assert rule_for(policy, "change", "a/b/x") is None
    assert rule_for(Policy(), "release", "a/x", "production") is None


# ── who counts ──────────────────────────────────────────────────────────────────────────────────


def test_without_a_rule_nothing_is_asked() -> None:
    assert judged().allowed
    assert judged(change(folder="legal")).allowed
    assert judged(change(folder="clinical/deep")).allowed


def test_a_rule_denies_until_enough_people_approved() -> None:
    rule = change(folder="clinical", approvals=2)
    assert not judged(rule).allowed
    one = judged(rule, words=(said(BEN),))
    assert (one.allowed, one.missing) == (
        False, ("Changes under clinical/ need one more approval from reviewers.",)
    )  # fmt: skip
    both = judged(rule, words=(said(BEN), said(DORA, minute=1)))
    assert both.allowed
    assert both.met
    assert [one.account_id for one in both.counted] == [2, 4]
    assert not both.breaks_glass


@pytest.mark.parametrize(
    ("why", "word"),
    [
        ("other contents", said(BEN, digest=D2)),
        ("asked for a change", said(BEN, "changes")),
        ("took the word back", said(BEN, "none")),
        ("an author", said(ANA)),
        ("a viewer where reviewers count", said(CARLA)),
        ("an editor where reviewers count", said(person(9, "editor"))),
        ("left meanwhile", said(person(2, ""))),
        ("left meanwhile, still in the group", said(person(2, "", LEADS))),
        ("an author's other account", said(person(9, email=" P1@Clinic.Example"))),
    ],
)
def test_words_that_do_not_count(why: str, word: Approval) -> None:
    assert not judged(change(), words=(word,)).allowed, why
    assert judged(change(), words=(word,)).counted == ()


def test_groups_and_people_count_where_they_are_named() -> None:
    rule = change(who=(f"group:{LEADS}", "person:3"))
    assert judged(rule, words=(said(person(9, "viewer", LEADS)),)).allowed
    assert judged(rule, words=(said(CARLA),)).allowed
    assert not judged(rule, words=(said(person(9, "admin", LAWYERS)),)).allowed
    assert not judged(change(who=("role:admin",)), words=(said(BEN),)).allowed


def test_a_person_counts_once_and_their_latest_word_counts() -> None:
    rule = change(approvals=2)
    twice = (said(BEN), said(BEN, minute=1))
    two_accounts = (said(BEN), said(person(12, email="P2@clinic.example"), minute=1))
    assert not judged(rule, words=twice).allowed
    assert not judged(rule, words=two_accounts).allowed
    first = change(approvals=1)
    assert not judged(first, words=(said(BEN, minute=1), said(BEN, "none", minute=2))).allowed
    assert judged(first, words=(said(BEN, "changes"), said(BEN, minute=2))).allowed
    assert judged(first, words=(said(BEN, minute=2), said(BEN, "changes"))).allowed


def test_a_request_for_a_change_blocks_until_its_author_says_otherwise() -> None:
    other = person(5)
    for digest in (D1, D2):  # a new revision alone does not silence who asked
        verdict = judged(change(), words=(said(BEN), said(other, "changes", digest)))
        assert (verdict.allowed, verdict.missing) == (False, ("P5 asked for a change.",))
    answered = (said(BEN), said(other, "changes"), said(other, "none", minute=1))
    assert judged(change(), words=answered).allowed
    for nobody in (CARLA, person(5, ""), ANA):
        assert judged(change(), words=(said(BEN), said(nobody, "changes"))).allowed


def test_required_checks_must_have_passed() -> None:
    rule = change(approvals=0, checks=("eval", "secrets"))
    states = {"eval": "pass", "secrets": "warn", "other": "fail"}
    assert judged(rule, checks=states).allowed
    for state, words in (
        ("fail", "failed"), ("running", "is still running"), ("odd", "failed"), (None, "reported")
    ):  # fmt: skip
        changed = {name: s for name, s in {**states, "eval": state}.items() if s}
        verdict = judged(rule, checks=changed)
        assert not verdict.allowed
        assert words in verdict.missing[0]
    assert not judged(rule, digest="").allowed, "nor may a direct save go round the checks"


def test_a_rename_is_judged_by_both_names() -> None:
    rule = change(folder="clinical")
    assert not judged(rule, names=("clinical/note", "free/note"), digest="").allowed
    assert not judged(rule, names=("free/note", "clinical/note"), digest="").allowed
    assert judged(rule, names=("free/note", "free/other"), digest="").allowed


def test_a_direct_change_is_sent_to_review_whatever_approvals_there_are() -> None:
    rule = change(folder="clinical", who=(f"group:{LEADS}",))
    stray = said(person(9, "reviewer", LEADS), digest="")
    verdict = judged(rule, words=(stray,), digest="")
    assert verdict.missing == (
        "Changes under clinical/ need review by Clinical Leads. Propose it instead.",
    )


# ── who may do it ───────────────────────────────────────────────────────────────────────────────


def test_merging_needs_the_right_to_save_at_this_moment() -> None:
    for role in ("editor", "reviewer", "admin"):
        assert judged(by=person(9, role)).allowed
    assert not judged(by=CARLA).allowed
    for then in ("editor", "admin"):
        for now in ("viewer", ""):
            assert not judged(**acting(person(9, now), role=then)).allowed
    assert not judged(**acting(person(9, "admin"), role="key:read")).allowed
    assert not judged(actor=acting(BEN)["actor"], mover=None).allowed
    assert judged(by=APP).allowed
    assert not judged(by=APP, actor=msgspec.structs.replace(APP, role="key:read")).allowed
    assert judged(by=OPERATOR).allowed


def test_rules_bind_apps_and_the_operator_too() -> None:
    for who in (APP, OPERATOR):
        assert not judged(change(), by=who).allowed
        assert judged(change(), by=who, words=(said(BEN),)).allowed


# ── properties ──────────────────────────────────────────────────────────────────────────────────


# ── sentences ───────────────────────────────────────────────────────────────────────────────────
