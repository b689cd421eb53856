"""Asking for a prompt to be renamed, deleted, or put back to an old version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from hub.errors import Conflict, Forbidden, NotFound
from hub.people.policy import Need, allows
from hub.registry.git import deploy_file
from hub.registry.git.commits import Change, Plan
from hub.registry.git.git_terms import DEPLOY, MAIN
from hub.registry.indexing.ledger import Aside, Held, Known, Ledger
from hub.registry.indexing.reading import blob_id
from hub.registry.prompt import names
from hub.registry.prompt.document import parse
from hub.registry.writing.asks import Ask, Later, NoSuchPrompt, Settled, alive, newest_dead
from hub.registry.writing.saves import (
    ANY,
    Put,
    Written,
    answer_for,
    check_free,
    reading_for,
)


@dataclass(kw_only=True)
class Rename(Ask):
    """Give a prompt another name; its history, labels and old address go with it."""

    name: str
    new_name: str
    labelled: bool = True
    action: str = "prompt.renamed"

    def __post_init__(self) -> None:
        super().__post_init__()
        names.check_name(self.new_name)
        self.names = {self.name, self.new_name}

    def parts(self) -> tuple[Any, ...]:
        return ("rename", self.name, self.new_name, self.message, *self.insisting)

    def contents_wanted(self, ledger: Ledger) -> set[str]:
        held = ledger.at(self.name)
        return {held.hash} if held and held.hash else set()

    def settle(self, ledger: Ledger) -> Settled:
        held = alive(ledger, self.name)
        if ledger.at(self.new_name) is not None:
            raise Conflict(
                f"There is a prompt called {self.new_name} already. Choose another name."
            )
        if held.problem is not None:
            raise Conflict(f"The file of {self.name} is broken. Mend it first: {held.problem}")
        check_free(ledger, self.new_name, held.id)
        data = ledger.contents[held.hash]
        changes = [
            Change(names.path_of(self.name), old=held.blob),
            Change(names.path_of(self.new_name), new=held.blob, data=data),
        ]
        said = f"Rename {self.name} to {self.new_name}"
        plans = [self.plan(MAIN, said, changes, Prompt=self.new_name)]
        if files := labels_along(ledger, held, self.new_name):
            plans.append(self.plan(DEPLOY, said, files, Prompt=self.new_name))
        return Settled(plans, lambda: {"name": self.new_name, "id": held.id})


@dataclass(kw_only=True)
class Delete(Ask):
    """Take a prompt off main, and its labels with it; its versions stay."""

    name: str
    labelled: bool = True
    action: str = "prompt.deleted"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.names = {self.name}

    def parts(self) -> tuple[Any, ...]:
        return ("delete", self.name, self.message, *self.insisting)

    def settle(self, ledger: Ledger) -> Settled:
        held = alive(ledger, self.name)
        labels = [label for label, _ in labels_and_versions(ledger, held)]
        if labels and not allows(self.actor, Need.RELEASE, ledger.workspace_id):
            raise Forbidden(
                f"{self.name} is live ({', '.join(sorted(labels))}), and deleting it would take it "
                "away from the applications that use it. A reviewer or an administrator can."
            )
        said = f"Delete {self.name}"
        gone = [Change(names.path_of(self.name), old=held.blob)]
        plans = [self.plan(MAIN, said, gone, Prompt=self.name)]
        files = [file for label in labels for file in label_gone(ledger, held, label)]
        if files:
            plans.append(self.plan(DEPLOY, said, files, Prompt=self.name))
        return Settled(plans, lambda: {"name": self.name, "id": held.id})


@dataclass(kw_only=True)
class Restore(Ask):
    """Make an old version the newest; a deleted prompt comes back with it."""

    name: str
    number: int
    action: str = "version.restored"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.names = {self.name}

    def parts(self) -> tuple[Any, ...]:
        return ("restore", self.name, self.number, self.message)

    def _held(self, ledger: Ledger) -> Held | None:
        return ledger.at(self.name) or newest_dead(ledger, self.name)

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        held = self._held(ledger)
        return {(held.id, self.number), (held.id, held.head)} if held else set()

    def contents_wanted(self, ledger: Ledger) -> set[str]:
        held = self._held(ledger)
        known = ledger.versions.get((held.id, self.number)) if held else None
        return {known.hash} if known else set()

    def settle(self, ledger: Ledger) -> Settled:
        held = self._held(ledger)
        if held is None:
            raise NoSuchPrompt(self.name, deleted=False)
        known = ledger.versions.get((held.id, self.number))
        if known is None:
            raise NotFound(f"{self.name} has no version {self.number}. Choose one of its history.")
        document = parse(ledger.contents[known.hash])
        reading = reading_for(msgspec.structs.replace(document, id=held.id))
        alive_now = held if held.deleted_at is None else None
        one = Written(Put(self.name, document, ANY), held.id, reading, alive_now)
        plans: list[Plan] = []
        if not one.same:
            change = Change(
                names.path_of(self.name), old=alive_now.blob if alive_now else None,
                new=blob_id(reading.data), data=reading.data, reading=reading,
            )  # fmt: skip
            said = f"Restore version {self.number} of {self.name}"
            plans.append(self.plan(MAIN, said, [change], Prompt=self.name))
        return Settled(plans, lambda: {"saved": [answer_for(ledger, one, plans)]})


def labels_along(ledger: Ledger, held: Held, new_name: str) -> list[Change]:
    """The label's files go where the prompt goes; the labels point where they did."""
    names.check_name(new_name)
    files: list[Change] = []
    for label, known in labels_and_versions(ledger, held):
        files += label_gone(ledger, held, label)
        data = deploy_file.serialise(pointer_to(ledger, known, label))
        files.append(Change(deploy_file.path_of(label, new_name), new="-", data=data))
    return files


def labels_and_versions(ledger: Ledger, held: Held) -> list[tuple[str, Known]]:
    """The prompt's labels with the versions they point at."""
    labels = sorted(ledger.labels_of(held.id).items())
    return [(label, ledger.versions[held.id, to.version]) for label, to in labels]


def pointer_to(ledger: Ledger, known: Known, label: str) -> deploy_file.Pointer:
    """The file that says where a label points already."""
    to = ledger.labels[label, known.prompt_id]
    if not known.commit_id:
        raise Later
    return deploy_file.Pointer(
        prompt=known.prompt_id, version=known.number, blob=known.blob, hash=known.hash,
        commit=known.commit_id, by=to.moved_by, at=to.moved_at, why=to.reason,
        beside=beside_of(ledger, known.prompt_id, to.beside),
    )  # fmt: skip


def beside_of(ledger: Ledger, id: str, aside: Aside | None) -> deploy_file.Beside | None:
    """What the file says of the smaller share."""
    if aside is None:
        return None
    known = ledger.versions[id, aside.version]
    if not known.commit_id:
        raise Later
    return deploy_file.Beside(
        version=known.number, share=aside.share, first=aside.first, blob=known.blob,
        hash=known.hash, commit=known.commit_id,
    )  # fmt: skip


def label_gone(ledger: Ledger, held: Held, label: str) -> list[Change]:
    """Take the label's file away, wherever a rename by others may have left it."""
    known = ledger.versions[held.id, ledger.labels[label, held.id].version]
    old = deploy_file.serialise(pointer_to(ledger, known, label))
    return [
        Change(deploy_file.path_of(label, name), old="-", old_data=old)
        for name in [held.name, *ledger.former_names(held.id)]
    ]
