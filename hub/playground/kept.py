"""Answers that are bound to be the same need not be asked for again."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.playground.calls import Call, Endpoint, Route
from hub.playground.models import Run

CACHED = "cached"
OF_GUARDS = ("input guard", "output guard")
"""How notes of guards begin (see `guards.Judged`): they judge each time, also what is kept."""


def fingerprint(asked: Endpoint | Route, request: dict[str, Any]) -> str:
    """SHA-256 of who may answer, by address and model, and of the exact request.

    Not by the name of a choice: a connection may be given another address, an alias other models.
    """
    endpoints = asked.endpoints if isinstance(asked, Route) else [asked]
    who = sorted({(one.kind, one.base_url, one.model) for one in endpoints})
    return hashlib.sha256(msgspec.json.encode([who, request], order="sorted")).hexdigest()


def repeatable(request: dict[str, Any]) -> bool:
    """Whether the sampling leaves nothing to chance: temperature 0, or a seed that is fixed."""
    return request.get("temperature") == 0 or isinstance(request.get("seed"), int)


async def find(db: AsyncSession, workspace_id: int, fingerprint: str) -> Run | None:
    """The newest whole answer to the same request that was really asked for."""
    query = select(Run).where(
        Run.workspace_id == workspace_id, Run.fingerprint == fingerprint, Run.state == "done",
        Run.cached.is_(False),
    )  # fmt: skip
    return await db.scalar(query.order_by(Run.id.desc()).limit(1))


def replay(call: Call, found: Run) -> None:
    """Fill the call in as it went then, figures and all, and say that it was not asked."""
    call.request, call.output, call.reasoning = found.request, found.output, found.reasoning
    call.tool_calls = list(found.tool_calls or [])
    call.model, call.connection = found.model, found.connection
    call.cost_from, call.device = found.cost_from or "", found.device or ""
    call.finish_reason = found.finish_reason
    call.first_token_s, call.total_s = found.first_token_s, found.total_s
    call.tokens_per_s, call.cost_usd = found.tokens_per_s, found.cost_usd
    call.tokens_in, call.tokens_out = found.tokens_in, found.tokens_out
    call.estimated = found.estimated
    said = (note for note in found.note.split(" · ") if note)
    call.notes += [CACHED, *(note for note in said if not note.startswith(OF_GUARDS))]
    call.end("done")
