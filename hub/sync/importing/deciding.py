"""What becomes of an import: the page that shows it, and the deeds of its buttons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people import rules, rules_store
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.registry import versions
from hub.registry.review import offering
from hub.registry.review.offering import Offered
from hub.sync.importing import kept
from hub.sync.importing.kept import MOST_ITEMS, Row
from hub.web import Ask, go, page

Data = dict[str, str]
Deed = Callable[
    [Ask, Database, WorkspaceRef, Actor, int, Data], Awaitable["Template | Redirect"]
]  # fmt: skip


async def look(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, actor: Actor, number: int, *,
    typed: Data | None = None, refused: HubError | None = None,
) -> Template:  # fmt: skip
    """The page; after a refusal with all that was typed and ticked."""
    held = await kept.get(db, workspace, actor.account_id or 0, number)
    rows = await kept.rows_of(db, workspace, held)
    landing = [row for row in rows if row.takes]
    loaded = await rules_store.read(db, workspace.id)
    names = [row.name for row in landing]
    asked = offering.asked_rules(loaded.policy, names, None)
    reviewed = [name for name in names if offering.needs_review(loaded.policy, name)]
    reviewers = await offering.reviewers_for(db, workspace.id, actor, names)
    many = f"{len(landing)} prompt{'' if len(landing) == 1 else 's'}"
    return page(
        request, "sync/import_look.html", section="prompts",
        status=refused.status if refused else 200, held=held, rows=rows, landing=landing,
        unfilled=kept.unfilled(rows), refused=refused.sentence if refused else "", many=many,
        typed={"title": f"Import {many}", "why": "", "folder": held.folder} | (typed or {}),
        taken=None if typed is None or typed.get("do") == "folder" else _taken(typed),
        sentences=[rules.sentence(rule, loaded.called) for rule in asked], reviewed=reviewed,
        counting=[one.name for one in reviewers if one.counts], most=MOST_ITEMS,
        may_save=allows(actor, Need.SAVE, workspace.id) and not reviewed,
    )  # fmt: skip


async def propose(
    request: Ask, database: Database, workspace: WorkspaceRef, actor: Actor, number: int, data: Data
) -> Redirect:
    """One proposal of what is ticked; those whose approval counts are asked."""
    rows = await _chosen(database, workspace, actor, number, data)
    names = [row.name for row in rows]
    async with database.read() as db:
        reviewers = await offering.reviewers_for(db, workspace.id, actor, names)
    offered = Offered(
        title=data.get("title", ""), why=data.get("why", ""),
        reviewers=tuple(one.account_id for one in reviewers if one.counts),
    )  # fmt: skip
    publisher = request.app.state.publisher
    made = await offering.offer(
        publisher, database, workspace, actor=actor, wanted=[row.wanted for row in rows],
        offered=offered,
    )  # fmt: skip
    await _forget(database, workspace, actor, number)
    here = f"/{workspace.slug}/proposals/{made.number}"
    return go(here, f"Proposal {made.number} is up for review.")


async def save(
    request: Ask, database: Database, workspace: WorkspaceRef, actor: Actor, number: int, data: Data
) -> Redirect:
    """A version of each that is ticked, all in one step, where no rule asks for a review."""
    rows = await _chosen(database, workspace, actor, number, data)
    why = data.get("why", "").strip() or data.get("title", "")
    saved = await versions.save_many(
        request.app.state.publisher, workspace,
        [(row.name, row.document) for row in rows if row.document is not None],
        actor=actor, message=why, bases={row.name: row.base for row in rows},
    )  # fmt: skip
    await _forget(database, workspace, actor, number)
    many = f"{len(saved)} prompts are" if len(saved) != 1 else "One prompt is"
    return go(f"/{workspace.slug}/prompts", f"{many} saved.")


async def put_below(
    _: Ask, database: Database, workspace: WorkspaceRef, actor: Actor, number: int, data: Data
) -> Redirect:
    """Everything below another folder."""
    folder = kept.check_folder(data.get("folder", ""))
    async with database.write() as db:
        held = await kept.get(db, workspace, actor.account_id or 0, number)
        held.folder = folder
    return go(f"/{workspace.slug}/import/{number}")


async def forget(
    _: Ask, database: Database, workspace: WorkspaceRef, actor: Actor, number: int, __: Data
) -> Redirect:
    await _forget(database, workspace, actor, number)
    return go(f"/{workspace.slug}/import", "The import was put aside; nothing was changed.")


DEEDS: dict[str, Deed] = {
    "propose": propose, "save": save, "folder": put_below, "forget": forget,
}  # fmt: skip


async def _chosen(
    database: Database, workspace: WorkspaceRef, actor: Actor, number: int, data: Data
) -> list[Row]:
    async with database.read() as db:
        held = await kept.get(db, workspace, actor.account_id or 0, number)
        rows = await kept.rows_of(db, workspace, held)
    return kept.chosen(rows, _taken(data))


def _taken(data: Data) -> dict[int, str | None]:
    """Places that are ticked, with the hash that was shown."""
    taken: dict[int, Any] = {}
    for name in data:
        at = name.removeprefix("take.")
        if at != name and at.isascii() and at.isdecimal() and len(at) < 6:
            taken[int(at)] = data.get(f"base.{at}") or None
    return taken


async def _forget(database: Database, workspace: WorkspaceRef, actor: Actor, number: int) -> None:
    async with database.write() as db:
        await db.delete(await kept.get(db, workspace, actor.account_id or 0, number))
