"""The one gate: whatever is about to be written is judged by the rules, whichever door it came by.

It asks the commits themselves what they touch, not the request: no door can forget to say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.errors import Forbidden
from hub.people import rules_store
from hub.people.rules import Approval, Case, Person, Verdict, folded, judge, rule_for
from hub.registry.indexing.ledger import Ledger
from hub.registry.review import live_callers, on_record, writers
from hub.registry.review.follow_proposals import BROKE_GLASS, HeldProposal
from hub.registry.review.merging import Merge
from hub.registry.review.rows import accounts_of
from hub.registry.review.touched import Placed, Touched, both, touched
from hub.registry.writing.asks import Ask, Settled

ON_RECORD = "on record"
"""Stands for a digest where approvals were looked up by content."""


class NeedsReview(Forbidden):
    """The rules ask for something that is not there; `missing` and `barred` say what."""

    def __init__(self, verdict: Verdict, **facts: Any) -> None:
        self.verdict = verdict
        super().__init__(
            " ".join(dict.fromkeys((*verdict.barred, *verdict.missing))),
            missing=list(verdict.missing), barred=list(verdict.barred), **facts,
        )  # fmt: skip


class Seen(msgspec.Struct, frozen=True):
    """What judging rests on, read in the snapshot that the asks are settled by."""

    rules: rules_store.Loaded
    people: dict[int, Person] = {}
    by_email: dict[str, int] = {}
    versions: dict[on_record.Key, on_record.OnRecord] = {}
    moves: on_record.Moves = on_record.Moves({})
    carried: dict[int, writers.Writers] = {}
    """By proposal: who wrote the texts that it carries along."""
    programs: live_callers.Programs = live_callers.Programs()
    """What running programs read and pass."""


def look(db: Connection, ledger: Ledger, asks: Sequence[Ask]) -> Seen:
    """Read it; one small statement where a workspace has no rules and nothing is merged."""
    rules = rules_store.load(db, ledger.workspace_id)
    merging = any(isinstance(ask, Merge) for ask in asks)
    if not rules.policy.rules and not merging:
        return Seen(rules, programs=live_callers.look(db, ledger, asks))
    versions: dict[on_record.Key, on_record.OnRecord] = {}
    moves = on_record.Moves({})
    labelled = [ask for ask in asks if ask.labelled]
    if labelled and any(rule.kind == "release" for rule in rules.policy.rules):
        keys = {key for ask in labelled for key in ask.versions_wanted(ledger)}
        keys |= {(id, to.version) for (_, id), to in ledger.labels.items()}
        versions = on_record.load_versions(db, ledger, keys)
        moves = on_record.load_moves(db, ledger, {id for id, _ in keys})
    emails = {one.email for record in versions.values() for one in record.approved}
    by_email = accounts_of(db, emails)
    ids = {ask.actor.account_id for ask in asks} | set(by_email.values())
    ids |= {word.account_id for held in ledger.proposals.values() for word in held.words}
    people = rules_store.people_now(db, ledger.workspace_id, {id for id in ids if id is not None})
    carried = {
        number: writers.of_texts(db, ledger.workspace_id, rules.policy, held.parts)
        for number, held in ledger.proposals.items()
    }
    programs = live_callers.look(db, ledger, asks)
    return Seen(rules, people, by_email, versions, moves, carried, programs)


def check(seen: Seen, ledger: Ledger, ask: Ask, settled: Settled) -> None:
    """Raise unless the rules allow what these commits do.

    Raises:
        NeedsReview: the sentence says what is missing, or who can.
        BreaksPrograms: programs that run now could not go on.
    """
    ask.breaks_glass = False  # it may have been judged before
    does = touched(settled.plans)
    does = Touched(does.names, both(ledger, does.labels))
    if isinstance(ask, Merge):
        _check_merge(seen, ledger.proposals[ask.number], ask, settled, does)
    elif seen.rules.policy.rules:
        for case in _direct(seen, ask, does):
            _judge(case, ask, settled)
    live_callers.check(seen.programs, ledger, ask, settled, does.labels)


def _judge(case: Case, ask: Ask, settled: Settled, **facts: Any) -> None:
    verdict = judge(case)
    if not verdict.allowed:
        raise NeedsReview(verdict, **facts)
    ask.breaks_glass = verdict.breaks_glass or ask.breaks_glass
    if verdict.breaks_glass:
        for plan in settled.plans:
            plan.commit.trailers[BROKE_GLASS] = ask.broke_glass


def _case(seen: Seen, ask: Ask, **more: Any) -> Case:
    return Case(
        policy=seen.rules.policy, actor=ask.actor,
        mover=seen.people.get(ask.actor.account_id or 0), broke_glass=ask.broke_glass,
        called=seen.rules.called, **more,
    )  # fmt: skip


def _check_merge(
    seen: Seen, held: HeldProposal, ask: Merge, settled: Settled, does: Touched
) -> None:
    policy = seen.rules.policy
    moved = [
        (one.label, name)
        for one in does.labels for name in sorted(one.names)
        if not one.along or rule_for(policy, "release", name, one.label)
    ]  # fmt: skip
    ids, emails = seen.carried[held.number]
    case = _case(
        seen, ask, names=does.names, releases=tuple(moved), digest=held.digest,
        approvals=_words(seen, held), authors=held.writers | ids,
        author_emails=held.writer_emails | emails, checks=held.checks,
    )  # fmt: skip
    _judge(case, ask, settled, number=held.number)
    approvers = [f"{one.name} <{one.email}>" for one in sound_approvers(case)]
    if approvers:
        blobs = [part.blob for part in held.parts if part.blob]
        blobs += [one.blob for one in does.labels if one.blob]
        for plan in settled.plans:
            if "Digest" in plan.commit.trailers:
                plan.commit.trailers["Approved-blob"] = "\n".join(dict.fromkeys(blobs))
                plan.commit.trailers["Reviewed-by"] = "\n".join(approvers)


def _words(seen: Seen, held: HeldProposal) -> tuple[Approval, ...]:
    return tuple(
        Approval(
            person=seen.people.get(one.account_id)
            or Person(account_id=one.account_id, name=one.name, email=one.email, role=""),
            digest=one.digest, verdict=one.verdict, at=one.at, stands=one.stands,
        )
        for one in held.words
    )  # fmt: skip


def sound_approvers(case: Case) -> list[Person]:
    """Members who approved exactly this and wrote nothing of it, whether a rule asks or not."""
    emails = {folded(one) for one in case.author_emails}
    return [
        one.person for one in case.approvals
        if one.verdict == "approve" and one.digest == case.digest and one.person.role
        and one.person.account_id not in case.authors
        and folded(one.person.email) not in emails
    ]  # fmt: skip


def _direct(seen: Seen, ask: Ask, does: Touched) -> list[Case]:
    """A save, a rename, a release…: the names together, each label by itself."""
    policy = seen.rules.policy
    ruled = tuple(name for name in does.names if rule_for(policy, "change", name))
    cases = [_case(seen, ask, names=ruled)] if ruled else []
    for one in does.labels:
        places = tuple(
            (one.label, name)
            for name in sorted(one.names) if rule_for(policy, "release", name, one.label)
        )  # fmt: skip
        if places:
            cases.append(_label_case(seen, ask, one, places))
    return cases


def _label_case(seen: Seen, ask: Ask, one: Placed, places: tuple[tuple[str, str], ...]) -> Case:
    if one.new is None:  # taken off: nobody wrote that, and nobody has approved it yet
        record = on_record.OnRecord()
    else:  # of what was not looked up, whoever asks may be the author
        mine = {ask.actor.account_id or 0}
        record = seen.versions.get((one.prompt_id, one.new), on_record.OnRecord(writers=mine))
    approvals = [
        Approval(person=seen.people[id], digest=ON_RECORD, verdict="approve", at=said.at)
        for said in record.approved
        if said.target == one.label and (id := seen.by_email.get(said.email)) in seen.people
    ]  # fmt: skip
    policy = seen.rules.policy
    rules = {rule_for(policy, "release", name, label) for label, name in places}
    back = not one.along and seen.moves.goes_back(
        one.label, one.prompt_id, one.new,
        lambda name: {rule_for(policy, "release", name, one.label)} == rules,
    )  # fmt: skip
    return _case(
        seen, ask, releases=places, digest=ON_RECORD, approvals=tuple(approvals),
        authors=frozenset(record.writers), author_emails=frozenset(record.emails),
        checks=record.checks, rolls_back=back,
    )  # fmt: skip
