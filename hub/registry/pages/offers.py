"""What the pages that put a change up for review have in common: pieces, the form, the deed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Invalid
from hub.people import rules, rules_store
from hub.people.policy import WorkspaceRef
from hub.registry import drafts
from hub.registry.drafts import DraftView
from hub.registry.pages.common import Fields
from hub.registry.prompt.diff import Change, compare
from hub.registry.prompt.document import InvalidDocument, from_json
from hub.registry.prompt.form import first, whole
from hub.registry.reading import catalog
from hub.registry.reading.record import VersionView
from hub.registry.review import offering, record
from hub.registry.review.offering import Offered, OpenOne, Reviewer
from hub.registry.review.proposals import Made, Wanted
from hub.web import Ask, go

NO_TITLE = "Give it a title: one line that says what the change is for."


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt of what shall be proposed."""

    key: str
    """The prompt's id."""
    name: str
    title: str
    change: Change | None
    problem: str = ""
    """Why it cannot be proposed as it stands."""
    wanted: Wanted | None = None
    draft: DraftView | None = None


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """What the page asks and shows."""

    action: str
    back: str
    pieces: list[Piece]
    reviewers: list[Reviewer]
    mine: list[OpenOne]
    """Open proposals of this person that it could go into."""
    against: dict[int, list[Change]]
    """By their numbers, what it would change of the texts that they propose already."""
    labels: list[str]
    sentences: list[str]
    """What the rules will ask for."""


async def of_draft(db: AsyncSession, workspace: WorkspaceRef, name: str, draft: DraftView) -> Piece:
    """A draft as it would be proposed, against the version it was begun from."""
    about = await catalog.get(db, workspace.id, name)
    base = await catalog.version(db, workspace.id, name, draft.base_version)
    return made_of(about, draft.document, draft.base, base, draft)


def made_of(
    about: Any, tree: drafts.Tree, base: str | None, before: VersionView,
    draft: DraftView | None = None,
) -> Piece:  # fmt: skip
    try:
        document = from_json(tree)
    except InvalidDocument as refused:
        return Piece(
            key=about.id, name=about.name, title=about.title or about.name, change=None,
            problem=refused.sentence, draft=draft,
        )  # fmt: skip
    return Piece(
        key=about.id, name=about.name, title=document.title or about.name,
        change=compare(before.document, document), draft=draft,
        wanted=Wanted(kind="change", name=about.name, document=document, base=base),
    )  # fmt: skip


async def screen_of(
    request: Ask, db: AsyncSession, pieces: list[Piece], action: str, back: str,
    names: Sequence[str], fields: Fields,
) -> Screen:  # fmt: skip
    workspace, actor = request.state.workspace, request.state.actor
    loaded = await rules_store.read(db, workspace.id)
    target = first(fields, "target").strip() or None
    asked = offering.asked_rules(loaded.policy, names, target)
    known = [name for name, _ in await catalog.labels(db, workspace.id)]
    keys = [one.key for one in pieces]
    mine = await offering.mine_on(db, workspace.id, actor.account_id, keys)
    return Screen(
        action=action, back=back, pieces=pieces,
        reviewers=await offering.reviewers_for(db, workspace.id, actor, names, target),
        mine=mine, against={one.number: await _against(db, workspace, one, pieces) for one in mine},
        labels=list(dict.fromkeys(["production", *known])),
        sentences=[rules.sentence(rule, loaded.called) for rule in asked],
    )  # fmt: skip


async def _against(
    db: AsyncSession, workspace: WorkspaceRef, there: OpenOne, pieces: list[Piece]
) -> list[Change]:
    """A draft that was begun on the version would take back what the proposal says by now."""
    items = await record.items_of(db, workspace.id, there.number, there.revision)
    said = {one.prompt_id: one.new for one in items if one.kind in ("create", "change")}
    return [
        compare(before, one.wanted.document)
        for one in pieces
        if one.wanted and one.wanted.document and (before := said.get(one.key))
    ]


def typed_in(fields: Fields, screen: Screen) -> dict[str, Any]:
    """What the form shows: what was typed, or what is likely meant."""
    latest = str(screen.mine[0].number) if screen.mine else "new"
    counted = {one.account_id for one in screen.reviewers if one.counts}
    return {
        "title": first(fields, "title"),
        "why": first(fields, "why"),
        "target": first(fields, "target"),
        "into": first(fields, "into") or latest,
        "who": {whole(one) for one in fields.get("who", ())} if fields else counted,
        "draft": set(fields["draft"]) if "draft" in fields else None,
    }


async def offer_them(request: Ask, pieces: Sequence[Piece], fields: Fields) -> Made:
    """Raises:
    HubError: it cannot be proposed as it is; nothing was.
    """
    if wrong := next((one for one in pieces if one.wanted is None), None):
        raise Invalid(f"{wrong.name} cannot be proposed yet: {wrong.problem}")
    into = whole(first(fields, "into"))
    title = first(fields, "title").strip()
    if into is None and not title:
        raise Invalid(NO_TITLE)
    offered = Offered(
        title=title, why=first(fields, "why"), target=first(fields, "target").strip() or None,
        reviewers=tuple(
            number for one in fields.get("who", ()) if (number := whole(one)) is not None
        ),
        into=into, expected=whole(first(fields, f"revision-{into}")) if into else None,
    )  # fmt: skip
    state = request.app.state
    return await offering.offer(
        state.publisher, state.database, request.state.workspace, actor=request.state.actor,
        wanted=[one.wanted for one in pieces if one.wanted], offered=offered,
        used=[one.draft for one in pieces if one.draft],
    )  # fmt: skip


def done(workspace: WorkspaceRef, made: Made) -> Redirect:
    here = f"/{workspace.slug}/proposals/{made.number}"
    if not made.created:
        return go(here, "Nothing differs from the latest revision, so no new one was made.")
    if made.revision > 1:
        return go(here, f"Revision {made.revision} is up for review.")
    return go(here, f"Proposal {made.number} is up for review.")


async def offer_instead(
    request: Ask, wish: Wanted, title: str, why: str, target: str | None = None,
    into: int | None = None,
) -> Redirect:  # fmt: skip
    """What a sheet asked for as a proposal, with those the rules name asked to review; or as part
    of one that there is."""
    workspace, actor, state = request.state.workspace, request.state.actor, request.app.state
    async with state.database.read() as db:
        found = await offering.reviewers_for(db, workspace.id, actor, [wish.name], target)
    made = await offering.offer(
        state.publisher, state.database, workspace, actor=actor, wanted=[wish],
        offered=Offered(
            title=title[:200], why=why or title * (into is not None), target=target, into=into,
            reviewers=tuple(one.account_id for one in found if one.counts),
        ),
    )  # fmt: skip
    return done(workspace, made)
