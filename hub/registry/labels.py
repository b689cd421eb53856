"""Labels: release a version, roll back, take a label off, and ask what was live when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict, NotFound
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry import deploy_file, names
from hub.registry.asks import Ask, Later, Settled, alive, whole_second
from hub.registry.commits import Change, Plan
from hub.registry.edits import label_gone
from hub.registry.git_terms import DEPLOY
from hub.registry.ledger import Held, Known, Ledger
from hub.registry.models import LabelMove, Prompt, Version
from hub.registry.publish import Publisher

Unset = UNSET
"""For `expected`: whatever the label points at now."""


class LabelMoved(Conflict):
    """The label is not where the person saw it; `facts["current"]` is where it is."""

    def __init__(self, label: str, name: str, expected: int | None, current: int | None) -> None:
        super().__init__(
            f"{label} of {name} {_place(current)} now, not {_place(expected, 'at')} as when you "
            "looked. Nothing was moved. Look again, then decide.",
            label=label,
            expected=expected,
            current=current,
        )


def _place(version: int | None, at: str = "is at") -> str:
    if version is None:
        return "is not set" if at == "is at" else "unset"
    return f"{at} version {version}"


@dataclass(kw_only=True)
class Point(Ask):
    """Point a label of one prompt at a version, or take it off."""

    label: str
    name: str
    version: int | None
    expected: int | UnsetType | None
    labelled: bool = True
    action: str = "label.moved"

    def __post_init__(self) -> None:
        super().__post_init__()
        names.check_label(self.label)
        self.names = {self.name}

    def parts(self) -> tuple[Any, ...]:
        return ("point", self.label, self.name, self.version, str(self.expected), self.message)

    def subjects(self) -> list[str]:
        return [f"{self.label} {self.name}"]

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        held = ledger.at(self.name)
        return {(held.id, self.version)} if held and self.version is not None else set()

    def settle(self, ledger: Ledger) -> Settled:
        held = alive(ledger, self.name)
        now = ledger.labels.get((self.label, held.id))
        current = now.version if now else None
        if not isinstance(self.expected, UnsetType) and self.expected != current:
            raise LabelMoved(self.label, self.name, self.expected, current)
        if self.version == current:
            return Settled([], lambda: self._answer(held, current, None))
        if self.version is None:
            said, files = f"Take {self.label} off {self.name}", label_gone(ledger, held, self.label)
        else:
            known = self._version(ledger, held)
            said = f"Move {self.label} of {self.name} to version {known.number}"
            files = self._files(ledger, held, known, said)
        plan = self.plan(DEPLOY, said, files, Prompt=self.name, Label=self.label)
        return Settled([plan], lambda: self._answer(held, current, plan))

    def _version(self, ledger: Ledger, held: Held) -> Known:
        known = ledger.versions.get((held.id, self.version or 0))
        if known is None:
            raise NotFound(
                f"{self.name} has no version {self.version}; its newest is {held.head}. "
                "Choose one of its history."
            )
        if not known.commit_id:
            raise Later
        return known

    def _files(self, ledger: Ledger, held: Held, known: Known, said: str) -> list[Change]:
        at = self.at = whole_second(self.at)
        pointer = deploy_file.Pointer(
            prompt=held.id, version=known.number, blob=known.blob, hash=known.hash,
            commit=known.commit_id, by=self.actor.name, at=at, why=self.message or said,
        )  # fmt: skip
        gone = [
            Change(deploy_file.path_of(self.label, name), old="-")
            for name in ledger.former_names(held.id)
        ]
        path = deploy_file.path_of(self.label, self.name)
        return [*gone, Change(path, new="-", data=deploy_file.serialise(pointer))]

    def _answer(self, held: Held, old: int | None, plan: Plan | None) -> dict[str, Any]:
        return {
            "id": held.id, "old": old, "new": self.version,
            "commit": plan.commit.id if plan else "",
            "author": plan.commit.author if plan else self.actor.name,
            "reason": plan.commit.message if plan else self.message,
            "at": (plan.commit.at if plan else whole_second(self.at)).isoformat(),
        }  # fmt: skip


async def move(
    publisher: Publisher, workspace: WorkspaceRef, label: str, name: str, version: int | None, *,
    expected: int | UnsetType | None = UNSET, actor: Actor, reason: str,
    request_id: str | None = None, at: datetime | None = None,
) -> LabelMove:  # fmt: skip
    """Point `label` of the prompt at `version`; None takes it off. `expected` None: not set yet.

    A label that is there already moves nowhere: old and new are the same, and no commit is made.

    Raises:
        LabelMoved: it is not at `expected`.
    """
    require(actor, Need.RELEASE, workspace.id)
    ask = Point(
        actor=actor, message=reason, request_id=request_id, at=at, label=label, name=name,
        version=version, expected=expected,
    )  # fmt: skip
    answer = await publisher.publish(workspace, ask)
    return LabelMove(
        workspace_id=workspace.id, prompt_id=answer["id"], label=label, old=answer["old"],
        new=answer["new"], commit=answer["commit"], author=answer["author"],
        reason=answer["reason"], at=datetime.fromisoformat(answer["at"]),
    )  # fmt: skip


async def history(
    db: AsyncSession, workspace_id: int, label: str, prompt_id: str
) -> list[LabelMove]:
    """Every move of the label on that prompt, the newest first."""
    query = select(LabelMove).where(
        LabelMove.workspace_id == workspace_id,
        LabelMove.label == label,
        LabelMove.prompt_id == prompt_id,
    )
    return list(await db.scalars(query.order_by(LabelMove.id.desc())))


async def previous(db: AsyncSession, workspace_id: int, label: str, prompt_id: str) -> int | None:
    """The version to roll back to: where the label was before it came to where it is."""
    moves = await history(db, workspace_id, label, prompt_id)
    return moves[0].old if moves else None


async def lost(
    db: AsyncSession, workspace_id: int, prompt_id: str, deleted_at: datetime
) -> list[tuple[str, int]]:
    """Labels and versions that went away when the prompt was deleted."""
    query = select(LabelMove.label, LabelMove.old).where(
        LabelMove.workspace_id == workspace_id,
        LabelMove.prompt_id == prompt_id,
        LabelMove.at == deleted_at,
        LabelMove.new.is_(None),
    )
    return [(label, old) for label, old in await db.execute(query) if old is not None]


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What a label served of one prompt at some moment."""

    prompt_id: str
    name: str
    version: int
    hash: str
    since: datetime
    by: str
    reason: str


async def as_of(
    db: AsyncSession, workspace_id: int, label: str, at: datetime, name: str | None = None
) -> list[Live]:
    """What was live under `label` at that moment, by the prompts' names of today."""
    latest = select(func.max(LabelMove.id)).where(
        LabelMove.workspace_id == workspace_id, LabelMove.label == label, LabelMove.at <= at
    )
    query = (
        select(LabelMove, Prompt.name, Version.hash)
        .join(
            Prompt,
            (Prompt.workspace_id == LabelMove.workspace_id) & (Prompt.id == LabelMove.prompt_id),
        )
        .join(
            Version,
            (Version.workspace_id == LabelMove.workspace_id)
            & (Version.prompt_id == LabelMove.prompt_id)
            & (Version.number == LabelMove.new),
        )
        .where(LabelMove.id.in_(latest.group_by(LabelMove.prompt_id)))
        .order_by(Prompt.name)
    )
    if name is not None:
        query = query.where(Prompt.name == name)
    return [
        Live(
            prompt_id=move.prompt_id, name=named, version=move.new or 0, hash=digest,
            since=move.at, by=move.author, reason=move.reason,
        )
        for move, named, digest in await db.execute(query)
    ]  # fmt: skip
