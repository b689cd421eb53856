"""Requests that came before: the same Idempotency-Key gets the same answer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from hub.registry.models import Intent, Version
from hub.registry.writing.asks import Ask

Answer = dict[str, Any]


def answered_before(
    db: Connection, workspace_id: int, asks: list[Ask]
) -> dict[str, tuple[str | None, Answer | None]]:
    """Requests that came before, by id, with what they were and their answers (None: not yet)."""
    ids = {ask.request_id for ask in asks if ask.request_id is not None}
    if not ids:
        return {}
    query = select(
        Intent.request_id, Intent.request_hash, Intent.state, Intent.answer, Intent.commits
    ).where(
        Intent.workspace_id == workspace_id, Intent.request_id.in_(ids), Intent.state != "cancelled"
    )
    found: dict[str, tuple[str | None, Answer | None]] = {}
    for intent in db.execute(query):
        answer: Answer | None = None
        if intent.state == "done":
            answer = intent.answer or _answer_from_index(db, workspace_id, intent.commits)
        found[intent.request_id or ""] = (intent.request_hash, answer)
    return found


def _answer_from_index(db: Connection, workspace_id: int, commits: list[str]) -> Answer:
    """After a rebuild, the commit is all that is left of a request; its versions are the answer."""
    query = select(
        Version.name, Version.prompt_id, Version.number, Version.commit, Version.hash
    ).where(Version.workspace_id == workspace_id, Version.commit.in_(commits))
    saved = [
        {
            "name": version.name, "id": version.prompt_id, "version": version.number,
            "commit": version.commit, "hash": version.hash, "created": True,
        }
        for version in db.execute(query)
    ]  # fmt: skip
    return {"saved": saved} if saved else {"commit": commits[0]}
