"""What has become of the prompts of a proposal since it was written: can it still land?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hub.registry.models import Label, Prompt
from hub.registry.prompt.document import Document
from hub.registry.prompt.merge import merge
from hub.registry.review.texts import documents
from hub.registry.review.views import ItemView, Mergeable

_ORDER: tuple[Mergeable, ...] = ("clean", "moved", "clash")


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it still fits, and what was done meanwhile, prompt by prompt, in words."""

    mergeable: Mergeable = "clean"
    moved: list[str] = []


def since(
    db: Connection, workspace_id: int, target: str | None, items: Sequence[ItemView]
) -> Since:
    """The state of `main`, and of the target label for releases, against what the items expect."""
    prompts = _prompts(db, workspace_id, items)
    labels = _labels(db, workspace_id, target, items)
    held = documents(
        db, workspace_id,
        {
            prompts[one.prompt_id].hash
            for one in items
            if one.kind == "change" and one.prompt_id in prompts
        },
    )  # fmt: skip
    found: list[tuple[Mergeable, str]] = [
        _label_moved(one, target, labels)
        if one.kind == "release"
        else _prompt_moved(one, prompts, held)
        for one in items
    ]
    return Since(
        mergeable=_ORDER[max((_ORDER.index(state) for state, _ in found), default=0)],
        moved=[said for _, said in found if said],
    )


def _prompts(db: Connection, workspace_id: int, items: Sequence[ItemView]) -> dict[str, Any]:
    """The prompts as they stand, by id, and the living ones by name as `name:…`."""
    ids = [one.prompt_id for one in items]
    names = [name for one in items for name in (one.name, one.new_name) if name]
    columns = (
        Prompt.id, Prompt.name, Prompt.hash, Prompt.head, Prompt.changed_by, Prompt.deleted_at,
    )  # fmt: skip
    query = select(*columns).where(Prompt.workspace_id == workspace_id)
    by_id = {row.id: row for row in db.execute(query.where(Prompt.id.in_(ids)))}
    living = query.where(Prompt.name.in_(names), Prompt.deleted_at.is_(None))
    return by_id | {f"name:{row.name}": row for row in db.execute(living)}


def _labels(
    db: Connection, workspace_id: int, target: str | None, items: Sequence[ItemView]
) -> dict[str, Any]:
    released = [one.prompt_id for one in items if one.kind == "release"]
    if target is None or not released:
        return {}
    query = select(Label.prompt_id, Label.version, Label.hash, Label.moved_by).where(
        Label.workspace_id == workspace_id, Label.label == target, Label.prompt_id.in_(released)
    )
    return {row.prompt_id: row for row in db.execute(query)}


def _prompt_moved(
    item: ItemView, prompts: dict[str, Any], held: dict[str, Document]
) -> tuple[Mergeable, str]:
    if item.kind == "create":
        there = prompts.get(f"name:{item.name}")
        return ("clash", f"There is a prompt called {item.name} now.") if there else ("clean", "")
    now = prompts.get(item.prompt_id)
    if now is None or now.deleted_at is not None:
        return "clash", f"{item.name} was deleted meanwhile."
    if now.name != item.name:
        return "clash", f"{item.name} is called {now.name} now."
    if item.kind == "rename" and f"name:{item.new_name}" in prompts:
        return "clash", f"There is a prompt called {item.new_name} now."
    if now.hash == item.base_hash:
        return "clean", ""
    said = f"{item.name} is at version {now.head} now, by {now.changed_by}."
    if item.kind != "change":
        return "moved", said
    theirs = held.get(now.hash)
    return ("moved" if _fits(item, theirs) else "clash"), said


def _fits(item: ItemView, theirs: Document | None) -> bool:
    if item.new is None or theirs is None:
        return False
    base = item.old or Document(template=item.new.template)
    return not merge(base, item.new, theirs).clashes


def _label_moved(
    item: ItemView, target: str | None, labels: dict[str, Any]
) -> tuple[Mergeable, str]:
    now = labels.get(item.prompt_id)
    if (now.hash if now else None) == item.base_hash:
        return "clean", ""
    if now is None:
        return "moved", f"Nothing of {item.name} is live under {target} now."
    return "moved", f"{now.moved_by} put version {now.version} of {item.name} into {target}."
