"""Talking about a proposal: the Talk page, remarks, answers, and what is typed and not sent."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.review import comments, record, threads, unsent
from hub.registry.review.anchors import texts_of
from hub.registry.review.views import View
from hub.web import Ask, Form, go, is_part, page


class Refused(msgspec.Struct, frozen=True):
    """What could not be sent, so that the page shows it again with the reason."""

    slot: str
    body: str
    sentence: str
    resolved: bool = False


class Begun(msgspec.Struct, frozen=True):
    """A remark on words that was begun and not sent."""

    slot: str
    prompt_id: str
    place: str
    start: int
    revision: int
    quote: str


@get("/{slug:str}/proposals/{number:int}/talk", needs=Need.READ, name="proposal:talk")
async def talk_page(
    request: Ask,
    number: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    quote: FromQuery[int | None] = None,
) -> Template:
    """Everything said; `quote` begins an answer to that remark with its words."""
    view = await record.get(db, workspace.id, number)
    shown = await talk_of(db, view, actor, quote=quote)
    return page(request, "registry/talk/talk.html", section="proposals", **shown)


@post("/{slug:str}/proposals/{number:int}/comments", needs=Need.READ, name="proposal:comment")
async def comment(
    request: Ask,
    number: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Say something; a text that cannot be sent stays in its form."""

    async def deed(db: AsyncSession) -> int:
        return await comments.add(
            db, workspace.id, number, actor=actor, body=data.get("body", ""), on=_on(data),
            parent_id=_number(data.get("parent")),
        )  # fmt: skip

    return await _done(request, number, data, actor, workspace, database, deed)


@post(
    "/{slug:str}/proposals/{number:int}/comments/{comment_id:int}", needs=Need.READ,
    name="proposal:comment:edit",
)  # fmt: skip
async def edit(
    request: Ask,
    number: FromPath[int],
    comment_id: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
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
    request: Ask,
    number: FromPath[int],
    comment_id: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
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
    number: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> None:
    """Keep what is being typed."""
    slot, body = data.get("slot", ""), data.get("body", "")
    await unsent.keep(db, workspace.id, number, slot, body, actor=actor)


async def talk_of(
    db: AsyncSession, view: View, actor: Actor, *, back: str = "talk", quote: int | None = None,
    refused: Refused | None = None, typed: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the talk's templates need, on whichever page they stand; `back`: talk or changes."""
    talk = await threads.of(db, view, actor=actor)
    answering, quoting = _quote(talk, quote)
    return {
        "proposal": view,
        "talk": talk,
        "begun": await _begun(db, view, talk),
        "places": _places(view),
        "answering": answering,
        "quoting": quoting,
        "error": refused,
        "typed": typed or {},
        "back": back,
    }


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
    status = 422 if refused else 200
    return page(request, "registry/talk/talk.html", section="proposals", status=status, **shown)


def _on(data: Form) -> comments.On | None:
    """What a form is about: hidden fields of the browser, or `at` where it was chosen by hand."""
    prompt_id, _, place = (data.get("at") or "").partition("|")
    prompt_id, place = data.get("prompt_id") or prompt_id, data.get("place") or place
    if not prompt_id:
        return None
    return comments.On(
        prompt_id=prompt_id, place=place or None, quote=data.get("quote", ""),
        start=_number(data.get("start")), revision=_number(data.get("revision")),
    )  # fmt: skip


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None


def _places(view: View) -> list[tuple[str, str]]:
    """Where words can be chosen by hand."""
    many = len(view.items) > 1
    return [
        (
            f"{item.prompt_id}|{place}",
            f"{item.title}: {said}" if many else said[:1].upper() + said[1:],
        )
        for item in view.items
        for place in [*texts_of(item.new or item.old), "settings", "variables"]
        for said in [threads.place_said(place, item)]
    ]


def _quote(talk: threads.Talk, asked: int | None) -> tuple[int, str]:
    """The thread to answer in and what the answer begins with."""
    for thread in talk.threads:
        for said in thread.said:
            if said.id == asked:
                return thread.id, said.quote_start
    return 0, ""


async def _begun(db: AsyncSession, view: View, talk: threads.Talk) -> list[Begun]:
    """Remarks on words that were begun: their slots name prompt, place, start, length, revision."""
    made: list[Begun] = []
    for slot in talk.unsent:
        kind, _, rest = slot.partition(":")
        parts = rest.split(":")
        if kind != "on" or len(parts) != 5:
            continue
        prompt_id, place, *numbers = parts
        start, length, revision = (_number(one) for one in numbers)
        if start is None or not length or not revision or revision > view.revision:
            continue
        quote = await threads.words_at(db, view, prompt_id, place, start, length, revision)
        made.append(Begun(slot, prompt_id, place, start, revision, quote))
    return made


ROUTES = [talk_page, comment, keep, edit, resolve]
