"""Labels: put a version live, undo, roll back, and every move there was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import catalog, labels
from hub.registry.diff import Change, compare
from hub.registry.form import whole
from hub.registry.names import check_label
from hub.registry.pages.common import Heading, heading, named, prompt_page
from hub.registry.pages.sheets import Sheet, sheet_page
from hub.web import Ask, Form, go

LIVE = "production"
NO_WHY = "Say why, in a sentence that you would want to read in a year."


@get("/{slug:str}/release/{label:str}/{name:path}", needs=Need.RELEASE, name="release")
async def release_sheet(
    request: Ask,
    label: FromPath[str],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    version: FromQuery[int | None] = None,
    back: FromQuery[int] = 0,
) -> Template:
    """What moves, what it replaces, and the difference in words."""
    about = await heading(db, workspace, actor, named(name))
    typed = {"reason": f"Roll back to version {version}: " if back else "", "new_name": ""}
    return await _release(request, db, workspace, about, label, version or about.head, typed=typed)


async def _release(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, about: Heading, label: str,
    version: int, **context: Any,
) -> Template:  # fmt: skip
    check_label(label)
    live = about.about.live(label)
    sheet = Sheet(
        kind="release",
        title=f"Put {about.title or about.name} live" if label == LIVE else f"Move {label}",
        button=f"Put v{version} into {label}",
        action=f"/{workspace.slug}/release/{label}/{about.name}",
        back=f"/{workspace.slug}/prompts/{about.name}",
        danger=label == LIVE,
    )
    newer = await catalog.version(db, workspace.id, about.name, version)
    change: Change | None = None
    if live:
        older = await catalog.version(db, workspace.id, about.name, live.version)
        change = compare(older.document, newer.document)
    return sheet_page(
        request, sheet, about=about, label=label, live=live, change=change, newer=newer, **context
    )


@post("/{slug:str}/release/{label:str}/{name:path}", needs=Need.RELEASE, name="release:post")
async def release(
    request: Ask,
    label: FromPath[str],
    name: FromPath[str],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Move the label, if it still is where the sheet said; undo puts it back."""
    reason = data.get("reason", "").strip()
    version, expected = _number(data.get("version")), _number(data.get("expected"))
    try:
        if not reason:
            raise Invalid(NO_WHY)
        move = await labels.move(
            request.app.state.publisher, workspace, label, named(name), version,
            expected=expected, actor=actor, reason=reason,
        )  # fmt: skip
    except HubError as refused:
        async with database.read() as db:
            about = await heading(db, workspace, actor, named(name))
            return await _release(
                request, db, workspace, about, label, version or about.head,
                typed={"reason": reason, "new_name": ""}, error=refused.sentence,
                status=refused.status,
            )  # fmt: skip
    undo = f"/{workspace.slug}/put-back/{label}/{move.old or 0}/{named(name)}"
    return go(
        f"/{workspace.slug}/prompts/{named(name)}",
        f"Version {move.new} is in {label} now"
        + (f", instead of {move.old}." if move.old else "."),
        undo=undo if move.commit else None,
    )


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if (number := whole(text)) is None:
        raise Invalid("Choose a version by its number.")
    return number


@post(
    "/{slug:str}/put-back/{label:str}/{version:int}/{name:path}",
    needs=Need.RELEASE,
    name="put-back",
)
async def put_back(
    request: Ask,
    label: FromPath[str],
    version: FromPath[int],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Redirect:
    """Undo a release: the label goes to where it was; 0 takes it off."""
    await labels.move(
        request.app.state.publisher, workspace, label, named(name), version or None, actor=actor,
        reason="Undone right after the release",
    )  # fmt: skip
    said = f"{label} is at version {version} again." if version else f"{label} was taken off again."
    return go(f"/{workspace.slug}/prompts/{named(name)}", said)


@get("/{slug:str}/labels/{label:str}/{name:path}", needs=Need.READ, name="labels")
async def labels_page(
    request: Ask,
    label: FromPath[str],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    at: FromQuery[str] = "",
) -> Template:
    """Every move of one label, and what was live at a moment."""
    about = await heading(db, workspace, actor, named(name))
    moves = await labels.history(db, workspace.id, label, about.id)
    said, error = "", None
    if at:
        try:
            moment = datetime.fromisoformat(at)
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
            live = await labels.as_of(db, workspace.id, label, moment, about.name)
            said = _was_live(label, moment, live[0].version if live else 0)
        except (ValueError, OverflowError):
            error = "Write the moment as a date and a time, such as 2026-05-03 14:00."
    return prompt_page(
        request, "registry/labels.html", about, label, label=label, moves=moves, at_typed=at,
        at_said=said, at_error=error,
        previous=await labels.previous(db, workspace.id, label, about.id),
    )  # fmt: skip


def _was_live(label: str, moment: datetime, version: int) -> str:
    when = f"On {moment.day} {moment:%B %Y} at {moment:%H:%M} (UTC)"
    if version:
        return f"{when}, {label} was at version {version}."
    return f"{when}, nothing was live under {label}."


ROUTES: list[Any] = [release_sheet, release, put_back, labels_page]
