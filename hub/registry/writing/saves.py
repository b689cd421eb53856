"""Asking for contents to be saved, one or many, as one commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.errors import Conflict, NotFound
from hub.registry.git.commits import Change, Plan
from hub.registry.git.git_terms import MAIN
from hub.registry.indexing.ledger import Held, Known, Ledger
from hub.registry.indexing.reading import ID, Reading, blob_id, reading_of
from hub.registry.prompt import names
from hub.registry.prompt.document import Document, serialise
from hub.registry.writing.asks import (
    Ask,
    BaseMoved,
    Later,
    Saved,
    Settled,
    alive,
    new_id,
    newest_dead,
)

ANY = "any"
"""In place of a base: whatever is there, put this over it (imports)."""


class Put(msgspec.Struct):
    """A content for a name; `base` is the hash it was edited from, None if it is to be new."""

    name: str
    document: Document
    base: str | None
    includes: frozenset[tuple[str, int]] = frozenset()


class Written(msgspec.Struct):
    put: Put
    id: str
    reading: Reading
    old: Held | None
    same: bool = False
    """Nothing changed. Decided at once: `old` is the ledger's own and moves on with it."""
    head: int = 0
    """The newest version before."""

    def __post_init__(self) -> None:
        old = self.old
        self.same = old is not None and old.problem is None and old.hash == self.reading.hash
        self.head = old.head if old else 0


@dataclass(kw_only=True)
class Save(Ask):
    """Put one or more contents, as one commit."""

    puts: list[Put] = field(default_factory=list[Put])
    readings: dict[str, Reading] = field(default_factory=dict[str, Reading])
    action: str = "version.saved"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.names = {put.name for put in self.puts}
        self.names |= {name for put in self.puts for name, _ in put.includes}
        self.ids = {put.document.id for put in self.puts if put.document.id}
        for put in self.puts:
            names.check_name(put.name)
            # Serialised here, while the batch before is being written; once more if the id differs.
            if put.document.id is not None:
                self.readings[put.name] = reading_for(put.document)

    def parts(self) -> tuple[Any, ...]:
        puts = tuple((put.name, put.base, serialise(put.document)) for put in self.puts)
        return ("save", puts, self.message)

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        wanted: set[tuple[str, int]] = set()
        for put in self.puts:
            held = ledger.at(put.name)
            reading = self.readings.get(put.name)
            if held and held.head and not (reading and put.base == held.hash != reading.hash):
                wanted.add((held.id, held.head))
            for name, number in put.includes:
                if id := _id_of(ledger, name):
                    wanted.add((id, number))
        return wanted

    def settle(self, ledger: Ledger) -> Settled:
        written = self.written(ledger)
        plans = self.planned(written)
        return Settled(
            plans, lambda: {"saved": [answer_for(ledger, one, plans) for one in written]}
        )

    def written(self, ledger: Ledger) -> list[Written]:
        """What each put comes to; raises as `settle`."""
        ids = set(ledger.prompts)
        return [self._settle_one(ledger, put, ids) for put in self.puts]

    def planned(self, written: list[Written]) -> list[Plan]:
        """The commit of what has changed, if anything has."""
        changed = [one for one in written if not one.same]
        changes = [
            Change(
                path=names.path_of(one.put.name), old=one.old.blob if one.old else None,
                new=blob_id(one.reading.data), data=one.reading.data, reading=one.reading,
            )
            for one in changed
        ]  # fmt: skip
        return [self.plan(MAIN, _said(changed), changes, **_trailer(changed))] if changed else []

    def _settle_one(self, ledger: Ledger, put: Put, ids: set[str]) -> Written:
        """What one put comes to; `ids` are those in use, and grow."""
        held = ledger.at(put.name)
        if put.base is None and held is not None:
            by_app = self.actor.kind == "key"
            raise Conflict(_taken(put.name, by_app=by_app), current=_current(ledger, held))
        if put.base is not None and put.base != ANY:
            held = alive(ledger, put.name)
            if put.base != held.hash:
                raise BaseMoved(put.name, _current(ledger, held))
        if held is None:
            check_free(ledger, put.name)
        check_includes(ledger, put)
        id = held.id if held else _free_id(ids, put.document.id)
        ids.add(id)
        reading = self.readings.get(put.name)
        if reading is None or reading.id != id:
            reading = reading_for(msgspec.structs.replace(put.document, id=id))
        return Written(put, id, reading, held)


def reading_for(document: Document) -> Reading:
    return reading_of(document, serialise(document))


def answer_for(ledger: Ledger, one: Written, plans: list[Plan]) -> dict[str, Any]:
    for known in reversed(ledger.new_versions) if plans else ():
        if known.prompt_id == one.id and known.commit is plans[0].commit:
            return _saved(known, one.put.name, created=True)
    # Nothing had changed, or a broken file was mended to what it was: no new version.
    return _saved(ledger.versions[one.id, one.head], one.put.name, created=False)


def _saved(known: Known, name: str, *, created: bool) -> dict[str, Any]:
    saved = Saved(
        name=name, id=known.prompt_id, version=known.number, commit=known.commit_id,
        hash=known.hash, created=created,
    )  # fmt: skip
    return msgspec.structs.asdict(saved)


def _current(ledger: Ledger, held: Held) -> dict[str, Any]:
    known = ledger.versions.get((held.id, held.head))
    return {
        "version": held.head,
        "hash": held.hash,
        "author": known.author if known else held.changed_by,
        "message": known.message if known else held.change,
    }


def _taken(name: str, *, by_app: bool) -> str:
    if by_app:
        return (
            f"There is a prompt called {name} already. To save a new version of it, send the hash "
            "of its current version as `base`; to make another prompt, choose another name."
        )
    return f"There is a prompt called {name} already. Choose another name, or open it and edit it."


def _said(written: list[Written]) -> str:
    if len(written) == 1:
        return f"{'Change' if written[0].old else 'Create'} {written[0].put.name}"
    return f"Save {len(written)} prompts"


def _trailer(written: list[Written]) -> dict[str, str]:
    if len(written) == 1:
        return {"Prompt": written[0].put.name}
    return {"Prompts": str(len(written))}


def _free_id(ids: set[str], wanted: str | None) -> str:
    usable = wanted is not None and ID.fullmatch(wanted) and wanted not in ids
    return wanted if usable and wanted else new_id()


def check_free(ledger: Ledger, name: str, own: str | None = None) -> None:
    """A new name must not stand where another prompt's file or folder has to be, nor be one that
    texts include and mean another prompt by; `own`: the id of the prompt that wants it.

    Raises:
        Later: it must be looked up first who includes it.
    """
    for segment in name.split("/")[:-1]:
        if segment.endswith(".yml"):
            raise names.InvalidName(
                f"The folder `{segment}` may not end with `.yml`. Choose another name."
            )
    if (before := holders(ledger, name)) and own not in before:
        if name not in ledger.pinned:
            raise Later
        if ledger.pinned[name]:
            raise Conflict(
                f"{name} was the name of another prompt, and texts include it by that name: they "
                "would say something else. Choose another name, or bring the old prompt back."
            )


def holders(ledger: Ledger, name: str) -> set[str]:
    """Ids of prompts that had the name and have it no longer."""
    dead = {held.id for held in ledger.prompts.values() if held.name == name and held.deleted_at}
    return dead | {ledger.former[name]} if name in ledger.former else dead


def _id_of(ledger: Ledger, name: str) -> str | None:
    """The prompt of that name, living, dead or since renamed: its versions stay what they are."""
    dead = newest_dead(ledger, name)
    return ledger.live.get(name) or ledger.former.get(name) or (dead.id if dead else None)


def check_includes(ledger: Ledger, put: Put) -> None:
    """The snippets that the text pins must be there."""
    for name, number in sorted(put.includes):
        id = _id_of(ledger, name)
        if id is None:
            raise NotFound(
                f"The text includes {name}@{number}, but there is no prompt called {name} here. "
                "Correct the name, or take the line out."
            )
        if (id, number) not in ledger.versions:
            raise NotFound(
                f"The text includes {name}@{number}, but {name} has no version {number}. "
                "Correct the number."
            )
