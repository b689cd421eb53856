"""The judge: labels moved, glass broken."""

from __future__ import annotations

from hub.people.accounts import OPERATOR
from tests.test_rules import (
    ANA,
    APP,
    BEN,
    CARLA,
    DORA,
    LEADS,
    acting,
    change,
    judged,
    person,
    release,
    said,
)  # fmt: skip


def test_moving_a_label_needs_the_right_to_release() -> None:
    moved = {"names": (), "releases": (("production", "clinical/note"),)}
    assert judged(by=BEN, **moved).allowed
    assert not judged(by=ANA, **moved).allowed
    both = {"releases": (("production", "clinical/note"),)}
    assert not judged(by=ANA, **both).allowed
    assert judged(by=DORA, **both).allowed


def test_whoever_moves_a_label_counts_if_others_like_them_do() -> None:
    rule = release(label="production")
    moved = {"names": (), "releases": (("production", "clinical/note"),)}
    assert judged(rule, by=BEN, **moved).allowed
    assert judged(rule, by=BEN, digest="", **moved).allowed
    assert not judged(rule, by=person(1, "reviewer"), **moved).allowed, "an author"
    assert not judged(rule, by=APP, **moved).allowed
    assert not judged(rule, by=OPERATOR, **moved).allowed
    assert judged(rule, by=APP, words=(said(BEN),), **moved).allowed
    assert not judged(rule, **acting(BEN, role="key:read"), **moved).allowed
    two = release(label="production", approvals=2)
    assert not judged(two, by=BEN, words=(said(BEN),), **moved).allowed
    assert judged(two, by=BEN, words=(said(DORA),), **moved).allowed
    other = {"names": (), "releases": (("staging", "clinical/note"),)}
    assert judged(rule, by=person(1, "reviewer"), **other).allowed


def test_who_may_release_is_the_rule_s_word() -> None:
    rule = release(approvals=0, may_release=(f"group:{LEADS}",))
    moved = {"names": (), "releases": (("production", "clinical/note"),)}
    assert judged(rule, by=person(9, "reviewer", LEADS), **moved).allowed
    assert not judged(rule, by=person(9, "editor", LEADS), **moved).allowed, (
        "the role is needed too"
    )
    verdict = judged(rule, by=DORA, **moved)
    assert verdict.barred == ("Only Clinical Leads may move production there.",)
    assert verdict.met
    assert not verdict.allowed
    for who in (APP, OPERATOR):
        assert not judged(rule, by=who, **moved).allowed


def test_going_back_to_what_was_live_asks_only_who_may_release() -> None:
    rule = release(approvals=3, checks=("eval",), may_release=("role:reviewer",))
    moved = {"names": (), "releases": (("production", "clinical/note"),), "rolls_back": True}
    assert judged(rule, by=person(1, "reviewer"), **moved).allowed
    assert not judged(rule, by=ANA, **moved).allowed
    assert not judged(rule, by=APP, **moved).allowed
    assert not judged(rule, change(), by=BEN, **(moved | {"names": ("clinical/note",)})).allowed


def test_breaking_the_glass() -> None:
    rules = (change(approvals=2, checks=("eval",)), release(may_release=("person:99",)))
    both = {"releases": (("production", "clinical/note"),), "digest": ""}
    broken = judged(*rules, by=DORA, broke_glass="the ward is waiting", **both)
    assert broken.allowed
    assert broken.breaks_glass
    assert broken.missing
    assert not broken.barred
    assert judged(*rules, by=OPERATOR, broke_glass="fire", **both).breaks_glass
    for who in (BEN, ANA, CARLA, APP):
        verdict = judged(*rules, by=who, broke_glass="me too", **both)
        assert not verdict.allowed
        assert not verdict.breaks_glass
        assert "Only an administrator can break glass." in verdict.barred
    assert not judged(*rules, by=DORA, broke_glass=" \n", **both).allowed
    assert not judged(*rules, **acting(DORA, role="editor"), broke_glass="x", **both).allowed
    assert not judged(*rules, **acting(BEN, role="admin"), broke_glass="x", **both).allowed
    needless = judged(by=DORA, broke_glass="to be sure")
    assert needless.allowed
    assert not needless.breaks_glass
