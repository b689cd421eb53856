"""Who must agree before a text becomes the team's, and before a label moves: values and one judge.

Pure: what is looked at is read beforehand, in one snapshot, by `hub.people.rules_store`.
"""

from hub.people.rules.judge import Approval, Case, Person, Verdict, counts, folded, judge
from hub.people.rules.values import (
    FREE,
    MOST_APPROVALS,
    MOST_NAMED,
    MOST_OWNERS,
    MOST_RULES,
    GroupEdit,
    Kept,
    Kind,
    Owners,
    Policy,
    RoleEdit,
    Rule,
    anybody,
    matches,
    owners_of,
    plain,
    rule_for,
)
from hub.people.rules.words import called, in_order, sentence, sentences, who_words

__all__ = [
    "FREE", "MOST_APPROVALS", "MOST_NAMED", "MOST_OWNERS", "MOST_RULES", "Approval", "Case",
    "GroupEdit", "Kept", "Kind", "Owners", "Person", "Policy", "RoleEdit", "Rule", "Verdict",
    "anybody", "called", "counts", "folded", "in_order", "judge", "matches", "owners_of", "plain",
    "rule_for", "sentence", "sentences", "who_words",
]  # fmt: skip
