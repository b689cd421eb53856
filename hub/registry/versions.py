"""Versions: save, rename, delete, restore. Each function is one deed, durable when it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.errors import Invalid
from hub.people.policy import Actor, Need, WorkspaceRef, require
from hub.registry.prompt.document import Document
from hub.registry.prompt.includes import includes
from hub.registry.reading.aside import aside, size_of
from hub.registry.writing.asks import BaseMoved, NoSuchPrompt, Saved
from hub.registry.writing.edits import Delete, Rename, Restore
from hub.registry.writing.publish import Publisher
from hub.registry.writing.save_release import SaveAndRelease
from hub.registry.writing.saves import ANY, Put, Save

__all__ = [
    "BaseMoved", "NoSuchPrompt", "Saved", "delete", "rename", "restore", "save",
    "save_and_release", "save_many",
]  # fmt: skip


async def save(
    publisher: Publisher, workspace: WorkspaceRef, name: str, document: Document, *,
    base: str | None, actor: Actor, message: str, request_id: str | None = None,
    at: datetime | None = None,
) -> Saved:  # fmt: skip
    """Make `document` the newest version of `name`; `base` None makes a new prompt.

    Raises:
        BaseMoved: the prompt is no longer what `base` (the hash that was edited) says.
        Conflict: the prompt was to be new, and is there already.
        Invalid: the text cannot be a version; the sentence says why.
    """
    require(actor, Need.SAVE, workspace.id)
    ask = await aside(
        size_of(document),
        lambda: Save(
            actor=actor, message=message, at=at, request_id=request_id,
            puts=[_put(name, document, base)],
        ),
    )  # fmt: skip
    return _saved(await publisher.publish(workspace, ask))[0]


async def save_and_release(
    publisher: Publisher, workspace: WorkspaceRef, name: str, document: Document, *,
    base: str | None, labels: Sequence[str], actor: Actor, message: str,
    request_id: str | None = None,
) -> Saved:  # fmt: skip
    """As `save`, and in the same step point `labels` at that version; both or neither.

    Raises:
        NeedsReview, BreaksPrograms: the version may not be made, or not be released; nothing was.
    """
    require(actor, Need.SAVE, workspace.id)
    require(actor, Need.RELEASE, workspace.id)
    ask = await aside(
        size_of(document),
        lambda: SaveAndRelease(
            actor=actor, message=message, request_id=request_id, labels=tuple(labels),
            puts=[_put(name, document, base)],
        ),
    )  # fmt: skip
    return _saved(await publisher.publish(workspace, ask))[0]


async def save_many(
    publisher: Publisher, workspace: WorkspaceRef, documents: Sequence[tuple[str, Document]], *,
    actor: Actor, message: str, at: datetime | None = None,
    bases: Mapping[str, str | None] | None = None,
) -> list[Saved]:  # fmt: skip
    """Put all of them, over whatever is there, in one commit; what is the same stays.

    `bases`: by name, the hash of what each was made over; None: it is to be new.

    Raises:
        Conflict: one of them is not at its base any more. Nothing was saved.
    """
    require(actor, Need.SAVE, workspace.id)
    if len({name for name, _ in documents}) != len(documents):
        raise Invalid("Two of these prompts have the same name. Give each its own.")
    if not documents:
        return []
    ask = await aside(
        sum(size_of(document) for _, document in documents),
        lambda: Save(
            actor=actor, message=message, at=at, action="prompts.imported",
            puts=[
                _put(name, document, ANY if bases is None else bases[name])
                for name, document in documents
            ],
        ),
    )  # fmt: skip
    return _saved(await publisher.publish(workspace, ask))


async def rename(
    publisher: Publisher, workspace: WorkspaceRef, name: str, new_name: str, *, actor: Actor,
    message: str = "", at: datetime | None = None, despite: str = "",
) -> None:  # fmt: skip
    """Give the prompt another name; history, labels and the old address go with it.

    Raises:
        TakenFromPrograms: programs read it by its name just now; `despite` says why it may be.
    """
    require(actor, Need.SAVE, workspace.id)
    ask = Rename(
        actor=actor, message=message, at=at, name=name, new_name=new_name, despite=despite.strip()
    )
    await publisher.publish(workspace, ask)


async def delete(
    publisher: Publisher, workspace: WorkspaceRef, name: str, *, actor: Actor, message: str = "",
    at: datetime | None = None, request_id: str | None = None, despite: str = "",
) -> None:  # fmt: skip
    """Take the prompt away, its labels too; its versions stay and can be brought back.

    Raises:
        TakenFromPrograms: programs read it just now; `despite` says why it may be.
    """
    require(actor, Need.SAVE, workspace.id)
    ask = Delete(
        actor=actor, message=message, at=at, name=name, request_id=request_id,
        despite=despite.strip(),
    )  # fmt: skip
    await publisher.publish(workspace, ask)


async def restore(
    publisher: Publisher, workspace: WorkspaceRef, name: str, number: int, *, actor: Actor,
    message: str = "", at: datetime | None = None,
) -> Saved:  # fmt: skip
    """Make version `number` the newest again; a deleted prompt comes back with it."""
    require(actor, Need.SAVE, workspace.id)
    ask = Restore(actor=actor, message=message, at=at, name=name, number=number)
    return _saved(await publisher.publish(workspace, ask))[0]


def _put(name: str, document: Document, base: str | None) -> Put:
    return Put(name, document, base, includes(document))


def _saved(answer: dict[str, Any]) -> list[Saved]:
    return [Saved(**one) for one in answer["saved"]]
