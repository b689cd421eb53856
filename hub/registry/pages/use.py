"""How an application gets this prompt: lines to copy, with its name filled in."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import catalog
from hub.registry.pages.common import heading, named, prompt_page
from hub.web import Ask


@get("/{slug:str}/use/{name:path}", needs=Need.READ, name="use")
async def use_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """Six lines of Python, and the address for anything else."""
    about = await heading(db, workspace, actor, named(name))
    label = about.labels[0].label if about.labels else "latest"
    names: list[str] = []
    if about.head and not about.deleted:
        view = await catalog.version(db, workspace.id, about.name)
        names = [variable.name for variable in view.document.variables]
    url: str = request.app.state.settings.url
    return prompt_page(
        request, "registry/use.html", about, tab="use",
        code=_python(url, about.name, label, names),
        curl=f'curl -H "Authorization: Bearer $PROMPTHUB_KEY" \\\n'
        f'  "{url}/api/v1/prompts/{about.name}?label={label}"',
    )  # fmt: skip


def _python(url: str, name: str, label: str, names: list[str]) -> str:
    given = ", ".join(f"{one}=…" for one in names)
    asked = f'"{name}"' if label == "production" else f'"{name}", label="{label}"'
    return (
        "import sdk\n\n"
        f'sdk.configure("{url}", key="ph_…")\n'
        f"prompt = sdk.get_prompt({asked})\n"
        f"messages = prompt.render({given})\n"
    )


ROUTES: list[Any] = [use_page]
