"""Write: the prompt as a document, the draft that saves itself, and making a version of it."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import drafts
from hub.registry.drafts import DraftView, Tree
from hub.registry.pages.common import Heading, fields_of, heading, named, prompt_page
from hub.registry.pages.opened import Gone, keep, opened
from hub.registry.prompt import form
from hub.registry.prompt.document import InvalidDocument, from_json
from hub.registry.prompt.lint import Finding, lint
from hub.registry.prompt.shown import shown
from hub.registry.prompt.tokens import estimate
from hub.registry.reading import catalog
from hub.registry.reading.aside import aside
from hub.registry.reading.record import VersionView
from hub.registry.saving import NeedsResolving, save_draft
from hub.web import Ask, go

WHY = "Say why, in one sentence: it is what others will read in the history."


@get("/{slug:str}/prompts/{name:path}", needs=Need.READ, name="write")
async def write_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template | Redirect:
    """The editor with this person's draft or the latest version."""
    about = await heading(db, workspace, actor, named(name))
    if about.deleted or not about.head:
        return go(f"/{workspace.slug}/history/{about.name}")
    return await _page(request, db, about)


async def _page(request: Ask, db: AsyncSession, about: Heading, **context: Any) -> Template:
    """The editor; `context` brings what was refused and what was typed."""
    workspace: WorkspaceRef = request.state.workspace
    actor: Actor = request.state.actor
    latest = await catalog.version(db, workspace.id, about.name)
    draft = await drafts.get(db, workspace.id, actor.account_id or 0, about.id)
    tree = draft.document if draft else latest.tree
    given: dict[str, Any] = {
        "tree": shown(tree),
        "base": draft.base if draft else latest.hash,
        "base_version": draft.base_version if draft else latest.number,
        "revision": draft.revision if draft else 0,
        "draft_saved": draft.saved_at if draft else None,
        "moved": _moved(draft, latest),
        "findings": [] if draft is None else await _findings(tree, latest.snippets),
        "included": [{"key": key, "text": text} for key, text in latest.snippets.items()],
        "models": await _models(request, workspace),
        "newer_than_live": latest.number if _newer_than_live(about) else 0,
        "error": "",
        "asking": False,
        "why": "",
        "why_error": None,
    }
    return prompt_page(request, "registry/write.html", about, tab="write", **(given | context))


def _newer_than_live(about: Heading) -> bool:
    live = about.about.live()
    return live is None or live.version != about.head


async def _models(request: Ask, workspace: WorkspaceRef) -> list[str]:
    """Names to choose from; the playground knows them, the app hands the question on."""
    ask: Any = getattr(request.app.state, "model_names", None)
    return await ask(workspace.id) if ask else []


def _moved(draft: DraftView | None, latest: VersionView) -> str:
    if draft is None or draft.base == latest.hash:
        return ""
    return (
        f"{latest.author} saved version {latest.number} after you began: “{latest.message}”. "
        "Saving puts both together where that can be done, and asks you where it cannot."
    )


async def _findings(tree: Tree, snippets: dict[str, str]) -> list[Finding]:
    def look() -> list[Finding]:
        try:
            return [one for one in lint(from_json(tree), snippets) if one.level != "note"]
        except InvalidDocument as refused:
            return [Finding(level="error", sentence=refused.sentence)]

    return await aside(len(msgspec.json.encode(tree)), look)


@put("/{slug:str}/draft/{name:path}", needs=Need.DRAFT, name="draft")
async def autosave(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Response[dict[str, Any]]:
    """Keep what is typed; nothing is checked, a draft may be anything."""
    fields = await _fields(request)
    about = await opened(db, workspace, actor, named(name), fields)
    if isinstance(about, Gone):
        await keep(db, workspace, actor, about, fields)
        return Response({"detail": about.sentence}, status_code=404)
    draft = await _keep(db, about, actor, workspace, fields)
    messages = draft.document.get("messages") or []
    return Response(
        {
            "saved_at": draft.saved_at.isoformat(),
            "revision": draft.revision,
            "base": draft.base,
            "base_version": draft.base_version,
            "tokens": [estimate(str(one.get("content") or "")) for one in messages],
        }
    )


async def _fields(request: Ask) -> dict[str, list[str]]:
    fields = await fields_of(request)
    if not fields:
        raise Invalid("Nothing of the form arrived, so your draft is as it was. Try again.")
    return fields


async def _keep(
    db: AsyncSession,
    about: Heading,
    actor: Actor,
    workspace: WorkspaceRef,
    fields: dict[str, list[str]],
    action: str = "",
) -> DraftView:
    """The form as this person's draft, after what a button asked for."""
    account = actor.account_id or 0
    latest = await catalog.version(db, workspace.id, about.name)
    held = await drafts.get(db, workspace.id, account, about.id)
    tree = form.from_form(fields, held.document if held else latest.tree)
    form.act(tree, action)
    base = form.first(fields, "base") or (held.base if held else latest.hash)
    return await drafts.put(
        db, workspace.id, account, about.id, tree, name=about.name, base=base,
        base_version=form.whole(form.first(fields, "base_version")) or latest.number,
        revision=form.whole(form.first(fields, "revision")),
    )  # fmt: skip


@post("/{slug:str}/prompts/{name:path}", needs=Need.DRAFT, name="write:post", status_code=200)
async def write(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """The editor's buttons. Whatever is pressed, what was typed is a draft first."""
    fields = await _fields(request)
    action = form.first(fields, "action")
    async with database.write() as db:
        about = await opened(db, workspace, actor, named(name), fields)
        if isinstance(about, Gone):
            await keep(db, workspace, actor, about, fields)
            said = f"{about.sentence} What you typed is kept as your draft."
            return go(f"/{workspace.slug}/history/{about.name}", said, kind="error")
        draft = await _keep(db, about, actor, workspace, fields, action)
    if action == "propose":
        return go(f"/{workspace.slug}/propose/{about.name}")
    if action not in ("ask", "save"):
        return go(f"/{workspace.slug}/prompts/{about.name}")
    why = form.first(fields, "message").strip()
    if action == "ask" or not why:
        error = WHY if action == "save" else None
        return await _again(request, database, about.name, asking=True, why_error=error)
    return await _save(request, database, about, draft, why)


async def _save(
    request: Ask, database: Database, about: Heading, draft: drafts.DraftView, why: str
) -> Template | Redirect:
    """A version of what was typed; when it is refused, all of it is on the page again."""
    workspace: WorkspaceRef = request.state.workspace
    try:
        made = await save_draft(
            request.app.state.publisher, database, workspace, request.state.actor, about.name,
            draft.document, draft.base, why, base_version=draft.base_version, prompt_id=about.id,
            revision=draft.revision,
        )  # fmt: skip
    except NeedsResolving:
        return go(f"/{workspace.slug}/resolve/{about.name}")
    except HubError as refused:
        return await _again(
            request, database, about.name, status=refused.status, error=refused.sentence, why=why
        )
    said = f"Saved version {made.saved.version}. {made.note}"
    if not request.url.path.endswith(f"/{about.name}"):
        said += f" It is called {about.name} now."
    if not made.saved.created:
        said = "Nothing differs from the latest version, so no new one was made."
    return go(f"/{workspace.slug}/prompts/{about.name}", said.strip())


async def _again(request: Ask, database: Database, name: str, **context: Any) -> Template:
    async with database.read() as db:
        about = await heading(db, request.state.workspace, request.state.actor, named(name))
        return await _page(request, db, about, **context)


@post("/{slug:str}/discard/{name:path}", needs=Need.DRAFT, name="discard")
async def discard(
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """Put the draft aside; undo brings it back."""
    about = await heading(db, workspace, actor, named(name))
    await drafts.discard(db, workspace.id, actor.account_id or 0, about.id)
    undo = f"/{workspace.slug}/bring-back/{about.name}"
    return go(f"/{workspace.slug}/prompts/{about.name}", "Your draft was discarded.", undo=undo)


@post("/{slug:str}/bring-back/{name:path}", needs=Need.DRAFT, name="bring-back")
async def bring_back(
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """Undo a discard."""
    about = await heading(db, workspace, actor, named(name))
    back = await drafts.bring_back(db, workspace.id, actor.account_id or 0, about.id)
    said = "Your draft is back." if back else "There was nothing to bring back."
    return go(f"/{workspace.slug}/prompts/{about.name}", said)


ROUTES: list[Any] = [write_page, autosave, write, discard, bring_back]
