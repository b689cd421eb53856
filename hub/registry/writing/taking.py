"""What asking for commits to be taken as they are has in common, whichever branch they are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from hub.registry.git import brought
from hub.registry.git.commits import Plan, clean_email, clean_name
from hub.registry.git.git_terms import PUSHED
from hub.registry.git.line import Line, Overtaken
from hub.registry.indexing.ledger import Ledger
from hub.registry.writing.asks import Ask, Settled, address_of


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    commit: str
    versions: tuple[tuple[str, int], ...] = ()
    """Name and number of each that it made."""
    moves: tuple[tuple[str, str, int | None], ...] = ()
    """Label, name and version."""


@dataclass(kw_only=True)
class TakeLine(Ask):
    """Take a line of commits as it is."""

    line: Line
    answers: bool = True
    """Whoever asks counts as the author, in place of whoever the commits name."""
    others: tuple[tuple[str, str], ...] = ()
    """Name and address of who answers for them beside whoever they name."""
    labelled: bool = True
    action: str = "history.pushed"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.answers:
            who = clean_name(self.actor.name), clean_email(address_of(self.actor))
            for step in self.line.steps:
                step.commit.brought_by = who

    def parts(self) -> tuple[Any, ...]:
        return ("arrive", self.line.ref, self.line.old, self.line.new)

    def subjects(self) -> list[str]:
        return [self.line.ref.rpartition("/")[2]]

    def detail(self) -> dict[str, Any]:
        """Whom the commits name, beside who brought them."""
        named = {f"{one.author} <{one.email}>" for one in (s.commit for s in self.line.steps)}
        return super().detail() | {"authors": sorted(named)[:20]}

    def check_tip(self, ledger: Ledger) -> None:
        """Raises:
        Overtaken: the branch is not where the line begins.
        """
        if ledger.tips.get(self.line.ref) != self.line.old:
            raise Overtaken(self.line.ref)

    def steps(self) -> list[Plan]:
        """The commits that are there."""
        return [Plan(self.line.ref, None, step.commit, there=True) for step in self.line.steps]

    def settled(self, ledger: Ledger, plans: list[Plan]) -> Settled:
        """With the note of who brought them."""
        ids = [step.commit.id for step in self.line.steps]
        email = address_of(self.actor) if self.answers else ""
        said = brought.notes(ids, self.actor.name, email, self.others)
        plans.append(self.plan(PUSHED, f"Pushed to {self.subjects()[0]}", said))
        return Settled(plans, lambda: _answer(ledger, self.line, plans))


def _answer(ledger: Ledger, line: Line, plans: list[Plan]) -> dict[str, Any]:
    mine = [plan.commit for plan in plans]
    return {
        "commit": line.new,
        "versions": [
            (one.name, one.number) for one in ledger.new_versions
            if any(one.commit is commit for commit in mine)
        ],
        "moves": [
            (one.label, one.name, one.new) for one in ledger.moves
            if any(one.commit is commit for commit in mine)
        ],
    }  # fmt: skip
