"""Looking back: history, one version, the change between two, restore."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import drafts, versions
from hub.registry.pages.common import Heading, heading, named, prompt_page
from hub.registry.prompt.diff import compare
from hub.registry.prompt.document import Document, from_json, to_json
from hub.registry.prompt.form import whole
from hub.registry.prompt.shown import settings, shown
from hub.registry.reading import catalog, history
from hub.registry.review.lands import came_by
from hub.registry.writing.publish import Publisher
from hub.web import Ask, go

Choices = list[tuple[str, str]]


@get("/{slug:str}/history/{name:path}", needs=Need.READ, name="history")
async def history_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """Versions and releases in one line of time."""
    about = await heading(db, workspace, actor, named(name))
    publisher: Publisher = request.app.state.publisher
    return prompt_page(
        request,
        "registry/history.html",
        about,
        tab="history",
        timeline=await history.timeline(db, workspace.id, about.id),
        came_by=await came_by(db, workspace.id, about.id),
        versions=_choices(about),
        from_version=str(max(1, about.head - 1)),
        to_version=str(about.head),
        repository=f"git clone {publisher.repository(workspace.slug).path}",
    )


def _choices(about: Heading) -> Choices:
    """Versions to pick from, the newest first; the draft before them."""
    made = [("draft", "your draft")] if about.draft_of is not None else []
    return made + [(str(number), f"v{number}") for number in range(about.head, 0, -1)]


@get("/{slug:str}/version/{number:int}/{name:path}", needs=Need.READ, name="version")
async def version_page(
    request: Ask,
    number: FromPath[int],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """One version as it was."""
    about = await heading(db, workspace, actor, named(name))
    view = await catalog.version(db, workspace.id, about.name, number)
    tree = to_json(view.document)
    return prompt_page(
        request,
        "registry/version.html",
        about,
        f"v{number}",
        version=view,
        tree=shown(tree),
        settings=settings(tree),
    )


@get("/{slug:str}/compare/{name:path}", needs=Need.READ, name="compare")
async def compare_pick(
    name: FromPath[str],
    workspace: NamedDependency[WorkspaceRef],
    old: FromQuery[str] = "",
    new: FromQuery[str] = "",
) -> Redirect:
    """The two selects of the history page lead to the address of that change."""
    return go(f"/{workspace.slug}/diff/{old or 1}/{new or 1}/{named(name)}")


@get("/{slug:str}/diff/{old:str}/{new:str}/{name:path}", needs=Need.READ, name="diff")
async def diff_page(
    request: Ask,
    old: FromPath[str],
    new: FromPath[str],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """What is different, in words; either side may be `draft`."""
    about = await heading(db, workspace, actor, named(name))
    before, _ = await _side(db, workspace, actor, about, old)
    after, why = await _side(db, workspace, actor, about, new)
    return prompt_page(
        request,
        "registry/diff.html",
        about,
        f"{_said(old)} and {_said(new)}",
        change=compare(before, after),
        why=why,
        from_said=_said(old),
        to_said=_said(new),
        versions=_choices(about),
        from_version=old,
        to_version=new,
    )


def _said(side: str) -> str:
    return "your draft" if side == "draft" else f"v{side}"


async def _side(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, about: Heading, side: str
) -> tuple[Document, str]:
    """The text of a version, or of this person's draft, and why it was made."""
    if side == "draft":
        draft = await drafts.get(db, workspace.id, actor.account_id or 0, about.id)
        if draft is None:
            raise Conflict("You have no draft of this prompt; it may have been saved meanwhile.")
        return from_json(draft.document), ""
    if (number := whole(side)) is None:
        raise Invalid("Choose two versions by number, or `draft` for what you are writing.")
    view = await catalog.version(db, workspace.id, about.name, number)
    return view.document, f"{view.author}: {view.message}"


@post("/{slug:str}/restore/{number:int}/{name:path}", needs=Need.SAVE, name="restore")
async def restore(
    request: Ask,
    number: FromPath[int],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Redirect:
    """Make an old version the newest again; undone by restoring the one before."""
    publisher: Publisher = request.app.state.publisher
    saved = await versions.restore(
        publisher,
        workspace,
        named(name),
        number,
        actor=actor,
        message=f"Restore version {number}",
    )
    back = f"/{workspace.slug}/restore/{saved.version - 1}/{saved.name}"
    said = f"Version {saved.version} says again what version {number} said."
    return go(
        f"/{workspace.slug}/history/{saved.name}",
        said if saved.created else f"The latest version already says what version {number} says.",
        undo=back if saved.created else None,
    )


ROUTES: list[Any] = [history_page, version_page, compare_pick, diff_page, restore]
