"""Asking for labels to be moved: one or many, of one prompt or many, all of them or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hub.errors import Conflict, Invalid, NotFound
from hub.registry.git import deploy_file
from hub.registry.git.commits import Change, Plan
from hub.registry.git.deploy_file import ALL
from hub.registry.git.git_terms import DEPLOY
from hub.registry.indexing.ledger import Aside, Held, Known, Ledger, Pointed
from hub.registry.prompt import names
from hub.registry.writing.asks import Ask, Later, Settled, alive, whole_second
from hub.registry.writing.edits import beside_of, label_gone

MOST = 1000


class Move(msgspec.Struct, frozen=True):
    """Point `label` of the prompt at `version`; None takes it off."""

    label: str
    name: str
    version: int | None
    expected: int | UnsetType | None = UNSET
    """Where the person saw it (None: not set). UNSET: wherever it is."""
    share: int = ALL
    """Of 10,000: so much of the readers get the version, the others what they get now."""
    beside: Aside | UnsetType | None = UNSET
    """The smaller share where the person saw it (None: there was none). UNSET: whatever it is."""

    @property
    def some(self) -> str:
        """Percent of the readers who get it; empty: everybody."""
        return f"{self.share / 100:g}" if self.share != ALL else ""


class LabelMoved(Conflict):
    """The label is not where the person saw it; `facts["current"]` is where it is."""

    def __init__(
        self, label: str, name: str, expected: int | None, current: int | None, others: int = 0
    ) -> None:
        more = f" ({others} more moved as well.)" if others else ""
        super().__init__(
            f"{label} of {name} {_place(current)} now, not {_place(expected, 'at')} as when you "
            f"looked. Nothing was moved. Look again, then decide.{more}",
            label=label,
            name=name,
            expected=expected,
            current=current,
        )


def _place(version: int | None, at: str = "is at") -> str:
    if version is None:
        return "is not set" if at == "is at" else "unset"
    return f"{at} version {version}"


def goal_of(move: Move, now: int | None, beside: Aside | None) -> tuple[int | None, Aside | None]:
    """The version of the larger share, and the smaller share if there are two.

    Args:
        now, beside: where the label is: the version of the larger share, and the smaller one.

    Raises:
        Invalid: there is nothing that the others could get, or nobody who could get a newer one.
        Conflict: another version is being released step by step.
    """
    version, share = move.version, move.share
    if version is None or share == ALL:
        return version, None
    rest = _rest(move, version, now, beside)
    if share > ALL // 2:
        return version, Aside(version=rest, hash="", share=ALL - share, first=False)
    return rest, Aside(version=version, hash="", share=share, first=True)


def _rest(move: Move, version: int, now: int | None, beside: Aside | None) -> int:
    """What the others get: what everybody got before the newcomer."""
    if now is None:
        raise Invalid(
            f"{move.label} of {move.name} is not set, so there is nothing that the others could "
            "get. Release it to everybody."
        )
    new = rest = now
    if beside is not None:
        new, rest = (beside.version, now) if beside.first else (now, beside.version)
        if version not in (new, rest):
            raise Conflict(
                f"Version {new} of {move.name} is being released step by step. Finish that or "
                "undo it first."
            )
    if version == rest:
        raise Invalid(
            f"Version {version} of {move.name} is what everybody got before. Release a newer one "
            "to some, or undo what is under way."
        )
    return rest


class _Step(msgspec.Struct):
    """One move, against where its label is."""

    move: Move
    held: Held
    now: Pointed | None

    @property
    def old(self) -> int | None:
        return self.now.version if self.now else None

    @property
    def same(self) -> bool:
        beside = self.now.beside if self.now else None
        there = msgspec.structs.replace(beside, hash="") if beside else None
        return self.goal == (self.old, there)

    @property
    def goal(self) -> tuple[int | None, Aside | None]:
        return goal_of(self.move, self.old, self.now.beside if self.now else None)

    @property
    def moved_meanwhile(self) -> bool:
        return self.move.expected is not UNSET and self.move.expected != self.old

    @property
    def shared_meanwhile(self) -> bool:
        """A release step by step began, went on or ended while the larger share stayed."""
        seen = self.move.beside
        return seen is not UNSET and seen != (self.now.beside if self.now else None)

    @property
    def said(self) -> str:
        if self.move.version is None:
            return f"Take {self.move.label} off {self.move.name}"
        if self.move.some:
            to = f"{self.move.some} % of {self.move.label} of {self.move.name}"
            return f"Give {to} version {self.move.version}"
        return f"Move {self.move.label} of {self.move.name} to version {self.move.version}"


@dataclass(kw_only=True)
class Release(Ask):
    """Do all these moves in one commit, or none of them."""

    moves: tuple[Move, ...]
    labelled: bool = True
    action: str = "label.moved"

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.moves)
        self.names = {move.name for move in self.moves}

    def parts(self) -> tuple[Any, ...]:
        said = [
            (one.label, one.name, one.version, str(one.expected))
            + ((one.share,) if one.share != ALL else ())
            for one in self.moves
        ]
        glass = (self.broke_glass,) if self.broke_glass else ()
        glass += ("despite", self.despite) if self.despite else ()
        if len(said) == 1:
            return ("point", *said[0], self.message, *glass)
        return ("release", *said, self.message, *glass)

    def subjects(self) -> list[str]:
        return [f"{move.label} {move.name}" for move in self.moves]

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        asked = [(ledger.at(move.name), move.version) for move in self.moves]
        return {(held.id, version) for held, version in asked if held and version is not None}

    def settle(self, ledger: Ledger) -> Settled:
        steps = [self._look(ledger, move) for move in self.moves]
        moved = [step for step in steps if step.moved_meanwhile]
        if moved:
            first = moved[0]
            expected = first.move.expected
            assert not isinstance(expected, UnsetType)
            raise LabelMoved(
                first.move.label, first.move.name, expected, first.old, others=len(moved) - 1
            )
        for step in steps:
            if step.shared_meanwhile:
                raise Conflict(
                    f"Who gets which version of {step.move.name} in {step.move.label} has changed "
                    "meanwhile. Nothing was moved. Look again, then decide."
                )
        going = [step for step in steps if not step.same]
        if not going:
            return Settled([], self._answer(steps, None))
        files = [file for step in going for file in self._files(ledger, step)]
        plan = self.plan(DEPLOY, _said(going), files, **_trailers(going))
        return Settled([plan], self._answer(steps, plan))

    def _look(self, ledger: Ledger, move: Move) -> _Step:
        held = alive(ledger, move.name)
        return _Step(move, held, ledger.labels.get((move.label, held.id)))

    def _files(self, ledger: Ledger, step: _Step) -> list[Change]:
        label, held = step.move.label, step.held
        if step.move.version is None:
            return label_gone(ledger, held, label)
        _version(ledger, step, step.move.version)
        larger, beside = step.goal
        known = _version(ledger, step, larger)
        at = self.at = whole_second(self.at)
        pointer = deploy_file.Pointer(
            prompt=held.id, version=known.number, blob=known.blob, hash=known.hash,
            commit=known.commit_id, by=self.actor.name, at=at, why=self.message or step.said,
            beside=beside_of(ledger, held.id, beside),
        )  # fmt: skip
        gone = [
            Change(deploy_file.path_of(label, name), old="-")
            for name in ledger.former_names(held.id)
        ]
        path = deploy_file.path_of(label, step.move.name)
        return [*gone, Change(path, new="-", data=deploy_file.serialise(pointer))]

    def _answer(self, steps: list[_Step], plan: Plan | None) -> Callable[[], dict[str, Any]]:
        def one(step: _Step) -> dict[str, Any]:
            made = plan.commit if plan and not step.same else None
            return {
                "label": step.move.label, "name": step.move.name, "id": step.held.id,
                "old": step.old, "new": step.goal[0],
                "commit": made.id if made else "",
                "author": made.author if made else self.actor.name,
                "reason": made.message if made else self.message,
                "at": (made.at if made else whole_second(self.at)).isoformat(),
            }  # fmt: skip

        return lambda: {"moves": [one(step) for step in steps]}


def check(moves: tuple[Move, ...]) -> None:
    """Raises:
    Invalid: no moves, too many, or the same label of the same prompt twice.
    """
    if not 1 <= len(moves) <= MOST:
        raise Invalid(f"Choose at least one prompt to release, and at most {MOST:,} at once.")
    for move in moves:
        names.check_label(move.label)
        if not 1 <= move.share <= ALL:
            raise Invalid("A share is more than nothing, and at most all.")
    (label, name), times = Counter((one.label, one.name) for one in moves).most_common(1)[0]
    if times > 1:
        raise Invalid(f"{label} of {name} is asked for {times} times. Choose one version of it.")


def _version(ledger: Ledger, step: _Step, number: int | None) -> Known:
    held, number = step.held, number or 0
    known = ledger.versions.get((held.id, number))
    if known is None:
        raise NotFound(
            f"{step.move.name} has no version {number}; its newest is {held.head}. "
            "Choose one of its history."
        )
    if not known.commit_id:
        raise Later
    return known


def _said(going: list[_Step]) -> str:
    if len(going) == 1:
        return going[0].said
    labels = sorted({step.move.label for step in going})
    count = len({step.move.name for step in going})
    return f"Move {', '.join(labels)} of {count} prompt{'' if count == 1 else 's'}"


def _trailers(going: list[_Step]) -> dict[str, str]:
    if len(going) == 1:
        return {"Prompt": going[0].move.name, "Label": going[0].move.label}
    return {"Prompts": str(len({step.move.name for step in going}))}
