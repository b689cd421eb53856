"""Rename, duplicate, delete, bring back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.pages.common import Heading, heading, named
from hub.registry.pages.glass import may_insist
from hub.registry.pages.offers import offer_instead
from hub.registry.pages.sheets import Sheet, sheet_page
from hub.registry.prompt.form import whole
from hub.registry.reading import catalog
from hub.registry.review import offering
from hub.registry.review.offering import OpenOne
from hub.registry.review.proposals import Wanted
from hub.web import Ask, Form, go

TEXTS = {
    "rename": "Its history and labels come along, and the old name leads to the new one.",
    "duplicate": "The copy begins as the latest version stands, with a history of its own.",
    "delete": "Its versions stay, and it can be brought back.",
}


def _sheet(kind: str, workspace: WorkspaceRef, about: Heading, into: list[OpenOne]) -> Sheet:
    live = ", ".join(f"{one.label} (v{one.version})" for one in about.labels)
    text, offers = TEXTS[kind], kind in ("rename", "delete")
    if kind == "delete" and live:
        text += f" It is live in {live}: applications that ask for it will find nothing."
    return Sheet(
        kind=kind,
        title=f"{kind.capitalize()} {about.title or about.name}",
        button=kind.capitalize(),
        action=f"/{workspace.slug}/{kind}/{about.name}",
        back=f"/{workspace.slug}/prompts/{about.name}",
        text=text,
        danger=kind == "delete",
        propose=f"Propose to {kind} it" if offers and (about.reviewed or into) else "",
        reviewed=offers and about.reviewed,
        into=into,
    )


async def _ask(
    request: Ask, db: AsyncSession, kind: str, name: str, *, error: str = "", status: int = 200,
    typed: dict[str, str] | None = None, may_insist: bool = False,
) -> Template:  # fmt: skip
    workspace: WorkspaceRef = request.state.workspace
    about = await heading(db, workspace, request.state.actor, named(name))
    if typed is None:
        copy = await catalog.free_name(db, workspace.id, about.name)
        typed = {"reason": "", "new_name": copy if kind == "duplicate" else about.name}
    me = request.state.actor.account_id
    into = await offering.mine_beside(db, workspace.id, me, about.id)
    sheet = _sheet(kind, workspace, about, into)
    return sheet_page(
        request, sheet, about=about, typed=typed, error=error, status=status, may_insist=may_insist
    )


Deed = Callable[[str], Awaitable[Redirect]]


async def _do(request: Ask, kind: str, name: str, data: dict[str, str], deed: Deed) -> Any:
    """Do it; a refusal comes back on the sheet, with what was typed."""
    typed = {key: data.get(key, "") for key in ("reason", "new_name", "despite", "into")}
    try:
        return await deed(typed["new_name"].strip().strip("/"))
    except HubError as refused:
        database: Database = request.app.state.database
        async with database.read() as db:
            return await _ask(
                request, db, kind, name, error=refused.sentence, status=refused.status,
                typed=typed, may_insist=may_insist(refused),
            )  # fmt: skip


@get("/{slug:str}/rename/{name:path}", needs=Need.SAVE, name="rename")
async def rename_sheet(
    request: Ask, name: FromPath[str], db: NamedDependency[AsyncSession]
) -> Template:
    return await _ask(request, db, "rename", name)


@get("/{slug:str}/duplicate/{name:path}", needs=Need.SAVE, name="duplicate")
async def duplicate_sheet(
    request: Ask, name: FromPath[str], db: NamedDependency[AsyncSession]
) -> Template:
    return await _ask(request, db, "duplicate", name)


@get("/{slug:str}/delete/{name:path}", needs=Need.SAVE, name="delete")
async def delete_sheet(
    request: Ask, name: FromPath[str], db: NamedDependency[AsyncSession]
) -> Template:
    return await _ask(request, db, "delete", name)


@post("/{slug:str}/rename/{name:path}", needs=Need.SAVE, name="rename:post", status_code=200)
async def rename(
    request: Ask,
    name: FromPath[str],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Template | Redirect:
    """Give it another name."""

    async def deed(new_name: str) -> Redirect:
        publisher = request.app.state.publisher
        why = data.get("reason", "")
        if data.get("action") == "propose":
            wish = Wanted(kind="rename", name=named(name), new_name=new_name)
            title = f"Rename {named(name)} to {new_name}"
            return await offer_instead(request, wish, title, why, into=whole(data.get("into")))
        await versions.rename(
            publisher, workspace, named(name), new_name, actor=actor, message=why,
            despite=data.get("despite", ""),
        )  # fmt: skip
        return go(f"/{workspace.slug}/prompts/{new_name}", f"It is called {new_name} now.")

    return await _do(request, "rename", name, data, deed)


@post("/{slug:str}/duplicate/{name:path}", needs=Need.SAVE, name="duplicate:post", status_code=200)
async def duplicate(
    request: Ask,
    name: FromPath[str],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Begin another prompt with this one's text."""

    async def deed(new_name: str) -> Redirect:
        async with database.read() as db:
            view = await catalog.version(db, workspace.id, named(name))
        copy = msgspec.structs.replace(view.document, id=None)
        saved = await versions.save(
            request.app.state.publisher, workspace, new_name, copy, base=None, actor=actor,
            message=data.get("reason") or f"Copy of {view.name}",
        )  # fmt: skip
        return go(f"/{workspace.slug}/prompts/{saved.name}", f"Made {saved.name}.")

    return await _do(request, "duplicate", name, data, deed)


@post("/{slug:str}/delete/{name:path}", needs=Need.SAVE, name="delete:post", status_code=200)
async def delete(
    request: Ask,
    name: FromPath[str],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Template | Redirect:
    """Take it away; undo brings it back."""

    async def deed(_: str) -> Redirect:
        publisher = request.app.state.publisher
        why = data.get("reason", "")
        if data.get("action") == "propose":
            wish = Wanted(kind="delete", name=named(name))
            title = f"Delete {named(name)}"
            return await offer_instead(request, wish, title, why, into=whole(data.get("into")))
        await versions.delete(
            publisher, workspace, named(name), actor=actor, message=why,
            despite=data.get("despite", ""),
        )  # fmt: skip
        undo = f"/{workspace.slug}/undelete/{named(name)}"
        return go(f"/{workspace.slug}/prompts", f"{named(name)} was deleted.", undo=undo)

    return await _do(request, "delete", name, data, deed)


@post("/{slug:str}/undelete/{name:path}", needs=Need.SAVE, name="undelete")
async def undelete(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Redirect:
    """Bring a deleted prompt back as it was, live where it was if the person may release."""
    publisher = request.app.state.publisher
    async with database.read() as db:
        about = await catalog.get(db, workspace.id, named(name), deleted=True)
        moment = about.deleted_at
        lost = await labels.lost(db, workspace.id, about.id, moment) if moment else []
    saved = await versions.restore(
        publisher, workspace, about.name, about.head, actor=actor, message="Bring it back"
    )
    if not allows(actor, Need.RELEASE, workspace.id):
        said = f"{saved.name} is back, but not live anywhere. Put it live again if apps use it."
        return go(f"/{workspace.slug}/prompts/{saved.name}", said)
    for label, version in lost:
        await labels.move(
            publisher, workspace, label, saved.name, version, expected=None, actor=actor,
            reason="Brought back with the prompt",
        )  # fmt: skip
    where = ", ".join(f"{label} (v{version})" for label, version in lost)
    said = f"{saved.name} is back" + (f", and live again in {where}." if where else ".")
    return go(f"/{workspace.slug}/prompts/{saved.name}", said)


ROUTES: list[Any] = [
    rename_sheet,
    duplicate_sheet,
    delete_sheet,
    rename,
    duplicate,
    delete,
    undelete,
]
