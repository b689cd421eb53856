"""The Export pages: choose a version and a format, see what it lacks, take the file along."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Need, WorkspaceRef
from hub.registry.pages.common import crumbs, named
from hub.registry.reading import catalog
from hub.registry.reading.list_sql import LIVE
from hub.registry.reading.record import VersionView
from hub.sync import export
from hub.sync.formats.known import FORMATS, Format
from hub.web import Ask, is_part, page

FIRST = "prompt.yml"

Place = NamedDependency[WorkspaceRef]
Db = NamedDependency[AsyncSession]
Number = Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1)]


@get("/{slug:str}/export/{name:path}", needs=Need.READ, name="export")
async def export_page(
    request: Ask, name: FromPath[str], workspace: Place, db: Db, format: FromQuery[str] = FIRST,
    version: Number = None,
) -> Template:  # fmt: skip
    """One prompt: its versions, the formats, and what the chosen one loses."""
    about, view = await _version(db, workspace, named(name), version)
    return await _page(
        request, format, [view], title=about.title or about.name, several=False,
        stem=about.name.rpartition("/")[2], at=f"/{about.name}",
        crumbs=crumbs(workspace, about.name, "Export"),
        asked={"version": view.number}, versions=_versions(about),
        back=f"/{workspace.slug}/prompts/{about.name}",
    )  # fmt: skip


@get("/{slug:str}/export-file/{name:path}", needs=Need.READ, name="export:file")
async def export_file(
    name: FromPath[str], workspace: Place, db: Db, format: FromQuery[str] = FIRST,
    version: Number = None,
) -> Response[bytes]:  # fmt: skip
    """The file, or a zip where the format writes several."""
    _, view = await _version(db, workspace, named(name), version)
    return await _file(format, [view], view.name.rpartition("/")[2])


@get("/{slug:str}/export", needs=Need.READ, name="export:several")
async def several_page(
    request: Ask, workspace: Place, db: Db, format: FromQuery[str] = FIRST,
    folder: FromQuery[str] = "", label: FromQuery[str] = "",
) -> Template:  # fmt: skip
    """Every prompt below a folder, or of the workspace: its latest version, or that of a label."""
    folder = folder.strip("/")
    chosen = await export.choose(db, workspace, folder, label, export.AT_ONCE)
    parts = [part for part in folder.split("/") if part]
    base = f"/{workspace.slug}/prompts"
    return await _page(
        request, format, chosen.views, title=folder or "all prompts", several=True, at="",
        stem=parts[-1] if parts else workspace.slug,
        crumbs=[("Prompts", base), *((part, None) for part in parts), ("Export", None)],
        asked={"folder": folder, "label": label}, versions=[], beside=chosen.beside,
        labels=[one for one, _ in await catalog.labels(db, workspace.id)],
        back=f"{base}?{urlencode({'folder': folder})}" if folder else base,
    )  # fmt: skip


@get("/{slug:str}/export-file", needs=Need.READ, name="export:files")
async def several_file(
    workspace: Place, db: Db, format: FromQuery[str] = FIRST, folder: FromQuery[str] = "",
    label: FromQuery[str] = "",
) -> Response[bytes]:  # fmt: skip
    """All of them in a zip."""
    chosen = await export.choose(db, workspace, folder, label, export.AT_ONCE)
    return await _file(format, chosen.views, folder.strip("/").rpartition("/")[2] or workspace.slug)


async def _version(
    db: AsyncSession, workspace: WorkspaceRef, name: str, number: int | None
) -> tuple[catalog.About, VersionView]:
    """The prompt, and the version asked for; else what is live, else the latest."""
    about = await catalog.get(db, workspace.id, name)
    live = about.live()
    number = number or (live.version if live else None)
    return about, await catalog.version(db, workspace.id, about.name, number)


def _versions(about: catalog.About) -> list[tuple[int, str]]:
    """To choose from, the newest first, each with what it is."""
    words = {about.head: ["latest"]}
    for one in reversed(about.labels):
        words.setdefault(one.version, []).insert(0, "live" if one.label == LIVE else one.label)
    numbers = range(about.head, 0, -1)
    return [(n, f"v{n} ({', '.join(words[n])})" if n in words else f"v{n}") for n in numbers]


async def _page(
    request: Ask, format_: str, views: Sequence[VersionView], *, at: str, stem: str,
    asked: dict[str, Any], **context: Any,
) -> Template:  # fmt: skip
    chosen = export.format_of(format_)
    made, file_name = await asyncio.to_thread(_made, chosen, views, stem)
    asked = {key: value for key, value in asked.items() if value}
    root = f"/{request.state.workspace.slug}"
    return page(
        request, "sync/_export.html" if is_part(request) else "sync/export.html",
        section="prompts", formats=FORMATS.values(), chosen=chosen, made=made,
        whole=sum(not one.refused and not one.notes.found for one in made),
        file_name=file_name, stays=export.STAYS, asked=asked, here=f"{root}/export{at}",
        download=f"{root}/export-file{at}?{urlencode({'format': format_, **asked})}", **context,
    )  # fmt: skip


def _made(
    format_: Format, views: Sequence[VersionView], stem: str
) -> tuple[list[export.Written], str]:
    """What would be in the download, and how that would be called; no name: nothing."""
    made = export.written(format_, views)
    if all(one.refused for one in made):
        return made, ""
    return made, export.packed(format_, made, stem).name


async def _file(format_: str, views: Sequence[VersionView], stem: str) -> Response[bytes]:
    chosen = export.format_of(format_)

    def make() -> export.Download:
        return export.packed(chosen, export.written(chosen, views), stem)

    file = await asyncio.to_thread(make)
    return Response(
        file.data, media_type=file.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{file.name}"',
            "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
        },
    )  # fmt: skip


ROUTES: list[Any] = [export_page, export_file, several_page, several_file]
