"""A proposal to be read: what changes, and its revisions.

`proposal_page` is for every view of one proposal; what it does and the talk are pages of their
own, under the same head (`templates/registry/proposals/_head.html`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.people import rules_store
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.people.rules import Verdict
from hub.registry.labels import released
from hub.registry.pages.common import rights
from hub.registry.pages.talk_shown import talk_of
from hub.registry.prompt import side_by_side
from hub.registry.prompt.form import whole
from hub.registry.review import checks, record, seen
from hub.registry.review.lands import moved_by
from hub.registry.review.offered import ShownItem, between, shown_items
from hub.registry.review.views import View, Word
from hub.web import Ask, page

Tab = Literal["changes", "answers", "talk", "revisions"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the person at the screen may do with the proposal."""

    account_id: int | None
    mine: bool
    """They wrote one of its revisions: they never approve it."""
    word: Word | None
    may_review: bool
    may_save: bool
    may_withdraw: bool
    may_revise: bool
    verdict: Verdict
    """For merging alone."""
    verdict_live: Verdict
    """For merging and moving the target at once."""
    is_admin: bool = False
    may_dismiss: bool = False
    """What others asked for; never of their own proposal."""
    may_take_back: bool = False
    """A word that means something still: an approval of the latest, or a request for a change."""
    watches: bool = False
    muted: bool = False


async def standing(db: AsyncSession, actor: Actor, workspace: WorkspaceRef, view: View) -> Standing:
    """Read as of now: roles and rules may have changed since the page before."""
    ids = [actor.account_id] if actor.account_id is not None else []
    people = await rules_store.people(db, workspace.id, ids)
    mover = people.get(actor.account_id or 0)
    case = msgspec.structs.replace(view.case, releases=())
    email = actor.email.strip().casefold()
    mine = actor.account_id in case.authors or email in case.author_emails
    may_save = allows(actor, Need.SAVE, workspace.id)
    word = view.word_of(actor.account_id)
    watcher = await seen.watching(db, workspace.id, view.number, actor.account_id)
    return Standing(
        account_id=actor.account_id, mine=mine, word=word,
        may_review=view.open and not mine and allows(actor, Need.REVIEW, workspace.id),
        may_save=may_save, may_withdraw=view.open and mine,
        may_revise=view.open and (mine or may_save),
        verdict=msgspec.structs.replace(view, case=case).verdict_for(actor, mover),
        verdict_live=view.verdict_for(actor, mover), is_admin=actor.role == "admin",
        may_dismiss=view.open and actor.role == "admin" and not mine,
        may_take_back=view.open and word is not None and allows(actor, Need.REVIEW, workspace.id)
        and (word.in_the_way or (word.current and word.verdict != "none" and not word.dismissed)),
        watches=watcher is not None, muted=bool(watcher and watcher.muted),
    )  # fmt: skip


async def proposal_page(
    request: Ask, template: str, db: AsyncSession, view: View, *, tab: Tab, status: int = 200,
    more: tuple[str, ...] = (), **context: Any,
) -> Template:  # fmt: skip
    """A page of one proposal, under the head that they share.

    The head needs nothing else. `answers_count` puts a number on the tab *What it does*.
    """
    workspace: WorkspaceRef = request.state.workspace
    actor: Actor = request.state.actor
    base = f"/{workspace.slug}/proposals"
    here = f"Proposal {view.number}"
    crumbs: list[tuple[str, str | None]] = [("Reviews", base)]
    crumbs.append((here, f"{base}/{view.number}" if more else None))
    given: dict[str, Any] = {
        "proposal": view,
        "me": await standing(db, actor, workspace, view),
        "here": f"{base}/{view.number}",
        "crumbs": crumbs + [(one, None) for one in more],
        "tab": tab,
        "answers_count": None,
        "went_live": await _went_live(db, view),
        **rights(actor, workspace),
        **context,
    }
    return page(request, template, section="proposals", status=status, **given)


async def _went_live(db: AsyncSession, view: View) -> list[released.Made]:
    """What it released, while all of that is still live: one press takes it back."""
    commit = await moved_by(db, view.workspace_id, view.number) if view.landed else ""
    made = await released.made(db, view.workspace_id, commit) if commit else []
    return made if all(one.stands for one in made) else []


@get("/{slug:str}/proposals/{number:int}", needs=Need.READ, name="proposal")
async def changes_page(
    request: Ask,
    number: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    database: NamedDependency[Database],
) -> Template:
    """What changes, in words; between any two revisions with `?from=&to=`."""
    await checks.refresh(database, workspace, number)
    view = await record.get(db, workspace.id, number)
    return await changes(request, db, view)


async def changes(request: Ask, db: AsyncSession, view: View, **context: Any) -> Template:
    """The page; `context` brings what was refused and what was typed."""
    asked = await _asked(request, db, view)
    items = await _items(db, view, asked)
    database: Database = request.app.state.database
    actor: Actor = request.state.actor
    if asked.read == 0 and actor.account_id is not None:
        await seen.mark(database, view.workspace_id, view.number, actor.account_id, view.revision)
    given: dict[str, Any] = await talk_of(db, view, actor, back="changes")
    given |= {
        "items": items,
        "asked": asked,
        "side_by_side": request.query_params.get("view") == "side",
        "rows": side_by_side.rows,
        "revision_names": [(one, f"revision {one}") for one in range(view.revision, 0, -1)],
        "hidden": [one for item in items for one in item.hidden],
        "trouble": "",
    }
    return await proposal_page(
        request, "registry/proposals/changes.html", db, view, tab="changes", **(given | context)
    )


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which texts are held against each other, as in the page's address."""

    old: int | None
    """A revision; None: what stood before the proposal."""
    new: int
    latest: int
    read: int | None
    """The last revision this person read; None: it does not concern them."""

    @property
    def whole(self) -> bool:
        return self.old is None

    @property
    def is_latest(self) -> bool:
        return self.new == self.latest

    @property
    def news(self) -> int | None:
        """The revision they read last, when there are newer ones."""
        return self.read if self.read and self.read < self.latest else None


async def _asked(request: Ask, db: AsyncSession, view: View) -> Asked:
    query, account_id = request.query_params, request.state.actor.account_id
    read = await seen.last(db, view.workspace_id, view.number, account_id or 0)
    old, new = whole(query.get("from")), whole(query.get("to"))
    if query.get("since") == "seen" and read:
        old = read
    new = new if new and new <= view.revision else view.revision
    old = old if old and old < new else None
    return Asked(old=old, new=new, latest=view.revision, read=read)


async def _items(db: AsyncSession, view: View, asked: Asked) -> list[ShownItem]:
    items = view.items
    if not asked.is_latest:
        items = await record.items_of(db, view.workspace_id, view.number, asked.new)
    if asked.old is None:
        return shown_items(items, view.target)
    before = await record.items_of(db, view.workspace_id, view.number, asked.old)
    return between(before, items, asked.old, view.target)


@get("/{slug:str}/proposals/{number:int}/revisions", needs=Need.READ, name="revisions")
async def revisions_page(
    request: Ask,
    number: FromPath[int],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """What was put up when, and what people said of each."""
    view = await record.get(db, workspace.id, number)
    return await proposal_page(
        request, "registry/proposals/revisions.html", db, view, tab="revisions",
        lines=await record.revisions(db, workspace.id, number),
    )  # fmt: skip


__all__ = ["ROUTES", "changes", "proposal_page", "standing"]
ROUTES: list[Any] = [changes_page, revisions_page]
