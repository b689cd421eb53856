"""Who uses this prompt, and how: programs as they report themselves, and lines to copy."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.pages.common import heading, named, prompt_page
from hub.registry.prompt.document import Document, to_json
from hub.registry.reading import catalog, used_by
from hub.web import Ask
from sdk.errors import TemplateError
from sdk.template import texts_of


@get("/{slug:str}/use/{name:path}", needs=Need.READ, name="use")
async def use_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """The programs, and six lines of code with this prompt's name filled in."""
    about = await heading(db, workspace, actor, named(name))
    label = about.labels[0].label if about.labels else None
    names: list[str] = []
    if about.head and not about.deleted:
        view = await catalog.version(db, workspace.id, about.name, label=label)
        names = _taken(view.document)
    url: str = request.app.state.settings.url
    found = await used_by.used_by(db, workspace.id, about.id)
    return prompt_page(
        request, "registry/use.html", about, tab="use", **used_by.context(found),
        code=_python(url, about.name, label or "latest", names),
        curl=f'curl -H "Authorization: Bearer $PROMPTHUB_KEY" \\\n'
        f'  "{url}/api/v1/prompts/{about.name}?label={label or "latest"}"',
    )  # fmt: skip


@get("/{slug:str}/use-now/{name:path}", needs=Need.READ, name="use-now")
async def use_now(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    at: FromQuery[str] = "",
) -> Template:
    """The programs alone, for a page that is open; and the head too when a label moved since."""
    about = await heading(db, workspace, actor, named(name))
    found = await used_by.used_by(db, workspace.id, about.id)
    moved = at not in ("", about.place)
    return prompt_page(
        request, "registry/_used_by.html", about, tab="use", moved=moved,
        **used_by.context(found),
    )  # fmt: skip


def _taken(document: Document) -> list[str]:
    """Names a program passes: those the prompt declares, and those its texts use."""
    names = [one.name for one in document.variables]
    names += [one.name for one in document.messages if one.role == "placeholder" and one.name]
    with suppress(TemplateError):  # nothing that is served; the declared ones can be named still
        for text in filter(None, texts_of(to_json(document), {})):
            names += text.variables
    return [one for one in dict.fromkeys(names) if one.isidentifier()]


def _python(url: str, name: str, label: str, names: list[str]) -> str:
    given = ", ".join(f"{one}=…" for one in names)
    asked = f'"{name}"' if label == "production" else f'"{name}", label="{label}"'
    return (
        "import sdk\n\n"
        f'sdk.configure("{url}", key="ph_…")\n'
        f"prompt = sdk.get_prompt({asked})\n"
        f"messages = prompt.render({given})\n"
    )


ROUTES: list[Any] = [use_page, use_now]
