"""Who owns a folder, and what a rule that says `owners` asks for then. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from hub.errors import Invalid
from hub.people.policy import Actor
from hub.people.rules import (
    Approval,
    Case,
    Kept,
    Owners,
    Person,
    Policy,
    Rule,
    Verdict,
    called,
    judge,
    owners_of,
    rule_for,
    sentence,
    sentences,
)

LEADS, DESK = 7, 8
CLINICAL = Owners(folder="clinical", who=(f"group:{LEADS}",))
SUPPORT = Owners(folder="support", who=(f"group:{DESK}",))
RULE = Rule(kind="change", who=("owners",))
GROUPS = {LEADS: "Clinical Leads", DESK: "Help Desk"}
ANA = Person(account_id=1, name="Ana", email="ana@example.org", role="editor")
BEN = Person(account_id=2, name="Ben", email="ben@example.org", role="reviewer",
             groups=frozenset({DESK}))  # fmt: skip
CLARA = Person(account_id=3, name="Clara", email="clara@example.org", role="reviewer",
               groups=frozenset({LEADS}))  # fmt: skip
MARIA = Person(account_id=4, name="Maria", email="maria@example.org", role="admin")
WHEN = datetime(2026, 11, 1, tzinfo=UTC)


def policy(*owners: Owners, rules: tuple[Rule, ...] = (RULE,)) -> Policy:
    return Policy(rules=rules, owners=owners)


def verdict(rules: Policy, names: tuple[str, ...], *approved: Person, **more: object) -> Verdict:
    actor = Actor(kind="person", name="Ben", email=BEN.email, account_id=2, workspace_id=1,
                  role="reviewer")  # fmt: skip
    words = tuple(Approval(person=one, digest="d", verdict="approve", at=WHEN) for one in approved)
    given: dict[str, object] = {"names": names, "digest": "d", "approvals": words} | more
    case = Case(policy=rules, actor=actor, mover=BEN, authors=frozenset({1}),
                called=called(GROUPS, {}), **given)  # type: ignore[arg-type]  # fmt: skip  # any of Case
    return judge(case)


def missing(rules: Policy, names: tuple[str, ...], *approved: Person) -> tuple[str, ...]:
    return verdict(rules, names, *approved).missing


# ── whose folder it is ──────────────────────────────────────────────────────────────────────────


def test_the_deepest_folder_that_has_owners_counts() -> None:
    deep = Owners(folder="clinical/letters", who=("person:9",))
    top = Owners(who=("role:admin",))
    for order in ((CLINICAL, deep, top), (top, deep, CLINICAL)):
        rules = policy(*order)
        assert owners_of(rules, "clinical/letters/a") is deep
        assert owners_of(rules, "clinical/other/a") is CLINICAL
        assert owners_of(rules, "clinical") is top, "a prompt is not below its own name"
        assert owners_of(rules, "clinicals/a") is top
    assert owners_of(policy(CLINICAL), "support/a") is None


def test_a_rule_that_names_no_owners_is_asked_as_it_is_written() -> None:
    rule = Rule(kind="change", who=("role:reviewer",))
    assert rule_for(policy(CLINICAL, rules=(rule,)), "change", "clinical/a") is rule


def test_the_word_is_replaced_where_it_stands_and_others_stay() -> None:
    rule = Rule(kind="change", who=("role:admin", f"group:{LEADS}", "owners"))
    two = Owners(folder="clinical", who=(f"group:{LEADS}", "person:3"))
    asked = rule_for(policy(two, rules=(rule,)), "change", "clinical/a")
    assert asked is not None
    assert asked.who == ("role:admin", f"group:{LEADS}", "person:3")
    many = Owners(folder="clinical", who=tuple(f"person:{one}" for one in range(1, 51)))
    full = Rule(kind="change", who=(*(f"person:{one}" for one in range(51, 100)), "owners"))
    asked = rule_for(policy(many, rules=(full,)), "change", "clinical/a")
    assert asked is not None
    assert len(asked.who) == 99, "more than one may write"


# ── what is missing then ────────────────────────────────────────────────────────────────────────


def test_the_owners_are_named_where_their_word_is_missing() -> None:
    rules = policy(CLINICAL, SUPPORT)
    leads = "Changes anywhere need one approval from Clinical Leads (they own clinical/)."
    desk = "Changes anywhere need one approval from Help Desk (they own support/)."
    assert missing(rules, ("clinical/a",)) == (leads,)
    assert missing(rules, ("clinical/a",), BEN, MARIA) == (leads,)
    assert missing(rules, ("clinical/a",), CLARA) == ()
    both = ("clinical/a", "support/a")
    assert missing(rules, both) == (leads, desk)
    assert missing(rules, both, BEN) == (leads,)
    assert missing(rules, both, CLARA) == (desk,)
    assert missing(rules, both, BEN, CLARA) == ()
    assert missing(rules, ("clinical/a", "clinical/b"), CLARA) == ()


def test_two_folders_of_the_same_owners_need_as_many_people_as_one() -> None:
    same = Owners(folder="support", who=CLINICAL.who)
    assert missing(policy(CLINICAL, same), ("clinical/a", "support/a"), CLARA) == ()


def test_two_approvals_are_two_of_each_owner() -> None:
    rule = Rule(kind="change", approvals=2, who=("owners",))
    other = msgspec.structs.replace(CLARA, account_id=5, name="Dora", email="dora@example.org")
    rules = policy(CLINICAL, SUPPORT, rules=(rule,))
    assert "one more approval from Clinical Leads" in missing(rules, ("clinical/a",), CLARA, BEN)[0]
    assert missing(rules, ("clinical/a",), CLARA, other) == ()


def test_where_nobody_owns_administrators_are_asked() -> None:
    said = "Changes anywhere need one approval from administrators (nobody owns the folder)."
    for rules in (policy(), policy(CLINICAL)):
        assert missing(rules, ("legal/a",), BEN, CLARA) == (said,)
        assert missing(rules, ("legal/a", "other/b"), MARIA) == ()


def test_the_direct_way_and_whoever_asks_for_a_change() -> None:
    rules = policy(CLINICAL, SUPPORT)
    (said,) = verdict(rules, ("clinical/a",), digest="", approvals=()).missing
    assert said == (
        "Changes anywhere need review by Clinical Leads (they own clinical/). Propose it instead."
    )
    word = Approval(person=BEN, digest="d", verdict="changes", at=WHEN)
    assert "Ben asked" not in " ".join(verdict(rules, ("clinical/a",), approvals=(word,)).missing)
    assert "Ben asked for a change." in verdict(rules, ("support/a",), approvals=(word,)).missing


def test_only_the_owners_may_move_a_label_where_the_rule_says_so() -> None:
    rule = Rule(kind="release", label="production", approvals=0, may_release=("owners",))
    rules = policy(CLINICAL, SUPPORT, rules=(rule,))
    moved = verdict(rules, (), releases=(("production", "support/a"),))
    assert moved.allowed
    barred = verdict(rules, (), releases=(("production", "clinical/a"),)).barred
    assert barred == ("Only Clinical Leads (they own clinical/) may move production there.",)
    assert sentence(rule, {}) == (
        "Moving production anywhere needs no approval; only the folder’s owners may move it."
    )


# ── as people read it ───────────────────────────────────────────────────────────────────────────


def test_sentences() -> None:
    top = Owners(who=("role:admin", "person:3"))
    said = sentences(policy(top, SUPPORT, CLINICAL), GROUPS, {3: "Clara"})
    assert said == [
        "Changes anywhere need 1 approval from the folder’s owners other than the authors.",
        "clinical/ is owned by Clinical Leads.",
        "support/ is owned by Help Desk.",
        "Every other folder is owned by administrators and Clara.",
    ]
    assert sentences(policy(CLINICAL), GROUPS, {})[-1] == (
        "Where nobody owns the folder, administrators count as its owners."
    )
    assert sentences(policy(top, rules=()), {}, {3: "Clara"}) == [
        "Nothing needs review: whoever may save or release does so at once.",
        "Every folder is owned by administrators and Clara.",
    ]
    stand_in = "Where nobody owns the folder, administrators count as its owners."
    for folder, some in (("clinical", False), ("clinical/a", False), ("clinicals", True)):
        rule = Rule(kind="change", folder=folder, who=("owners",))
        assert (stand_in in sentences(policy(CLINICAL, rules=(rule,)), GROUPS, {})) is some
    asked = rule_for(policy(top), "change", "legal/a")
    assert asked is not None
    assert "administrators or Clara (they own what nobody else does) other" in sentence(
        asked, called({}, {3: "Clara"})
    )
    mixed = Rule(kind="change", folder="clinical", who=("role:reviewer", "owners"))
    asked = rule_for(policy(CLINICAL, rules=(mixed,)), "change", "clinical/a")
    assert asked is not None
    assert sentence(asked, called(GROUPS, {})) == (
        "Changes under clinical/ need 1 approval from reviewers, or Clinical Leads (they own "
        "clinical/) other than the authors."
    )


# ── what can be kept ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("folder", "who", "said"),
    [
        ("clinical", (), "Say who owns"), ("clinical", ("owners",), "nobody"),
        ("clinical", ("role:editor",), "nobody"), ("clinical/", ("role:admin",), "not a folder"),
        ("../x", ("role:admin",), "not a folder"),
        ("clinical", ("person:1", "person:1"), "no entry twice"),
        ("clinical", tuple(f"person:{one}" for one in range(1, 52)), "at most 50"),
    ],
)  # fmt: skip
def test_owners_that_cannot_be_kept_are_refused(
    folder: str, who: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        Owners(folder=folder, who=who)


def test_a_folder_has_its_owners_once_and_a_hundred_have_some() -> None:
    with pytest.raises(Invalid, match="said once"):
        policy(CLINICAL, msgspec.structs.replace(SUPPORT, folder="clinical"))
    many = [Owners(folder=f"f{one}", who=("role:admin",)) for one in range(101)]
    policy(*many[:100])
    with pytest.raises(Invalid, match="At most 100"):
        policy(*many)


def test_owners_count_as_named_and_rules_kept_before_there_were_any_are_read() -> None:
    named = policy(CLINICAL, Owners(folder="x", who=("person:3",)))
    assert named.named("group") == {LEADS}
    assert named.named("person") == {3}
    old = b'{"rules": [{"kind": "change"}], "change_needs": 1, "edits": [], "roles": []}'
    assert msgspec.json.decode(old, type=Kept).owners == ()
    kept = Kept(rules=named.rules, owners=named.owners)
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Kept) == kept
