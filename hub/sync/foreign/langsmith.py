"""The part of LangSmith's interface that its client pulls prompts by: reading alone.

    GET /api/langsmith/commits/{owner}/{name}/{ref}    one version, as a manifest
    GET /api/langsmith/commits/{owner}/{name}/         the versions
    GET /api/langsmith/repos/{owner}/{name}            about a prompt
    GET /api/langsmith/repos/                          the prompts
    GET /api/langsmith/settings · /info                what the client asks for beside them

An API key is sent as `X-API-Key`. A name of theirs holds no `/`, so ours is written with `~`
(`support~triage`), or its one folder as the owner. `ref` is `latest`, a label, the number of a
version, or the beginning of its commit.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5

from litestar import HttpMethod, Response, Router, get, route
from litestar.params import FromPath, FromQuery, QueryParameter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict, HubError, NotFound
from hub.people.models import Workspace
from hub.people.policy import Need, WorkspaceRef
from hub.registry.models import Prompt, Version
from hub.registry.reading import catalog, history
from hub.registry.reading.catalog import About
from hub.registry.reading.record import VersionView
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import Ask, about_prompt, as_json, view_of
from hub.sync.foreign.flat import flattened
from hub.sync.formats.langsmith_out import manifest_of
from hub.sync.formats.report import Notes
from hub.sync.readers import readers_of

Json = dict[str, Any]
MOST = 100
_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,40}", re.ASCII)
Limit = Annotated[int, QueryParameter(ge=1, le=MOST)]
Offset = Annotated[int, QueryParameter(ge=0, le=2**31 - 1)]


@get("/commits/{rest:path}", needs=Need.READ, name="langsmith:commits")
async def commits(
    request: Ask, db: Db, actor: Who, workspace: Place, rest: FromPath[str], limit: Limit = MOST,
    offset: Offset = 0, include_model: FromQuery[bool] = False,
) -> Response[bytes]:  # fmt: skip
    """With a `ref` at the end one version, else the list. A manifest never holds a model: one
    would say where to connect."""
    owner, name, ref = _place(rest)
    if ref:
        view = await _view(db, workspace, owner, name, ref)
        said = _commit(owner, name, view)
        readers_of(request).note("LangSmith client", actor, workspace, view)
        return as_json(said)
    about = await about_prompt(db, workspace, _ours(owner, name))
    return as_json(await _commits(db, workspace, about, limit, offset))


@get("/repos", needs=Need.READ, name="langsmith:repos")
async def repos(
    db: Db,
    workspace: Place,
    limit: Limit = MOST,
    offset: Offset = 0,
    words: Annotated[str, QueryParameter(name="query")] = "",
) -> Response[bytes]:
    """By name, or the best first if something is searched for."""
    cursor, found, wanted = None, list[str](), offset + limit
    while True:
        page = await catalog.find(db, workspace.id, q=words, cursor=cursor, limit=MOST)
        found += [one.name for one in page.items]
        cursor = page.next
        if cursor is None or len(found) >= wanted:
            break
    shown = [await catalog.get(db, workspace.id, one) for one in found[offset:wanted]]
    heads = await _heads(db, workspace, [one.id for one in shown])
    return as_json({
        "repos": [_repo(workspace, one, heads.get(one.id)) for one in shown], "total": page.total,
    })  # fmt: skip


@get("/repos/{rest:path}", needs=Need.READ, name="langsmith:repo")
async def repo(db: Db, workspace: Place, rest: FromPath[str]) -> Response[bytes]:
    """One prompt, without its text."""
    owner, name, _ = _place(rest)
    about = await about_prompt(db, workspace, _ours(owner, name))
    heads = await _heads(db, workspace, [about.id])
    return as_json({"repo": _repo(workspace, about, heads.get(about.id))})


@get("/settings", needs=Need.READ, name="langsmith:settings")
async def settings(db: Db, workspace: Place) -> Response[bytes]:
    """Whose prompts these are."""
    kept = await db.get_one(Workspace, workspace.id)
    return as_json({
        "id": str(_id(workspace.slug)), "display_name": workspace.name,
        "created_at": kept.created_at, "tenant_handle": None,
    })  # fmt: skip


@get("/info", needs=Need.READ, name="langsmith:info")
async def info(request: Ask) -> Response[bytes]:
    """What the client asks every server."""
    return as_json({"version": request.app.state.version, "instance_flags": {}})


@route(
    ["/repos", "/repos/{rest:path}", "/commits/{rest:path}"],
    http_method=[HttpMethod.POST, HttpMethod.PATCH, HttpMethod.PUT, HttpMethod.DELETE],
    needs=Need.READ, name="langsmith:write",
)  # fmt: skip
async def write() -> None:
    """What makes a prompt or pushes one is refused with a sentence."""
    raise ReadsAlone


class ReadsAlone(HubError):
    """Nothing is written by this door."""

    status = 405

    def __init__(self) -> None:
        super().__init__(
            "Prompt Hub answers LangSmith's client when it pulls prompts. Save, propose and "
            "release them in the hub, over its own REST interface or with git."
        )


def _place(rest: str) -> tuple[str, str, str]:
    """Owner, name and, if there is one, the reference."""
    parts = rest.strip("/").split("/")
    if len(parts) not in (2, 3):
        raise NotFound("A prompt is asked for as owner, name and, if wanted, a version.")
    return parts[0], parts[1], parts[2] if len(parts) == 3 else ""


def _ours(owner: str, name: str) -> str:
    return (name if owner == "-" else f"{owner}/{name}").replace("~", "/")


async def _view(
    db: AsyncSession, workspace: WorkspaceRef, owner: str, name: str, ref: str
) -> VersionView:
    wanted = _ours(owner, name)
    if _NUMBER.fullmatch(ref):
        return await view_of(db, workspace, wanted, int(ref), None)
    try:
        return await view_of(db, workspace, wanted, None, ref)
    except NotFound:
        if not _COMMIT.fullmatch(ref):
            raise
        about = await about_prompt(db, workspace, wanted)
        query = select(Version.number).where(
            Version.workspace_id == workspace.id, Version.prompt_id == about.id,
            Version.commit.startswith(ref),
        )  # fmt: skip
        found = list(await db.scalars(query.limit(2)))
        if not found:
            raise
        if len(found) > 1:
            raise Conflict(f"Several versions begin with {ref}. Give more of it.") from None
        return await view_of(db, workspace, about.name, found[0], None)


def _commit(owner: str, name: str, view: VersionView) -> Json:
    document = flattened(view.name, view.document, view.snippets)
    return {
        "owner": owner, "repo": name, "commit_hash": view.commit, "examples": [],
        "manifest": manifest_of(document, Notes()), "description": view.message or None,
    }  # fmt: skip


async def _commits(
    db: AsyncSession, workspace: WorkspaceRef, about: About, limit: int, offset: int
) -> Json:
    before = max(about.head - offset + 1, 1)
    lines = await history.versions(db, workspace.id, about.id, before=before, limit=limit + 1)
    items = [
        {
            "id": str(_id(f"{about.id}/{one.number}")), "repo_id": str(_id(about.id)),
            "commit_hash": one.commit, "created_at": one.at, "updated_at": one.at,
            "parent_commit_hash": after.commit if after else None,
            "description": one.message or None,
        }
        for one, after in zip(lines[:limit], [*lines[1:], None][:limit], strict=True)
    ]  # fmt: skip
    return {"commits": items, "total": about.head}


async def _heads(db: AsyncSession, workspace: WorkspaceRef, ids: list[str]) -> dict[str, str]:
    """The commits of the newest versions."""
    query = (
        select(Version.prompt_id, Version.commit)
        .join(
            Prompt,
            (Prompt.workspace_id == Version.workspace_id) & (Prompt.id == Version.prompt_id),
        )
        .where(
            Version.workspace_id == workspace.id, Version.prompt_id.in_(ids),
            Version.number == Prompt.head,
        )
    )  # fmt: skip
    return dict((await db.execute(query)).tuples().all())


def _repo(workspace: WorkspaceRef, about: About, head: str | None) -> Json:
    handle = about.name.replace("/", "~")
    return {
        "repo_handle": handle, "full_name": f"-/{handle}", "owner": None, "id": about.id,
        "tenant_id": str(_id(workspace.slug)), "description": about.description or about.title,
        "readme": None, "created_at": about.created_at, "updated_at": about.changed_at,
        "is_public": False, "is_archived": False, "tags": about.tags, "num_likes": 0,
        "num_downloads": 0, "num_views": 0, "num_commits": about.head,
        "last_commit_hash": head,
    }  # fmt: skip


def _id(text: str) -> Any:
    """Their ids are UUIDs; the same thing always has the same."""
    return uuid5(NAMESPACE_URL, f"prompthub:{text}")


ROUTER = Router(
    "/api/langsmith",
    route_handlers=[commits, repos, repo, settings, info, write],
    include_in_schema=False,
)
