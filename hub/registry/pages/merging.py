"""The last look before a proposal lands: what it makes, what it replaces live, who approved."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.pages.glass import may_insist
from hub.registry.pages.offer_sheets import OfferSheet, offer_sheet
from hub.registry.review import checks, proposals, record
from hub.registry.review.lands import Lands, lands, moved_by
from hub.registry.review.proposals import BroughtTogether, Merged, NeedsResolving
from hub.registry.review.views import View
from hub.web import Ask, Form, go

LIVE = "production"


@get("/{slug:str}/proposals/{number:int}/merge", needs=Need.SAVE, name="proposal:merge")
async def merge_sheet(
    request: Ask, number: FromPath[int], workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession], database: NamedDependency[Database],
    glass: FromQuery[str] = "",
) -> Template:  # fmt: skip
    """`glass`: it was asked for with the glass to be broken."""
    await checks.refresh(database, workspace, number)
    view = await record.get(db, workspace.id, number)
    return await _sheet(request, db, workspace, view, glass=bool(glass))


async def _sheet(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, view: View, **context: Any
) -> Template:
    landing = await lands(db, view)
    here = f"/{workspace.slug}/proposals/{view.number}"
    moves = [one for one in landing if one.moves] if view.target else []
    live = view.target == LIVE and bool(moves)
    sheet = OfferSheet(
        kind="merge", title=f"Put “{view.title}” live" if live else f"Merge “{view.title}”",
        button=_button(view, moves), action=f"{here}/merge", back=here, danger=live,
    )  # fmt: skip
    return await offer_sheet(
        request, db, view, sheet, landing=landing, moves=moves, merge_only=_merge_only(landing),
        **context,
    )  # fmt: skip


def _button(view: View, moves: list[Lands]) -> str:
    """`Put v8 into production`."""
    if len(moves) == 1:
        return f"Put v{moves[0].version} into {view.target}"
    return f"Put {len(moves)} prompts into {view.target}" if moves else "Merge"


def _merge_only(landing: list[Lands]) -> str:
    """The button that moves no label; empty: the proposal does nothing else."""
    made = [one for one in landing if one.item.kind in ("create", "change")]
    if len(made) == 1 and len(landing) == 1:
        return f"Make it version {made[0].version}"
    return "Merge" if any(one.item.kind != "release" for one in landing) else ""


@post(
    "/{slug:str}/proposals/{number:int}/merge", needs=Need.SAVE, name="proposal:merge:post",
    status_code=200,
)  # fmt: skip
async def merge(
    request: Ask, number: FromPath[int], data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Land it; undo takes the release back. A refusal comes back with what was typed."""
    here = f"/{workspace.slug}/proposals/{number}"
    await checks.refresh(database, workspace, number)
    try:
        done = await proposals.merge(
            request.app.state.publisher, workspace, number, actor=actor,
            digest=data.get("digest", ""), release=data.get("release") == "yes",
            reason=data.get("reason", ""), broke_glass=data.get("broke_glass", ""),
            despite=data.get("despite", ""),
        )  # fmt: skip
    except NeedsResolving as needed:
        return go(f"{here}/resolve", needed.sentence, kind="error")
    except BroughtTogether as moved:
        if not (data.get("reason") or data.get("broke_glass")):
            return go(here, moved.sentence, kind="error")
        # The sheet shows what it would do now, and keeps the words: they may be urgent.
        typed = {name: value for name, value in data.items() if name != "digest"}
        return await _again(request, database, workspace, number, moved, typed)
    except HubError as refused:
        return await _again(request, database, workspace, number, refused, dict(data))
    async with database.read() as db:
        moved = await moved_by(db, workspace.id, number) if done.moves else ""
    return go(here, said(done), undo=f"/{workspace.slug}/put-back/{moved}" if moved else None)


async def _again(
    request: Ask, database: Database, workspace: WorkspaceRef, number: int, refused: HubError,
    typed: dict[str, str],
) -> Template:  # fmt: skip
    async with database.read() as db:
        view = await record.get(db, workspace.id, number)
        return await _sheet(
            request, db, workspace, view, refused=refused, typed=typed,
            may_insist=may_insist(refused), glass="broke_glass" in typed,
        )  # fmt: skip


def said(done: Merged) -> str:
    """`Version 8 is in production now, instead of 7.`"""
    moves = [one for one in done.moves if one.new is not None]
    if len(moves) == 1:
        instead = f", instead of {moves[0].old}" if moves[0].old else ""
        return f"Version {moves[0].new} is in {moves[0].label} now{instead}."
    if moves:
        return f"{len(moves)} prompts are in {moves[0].label} now, as proposed."
    if len(done.versions) == 1:
        return f"{done.versions[0].name} is at version {done.versions[0].version} now."
    return f"Proposal {done.number} was merged."


ROUTES: list[Any] = [merge_sheet, merge]
