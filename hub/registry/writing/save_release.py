"""Asking for a content to be saved and labels put upon it: both, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.errors import Invalid
from hub.registry.git import deploy_file
from hub.registry.git.commits import Change, Plan
from hub.registry.git.git_terms import DEPLOY
from hub.registry.indexing.ledger import Known, Ledger
from hub.registry.indexing.reading import blob_id
from hub.registry.prompt import names
from hub.registry.writing.asks import Later, Settled, new_id, whole_second
from hub.registry.writing.saves import Save, Written, answer_for, reading_for

MOST_LABELS = 100


@dataclass(kw_only=True)
class SaveAndRelease(Save):
    """Put one content, and point `labels` at the version that it is or becomes."""

    labels: tuple[str, ...]
    labelled: bool = True
    action: str = "version.released"

    def __post_init__(self) -> None:
        super().__post_init__()
        assert len(self.puts) == 1
        if len(self.labels) > MOST_LABELS:
            raise Invalid(f"A version is made with {MOST_LABELS} labels at most.")
        for label in self.labels:
            names.check_label(label)

    def parts(self) -> tuple[Any, ...]:
        return ("save and release", self.labels, *super().parts()[1:])

    def subjects(self) -> list[str]:
        return [f"{', '.join(self.labels)} {self.puts[0].name}"]

    def look(self, db: Connection, ledger: Ledger) -> None:
        """The text is looked at like one that is there: what it includes is judged with it."""
        document = self.puts[0].document
        id = document.id or new_id()
        reading = reading_for(msgspec.structs.replace(document, id=id))
        ledger.contents.setdefault(reading.hash, reading.data)

    def settle(self, ledger: Ledger) -> Settled:
        written = self.written(ledger)
        plans = self.planned(written)
        self.at = whole_second(self.at)
        made = plans[0] if plans else None
        if changes := self._pointers(ledger, written[0], made):
            name = written[0].put.name
            said = f"Move {', '.join(self.labels)} of {name} to what was saved"
            plans.append(self.plan(DEPLOY, said, changes, Prompt=name, Label=self.labels[0]))
        return Settled(
            plans, lambda: {"saved": [answer_for(ledger, one, plans[:1]) for one in written]}
        )

    def _pointers(self, ledger: Ledger, one: Written, made: Plan | None) -> list[Change]:
        known = _known(ledger, one)
        number = known.number if known else one.head + 1
        gone = ledger.former_names(one.id) if one.old else ()
        found: list[Change] = []
        for label in self.labels:
            now = ledger.labels.get((label, one.id))
            if now and (now.version, now.hash, now.beside) == (number, one.reading.hash, None):
                continue
            pointer = deploy_file.Pointer(
                prompt=one.id, version=number, blob=blob_id(one.reading.data),
                hash=one.reading.hash, commit=known.commit_id if known else deploy_file.AWAITED,
                by=self.actor.name, at=whole_second(self.at),
                why=self.message or f"Saved for {label}",
            )  # fmt: skip
            found += [Change(deploy_file.path_of(label, name), old="-") for name in gone]
            found.append(
                Change(
                    deploy_file.path_of(label, one.put.name), new="-",
                    data=deploy_file.serialise(pointer),
                    awaits=made.commit if made and not known else None,
                )
            )  # fmt: skip
        return found


def _known(ledger: Ledger, one: Written) -> Known | None:
    """The version that holds this content already; None: it becomes a new one.

    Raises:
        Later: the batch is still writing that version.
    """
    if one.old is None or not one.head or one.old.hash != one.reading.hash:
        return None
    known = ledger.versions[one.id, one.head]
    if not known.commit_id:
        raise Later
    return known
