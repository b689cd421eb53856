"""What a ledger asks the tables, made once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select

from hub.registry.models import Prompt, Version

MANY = 5000
PROMPT = (
    "row", "id", "name", "title", "description", "tags", "head", "hash", "blob", "created_at",
    "changed_at", "changed_by", "change", "deleted_at", "problem",
)  # fmt: skip
WANTED = bindparam("wanted", expanding=True)


def _prompts(*which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    columns: list[Any] = [getattr(Prompt, name) for name in PROMPT]
    return select(*columns).where(Prompt.workspace_id == bindparam("workspace"), *which)


# Built once: building takes longer than asking.
LIVING = _prompts(Prompt.deleted_at.is_(None), Prompt.name.in_(WANTED))
DEAD = _prompts(Prompt.deleted_at.is_not(None), Prompt.name.in_(WANTED))
BY_ID = _prompts(Prompt.id.in_(WANTED))
VERSION = ("prompt_id", "number", "hash", "blob", "commit", "name", "author", "message")


def versions(workspace_id: int) -> Select[*tuple[Any, ...]]:
    columns: list[Any] = [getattr(Version, name) for name in VERSION]
    return select(*columns).where(Version.workspace_id == workspace_id)


def parts(values: Iterable[Any]) -> Iterable[list[Any]]:
    """Portions that a database takes in one statement."""
    everything = sorted(values)
    for start in range(0, len(everything), MANY):
        yield everything[start : start + MANY]
