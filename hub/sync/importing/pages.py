"""The Import page: choose, drop or paste; look at what it would do; propose it, or save."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.sync.importing import deciding, kept, upload
from hub.web import Ask, Form, go, page

Place = NamedDependency[WorkspaceRef]
Who = NamedDependency[Actor]
Db = NamedDependency[AsyncSession]
Data = NamedDependency[Database]


@get("/{slug:str}/import", needs=Need.PROPOSE, name="import")
async def import_page(request: Ask, actor: Who, workspace: Place, db: Db) -> Template:
    """Where files come in."""
    return await _page(request, db, workspace, actor)


@post(
    "/{slug:str}/import", needs=Need.PROPOSE, name="import:read", status_code=200,
    request_max_body_size=upload.LARGEST + (1 << 20),
)  # fmt: skip
async def bring(request: Ask, actor: Who, workspace: Place, database: Data) -> Template | Redirect:
    """Read them, and keep what was read until somebody decides."""
    form = await request.form()
    typed = {key: value for key, value in form.items() if isinstance(value, str)}
    try:
        found = await asyncio.to_thread(upload.read, await _files(form, typed))
        folder = kept.check_folder(typed.get("folder", ""))
    except Invalid as refusal:
        async with database.read() as db:
            return await _page(request, db, workspace, actor, typed=typed, wrong=refusal.sentence)
    async with database.write() as db:
        made = await kept.keep(db, workspace, actor.account_id or 0, folder, found)
    return go(f"/{workspace.slug}/import/{made.id}")


@get("/{slug:str}/import/{number:int}", needs=Need.PROPOSE, name="import:look")
async def look_page(
    request: Ask, number: FromPath[int], actor: Who, workspace: Place, db: Db
) -> Template:
    """What it would do, prompt by prompt, and what was lost on the way."""
    return await deciding.look(request, db, workspace, actor, number)


@post("/{slug:str}/import/{number:int}", needs=Need.PROPOSE, name="import:decide", status_code=200)
async def decide(
    request: Ask, number: FromPath[int], data: Form, actor: Who, workspace: Place, database: Data
) -> Template | Redirect:
    """Propose it, save it, put it below another folder, or forget it."""
    deed = deciding.DEEDS.get(data.get("do", ""), deciding.propose)
    try:
        return await deed(request, database, workspace, actor, number, data)
    except HubError as refused:
        if refused.status == 404:
            raise
        async with database.read() as db:
            return await deciding.look(
                request, db, workspace, actor, number, typed=data, refused=refused
            )


async def _files(form: Any, typed: dict[str, str]) -> list[upload.File]:
    """What was sent. `paths` says where in a dropped folder each file lay, in their order: a
    browser sends the bare name."""
    sent = [one for one in form.getall("files", []) if isinstance(one, UploadFile) and one.filename]
    paths = _paths(typed.get("paths", ""), len(sent))
    files = [
        (path or one.filename, await one.read()) for one, path in zip(sent, paths, strict=True)
    ]
    if (text := upload.pasted(typed.get("paste", ""), typed.get("called", ""))) is not None:
        files.append(text)
    return files


def _paths(told: str, many: int) -> list[str]:
    try:
        paths: Any = json.loads(told) if told else []
    except ValueError:
        paths = []
    good = isinstance(paths, list) and len(paths) == many
    return [one if isinstance(one, str) else "" for one in paths] if good else [""] * many


async def _page(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, actor: Actor, *,
    typed: dict[str, str] | None = None, wrong: str = "",
) -> Template:  # fmt: skip
    left = await kept.mine(db, workspace, actor.account_id or 0)
    return page(
        request, "sync/import.html", section="prompts", status=422 if wrong else 200,
        typed=typed or {}, wrong=wrong, left=left, most=upload.LARGEST >> 20,
        most_files=upload.MOST_FILES,
    )  # fmt: skip


ROUTES: list[Any] = [import_page, bring, look_page, decide]
