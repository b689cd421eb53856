"""The judge: whatever is asked of it; and rules as sentences."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.people.rules import (
    Case,
    Person,
    Policy,
    Rule,
    judge,
    sentence,
    sentences,
)
from tests.test_rules import (
    D1,
    D2,
    LAWYERS,
    LEADS,
    NAMES,
    acting,
    change,
    person,
    release,
    said,
)  # fmt: skip

people = st.builds(
    lambda number, role, groups: person(number, role, *groups),
    st.integers(1, 6), st.sampled_from(["", "viewer", "editor", "reviewer", "admin"]),
    st.sets(st.sampled_from([LEADS, LAWYERS])),
)  # fmt: skip


crowds = st.lists(people, unique_by=lambda one: one.account_id, min_size=1, max_size=6)


whos = st.sets(
    st.sampled_from(["role:reviewer", "role:admin", "group:7", "group:8", "person:1", "person:2"]),
    min_size=1,
).map(lambda who: tuple(sorted(who)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    crowd = draw(crowds)
    words = [
        said(draw(st.sampled_from(crowd)), draw(st.sampled_from(["approve", "changes", "none"])),
             draw(st.sampled_from([D1, D2, ""])), minute=minute)
        for minute in range(draw(st.integers(0, 8)))
    ]  # fmt: skip
    rule = change(approvals=draw(st.integers(0, 4)), who=draw(whos))
    live = release(approvals=draw(st.integers(0, 3)), who=draw(whos))
    return Case(
        **acting(draw(st.sampled_from(crowd))), policy=Policy(rules=(rule, live)),
        names=draw(st.sampled_from([(), ("a/b",)])),
        releases=draw(st.sampled_from([(), (("production", "a/b"),)])),
        digest=draw(st.sampled_from([D1, ""])), approvals=tuple(draw(st.permutations(words))),
        authors=draw(st.frozensets(st.integers(1, 6), max_size=3)),
        broke_glass=draw(st.sampled_from(["", "fire"])),
    )  # fmt: skip


def plainly_counts(case: Case, one: Person, rule: Rule) -> bool:
    """The rule in other words: written anew, so that the judge has somebody to disagree with."""
    words = sorted((word for word in case.approvals if word.person == one), key=lambda w: w.at)
    mine = {f"person:{one.account_id}", "role:" + one.role} | {f"group:{g}" for g in one.groups}
    mine |= {"role:reviewer"} if one.role == "admin" else set()
    approved = bool(words and words[-1].verdict == "approve" and words[-1].digest == case.digest)
    approved &= case.digest != ""
    moves = rule.kind == "release" and one == case.mover and one.role in ("reviewer", "admin")
    named = bool(one.role and mine & set(rule.who))
    return (approved or moves) and named and one.account_id not in case.authors


@given(cases())
def test_nothing_is_allowed_that_the_rules_do_not_allow(case: Case) -> None:
    verdict = judge(case)
    everybody = {word.person.account_id: word.person for word in case.approvals}
    everybody |= {case.mover.account_id: case.mover} if case.mover else {}
    asked = [rule for rule in case.policy.rules
             if (case.names if rule.kind == "change" else case.releases)]  # fmt: skip
    enough = all(
        sum(plainly_counts(case, one, rule) for one in everybody.values()) >= rule.approvals
        for rule in asked
    )
    assert not {one.account_id for one in verdict.counted} & case.authors
    assert all(one.role for one in verdict.counted)
    if verdict.allowed and not verdict.breaks_glass:
        assert enough
        assert not verdict.missing
        assert not verdict.barred
    if verdict.breaks_glass:
        assert case.mover is not None
        assert case.mover.role == "admin"
        assert case.broke_glass
        assert verdict.missing
    changes = any(word.verdict == "changes" for word in case.approvals)
    if enough and not changes:
        assert verdict.met


@given(cases(), st.randoms())
def test_the_order_of_reading_does_not_matter(case: Case, random: Any) -> None:
    words = list(case.approvals)
    random.shuffle(words)
    shuffled = msgspec.structs.replace(case, approvals=tuple(words))
    assert judge(shuffled) == judge(case)


@given(cases())
def test_other_contents_void_every_approval(case: Case) -> None:
    moved = msgspec.structs.replace(case, digest="ff" * 32, releases=())
    assert judge(moved).counted == ()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (change(folder="clinical", approvals=2, who=("group:7",)),
         "Changes under clinical/ need 2 approvals from Clinical Leads other than the authors."),
        (change(), "Changes anywhere need 1 approval from reviewers other than the authors."),
        (change(folder="drafts", approvals=0), "Changes under drafts/ need no approval."),
        (change(approvals=0, checks=("eval", "tone")),
         "Changes anywhere need the checks “eval” and “tone” passed."),
        (release(label="production", folder="clinical", checks=("eval",)),
         "Moving production under clinical/ needs 1 approval from reviewers other than the "
         "authors, and the check “eval” passed."),
        (release(approvals=0, may_release=("role:admin", "person:3", "group:44")),
         "Moving any label anywhere needs no approval; only administrators, Ben Okafor or a group "
         "that is gone may move it."),
    ],
)  # fmt: skip
def test_a_rule_reads_as_a_sentence(rule: Rule, words: str) -> None:
    assert sentence(rule, NAMES) == words


def test_a_policy_reads_from_the_narrow_to_the_wide() -> None:
    rules = (release(), release(label="production"), release(folder="b"), change(folder="b"),
             change())  # fmt: skip
    told = sentences(Policy(rules=rules, change_needs=1), {}, {})
    assert [line.split(" need")[0] for line in told] == [
        "Changes under b/", "Changes anywhere else", "Moving any label under b/",
        "Moving production anywhere else", "Moving any other label anywhere else",
        "A change of these rules",
    ]  # fmt: skip
    assert sentences(Policy(), {}, {}) == [
        "Nothing needs review: whoever may save or release does so at once."
    ]
