"""Asking for what another repository has to be taken into main: one commit that stands on both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.errors import Conflict, Invalid
from hub.people.rules import folded
from hub.registry.git.commits import (
    HUB_EMAIL,
    Change,
    Plan,
    clean_email,
    clean_message,
    clean_name,
    words_in,
)
from hub.registry.git.git_terms import DEPLOY, MAIN
from hub.registry.indexing.ledger import Held, Ledger
from hub.registry.indexing.reading import Reading, blob_id, read
from hub.registry.prompt import names
from hub.registry.prompt.document import Document, parse, serialise
from hub.registry.prompt.includes import includes
from hub.registry.writing.arriving import Other, Piece
from hub.registry.writing.asks import Ask, Settled, new_id
from hub.registry.writing.edits import label_gone, labels_along
from hub.registry.writing.saves import Put, check_free, check_includes

_COAUTHORS = 20
_HEAD = re.compile(r"^author (.*?) ?<([^<>\n]*)>", re.M)
_NOBODY = re.compile(rf"no-?reply@.*|{re.escape(HUB_EMAIL)}", re.I)
"""The committer of what people do on a forge's own pages, or a hub's."""


def is_nobody(email: str) -> bool:
    """Whether a machine committed it: a forge's own pages, or a hub."""
    return bool(_NOBODY.fullmatch(email))


class MainMoved(Conflict):
    """Main is not what the other side was compared with; compare again."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was changed meanwhile. Nothing was taken in; it is tried again.")


class Told(msgspec.Struct, frozen=True):
    """What the commits that arrive say, the newest first."""

    subjects: tuple[str, ...]
    authors: tuple[tuple[str, str], ...]
    """Name and address of whoever wrote or committed them, each once; the first wrote the last."""
    linked: tuple[tuple[str, str], ...] = ()
    """Of those who linked the place that it comes from: whom its commits name is a claim, and they
    could make some, so they count as authors, too."""
    members: frozenset[str] = frozenset()
    """Addresses (`folded`) of people here, who could approve it: all of them are named."""

    @classmethod
    def by(cls, bodies: list[bytes]) -> Told:
        """Of whole commit objects."""
        subjects: list[str] = []
        authors: dict[tuple[str, str], None] = {}
        for body in bodies:
            words = words_in(body.partition(b"\n\n")[0])
            head, _, text = body.decode(words, "replace").partition("\n\n")
            subjects.append(clean_message(text).partition("\n")[0].strip())
            if found := _HEAD.search(head):
                authors[clean_name(found[1]), clean_email(found[2])] = None
        return cls(tuple(subjects), tuple(authors))

    def also(self, people: Iterable[tuple[str, str]]) -> Told:
        """With these people behind them, too, but for machines."""
        known = dict.fromkeys(self.authors)
        for name, email in people:
            if not is_nobody(email):
                known[clean_name(name), clean_email(email)] = None
        return msgspec.structs.replace(self, authors=tuple(known))

    def co_authors(self, but: str = "") -> str:
        """A line for each, but for whoever has that address; and for those who linked."""
        others = [one for one in self.authors if one[1].lower() != but.lower()]
        ours = [one for one in others if folded(one[1]) in self.members]
        more = [one for one in others if one not in ours][: max(0, _COAUTHORS - len(ours))]
        lines = [f"Co-authored-by: {name} <{mail}>" for name, mail in (*ours, *more)]
        lines += [f"Linked-by: {clean_name(name)} <{clean_email(m)}>" for name, m in self.linked]
        return "\n".join(lines)


@dataclass(kw_only=True)
class Join(Ask):
    """Take `tip` in: its commits become part of main's history, and of its texts the pieces."""

    tip: str
    pieces: tuple[Piece, ...] = ()
    others: tuple[Other, ...] = ()
    told: Told = field(default_factory=lambda: Told((), ()))
    action: str = "remote.taken-in"
    labelled: bool = True
    _texts: dict[str, tuple[bytes, Reading]] = field(
        default_factory=dict[str, tuple[bytes, Reading]]
    )
    _included: dict[str, frozenset[tuple[str, int]]] = field(
        default_factory=dict[str, frozenset[tuple[str, int]]]
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        arriving = {one.lands_at for one in self.pieces}
        for one in self.pieces:
            if one.data is None:
                continue
            data = one.data if one.held else with_id(one.data)
            reading = read(data)
            self._texts[one.lands_at] = (data, reading)
            pins = frozenset[tuple[str, int]]() if reading.problem else includes(parse(data))
            # What comes along cannot be looked up yet; its number is what it will get.
            self._included[one.lands_at] = frozenset(p for p in pins if p[0] not in arriving)
        self.names = {one.name for one in self.pieces} | arriving
        self.names |= {name for pins in self._included.values() for name, _ in pins}
        self.ids = {reading.id for _, reading in self._texts.values() if reading.id}

    def parts(self) -> tuple[Any, ...]:
        return ("join", self.tip, *((one.lands_at, one.held, one.data) for one in self.pieces))

    def subjects(self) -> list[str]:
        return [f"{self.message} ({self.tip[:10]})"]

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        found: set[tuple[str, int]] = set()
        for pins in self._included.values():
            for name, number in pins:
                held = ledger.at(name)
                if id := held.id if held else ledger.former.get(name):
                    found.add((id, number))
        ids = {held.id for one in self.pieces if (held := ledger.at(one.name))}
        return found | {(id, to.version) for (_, id), to in ledger.labels.items() if id in ids}

    def settle(self, ledger: Ledger) -> Settled:
        changes = [change for one in self.pieces for change in self._changes(ledger, one)]
        changes += [
            Change(one.path, new=one.blob, mode=one.mode if one.blob else "000000")
            for one in self.others
        ]
        plan = self.plan(MAIN, self.message, changes, Prompts=str(len(self.pieces)))
        plan.commit.second = self.tip
        self._sign(plan)
        plans = [plan]
        if files := [file for one in self.pieces for file in _labels(ledger, one)]:
            plans.append(self.plan(DEPLOY, self.message, files))
        return Settled(plans, lambda: {"commit": plan.commit.id})

    def _changes(self, ledger: Ledger, one: Piece) -> list[Change]:
        held = ledger.at(one.name)
        if (held.blob if held else None) != one.held:
            raise MainMoved(one.name)
        gone = [Change(names.path_of(one.name), old=one.held)]
        if one.data is None:
            return gone
        data, reading = self._texts[one.lands_at]
        at = held if one.new_name is None else self._free(ledger, one, held)
        if held is None:
            check_free(ledger, one.name)
        _check_id(ledger, one, reading, held)
        put = Put(one.lands_at, Document(), None, self._included[one.lands_at])
        check_includes(ledger, put)
        new = Change(
            names.path_of(one.lands_at), old=at.blob if at else None, new=blob_id(data),
            data=data, reading=reading,
        )  # fmt: skip
        return [*(gone if one.new_name else []), new]

    def _free(self, ledger: Ledger, one: Piece, held: Held | None) -> None:
        if ledger.at(one.lands_at) is not None:
            raise MainMoved(one.lands_at)
        check_free(ledger, one.lands_at, held.id if held else None)

    def _sign(self, plan: Plan) -> None:
        """In the name of who wrote it last; the others are named below."""
        if self.told.authors:
            plan.commit.author, plan.commit.email = self.told.authors[0]
        news = [f"- {one[:200]}" for one in self.told.subjects[:50]]
        more = "\n".join(news) if len(news) > 1 else ""
        others = self.told.co_authors(plan.commit.email)
        plan.commit.message = "\n\n".join(filter(None, (self.message, more, others)))


def _labels(ledger: Ledger, one: Piece) -> list[Change]:
    """Labels go where their prompt goes, and with it when it goes."""
    held = ledger.at(one.name)
    if held is None:
        return []
    if one.data is None:
        return [file for name in sorted(ledger.labels_of(held.id))
                for file in label_gone(ledger, held, name)]  # fmt: skip
    return labels_along(ledger, held, one.new_name) if one.new_name else []


def _check_id(ledger: Ledger, one: Piece, reading: Reading, held: Held | None) -> None:
    """Raises:
    Invalid: the file names another prompt, which lives elsewhere.
    """
    known = ledger.prompts.get(reading.id or "")
    if known is None or known is held or known.deleted_at is not None:
        return
    path = one.lands_at + names.SUFFIX
    raise Invalid(
        f"{path}: it has the same `id` as {known.name}. Take the line `id: {known.id}` out of it."
    )


def with_id(data: bytes) -> bytes:
    """A new prompt's file, with an id: a rebuilt index must know it by the same one."""
    document = parse(data)
    if document.id is not None:
        return data
    return serialise(msgspec.structs.replace(document, id=new_id()))
