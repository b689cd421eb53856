"""What every page of one prompt shares: its name from the address, the heading, the crumbs."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people import rules_store
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.registry import drafts
from hub.registry.labels import released, scheduled
from hub.registry.models import LabelMove
from hub.registry.reading import catalog
from hub.registry.reading.catalog import About
from hub.registry.reading.list_sql import LIVE
from hub.registry.review import offering
from hub.registry.review.offering import OpenOne
from hub.web import Ask, page

Fields = dict[str, list[str]]


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """`About`, this person's draft of it, what went live last and what is to come."""

    about: About
    draft_of: int | None
    """The version the draft started from; None: no draft."""
    last: LabelMove | None = None
    """The release into production that can be taken back: nothing newer went live."""
    coming: list[scheduled.Line] = []
    """Scheduled releases, the next first."""
    proposals: list[OpenOne] = []
    """Open ones that touch the prompt, the newest first."""
    reviewed: bool = False
    """The rules ask for review: a change is proposed rather than saved."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.about, name)

    @property
    def deleted(self) -> Any:
        return self.about.deleted_at


def named(path: str) -> str:
    """The prompt's name in `{name:path}`, which comes with a slash in front."""
    return path.strip("/")


async def heading(db: AsyncSession, workspace: WorkspaceRef, actor: Actor, name: str) -> Heading:
    """The prompt and, for a person, their draft; a deleted prompt will do.

    Raises:
        NotFound: there is no such prompt; `Moved`: it has another name now.
    """
    about = await catalog.get(db, workspace.id, name, deleted=True)
    draft = None
    if actor.account_id is not None:
        draft = await drafts.get(db, workspace.id, actor.account_id, about.id)
    return Heading(
        about=about, draft_of=(draft.base_version or about.head) if draft else None,
        last=await released.last_release(db, workspace.id, LIVE, about.id),
        coming=await scheduled.of_prompt(db, workspace.id, about.id),
        proposals=await offering.open_on(db, workspace.id, about.id),
        reviewed=offering.needs_review(
            (await rules_store.read(db, workspace.id)).policy, about.name
        ),
    )  # fmt: skip


async def fields_of(request: Ask) -> Fields:
    """The form with every repeated field, in order."""
    data = await request.form()
    return {key: [str(value) for value in data.getall(key)] for key in data}


def prompt_path(request: Ask, workspace: WorkspaceRef, name: str) -> str:
    """Where a release leads: to the programs, if it was made there, else to the prompt itself."""
    programs = f"/{workspace.slug}/use/{name}"
    came_from = request.headers.get("Referer", "")
    return programs if came_from.endswith(programs) else f"/{workspace.slug}/prompts/{name}"


def crumbs(workspace: WorkspaceRef, name: str, *more: str) -> list[tuple[str, str | None]]:
    """Prompts / folder / … / name, each a link but the last."""
    base = f"/{workspace.slug}/prompts"
    *folders, last = name.split("/")
    made: list[tuple[str, str | None]] = [("Prompts", base)]
    for depth, folder in enumerate(folders, 1):
        made.append((folder, f"{base}?folder={'/'.join(folders[:depth])}"))
    made.append((last, f"{base}/{name}" if more else None))
    made += [(one, None) for one in more]
    return made


def rights(actor: Actor, workspace: WorkspaceRef) -> dict[str, Any]:
    """What the page may offer; the functions behind the buttons ask again."""
    return {
        "may_draft": allows(actor, Need.DRAFT, workspace.id),
        "may_propose": allows(actor, Need.PROPOSE, workspace.id),
        "may_save": allows(actor, Need.SAVE, workspace.id),
        "may_release": allows(actor, Need.RELEASE, workspace.id),
    }


def prompt_page(
    request: Ask, template: str, about: Heading, *more: str, tab: str = "", **context: Any
) -> Template:
    """A page of one prompt."""
    workspace: WorkspaceRef = request.state.workspace
    actor: Actor = request.state.actor
    given: dict[str, Any] = {
        "about": about,
        "crumbs": crumbs(workspace, about.name, *more),
        "tab": tab,
        **rights(actor, workspace),
        **context,
    }
    return page(request, template, section="prompts", **given)
