"""A version as Langfuse's clients read it, and what they send as a document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from hub.errors import Invalid
from hub.registry.prompt.document import Document
from hub.registry.reading.record import LATEST, VersionView
from hub.sync.foreign.flat import flattened
from hub.sync.formats.langfuse import read_row, tree_of
from hub.sync.formats.ours import OURS
from hub.sync.formats.report import Notes, Refused
from hub.sync.formats.trees import Tree

CONFIG = "config"


class PromptOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One version."""

    id: str
    name: str
    version: int
    type: str
    prompt: Any
    config: Tree
    labels: list[str]
    tags: list[str]
    commit_message: str | None
    resolution_graph: None = None
    created_at: datetime
    updated_at: datetime
    created_by: str


class CreatePrompt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A version to be made."""

    name: str
    prompt: Any
    type: str | None = None
    config: Any = None
    labels: list[str] | None = None
    tags: list[str] | None = None
    commit_message: str | None = None


class UpdateLabels(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Labels that a version shall have beside those it has."""

    new_labels: list[str]


def prompt_out(view: VersionView, *, resolve: bool = True) -> PromptOut:
    """`resolve`: snippets in their places; else the texts as they are kept.

    Raises:
        NeedsOurs: with `resolve`, a text that Langfuse's clients could not fill in.
    """
    document = view.document
    if resolve:
        document = flattened(view.name, document, view.snippets)
    tree = tree_of(view.name, document, Notes())
    return PromptOut(
        id=f"{view.prompt_id}-{view.number}", name=view.name, version=view.number,
        type=tree["type"], prompt=tree["prompt"], config=config_of(document, tree),
        labels=[*view.labels, *([LATEST] if view.number == view.head else [])],
        tags=tree["tags"], commit_message=view.message or None, created_at=view.created_at,
        updated_at=view.created_at, created_by=view.author,
    )  # fmt: skip


def config_of(document: Document, tree: Tree) -> Tree:
    """Model, settings, tools, shape of the answer, and what else was put there; nothing of ours:
    programs hand it to a model as it is."""
    own: Any = document.extra.get(CONFIG)
    named = {key: value for key, value in tree["config"].items() if key != OURS}
    return {**(own if isinstance(own, dict) else {}), **named}


def document_of(given: CreatePrompt, now: Document | None) -> Document:
    """What is to be saved over `now`: what Langfuse has no word for stays as it is there.

    Raises:
        Invalid: something of it would be lost, or it is no prompt.
    """
    row = {"name": given.name, "prompt": given.prompt, "config": given.config or {}}
    row |= {"tags": given.tags or []} | ({"type": given.type} if given.type else {})
    try:
        read = read_row(row)
    except Refused as refused:
        raise Invalid(str(refused)) from None
    if lost := [note for note in read.notes.found if note.what == "Lost" or note.key == "prompt"]:
        raise Invalid(" ".join(f"`{note.key}` cannot be kept: {note.why}." for note in lost))
    made = read.document
    if now is None:
        return made
    said = {one.name: one for one in now.variables}
    return msgspec.structs.replace(
        made, title=now.title, description=now.description,
        tags=now.tags if given.tags is None else made.tags,
        variables=tuple(said.get(one.name, one) for one in made.variables),
        extra={key: value for key, value in now.extra.items() if key != CONFIG} | made.extra,
    )  # fmt: skip
