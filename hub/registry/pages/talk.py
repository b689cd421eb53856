"""Talking about a proposal: the Talk page, remarks, answers, and what is typed and not sent."""

from __future__ import annotations

from typing import Any

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.pages.proposals import proposal_page
from hub.registry.pages.talk_shown import Asked, Refused, talk_of
from hub.registry.prompt.form import whole
from hub.registry.review import comments, record, unsent
from hub.web import Ask, Form, go, is_part, page

TALK = "registry/talk/talk.html"

Number = FromPath[int]
Who = NamedDependency[Actor]
Place = NamedDependency[WorkspaceRef]
Data = NamedDependency[Database]


@get("/{slug:str}/proposals/{number:int}/talk", needs=Need.READ, name="proposal:talk")
async def talk_page(
    request: Ask, number: Number, actor: Who, workspace: Place, db: NamedDependency[AsyncSession],
    quote: FromQuery[int | None] = None, answer: FromQuery[int | None] = None,
    change: FromQuery[int | None] = None,
) -> Template:  # fmt: skip
    """Everything said; with a form open to quote a remark, to answer in a thread, to change one."""
    view = await record.get(db, workspace.id, number)
    asked = Asked(quote=quote, answer=answer, change=change)
    shown = await talk_of(db, view, actor, asked=asked)
    return await proposal_page(request, TALK, db, view, tab="talk", **shown)


@post("/{slug:str}/proposals/{number:int}/comments", needs=Need.READ, name="proposal:comment")
async def comment(
    request: Ask, number: Number, data: Form, actor: Who, workspace: Place, database: Data
) -> Template | Redirect:
    """Say something; a text that cannot be sent stays in its form."""

    async def deed(db: AsyncSession) -> int:
        return await comments.add(
            db, workspace.id, number, actor=actor, body=data.get("body", ""), on=_on(data),
            parent_id=whole(data.get("parent")),
        )  # fmt: skip

    return await _done(request, number, data, actor, workspace, database, deed)


@post(
    "/{slug:str}/proposals/{number:int}/comments/{comment_id:int}", needs=Need.READ,
    name="proposal:comment:edit",
)  # fmt: skip
async def edit(
    request: Ask, number: Number, comment_id: Number, data: Form, actor: Who, workspace: Place,
    database: Data,
) -> Template | Redirect:  # fmt: skip
    async def deed(db: AsyncSession) -> int:
        body = data.get("body", "")
        await comments.edit(db, workspace.id, number, comment_id, actor=actor, body=body)
        return comment_id

    return await _done(request, number, data, actor, workspace, database, deed)


@post(
    "/{slug:str}/proposals/{number:int}/comments/{comment_id:int}/resolve", needs=Need.READ,
    name="proposal:comment:resolve",
)  # fmt: skip
async def resolve(
    request: Ask, number: Number, comment_id: Number, data: Form, actor: Who, workspace: Place,
    database: Data,
) -> Template | Redirect:  # fmt: skip
    async def deed(db: AsyncSession) -> int:
        resolved = data.get("resolved") != "no"
        await comments.resolve(db, workspace.id, number, comment_id, actor=actor, resolved=resolved)
        return comment_id

    return await _done(request, number, data, actor, workspace, database, deed)


@put(
    "/{slug:str}/proposals/{number:int}/comments/draft", needs=Need.READ,
    name="proposal:comment:draft", status_code=204,
)  # fmt: skip
async def keep(
    number: Number, data: Form, actor: Who, workspace: Place, db: NamedDependency[AsyncSession]
) -> None:
    """Keep what is being typed."""
    slot, body = data.get("slot", ""), data.get("body", "")
    await unsent.keep(db, workspace.id, number, slot, body, actor=actor)


async def _done(
    request: Ask, number: int, data: Form, actor: Actor, workspace: WorkspaceRef,
    database: Database, deed: Any,
) -> Template | Redirect:  # fmt: skip
    """Do it and forget what was kept of its form; then the talk as it is now."""
    slot, refused = data.get("slot", ""), None
    at = 0
    try:
        async with database.write() as db:
            at = await deed(db)
            await unsent.drop(db, workspace.id, number, slot, actor.account_id)
    except HubError as error:
        if error.status not in (409, 422) or not slot:
            raise
        refused = Refused(slot, data.get("body", ""), error.sentence)
    back = "changes" if data.get("back") == "changes" else "talk"
    here = f"/{workspace.slug}/proposals/{number}"
    if refused is None and not is_part(request):
        return go(f"{here}{'' if back == 'changes' else '/talk'}#remark-{at}")
    async with database.read() as db:
        view = await record.get(db, workspace.id, number)
        shown = await talk_of(db, view, actor, back=back, refused=refused, typed=data)
        if is_part(request):
            part = "registry/talk/_side.html" if back == "changes" else "registry/talk/_talk.html"
            return page(request, part, status=200, **shown)
        return await proposal_page(request, TALK, db, view, tab="talk", status=422, **shown)


def _on(data: Form) -> comments.On | None:
    """What a form is about: hidden fields of the browser, or `at` where it was chosen by hand."""
    prompt_id, _, place = (data.get("at") or "").partition("|")
    prompt_id, place = data.get("prompt_id") or prompt_id, data.get("place") or place
    if not prompt_id:
        return None
    return comments.On(
        prompt_id=prompt_id, place=place or None, quote=data.get("quote", ""),
        start=whole(data.get("start")), revision=whole(data.get("revision")),
    )  # fmt: skip


ROUTES = [talk_page, comment, keep, edit, resolve]
