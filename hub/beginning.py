"""What a first start makes: the first workspace and administrator, or what git still knows."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import demo as demo_
from hub.errors import Invalid
from hub.parts import Parts
from hub.people import accounts, workspaces
from hub.people.accounts import FIRST_ADMIN_NAME, OPERATOR
from hub.people.models import Workspace
from hub.people.policy import WorkspaceRef
from hub.registry.indexing import index

FIRST_ADMIN = "admin@localhost"
FIRST_WORKSPACE = ("main", "Prompts")


async def prepare(parts: Parts, *, demo: bool) -> list[str]:
    """Make what a first start needs; returns what the operator should read.

    Nobody becomes administrator by being first to visit: the link is printed here and only here.
    """
    slug, name = (demo_.SLUG, demo_.NAME) if demo else FIRST_WORKSPACE
    said = await _read_back(parts, {slug: name})
    workspace = await _first_workspace(parts, slug, name, always=demo)
    if demo and workspace is not None:
        await demo_.tell(parts, workspace)
    async with parts.database.write() as db:
        token = await accounts.first_link(db)
    said.append(f"Prompt Hub is at {parts.settings.url}")
    if token:
        said.append("Sign in for the first time (once, within a day):")
        said.append(f"  {accounts.link_at(parts.settings.url, token)}")
    return said


async def _read_back(parts: Parts, names: dict[str, str]) -> list[str]:
    """New tables beside repositories: each is a workspace again, with what git knows of it.

    What only the tables knew is gone, the workspaces' names with it; `names` are known ones.
    """
    said: list[str] = []
    found: list[WorkspaceRef] = []
    async with parts.database.write() as db:  # all or none: the next start indexes what is left
        if await db.scalar(select(Workspace.id).limit(1)):
            return []
        for lies in sorted(parts.publisher.repositories.glob("*.git")):
            try:
                found += [await _make(db, lies.stem, names.get(lies.stem, lies.stem))]
            except Invalid as refused:
                said.append(f"{lies.name} was left as it is. {refused.sentence}")
    for workspace in found:
        await take_in(parts, workspace)
        said.append(f"The workspace {workspace.slug} was read back from its repository.")
    return said


async def _first_workspace(
    parts: Parts, slug: str, name: str, *, always: bool
) -> WorkspaceRef | None:
    """The workspace called `slug`, made with the first administrator if it is not there.

    Unless `always`, nothing is made when there is any workspace.
    """
    async with parts.database.write() as db:
        found = await workspaces.find(db, slug)
        if found is not None:
            return found
        if not always and await db.scalar(select(Workspace.id).limit(1)):
            return None
        workspace = await _make(db, slug, name)
    await take_in(parts, workspace)
    return workspace


async def _make(db: AsyncSession, slug: str, name: str) -> WorkspaceRef:
    """A workspace of the first administrator."""
    admin = await accounts.find(db, FIRST_ADMIN)
    if admin is None:
        admin = await accounts.create(db, FIRST_ADMIN, FIRST_ADMIN_NAME)
    return await workspaces.create(db, slug, name, actor=OPERATOR, account_id=admin.id)


async def take_in(parts: Parts, workspace: WorkspaceRef) -> None:
    """One that lies there (from a backup, or of lost tables) is indexed at once."""
    await index.reindex(parts.database, await parts.publisher.ensure(workspace), workspace.id)
