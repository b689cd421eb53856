"""What happened to a prompt, in one line of time: versions, releases, renames, deletions."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.registry.indexing.ledger import Steps, steps_of
from hub.registry.models import Label, LabelMove, PromptEvent, Version
from hub.registry.reading.listing import label_order


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One version, without its text."""

    number: int
    hash: str
    commit: str
    name: str
    """The prompt's name at that time."""
    author: str
    message: str
    at: datetime
    labels: list[str]
    kind: str = "version"


class LabelLine(msgspec.Struct, frozen=True, kw_only=True):
    """A label that moved; `new` None: it was taken off."""

    label: str
    old: int | None
    new: int | None
    commit: str
    author: str
    message: str
    at: datetime
    proposal: int | None
    """By which it moved."""
    broke_glass: bool
    despite: str = ""
    """Why it was done although programs that ran then could not go on."""
    steps: Steps | None = None
    """Only some got a new version."""
    kind: str = "label"


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """What else happened; `kind` is renamed, deleted, restored, broken or mended."""

    kind: str
    old: str
    new: str
    commit: str
    author: str
    message: str
    at: datetime
    despite: str = ""

    @property
    def why(self) -> str:
        """What a person gave as the reason; where nobody did, the record repeats what happened."""
        repeated = {"renamed": f"Rename {self.old} to {self.new}", "deleted": f"Delete {self.old}"}
        return "" if self.message == repeated.get(self.kind) else self.message


Line = VersionLine | LabelLine | EventLine
_RANK = {"version": 0, "label": 1}


async def versions(
    db: AsyncSession, workspace_id: int, prompt_id: str, *, before: int | None = None,
    limit: int | None = None,
) -> list[VersionLine]:  # fmt: skip
    """The prompt's versions, the newest first, with the labels that point at them now."""
    query = (
        select(
            Version.number, Version.hash, Version.commit, Version.name, Version.author,
            Version.message, Version.created_at,
        )
        .where(Version.workspace_id == workspace_id, Version.prompt_id == prompt_id)
        .order_by(Version.number.desc())
    )  # fmt: skip
    if before is not None:
        query = query.where(Version.number < before)
    rows = (await db.execute(query.limit(limit) if limit else query)).all()
    labels = await _labels(db, workspace_id, prompt_id)
    return [
        VersionLine(
            number=number, hash=digest, commit=commit, name=name, author=author, message=message,
            at=at, labels=labels.get(number, []),
        )
        for number, digest, commit, name, author, message, at in rows
    ]  # fmt: skip


async def timeline(db: AsyncSession, workspace_id: int, prompt_id: str) -> list[Line]:
    """Everything that happened to the prompt, the newest first."""
    lines: list[Line] = list(await versions(db, workspace_id, prompt_id))
    for move in await db.scalars(
        select(LabelMove)
        .where(LabelMove.workspace_id == workspace_id, LabelMove.prompt_id == prompt_id)
        .order_by(LabelMove.id.desc())
    ):
        lines.append(
            LabelLine(
                label=move.label, old=move.old, new=move.new, commit=move.commit,
                author=move.author, message=move.reason, at=move.at, proposal=move.proposal,
                broke_glass=move.broke_glass, despite=move.despite,
                steps=steps_of(move.beside, move.new),
            )
        )  # fmt: skip
    for event in await db.scalars(
        select(PromptEvent)
        .where(PromptEvent.workspace_id == workspace_id, PromptEvent.prompt_id == prompt_id)
        .order_by(PromptEvent.id.desc())
    ):
        lines.append(
            EventLine(
                kind=event.kind, old=event.old, new=event.new, commit=event.commit,
                author=event.author, message=event.message, at=event.at, despite=event.despite,
            )
        )  # fmt: skip
    # Git counts in seconds: of what shares one, a release came after the version it released.
    lines.sort(key=lambda line: (line.at, _RANK.get(line.kind, 2)), reverse=True)
    return lines


async def _labels(db: AsyncSession, workspace_id: int, prompt_id: str) -> dict[int, list[str]]:
    query = select(Label.version, Label.label).where(
        Label.workspace_id == workspace_id, Label.prompt_id == prompt_id
    )
    found: dict[int, list[str]] = {}
    for number, label in await db.execute(query):
        found.setdefault(number, []).append(label)
    return {number: sorted(labels, key=label_order) for number, labels in found.items()}
