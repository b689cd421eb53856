"""What worked in a column becomes the person's draft: its text, its model, its settings."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict
from hub.people.policy import Actor
from hub.playground.columns import Json
from hub.playground.models import Grid
from hub.registry import catalog, drafts

_SAME = ("maxTokens", "max_tokens", "maxCompletionTokens", "max_completion_tokens")


def document_of(column: Json) -> Json:
    """The prompt as the column ran it. Pure."""
    document: Json = dict(column["document"])
    saved = document.get("modelParameters")
    kept = dict(cast("Json", saved)) if isinstance(saved, dict) else {}
    for name, value in column["settings"].items():
        spelled = next((one for one in _SAME if one in kept), name) if name in _SAME else name
        kept[spelled] = value
    if kept:
        document["modelParameters"] = kept
    document["model"] = column["model"]
    return document


async def adopt(db: AsyncSession, grid: Grid, column: int, *, actor: Actor) -> str:
    """Make the column the person's draft, upon the latest version; the name of its prompt.

    Raises:
        Conflict: the person has a draft of another text.
        NotFound: the prompt was deleted.
    """
    about = await catalog.get_by_id(db, grid.workspace_id, grid.prompt_id)
    account_id = actor.account_id or 0
    made: dict[str, Any] = document_of(grid.columns[column])
    held = await drafts.get(db, grid.workspace_id, account_id, grid.prompt_id)
    ran = {"draft"} & {grid.columns[column]["source"]}
    if (
        held is not None
        and held.document != made
        and not (ran and held.document == grid.columns[column]["document"])
    ):
        raise Conflict(
            "You have a draft of this prompt that says something else. Save or discard it first, "
            "then come back here; nothing was changed."
        )
    latest = await catalog.version(db, grid.workspace_id, about.name)
    await drafts.put(
        db, grid.workspace_id, account_id, grid.prompt_id, made, name=about.name,
        base=held.base if held else latest.hash,
        base_version=held.base_version if held else latest.number,
    )  # fmt: skip
    return about.name
